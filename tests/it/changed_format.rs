//! A log whose format changes is seen to change: its lines are unparsed, not swallowed by the record before them.

use crate::logs::{lines, root};
use crate::util::{KEEP, Place, Totals};
use std::fs;

const LOGS: [(&str, &str); 7] = [
    ("gerrit", "gerrit/error_log.log"),
    ("phabricator", "phabricator/daemons.log"),
    ("hue", "hue/runcpserver.log"),
    ("oozie", "oozie/oozie.log"),
    ("sentry", "sentry/human.log"),
    ("slimapp", "slimapp/logstash.log"),
    ("dumps", "dumps/dumps.log"),
];

fn read(kind: &str, log: &str) -> Totals {
    let place = Place::with(&format!(
        "{KEEP}[[source]]\nkind = \"{kind}\"\npaths = [\"app.log\"]\nhost = \"app1\"\n"
    ));
    let path = place.write("app.log", log);
    // At rest, so that its last record is finished.
    let file = fs::File::options().append(true).open(&path).unwrap();
    let mtime = file.metadata().unwrap().modified().unwrap();
    file.set_modified(mtime - std::time::Duration::from_secs(3600)).unwrap();
    let totals = place.run(&["backfill"]).ends(0).totals();
    assert_eq!(totals.lines, lines(log.as_bytes()), "{kind}");
    assert_eq!(
        place.number("SELECT SUM(unparsed) AS n FROM sources"),
        totals.unparsed as i64,
        "{kind}"
    );
    totals
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_new_format_is_unparsed_in_every_kind_of_log() {
    for (kind, file) in LOGS {
        let old = fs::read_to_string(root().join("parsers/corpus/app").join(file)).unwrap();
        let before = read(kind, &old);
        let mut changed = old.clone();
        for n in 0..100 {
            changed += &format!(
                "Thu Jun  7 19:02:{:02} 2018 mailer-{n} cannot send\n\tat some.place\n",
                n % 60
            );
        }
        let after = read(kind, &changed);
        assert!(after.unparsed >= before.unparsed + 100, "{kind}: {before:?} {after:?}");
        assert_eq!(after.events, before.events, "{kind}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_format_without_times_is_unparsed_after_two_thousand_lines() {
    for (kind, file) in LOGS {
        let old = fs::read_to_string(root().join("parsers/corpus/app").join(file)).unwrap();
        let before = read(kind, &old);
        let after = read(kind, &(old + &"a mail could not be sent\n".repeat(3000)));
        let more = after.unparsed - before.unparsed;
        assert!((990..=3000).contains(&more), "{kind}: {more}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn known_logs_hold_no_line_that_the_guard_takes_away() {
    for (kind, file) in LOGS {
        let log = fs::read_to_string(root().join("parsers/corpus/app").join(file)).unwrap();
        let unparsed = read(kind, &log).unparsed;
        assert!(unparsed <= 3, "{kind}: {unparsed}");
    }
}
