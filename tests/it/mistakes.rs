//! Mistakes of whoever types: in the configuration, in a question, in an option. Each is refused with its cure.

use crate::logs::{simulated, text};
use crate::util::{KEEP, Place};
use std::sync::LazyLock;

static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| simulated(300_000, 13));

#[test]
fn a_mistake_in_the_configuration_has_file_line_and_cure() {
    let place = Place::with(&format!(
        "{KEEP}\n[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\ntimezon = \"UTC\"\n[[servce]]\nname = \"x\"\n"
    ));
    let log = place.write("mainlog", &*LOG);
    for args in [vec!["check"], vec!["backfill", text(&log)], vec!["query", "freshness"]] {
        place.run(&args).ends(2).says(&[
            "mailpulse.toml:12:1: unknown key `timezon`; did you mean `timezone`?",
            "mailpulse.toml:13:",
            "`servce`; did you mean `service`?",
        ]);
    }
    assert!(
        !place.path("store").exists(),
        "nothing is written with a wrong configuration"
    );
}

#[test]
fn a_wrong_question_is_refused_with_the_reason() {
    let place = Place::new();
    let log = place.write("mainlog", &*LOG);
    place.backfill(&[&log]).ends(0);
    for (args, words) in [
        (
            vec!["query", "rate_by_service", "--since", "yesterday-ish"],
            vec!["`yesterday-ish` is no time", "2018-06-06"],
        ),
        (
            vec!["query", "rate_by_servise"],
            vec!["no query `rate_by_servise`", "rate_by_service"],
        ),
        (
            vec!["query", "--sql", "SELECT * FROM read_parquet('/etc/passwd')"],
            vec!["refused", "files"],
        ),
        (
            vec!["query", "--sql", "SELECT * FROM '/etc/passwd'"],
            vec!["no table", "events"],
        ),
        (vec!["query", "--sql", "DROP TABLE events"], vec!["only SELECT"]),
        (vec!["query", "--sql", "SELECT nonsense FROM events"], vec!["nonsense"]),
        (
            vec!["query", "top_services", "--param", "limit=many"],
            vec!["limit", "no whole number"],
        ),
        (
            vec!["query", "top_services", "--param", "lmit=3"],
            vec!["no parameter `lmit`", "limit"],
        ),
        (vec!["graph", "--out", "x.pdf"], vec![".svg or .png"]),
        (
            vec!["graph", "--kind", "acepted"],
            vec!["`acepted` is no kind of event", "accepted"],
        ),
        (
            vec!["graph", "--since", "2018-06-07", "--until", "2018-06-06"],
            vec!["is not before"],
        ),
    ] {
        place.run(&args).ends(2).says(&words);
    }
    let elsewhere = Place::new();
    elsewhere
        .run(&["query", "freshness"])
        .ends(2)
        .says(&["no store here", "mailpulse backfill"]);
}
