//! Roll-ups answer as the rows do: for any window, after any correction, and in a store that has only some of them.

use crate::util::{KEEP_ALONE, Place};
use mailpulse::model::time::{End, UtcMs};
use mailpulse::query::named::{self, Value};
use mailpulse::query::{self, SumsOf, Window};
use mailpulse::simulate::{Outage2018, outage_2018};
use mailpulse::store::Store;
use mailpulse::store::catalogue::Segment;
use mailpulse::store::columnar::{LookupKey, ROLLUP_ROWS_MIN, RollUps, Table, Values};
use mailpulse::store::maintenance::compact;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Made once: tests change copies of it.
static OUTAGE: LazyLock<Place> = LazyLock::new(outage);

/// Three days and a night of two relays and the applications. The newest logs are read first, so that older ones tell later
/// whose mail the rows are about. Days of one relay have enough events for roll-ups, those of the other hardly.
fn outage() -> Place {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 11,
        history_days: 3,
        mails_per_day_scale: 0.08,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    configure(&place, "");
    let logs = place.path("logs/mx1001");
    let later = place.path("later");
    fs::create_dir(&later).expect("a folder");
    let mut names: Vec<_> = fs::read_dir(&logs)
        .expect("logs")
        .map(|log| log.unwrap().file_name())
        .collect();
    names.sort();
    // `mainlog` is the newest, `mainlog.1` the one before.
    let old: Vec<_> = names.iter().skip(2).collect();
    assert!(!old.is_empty(), "{names:?}");
    for name in &old {
        fs::rename(logs.join(name), later.join(name)).expect("a log moved");
    }
    place.run(&["backfill", "-q"]).ends(0);
    for name in old {
        fs::rename(later.join(name), logs.join(name)).expect("a log moved back");
    }
    place.run(&["backfill", "-q"]).ends(0);
    place
}

fn configure(place: &Place, more: &str) {
    let config = fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
    let config = config.replace("paths = [\"", "paths = [\"logs/");
    place.write("mailpulse.toml", format!("{KEEP_ALONE}{config}{more}"));
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % end
    }
}

/// Windows whose ends are at a day, an hour, a minute, or anywhere; some are empty, some hold all.
fn windows(store: &Store, numbers: &mut Numbers) -> Vec<Window> {
    let (first, last) = query::history::MailHistory::span(store, UtcMs::MAX)
        .unwrap()
        .expect("events");
    let mut windows = vec![Window {
        since_ms: first - DAY,
        until_ms: last + DAY,
    }];
    let mut moment = |grain: i64| {
        let at = first - HOUR + numbers.below(last - first + 2 * HOUR);
        at.get().div_euclid(grain) * grain
    };
    for (since, until) in [
        (DAY, DAY),
        (DAY, HOUR),
        (HOUR, DAY),
        (HOUR, HOUR),
        (HOUR, MINUTE),
        (MINUTE, DAY),
        (MINUTE, MINUTE),
        (1, DAY),
        (1, HOUR),
        (1, 1),
    ] {
        let (a, b) = (moment(since), moment(until));
        windows.push(Window {
            since_ms: UtcMs::new(a.min(b)),
            until_ms: UtcMs::new(a.max(b) + until),
        });
    }
    windows
}

/// Every named query that adds up, and the other questions that do, with windows in them.
fn questions(window: Window) -> Vec<(String, SumsOf)> {
    let mut questions = Vec::new();
    for (query, at) in named::all().into_iter().zip(window.since_ms.get().unsigned_abs()..) {
        let bucket = ["7m", "1h", "6h", "1d", "90m"][(at % 5) as usize];
        let given = [("since", "2018-06-01"), ("bucket", bucket), ("limit", "100000")];
        let has = |name: &str| query.params.iter().any(|param| param.name == name);
        let given = given.into_iter().filter(|(name, _)| has(name));
        let given: Vec<_> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut values = query.values(&given, End::clock(UtcMs::EPOCH)).unwrap();
        for (name, value) in &mut values {
            match *name {
                "since" => *value = Value::Int(window.since_ms.get()),
                "until" => *value = Value::Int(window.until_ms.get()),
                _ => {}
            }
        }
        questions.extend(query.sums(&values).map(|sums| (query.bind(&values), sums)));
    }
    let cut = format!(
        "ts_ms >= {} AND ts_ms < {}",
        window.since_ms.get(),
        window.until_ms.get()
    );
    let newest = format!(
        "SELECT service, kind, SUM(messages) AS m, SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b, MAX(ts_ms) AS newest \
         FROM rates WHERE {cut} GROUP BY service, kind ORDER BY service, kind"
    );
    questions.push((newest, SumsOf::Rates { step_ms: None }));
    let handed_over = format!(
        "SELECT service, relay, remote_host, SUM(messages) AS m FROM events WHERE kind = 'delivered' AND destination = 'relay' \
         AND messages > 0 AND {cut} GROUP BY service, relay, remote_host ORDER BY service, relay, remote_host"
    );
    questions.push((handed_over, SumsOf::Peers));
    let by_hop = format!(
        "SELECT service, hostgroup, relay, first_hop, destination, COUNT(*) AS n, SUM(messages) AS m FROM events WHERE kind = 'deferred' \
         AND {cut} GROUP BY service, hostgroup, relay, first_hop, destination \
         ORDER BY service, hostgroup, relay, first_hop, destination"
    );
    questions.push((by_hop, SumsOf::Peers));
    let witnesses = format!(
        "SELECT ts_ms - ts_ms % 60000 AS minute, service, host, remote_host, kind, COUNT(*) AS n FROM events \
         WHERE ((kind = 'delivered' AND destination = 'relay') OR (kind = 'submit_failed' AND messages = 0) \
         OR (kind = 'deferred' AND (reason = 'connection_refused' OR reason = 'timeout'))) AND {cut} \
         GROUP BY ts_ms - ts_ms % 60000, service, host, remote_host, kind ORDER BY minute, service, host, remote_host, kind"
    );
    questions.push((witnesses, SumsOf::Witnesses));
    questions
}

/// All answers are those of the rows; how many had rows.
fn assert_same(store: &Store, seed: u64) -> usize {
    let mut found = 0;
    // A quarter of the windows: another quarter for the next seed.
    for window in windows(store, &mut Numbers(seed))
        .into_iter()
        .skip(seed as usize % 4)
        .step_by(4)
    {
        for (text, sums) in questions(window) {
            let rows = query::select(store, &text, Window::ALL).unwrap_or_else(|error| panic!("{error}: {text}"));
            let rolled =
                query::add_up(store, &text, Window::ALL, sums).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(rolled, rows, "{sums:?}, {window:?}: {text}");
            found += usize::from(rows.rows() > 0);
        }
    }
    found
}

/// How many segments have roll-ups, and how many have none.
fn with_and_without(store: &Store) -> (usize, usize) {
    let all = store.segments().all().unwrap();
    let rolled = |segment: &&_| -> bool {
        let segment: &mailpulse::store::catalogue::Segment = segment;
        RollUps::open(&store.segments().rates_path(segment.id))
            .unwrap()
            .is_some()
    };
    assert!(
        all.iter()
            .all(|segment| rolled(&segment) == (segment.rows >= ROLLUP_ROWS_MIN))
    );
    let with = all.iter().filter(rolled).count();
    (with, all.len() - with)
}

fn total(table: &Table) -> i64 {
    match table.columns.first().map(|column| &column.values) {
        Some(Values::Int(numbers)) => numbers.iter().flatten().sum(),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn roll_ups_answer_as_rows_do_in_any_window_and_after_any_correction() {
    let place = Place::copy_of(&OUTAGE);
    let store = place.store();
    let (with, without) = with_and_without(&store);
    assert!(
        with >= 3 && without >= 3,
        "{with} segments with roll-ups, {without} without"
    );
    assert!(assert_same(&store, 1) > 20);
    // Fewer rows are read for it.
    let count = "SELECT COUNT(*) AS n FROM rates";
    let minutes = total(&query::select(&store, count, Window::ALL).unwrap());
    let of = |step_ms| total(&query::add_up(&store, count, Window::ALL, SumsOf::Rates { step_ms }).unwrap());
    let (hours, days) = (of(Some(HOUR)), of(None));
    assert!(
        minutes > hours && hours > days,
        "{minutes} minutes, {hours} hours, {days} days"
    );
    drop(store);
    // Other rules: rows are rewritten.
    let before = place
        .run(&["services", "--since", "2018-06-01", "--until", "2018-06-08"])
        .ends(0)
        .out;
    let rules = place.path("mailpulse.toml");
    let config = fs::read_to_string(&rules).unwrap();
    fs::write(
        &rules,
        config.replace("name = \"gerrit\"\nmatch", "name = \"reviews\"\nmatch"),
    )
    .unwrap();
    place.run(&["services", "relabel"]).ends(0);
    let after = place
        .run(&["services", "--since", "2018-06-01", "--until", "2018-06-08"])
        .ends(0)
        .out;
    assert!(!before.contains("reviews") && after.contains("reviews"), "{after}");
    assert!(assert_same(&place.store(), 2) > 20);
    // One segment a source and day.
    compact(&Store::create(&place.path("store")).unwrap(), None).unwrap();
    let store = place.store();
    with_and_without(&store);
    assert!(assert_same(&store, 3) > 20);
    drop(store);
    // A day goes.
    let forget = [
        "store",
        "forget",
        "--source",
        "exim@mx1001",
        "--since",
        "2018-06-05T13:24:35Z",
        "--force",
    ];
    place.run(&forget).ends(0);
    assert!(assert_same(&place.store(), 4) > 20);
    place.verify();
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn of_days_in_a_window_no_event_is_read() {
    let place = Place::copy_of(&OUTAGE);
    let store = place.store();
    let window = windows(&store, &mut Numbers(5))[0];
    let large: Vec<_> = store.segments().all().unwrap();
    let large: Vec<_> = large.iter().filter(|segment| segment.rows >= ROLLUP_ROWS_MIN).collect();
    let ask = |sums: SumsOf| -> Vec<Table> {
        let questions = questions(window).into_iter().filter(|(_, of)| *of == sums);
        questions
            .map(|(text, sums)| query::add_up(&store, &text, Window::ALL, sums).unwrap())
            .collect()
    };
    let all = [SumsOf::Peers, SumsOf::Latencies, SumsOf::Witnesses];
    let before = all.map(ask);
    for segment in &large {
        fs::remove_file(store.segments().events_path(segment.id)).unwrap();
    }
    assert_eq!(before, all.map(ask));
    assert!(
        before
            .iter()
            .flatten()
            .all(|table| table.rows() > 0 || table.columns.len() == 4)
    );
}

/// As an older program writes it: the file of its rates has nothing between pages and footer that it knows of.
fn without_rollups(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = memchr::memmem::rfind(&bytes, b"MPROLL01").expect("roll-ups");
    bytes[at] = b'm';
    fs::write(path, bytes).unwrap();
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_store_of_an_older_program_answers_the_same_says_so_and_is_mended_by_compacting() {
    let place = Place::copy_of(&OUTAGE);
    let store = place.store();
    let large: Vec<_> = store.segments().all().unwrap();
    let large: Vec<_> = large.iter().filter(|segment| segment.rows >= ROLLUP_ROWS_MIN).collect();
    let ask = || {
        place
            .run(&["query", "latency", "--since", "2018-06-01", "--until", "2018-06-08"])
            .ends(0)
    };
    let before = ask();
    assert_eq!(before.err, "");
    for segment in &large {
        without_rollups(&store.segments().rates_path(segment.id));
    }
    let old = ask();
    assert_eq!(old.out, before.out);
    let words = format!("{} segments have no roll-ups", large.len());
    assert!(
        old.err.contains(&words) && old.err.contains("store compact"),
        "{}",
        old.err
    );
    assert!(assert_same(&store, 6) > 20);
    drop(store);
    let mended = compact(&Store::create(&place.path("store")).unwrap(), None).unwrap();
    assert!(mended.merged > 0 || mended.rolled_up > 0, "{mended:?}");
    let after = ask();
    assert_eq!((after.out, after.err), (before.out, before.err));
    with_and_without(&place.store());
    assert!(assert_same(&place.store(), 7) > 20);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_flipped_bit_in_roll_ups_changes_no_answer() {
    let place = Place::copy_of(&OUTAGE);
    let store = place.store();
    let segment = store
        .segments()
        .all()
        .unwrap()
        .into_iter()
        .max_by_key(|segment| segment.rows)
        .unwrap();
    let path = store.segments().rates_path(segment.id);
    let good = fs::read(&path).unwrap();
    let end = memchr::memmem::rfind(&good, b"MPROLL01").expect("roll-ups") + 8;
    let window = windows(&store, &mut Numbers(8))[0];
    // One that reads each roll-up.
    let mut questions = questions(window);
    questions.sort_by_key(|(_, sums)| format!("{sums:?}"));
    questions.dedup_by_key(|(_, sums)| *sums);
    let all = || -> Vec<Table> {
        let asked = questions.iter();
        asked
            .map(|(text, sums)| query::add_up(&store, text, Window::ALL, *sums).unwrap())
            .collect()
    };
    let expected = all();
    let mut numbers = Numbers(9);
    for round in 0..8 {
        // Half of them in the directory, which is at the end.
        let at = end - 1 - numbers.below(if round % 2 == 0 { 60 } else { (end / 2) as i64 }) as usize;
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (round % 8);
        fs::write(&path, &flipped).unwrap();
        let incomplete = mailpulse::store::segments::Incomplete::default();
        let mut reader = place.store();
        reader.note_incomplete_in(&incomplete);
        for ((text, sums), expected) in questions.iter().zip(&expected) {
            let answer = query::add_up(&reader, text, Window::ALL, *sums).unwrap();
            let is_told = !incomplete.lacks().0.is_empty();
            assert!(is_told || answer == *expected, "byte {at} of {}: {text}", good.len());
        }
    }
}

/// Rows by each kind of key: a condition, and its key.
fn keyed_rows(store: &Store) -> Vec<(String, LookupKey)> {
    let text = "SELECT recipient_local, recipient_domain, sender_local, sender_domain FROM events \
                WHERE recipient_local <> '' OR sender_local <> '' ORDER BY event_id";
    let table = query::select(store, text, Window::ALL).unwrap();
    let texts = |column: usize| match &table.columns[column].values {
        Values::Text(texts) => texts.clone(),
        other => panic!("{other:?}"),
    };
    let [recipients, domains, senders, sender_domains] = [0, 1, 2, 3].map(texts);
    let quoted = |text: &str| text.replace('\'', "''");
    let mut rows = Vec::new();
    for row in (0..table.rows()).step_by(499) {
        let mut address = |name: &str, local: &Option<String>, domain: &Option<String>| {
            let (local, domain) = (local.clone().unwrap_or_default(), domain.clone().unwrap_or_default());
            if !local.is_empty() {
                let condition = format!(
                    "{name}_local = '{}' AND LOWER({name}_domain) = LOWER('{}')",
                    quoted(&local),
                    quoted(&domain)
                );
                rows.push((condition, LookupKey::of_address(&local, &domain.to_ascii_uppercase())));
            }
        };
        address("recipient", &recipients[row], &domains[row]);
        address("sender", &senders[row], &sender_domains[row]);
    }
    rows
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_is_looked_up_by_its_key_is_found_in_any_segment_that_has_it() {
    let place = Place::copy_of(&OUTAGE);
    let check = |when: &str| {
        let store = place.store();
        let rows = keyed_rows(&store);
        assert!(rows.len() > 60, "{when}: {}", rows.len());
        let large = |segment: &Segment| segment.rows >= ROLLUP_ROWS_MIN;
        let segments: Vec<Segment> = store.segments().all().unwrap().into_iter().filter(large).collect();
        assert!(segments.len() > 2, "{when}: {}", segments.len());
        let mut left_out = 0;
        for (condition, key) in &rows {
            let text = format!("SELECT event_id FROM events WHERE {condition} ORDER BY event_id");
            let all = query::select(&store, &text, Window::ALL).unwrap();
            assert!(all.rows() > 0, "{when}: {condition}");
            let found = query::look_up(&store, &text, Window::ALL, &[*key]).unwrap();
            assert_eq!(found, all, "{when}: {condition}");
            left_out += segments
                .iter()
                .filter(|one| !store.segments().may_have(one, &[*key]))
                .count();
        }
        assert!(
            left_out > rows.len() / 2,
            "{when}: {left_out} of {} × {}",
            rows.len(),
            segments.len()
        );
        let unknown = LookupKey::of_address("nobody", "nowhere.invalid");
        let asked = segments
            .iter()
            .filter(|one| store.segments().may_have(one, &[unknown]))
            .count();
        assert!(asked <= segments.len() / 2, "{when}: {asked} of {}", segments.len());
    };
    check("as it was read and amended");
    compact(&Store::create(&place.path("store")).unwrap(), None).unwrap();
    check("compacted");
}
