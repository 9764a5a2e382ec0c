//! What is thrown at it in practice: the message names the file and the cure, what was good is stored, and the exit
//! code says that something was not.

use crate::logs::{lines, packed, simulated, text};
use crate::util::{Place, Run};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| simulated(300_000, 13));

/// Reads a bad file beside a good one: exit code 2, the good one stored whole. Returns what was said.
#[track_caller]
fn beside_a_good_log(place: &Place, bad: &Path, words: &[&str]) -> crate::util::Run {
    let good = place.write("good/mainlog", &*LOG);
    let run = place
        .backfill(&[bad, &good])
        .ends(2)
        .says(words)
        .says(&[bad.file_name().unwrap().to_str().unwrap()]);
    let stored = "SELECT SUM(lines) AS n FROM sources";
    assert!(
        place.number(stored) as u64 >= lines(&LOG),
        "the good log is stored: {}",
        run.out
    );
    place.verify();
    run
}

#[test]
fn binary_junk_is_named_and_left_alone() {
    let place = Place::new();
    let junk: Vec<u8> = (0u32..200_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let bad = place.write("bad/mainlog", junk);
    let run = beside_a_good_log(
        &place,
        &bad,
        &["not a log of kind exim", "Leave it out", "Nothing of it was stored"],
    );
    assert_eq!(run.totals().lines, lines(&LOG), "nothing of the junk counts");
}

#[test]
fn an_empty_file_is_no_error() {
    let place = Place::new();
    let (empty, good) = (place.write("a/mainlog", ""), place.write("b/mainlog", &*LOG));
    let run = place.backfill(&[&empty, &good]).ends(0);
    assert!(run.out.contains("1 empty"), "{}", run.out);
    assert_eq!(run.totals().lines, lines(&LOG));
}

#[test]
fn a_cut_off_archive_keeps_its_complete_lines_and_goes_on_later() {
    let place = Place::new();
    let log = simulated(600_000, 17);
    for packer in ["gzip", "xz", "zstd", "bzip2"] {
        let place = Place::new();
        let whole = packed(packer, &log);
        let ending = match packer {
            "gzip" => "gz",
            "zstd" => "zst",
            "bzip2" => "bz2",
            other => other,
        };
        // Most packers work in blocks: a cut late in the file leaves at least one of them.
        let bad = place.write(&format!("bad/mainlog.{ending}"), &whole[..whole.len() * 9 / 10]);
        let run = place
            .backfill(&[&bad])
            .ends(2)
            .says(&["cut off at byte", "run again later", text(&bad)]);
        let first = run.totals().lines;
        assert!(first < lines(&log), "{packer}: {first}");
        assert!(packer != "gzip" || first > 0, "{packer}: the lines before the cut");
        place.write(&format!("bad/mainlog.{ending}"), &whole);
        let rest = place.backfill(&[&bad]).ends(0).totals().lines;
        assert_eq!(first + rest, lines(&log), "{packer}");
        assert_eq!(place.backfill(&[&bad]).ends(0).totals().lines, 0, "{packer}");
    }
    let whole = packed("gzip", &log);
    let bad = place.write("bad/mainlog.2.gz", &whole[..whole.len() / 2]);
    beside_a_good_log(&place, &bad, &["cut off"]);
}

#[test]
fn a_corrupt_archive_is_named_and_its_good_part_kept() {
    let place = Place::new();
    let mut archive = packed("gzip", &simulated(1_500_000, 19));
    let middle = archive.len() * 3 / 4;
    archive[middle..middle + 40].fill(0xff);
    let bad = place.write("bad/mainlog.3.gz", archive);
    let run = beside_a_good_log(&place, &bad, &["archive is damaged near byte", "Copy it again"]);
    assert!(run.totals().lines > lines(&LOG), "the lines before the damage count");
}

#[test]
fn a_folder_without_logs_says_what_would_be_taken() {
    let place = Place::new();
    place.write("pictures/holiday.png", "x");
    let folder = place.path("pictures");
    place
        .backfill(&[&folder])
        .ends(2)
        .says(&["pictures", "no logs in this folder", "mainlog"]);
    place
        .backfill(&[&place.path("nowhere")])
        .ends(2)
        .says(&["nowhere", "no such file"]);
    place
        .backfill(&[&place.path("none*")])
        .ends(2)
        .says(&["none*", "no file matches"]);
    place.run(&["backfill"]).ends(2).says(&["name files, folders or globs"]);
}

#[test]
fn an_unreadable_file_is_named_with_the_cure() {
    let place = Place::new();
    let bad = place.write("bad/mainlog", &*LOG);
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&bad).is_ok() {
        // Root reads everything: another user has to try.
        return as_nobody(&place, &bad);
    }
    beside_a_good_log(&place, &bad, &["cannot be read", "chmod g+r"]);
}

/// The same as an unprivileged user.
fn as_nobody(place: &Place, bad: &Path) {
    let dir = place.path("");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    // The build folder is often below a home of mode 0700.
    let program = place.path("mailpulse");
    fs::copy(crate::util::PROGRAM, &program).unwrap();
    let output = Command::new(&program)
        .args(["--store", text(&place.path("nobodys")), "backfill"])
        .arg(bad)
        .current_dir(&dir)
        .uid(65_534)
        .gid(65_534)
        .output();
    let run = Run::of(output.expect("the program starts")).ends(2);
    run.says(&[text(bad), "cannot be read", "chmod g+r"]);
}

#[test]
fn a_postfix_log_is_recognised_as_one() {
    // A source says that it is Exim's.
    let wrong = "[[source]]\nkind = \"exim\"\nhost = \"mx1001\"\npaths = [\"bad/*\"]\n";
    let place = Place::with(&format!("{}{wrong}", crate::util::KEEP));
    let line = |n: u32| {
        format!(
            "Jun  6 18:55:01 mail postfix/smtp[4242]: 3F2A1B00C1: to=<a{n}@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
        )
    };
    let postfix = place.write("other/mail.log", (0..50).map(line).collect::<String>());
    let good = place.write("good/mainlog", &*LOG);
    let run = place.backfill(&[&postfix, &good]).ends(0);
    assert!(
        run.out.contains("mx1001 (postfix): 50 lines = 50 events"),
        "{}",
        run.out
    );
    assert_eq!(run.totals().lines, lines(&LOG) + 50);
    // Named as what it is not, it is refused.
    place
        .run(&["backfill", "--kind", "oozie", text(&postfix)])
        .ends(2)
        .says(&["not a log of kind oozie", "a Postfix log", "`kind = \"postfix\"`"]);
}

#[test]
fn a_line_of_ten_megabytes_costs_itself_only() {
    let place = Place::new();
    let (a, b) = crate::logs::cut(&LOG, 0.5);
    let long = [
        b"2018-06-06 18:00:00 1fQdLN-0001Ab-Cd ".as_slice(),
        &vec![b'x'; 10_000_000],
        b"\n",
    ]
    .concat();
    let log = place.write("mainlog", [a, &long, b].concat());
    let run = place.backfill(&[&log]).ends(0);
    assert_eq!(run.totals().lines, lines(&LOG) + 1);
    assert!(run.out.contains("in 1 over-long lines"), "{}", run.out);
    let plain = Place::new();
    let log = plain.write("mainlog", &*LOG);
    plain.backfill(&[&log]).ends(0);
    assert_eq!(place.events(), plain.events());
}

#[test]
fn a_block_of_nuls_is_skipped_and_counted() {
    let place = Place::new();
    let (a, b) = crate::logs::cut(&LOG, 0.5);
    let log = place.write("mainlog", [a, &[0; 100_000], b].concat());
    let run = place.backfill(&[&log]).ends(0);
    let totals = run.totals();
    assert!(run.out.contains("left out: 100000 bytes"), "{}", run.out);
    assert_eq!((totals.lines, totals.unparsed), (lines(&LOG), 0), "{}", run.out);
}

#[test]
fn bytes_that_are_no_utf8_are_counted_and_told() {
    let place = Place::new();
    let line = b"2018-06-06 18:00:00 \xff\xfe\x1b[31m nonsense \x9f\n".as_slice();
    let log = place.write("mainlog", [line, &LOG, line].concat());
    let run = place.backfill(&[&log]).ends(0);
    assert_eq!(run.totals().lines, lines(&LOG) + 2);
    assert!(
        !run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'),
        "no escape reaches the terminal"
    );
}

#[test]
fn a_wrong_time_zone_is_told_by_the_message_ids() {
    let place = Place::new();
    let log = place.write("mainlog", &*LOG);
    let run = place
        .run(&[
            "backfill",
            "--host",
            "mx1001",
            "--timezone",
            "Europe/Berlin",
            text(&log),
        ])
        .ends(0);
    let run = run.says(&["-2 h", "zone", "--timezone", "fresh store", "UTC+00:00"]);
    assert!(run.totals().lines > 0);
    let right = Place::new();
    let log = right.write("mainlog", &*LOG);
    assert!(!right.backfill(&[&log]).ends(0).err.contains("zone"));
}

#[test]
fn odd_fields_are_left_out_counted_and_shown() {
    let place = Place::new();
    let exim = place.write(
        "mainlog",
        "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd <= a@example.org U=a P=local S=12x\n\
         2018-06-06 18:55:02 1fQdLN-0001Ab-Cd => b@example.com R=r T=remote_smtp H=mx.example.com [192.0.2.444] DT=\x1b[2J\n\
         2018-06-06 18:55:02 1fQdLN-0001Ab-Cd Completed QT=soon\n\
         2018-06-06 18:55:03 1fQdLN-0001Ab-Ef <= a@example.org U=a P=local S=99999999999999999999999\n",
    );
    let totals = place.backfill(&[&exim]).ends(0).totals();
    assert_eq!((totals.events, totals.unparsed), (4, 0));
    let answer: serde_json::Value =
        serde_json::from_str(&place.run(&["status", "--format", "json"]).ends(0).out).unwrap();
    let sources = &answer["sources"];
    assert_eq!(sources[0]["odd_fields"], 4);
    let samples = sources[0]["odd_field_samples"].as_array().unwrap();
    let told: Vec<String> = samples
        .iter()
        .map(|odd| format!("{} {} {}", odd["field"], odd["count"], odd["sample"]))
        .collect();
    assert_eq!(
        told,
        [
            "\"S\" 2 \"12x\"",
            "\"H\" 1 \"mx.example.com [192.0.2.444]\"",
            "\"QT\" 1 \"soon\"",
        ]
    );
    assert!(samples[0]["path"].as_str().unwrap().ends_with("mainlog"));
    let shown = place.run(&["status"]).ends(0).out;
    assert!(
        shown.contains("2 x S is malformed and was left out, as in `12x`"),
        "{shown}"
    );
    assert!(!shown.contains('\x1b'), "{shown}");
}
