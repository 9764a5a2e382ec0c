//! Times have types (`mailpulse-time`): what one room hands another is a moment, a minute, or a day, and no bare integer that
//! may be any of them.

use super::circles::without_tests;
use super::names::test_files;
use super::{has_word, paths_after, sources};
use std::collections::BTreeSet;

/// What is said of a time, before its unit: a length is said otherwise (`queue_ms`, `grace_min`).
const SAID_OF_TIMES: [&str; 48] = [
    "as_of",
    "at",
    "begin",
    "begins",
    "booted",
    "came",
    "committed",
    "created",
    "detected",
    "done",
    "due",
    "end",
    "ended",
    "ends",
    "first",
    "from",
    "gone",
    "heartbeat",
    "horizon",
    "judged",
    "known",
    "last",
    "left",
    "mtime",
    "newest",
    "next_try",
    "now",
    "oldest",
    "onset",
    "origin",
    "read",
    "realtime",
    "recovered",
    "seen",
    "sent",
    "silent_from",
    "silent_since",
    "silent_to",
    "since",
    "span",
    "start",
    "started",
    "starts",
    "to",
    "ts",
    "until",
    "window",
    "written",
];
const UNITS: [&str; 5] = ["_us", "_ms", "_s", "_minute", "_day"];
/// What is a time without a unit, too.
const WITHOUT_UNIT: [&str; 27] = [
    "as_of",
    "at",
    "begins",
    "day",
    "days",
    "detected",
    "drained",
    "due",
    "ended",
    "ends",
    "from",
    "judged",
    "minute",
    "minutes",
    "mtime",
    "now",
    "onset",
    "recovered",
    "silent_from",
    "silent_to",
    "since",
    "span",
    "starts",
    "to",
    "ts",
    "until",
    "window",
];
const TYPES: [&str; 4] = ["UtcMs", "UtcS", "Minute", "CivilDay"];

/// What hands on times as integers all the same: a file or a folder, the names that are meant, and why.
const AS_INTEGERS: [(&str, &[&str], &str); 16] = [
    ("detect/alarm.rs", &["onset"], LAYERS),
    ("detect/channels.rs", &["ts", "since"], SERIES),
    ("detect/clock_change.rs", &["ts", "at"], SERIES),
    ("detect/detector.rs", &["ts_s"], SERIES),
    ("detect/episode.rs", &["onset", "detected", "ended", "ts"], SERIES),
    ("detect/volume.rs", &["at", "minutes"], LAYERS),
    ("simulate/", &["from", "until", "span"], TRUTH),
    ("store/columnar/rate_block.rs", &["ts_ms"], COLUMNS),
    ("store/columnar/rates.rs", &["ts_ms"], COLUMNS),
    ("store/columnar/read.rs", &["ts_ms"], COLUMNS),
    ("store/columnar/tally.rs", &["ts_ms"], COLUMNS),
    (
        "source/journal.rs",
        &["realtime_us"],
        "as systemd counts it, and asks for it: microseconds",
    ),
    (
        "store/catalogue/orphans.rs",
        &["from", "to"],
        "numbers of rows, and no times",
    ),
    ("query/series.rs", &["span_ms"], "a length, and no time"),
    ("terminal/state.rs", &["at_ms"], "a length: since the screen is shown"),
    ("service/follow/retry.rs", &["first_ms"], "a length, and no time"),
];
const LAYERS: &str = "behind its engine, a layer of the detection counts minutes as numbers of a row";
const SERIES: &str = "seconds of one series of counts, whoever brought it: what a detector does is arithmetic";
const TRUTH: &str = "what a test compares with what is found must not come out of the same types";
const COLUMNS: &str = "values of a column, millions of them, as Parquet holds them";

#[test]
fn no_bare_integer_for_a_time_goes_from_room_to_room() {
    let files = sources("src");
    let of_tests = test_files(
        &files
            .iter()
            .map(|(file, code)| (file.as_str(), code.clone()))
            .collect::<Vec<_>>(),
    )
    .into_iter()
    .map(str::to_owned)
    .collect::<BTreeSet<_>>();
    let others = files.iter().filter(|(file, _)| !file.starts_with("detect/"));
    let seen: BTreeSet<String> = others
        .flat_map(|(_, code)| paths_after(code, "crate::detect::"))
        .filter_map(|path| Some(path.split("::").next()?.to_owned()))
        .collect();
    let mut needed = BTreeSet::new();
    let mut found = Vec::new();
    for (file, code) in files.iter().filter(|(file, _)| !of_tests.contains(file)) {
        // What the types are made of; and what of the detection no other room sees.
        let layer = file.strip_prefix("detect/").map(|name| name.trim_end_matches(".rs"));
        if file.starts_with("time/") || layer.is_some_and(|layer| !seen.contains(layer)) {
            continue;
        }
        for (name, what) in untyped(&without_tests(code)) {
            let known =
                |(of, names, _): &&(&str, &[&str], &str)| file.starts_with(of) && names.contains(&name.as_str());
            match AS_INTEGERS.iter().find(known) {
                Some((of, ..)) => drop(needed.insert(*of)),
                None => found.push(format!("{file}: {what}")),
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    for (of, _, why) in AS_INTEGERS {
        assert!(needed.contains(of), "{of} needs no exception any more ({why})");
    }
}

#[test]
fn a_planted_integer_is_found() {
    for code in [
        "pub fn of(&self, now_ms: i64) -> u32 {",
        "    pub fn of<T: Into<Vec<u8>>>(&self, of: T, since: Option<i64>) {",
        "pub(crate) async fn of(\n    a: Map<u32, i64>,\n    (from, to): (i64, i64),\n) {",
        "pub const fn until_ms(&self) -> Option<i64> {",
        "pub struct X {\n    pub first_day: i64,\n}",
        "pub struct X {\n    pub(crate) span_ms: Option<(i64, i64)>,\n}",
        "pub trait X {\n    fn deliver(&self, now: i64);\n}",
        "pub struct X {\n    pub minutes: BTreeMap<i64, u32>,\n}",
    ] {
        assert_eq!(untyped(code).len(), 1, "{code}: {:?}", untyped(code));
    }
    for code in [
        "pub fn of(&self, now_ms: UtcMs, grace_min: i64, queue_ms: Option<i64>) -> i64 {\n    let now_ms: i64 = 1;",
        "fn of(now_ms: i64) {",
        "pub(super) fn of(now_ms: i64) {",
        "struct X {\n    now_ms: i64,\n}",
        "pub struct X {\n    pub days: BTreeMap<CivilDay, i64>,\n}",
        "pub fn each(mut done: impl FnMut(i64, u32)) {",
        "trait X {\n    fn deliver(&self, now: i64);\n}",
    ] {
        assert_eq!(untyped(code), [], "{code}");
    }
}

/// What takes or gives a time as a bare integer, with its name, of all that others may use.
fn untyped(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut in_trait = false;
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let (begin, text) = (at, line.trim());
        at += line.len();
        in_trait = text.starts_with("pub trait ") || in_trait && !line.starts_with('}');
        let public = text.strip_prefix("pub ").or_else(|| text.strip_prefix("pub(crate) "));
        let Some(item) = public.or_else(|| in_trait.then_some(text)) else {
            continue;
        };
        let before_fn = item.split("fn ").next().unwrap_or_default();
        let is_function = item.len() > before_fn.len() && before_fn.split(' ').all(is_qualifier);
        if is_function {
            let name_at = begin + line.find("fn ").map_or(0, |fn_at| fn_at + 3);
            found.extend(of_function(&code[name_at..]));
        } else if let Some((name, what)) = item.split_once(": ") {
            found.extend(of_pair(name, what));
        }
    }
    found
}

fn is_qualifier(word: &str) -> bool {
    ["", "const", "async", "unsafe"].contains(&word)
}

/// Of a function, from its name on.
fn of_function(code: &str) -> Vec<(String, String)> {
    let signature = code.split(['{', ';']).next().unwrap_or_default();
    let signature = signature.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = signature.split(['(', '<']).next().unwrap_or_default().to_owned();
    let generics = match signature[name.len()..].starts_with('<') {
        true => within(&signature[name.len() + 1..]).len() + 2,
        false => 0,
    };
    let Some(rest) = signature.get(name.len() + generics + 1..) else {
        return Vec::new();
    };
    let parameters = within(rest);
    let given = rest[parameters.len()..].split_once("-> ").map(|(_, given)| given);
    let taken = members(parameters).into_iter().filter_map(|one| one.split_once(": "));
    let taken = taken.filter_map(|(what, of)| of_pair(what, of));
    let given = given.filter(|given| is_time(&name) && is_bare(given));
    taken
        .map(|(of, what)| (of, format!("{name}({what})")))
        .chain(given.map(|given| (name.clone(), format!("{name}(…) -> {given}"))))
        .collect()
}

/// A name, or several in a tuple, with its type.
fn of_pair(names: &str, what: &str) -> Option<(String, String)> {
    let mut each = names.split(|c: char| !c.is_alphanumeric() && c != '_');
    let what = what.trim_end_matches(',');
    let name = each.find(|name| is_time(name)).filter(|_| is_bare(what))?;
    Some((name.to_owned(), format!("{names}: {what}")))
}

fn is_bare(what: &str) -> bool {
    has_word(what, "i64") && !TYPES.iter().any(|known| has_word(what, known))
}

fn is_time(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    let is_said = |unit: &str| name.strip_suffix(unit).is_some_and(|of| SAID_OF_TIMES.contains(&of));
    WITHOUT_UNIT.contains(&name) || UNITS.iter().any(|unit| is_said(unit))
}

/// What stands before the bracket that closes.
fn within(code: &str) -> &str {
    let mut depth = 1;
    let mut before = ' ';
    let end = code.find(|c: char| {
        depth += depth_of(c, before);
        before = c;
        depth == 0
    });
    &code[..end.unwrap_or(code.len())]
}

/// The members of a list, whose brackets may hold commas.
fn members(list: &str) -> Vec<&str> {
    let (mut depth, mut before) = (0, ' ');
    list.split(move |c: char| {
        depth += depth_of(c, before);
        before = c;
        c == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

fn depth_of(c: char, before: char) -> i32 {
    match c {
        '(' | '[' | '<' => 1,
        '>' if before == '-' => 0,
        ')' | ']' | '>' => -1,
        _ => 0,
    }
}
