use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use super::clock::{DAY, ROTATION_OF_DAY, TimeFormatter, base62, duration};
use super::prng::Rng;
use super::*;

/// Four days, sparse: enough for all forms but the end of a four-day retry.
fn small(seed: u64) -> Outage2018 {
    Outage2018 {
        seed,
        history_days: 4,
        mails_per_day_scale: 0.1,
    }
}

fn written(spec: &Outage2018) -> (TempDir, Truth) {
    let dir = TempDir::new().unwrap();
    let truth = outage_2018(dir.path(), spec).unwrap();
    (dir, truth)
}

fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let mut file = File::open(path).unwrap();
    match path.extension().is_some_and(|e| e == "gz") {
        true => MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap(),
        false => file.read_to_end(&mut bytes).unwrap(),
    };
    String::from_utf8(bytes).unwrap()
}

/// A relay's whole log, oldest first.
fn log(truth: &Truth, relay: &str) -> String {
    let of_relay = truth
        .files
        .iter()
        .rev()
        .filter(|f| f.parent().unwrap().ends_with(relay));
    of_relay.map(|f| text(f)).collect()
}

fn epoch(line: &str) -> i64 {
    let n = |range: std::ops::Range<usize>| line[range].parse::<i64>().unwrap();
    let start = MONTHS.iter().find(|(m, _)| *m == n(5..7)).unwrap().1;
    start + (n(8..10) - 1) * DAY + n(11..13) * 3600 + n(14..16) * 60 + n(17..19)
}

/// 2018-05-01 and 2018-06-01.
const MONTHS: [(i64, i64); 2] = [(5, 1_525_132_800), (6, 1_527_811_200)];

fn id(line: &str) -> Option<&str> {
    let id = line.get(20..36)?;
    (id.as_bytes()[6] == b'-' && id.as_bytes()[13] == b'-' && !id.contains(' ')).then_some(id)
}

/// `*` and `[0-9]`, as in the rules.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| glob(rest, &text[n..])),
        ([b'[', b'0', b'-', b'9', b']', rest @ ..], [c, tail @ ..]) => c.is_ascii_digit() && glob(rest, tail),
        ([p, rest @ ..], [c, tail @ ..]) => p == c && glob(rest, tail),
        _ => false,
    }
}

/// Attributes an arrival by the rules of the written `mailpulse.toml`.
fn service(rules: &[(String, bool, String)], line: &str) -> String {
    let body = &line[40..];
    if body.starts_with("<> R=") {
        return LOCAL_BOUNCES.into();
    }
    let sender = body.split(" H=").next().unwrap();
    let client = body.split(" H=").nth(1).unwrap().split(' ').next().unwrap();
    let hit = rules
        .iter()
        .find(|(_, by_sender, pattern)| glob(pattern.as_bytes(), if *by_sender { sender } else { client }.as_bytes()));
    hit.map_or(UNATTRIBUTED.into(), |(name, ..)| name.clone())
}

fn rules(toml: &str) -> Vec<(String, bool, String)> {
    let mut rules = Vec::new();
    for block in toml.split("[[service]]").skip(1) {
        let strings: Vec<&str> = block.split("[[").next().unwrap().split('"').collect();
        for pair in strings[2..].chunks(2).filter(|pair| pair.len() == 2) {
            rules.push((strings[1].to_owned(), pair[0].contains("sender"), pair[1].to_owned()));
        }
    }
    rules
}

/// The kind of a line, told from its text alone.
fn kind(line: &str) -> Option<&'static str> {
    let body = &line[if id(line).is_some() { 37 } else { 20 }..];
    Some(match body.get(0..2).unwrap_or_default() {
        "<=" => "accepted",
        "=>" if body.starts_with("=> :blackhole:") => "discarded",
        "=>" | "->" => "delivered",
        "==" => "deferred",
        "**" if body.ends_with("retry timeout exceeded") => "expired",
        "**" => "bounced",
        _ if body == "Completed" => "completed",
        _ if body == "Message is frozen" || body.starts_with("Frozen ") => "frozen",
        _ if body.contains("rejected ") => "rejected",
        _ => return None,
    })
}

#[test]
fn same_seed_same_bytes() {
    let (a, _) = written(&small(1));
    let (b, truth) = written(&small(1));
    let (_c, other) = written(&small(2));
    for file in &truth.files {
        let twin = a.path().join(file.strip_prefix(b.path()).unwrap());
        assert_eq!(fs::read(file).unwrap(), fs::read(twin).unwrap(), "{}", file.display());
    }
    assert_ne!(truth.counts, other.counts);
}

#[test]
fn a_rerun_with_less_history_leaves_no_old_files() {
    let (dir, long) = written(&small(1));
    let short = outage_2018(
        dir.path(),
        &Outage2018 {
            history_days: 2,
            ..small(1)
        },
    )
    .unwrap();
    assert_eq!(
        fs::read_dir(dir.path().join("mx1001")).unwrap().count(),
        short.files.len() / 2
    );
    assert_eq!(long.files.len(), short.files.len() + 4);
}

#[test]
fn truth_is_what_the_files_say() {
    let (dir, truth) = written(&small(3));
    let rules = rules(&fs::read_to_string(dir.path().join("mailpulse.toml")).unwrap());
    let (mut counts, mut lines, mut bytes) = (BTreeMap::new(), 0, 0);
    for relay in ["mx1001", "mx2001"] {
        let log = log(&truth, relay);
        let mut owners = HashMap::new();
        for line in log.lines() {
            if line.get(37..39) == Some("<=") {
                owners.insert(id(line).unwrap().to_owned(), service(&rules, line));
            }
            let owner = id(line)
                .and_then(|id| owners.get(id))
                .map_or(UNATTRIBUTED, String::as_str);
            if let Some(kind) = kind(line) {
                *counts
                    .entry((owner.to_owned(), relay.to_owned(), kind.to_owned()))
                    .or_default() += 1;
            }
            lines += 1;
        }
        bytes += log.len() as u64;
    }
    assert_eq!(truth.counts, counts);
    assert_eq!((truth.lines, truth.bytes), (lines, bytes));
    assert_eq!(truth.forms.values().sum::<u64>(), lines);
}

#[test]
fn lines_are_in_order_and_in_their_file() {
    let (_dir, truth) = written(&small(4));
    for relay in ["mx1001", "mx2001"] {
        let of_relay: Vec<_> = truth
            .files
            .iter()
            .filter(|f| f.parent().unwrap().ends_with(relay))
            .collect();
        let mut last = 0;
        for (age, file) in of_relay.iter().enumerate().rev() {
            let name = file.file_name().unwrap().to_str().unwrap();
            let expected = match age {
                0 => "mainlog".to_owned(),
                1 => "mainlog.1".to_owned(),
                n => format!("mainlog.{n}.gz"),
            };
            assert_eq!(name, expected);
            let end = clock::MIDNIGHT + ROTATION_OF_DAY - age as i64 * DAY;
            for line in text(file).lines() {
                let t = epoch(line);
                assert!(t >= last && (end - DAY..end).contains(&t), "{name}: {line}");
                last = t;
            }
        }
        assert!((truth.from..truth.until).contains(&last));
    }
}

#[test]
fn message_ids_are_unique_and_carry_the_time() {
    let (_dir, truth) = written(&small(5));
    let mut seen = HashMap::new();
    for relay in ["mx1001", "mx2001"] {
        for line in log(&truth, relay).lines().filter(|line| line.get(37..39) == Some("<=")) {
            let mut stamp = [0; 6];
            base62(epoch(line) as u64, &mut stamp);
            assert_eq!(id(line).unwrap().as_bytes()[..6], stamp, "{line}");
            assert_eq!(seen.insert(id(line).unwrap().to_owned(), relay), None, "{line}");
        }
    }
}

#[test]
fn a_message_begins_with_its_arrival_and_ends_with_completed() {
    let (_dir, truth) = written(&small(6));
    for relay in ["mx1001", "mx2001"] {
        let mut states: HashMap<String, &str> = HashMap::new();
        for line in log(&truth, relay)
            .lines()
            .filter(|line| !line.contains("rejected after DATA"))
        {
            let Some(id) = id(line) else { continue };
            let state = states.get(id).copied();
            match &line[37..] {
                body if body.starts_with("<= ") => assert_eq!(state, None, "{line}"),
                _ => assert_eq!(state, Some("open"), "{line}"),
            }
            states.insert(
                id.to_owned(),
                if line.ends_with(" Completed") { "done" } else { "open" },
            );
        }
    }
}

#[test]
fn a_stopped_relay_writes_nothing_and_starts_with_its_daemon() {
    let (_dir, truth) = written(&small(7));
    let stopped = log(&truth, "mx1001");
    assert!(stopped.lines().all(|line| !(STOPPED..RESTARTED).contains(&epoch(line))));
    let back = stopped.lines().find(|line| epoch(line) >= RESTARTED).unwrap();
    assert!(
        back.starts_with("2018-06-07 02:00:00 exim 4.89 daemon started: pid="),
        "{back}"
    );
    assert!(
        stopped
            .lines()
            .any(|line| (STOPPED - 300..STOPPED).contains(&epoch(line)))
    );
    assert_eq!(truth.forms[&LineForm::DaemonStart], 1);
    assert!(
        log(&truth, "mx2001")
            .lines()
            .filter(|line| (STOPPED..RESTARTED).contains(&epoch(line)))
            .count()
            > 500
    );
}

#[test]
fn the_outage_loses_delays_and_reroutes() {
    let (_dir, truth) = written(&small(8));
    let tally = |service: &str, relay: &str, phase| {
        truth
            .phases
            .get(&(service.to_owned(), relay.to_owned(), phase))
            .copied()
            .unwrap_or_default()
    };
    let lost = [
        "gerrit",
        "hue",
        "iegreview",
        "oozie",
        "wikimania_scholarships",
        "sentry",
        "snapshot",
    ];
    for service in lost {
        let impact = &truth.impact[service];
        assert_eq!((impact.fate, impact.untouched), (Fate::Lost, 0), "{service}");
        assert!(!impact.tried.is_empty() && impact.tried.is_sorted(), "{service}");
        assert!(tally(service, "mx1001", Phase::Before).accepted > 0, "{service}");
        assert!(
            !truth
                .phases
                .contains_key(&(service.to_owned(), "mx2001".to_owned(), Phase::Outage)),
            "{service}"
        );
    }
    let phabricator = &truth.impact["phabricator"];
    assert_eq!(phabricator.fate, Fate::Delayed);
    assert!(tally("phabricator", "mx1001", Phase::After).accepted > phabricator.tried.len() as u64);
    for service in ["wiki", "mailman", "cron", "otrs"] {
        let impact = &truth.impact[service];
        assert_eq!(impact.fate, Fate::Rerouted, "{service}");
        let sent = tally(service, "mx2001", Phase::Outage).accepted;
        assert_eq!(sent, impact.tried.len() as u64 + impact.untouched, "{service}");
    }
    assert_eq!(truth.impact.len(), service_names().count());
}

#[test]
fn weekends_are_quieter() {
    // 2018-06-02 and 03 are a weekend, 04 and 05 are not.
    let (_dir, truth) = written(&Outage2018 {
        history_days: 5,
        mails_per_day_scale: 0.2,
        seed: 9,
    });
    let log = log(&truth, "mx1001");
    let on = |day: &str| {
        log.lines()
            .filter(|line| line.starts_with(day) && line.contains("<= gerrit@"))
            .count()
    };
    assert!(2 * (on("2018-06-02") + on("2018-06-03")) < on("2018-06-04") + on("2018-06-05"));
}

#[test]
fn one_big_log() {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let lines = exim_log(&mut a, 3_000_000, 1, &[]).unwrap();
    exim_log(&mut b, 3_000_000, 1, &[]).unwrap();
    assert_eq!(a, b);
    assert!((3_000_000..3_002_000).contains(&a.len()));
    assert_eq!(a.iter().filter(|&&byte| byte == b'\n').count() as u64, lines);
    let mut only = Vec::new();
    let truth = exim_log_counted(&mut only, 100_000, 1, &["gerrit"]).unwrap();
    assert!(
        truth
            .counts
            .keys()
            .all(|(service, ..)| ["gerrit", UNATTRIBUTED, LOCAL_BOUNCES].contains(&service.as_str()))
    );
    assert!(
        truth
            .counts
            .contains_key(&("gerrit".into(), "mx1001".into(), "accepted".into()))
    );
}

#[test]
fn forms_are_numbered_in_order() {
    assert!(form::FORMS.iter().enumerate().all(|(n, &form)| form as usize == n));
}

#[test]
fn stamps_and_durations() {
    assert_eq!(TimeFormatter::new().of(STOPPED), b"2018-06-06 18:55:00");
    assert_eq!(rfc3339(RESTARTED), "2018-06-07T02:00:00Z");
    assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(clock::weekday(STOPPED), 2);
    let texts = [0, 3, 123, 3723, 3 * DAY + 4 * 3600, 8 * DAY].map(duration);
    assert_eq!(texts, ["0s", "3s", "2m3s", "1h2m3s", "3d4h", "1w1d"]);
}

#[test]
fn draws_have_their_means() {
    let mut rng = Rng::new(1);
    let mut mean = |draw: &mut dyn FnMut(&mut Rng) -> f64| (0..40_000).map(|_| draw(&mut rng)).sum::<f64>() / 40_000.0;
    assert!((mean(&mut |rng| rng.poisson(0.3) as f64) - 0.3).abs() < 0.02);
    assert!((mean(&mut |rng| rng.poisson(20.0) as f64) - 20.0).abs() < 0.2);
    assert!((mean(&mut |rng| rng.poisson(400.0) as f64) - 400.0).abs() < 1.0);
    assert!((mean(&mut |rng| rng.exponential(5.0)) - 5.0).abs() < 0.2);
    assert!((mean(&mut |rng| rng.lognormal(1.0, 0.5)) - (1.125f64).exp()).abs() < 0.06);
    assert!((mean(&mut |rng| rng.below(10) as f64) - 4.5).abs() < 0.1);
}
