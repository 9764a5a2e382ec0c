//! One flow, one way: a module uses only what stands to its left or below (ARCHITECTURE.md). Reads the sources as text.

mod circles;
mod names;
mod times;

use crate::logs::root;
use std::fs;
use std::path::{Path, PathBuf};

/// What each top-level module of the crate may use.
const MAY_USE: [(&str, &[&str]); 20] = [
    ("clock", &["model"]),
    ("model", &[]),
    ("files", &[]),
    ("source", &["model"]),
    ("normalise", &["model"]),
    ("store", &["model", "files", "source", "normalise"]),
    ("ingest", &["clock", "model", "source", "normalise", "store"]),
    ("detect", &[]),
    ("alert", &["model", "files"]),
    ("planned", &["model", "files"]),
    ("query", &["model", "store"]),
    (
        "analysis",
        &["model", "files", "normalise", "store", "query", "detect", "planned"],
    ),
    ("graph", &["model", "query"]),
    ("simulate", &["model"]),
    (
        "config",
        &["model", "files", "normalise", "store", "detect", "alert", "planned"],
    ),
    (
        "setup",
        &[
            "clock",
            "model",
            "source",
            "normalise",
            "store",
            "ingest",
            "detect",
            "alert",
            "planned",
            "query",
            "analysis",
            "config",
        ],
    ),
    (
        "web",
        &[
            "clock", "model", "store", "detect", "query", "analysis", "graph", "config", "setup",
        ],
    ),
    (
        "terminal",
        &["clock", "model", "store", "query", "analysis", "config", "setup"],
    ),
    (
        "service",
        &[
            "clock",
            "model",
            "files",
            "source",
            "normalise",
            "store",
            "ingest",
            "detect",
            "alert",
            "planned",
            "query",
            "analysis",
            "config",
            "setup",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "clock",
            "model",
            "files",
            "source",
            "normalise",
            "store",
            "ingest",
            "detect",
            "alert",
            "planned",
            "query",
            "analysis",
            "graph",
            "simulate",
            "config",
            "setup",
            "terminal",
            "service",
        ],
    ),
];

/// Finer than modules: of a module, only these parts may be used.
const ONLY: [(&str, &str, &[&str]); 8] = [
    ("source", "model", &["time"]),
    ("simulate", "model", &["time"]),
    ("config", "alert", &["AlertTarget", "WebhookFormat", "PAGERDUTY_URL"]),
    ("graph", "model", &["time"]),
    ("graph", "query", &["series"]),
    ("config", "normalise", &["ours", "provider", "rules", "redact"]),
    ("config", "store", &["clickhouse"]),
    ("config", "detect", &["declared", "holidays", "rhythm"]),
];

/// Crates that only one room may name.
const OWNED: [(&str, &str); 5] = [
    ("polars", "src/store/columnar/"),
    ("polars_arrow", "src/store/columnar/"),
    ("polars_parquet", "src/store/columnar/"),
    ("clickhouse", "src/store/clickhouse/"),
    ("rusqlite", "src/store/catalogue/"),
];

/// Who prints: the program's last error, answers and talk, alarms on stdout, and the screen of `top`.
const PRINTS: [&str; 4] = [
    "src/main.rs",
    "src/cli/output/mod.rs",
    "src/alert/stdout.rs",
    "src/terminal/screen.rs",
];

/// What crates that are pure do without: files, clocks, async.
const NOT_IN_PURE: [&str; 9] = [
    "std::fs",
    "std::time",
    "std::io",
    "std::thread",
    "std::process",
    "std::env",
    "Timestamp::now",
    "tokio",
    "jiff",
];
/// Where they are, and what each may name all the same: the detection has zones, but what time it is only from its minutes;
/// how many seeds its tests try comes from the environment.
const PURE: [(&str, &[&str]); 3] = [
    ("parsers/src", &[]),
    ("src/detect", &["jiff", "std::env"]),
    ("src/time", &["jiff"]),
];

#[test]
fn no_import_runs_back() {
    let found = all("src", arrows);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_driver_is_named_by_the_room_that_owns_it_alone() {
    let found = all("src", foreign_words);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Log text is hostile: what prints it escapes it, in one place.
#[test]
fn only_one_room_prints() {
    let found = all("src", printing);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let planted = |file: &str, code: &str| printing(Path::new(file), code).len();
    assert_eq!(planted("src/cli/routes.rs", "eprintln!(\"{why}\")"), 1);
    assert_eq!(planted("src/cli/detect/mod.rs", "std::io::stdout().lock()"), 1);
    assert_eq!(planted("src/cli/output/mod.rs", "io::stdout().lock()"), 0);
}

/// Strangers choose the text of logs: in a table whose hash has no key they can make all of it fall into one place.
#[test]
fn tables_of_text_have_a_key() {
    let found = all("src", unkeyed);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let planted = |file: &str, code: &str| unkeyed(Path::new(file), code).len();
    assert_eq!(planted("src/query/x.rs", "x: FxHashMap<String, u32>"), 1);
    assert_eq!(
        planted("src/query/x.rs", "HashMap<(String, String), u32, FxBuildHasher>"),
        1
    );
    assert_eq!(planted("src/query/x.rs", "FxHashSet<&'a [u8]>"), 1);
    assert_eq!(
        planted("src/query/x.rs", "FxHashMap<u64, String>, HashMap<String, u32>"),
        0
    );
    assert_eq!(planted("src/query/x.rs", "HashMap<u32, Vec<String>, FxBuildHasher>"), 0);
}

#[test]
fn what_is_pure_touches_no_file_no_clock_and_no_task() {
    for (folder, may) in PURE {
        let found = all(folder, |_, code| {
            let named = |word: &&&str| has_word(code, word) && !may.contains(word);
            NOT_IN_PURE
                .iter()
                .filter(named)
                .map(|word| format!("names {word}"))
                .collect()
        });
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn every_module_has_its_place_in_the_flow() {
    let crates = ["src/lib.rs", "src/pipeline.rs"].map(|file| fs::read_to_string(root().join(file)).unwrap());
    let declared: Vec<&str> = crates
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| {
            // A module, or a crate of this project in the place of one.
            let line = line.trim_start_matches("pub ").strip_suffix(';')?;
            line.strip_prefix("mod ")
                .or_else(|| Some(line.strip_prefix("use mailpulse_")?.split_once(" as ")?.1))
        })
        .collect();
    assert!(declared.len() == MAY_USE.len(), "{declared:?}");
    for module in declared {
        assert!(
            MAY_USE.iter().any(|(name, _)| *name == module),
            "{module} has no place in the flow"
        );
    }
}

#[test]
fn a_planted_arrow_is_found() {
    let planted = |file: &str, code: &str| arrows(Path::new(file), &without_comments(code));
    for (file, code) in [
        ("src/store/handle.rs", "use crate::query::series::Series;"),
        (
            "src/source/mod.rs",
            "fn f() { let x = crate::model::event::Kind::ALL; }",
        ),
        ("src/graph/svg.rs", "use crate::store::Store;"),
        ("src/graph/svg.rs", "use crate::query::rates;"),
        ("src/config/mod.rs", "use crate::{ingest::Job};"),
        (
            "src/normalise/rules/mod.rs",
            "use crate::{\n    model::event,\n    cli::{self, Args},\n};",
        ),
        ("src/simulate/mod.rs", "use super::source;"),
        ("src/simulate/text.rs", "use super::super::source;"),
        ("src/query/mod.rs", "pub(in crate::cli) fn x() {}"),
    ] {
        assert_eq!(planted(file, code).len(), 1, "{file}: {code}");
    }
    for (file, code) in [
        (
            "src/store/handle.rs",
            "use crate::model::queue_id::QueueId; // not crate::query",
        ),
        ("src/cli/mod.rs", "use crate::{config::Config, graph, store::Store};"),
        (
            "src/graph/svg.rs",
            "use crate::query::series::{Series, SeriesSet};\nuse super::Style;",
        ),
        ("src/query/named.rs", "super::super::guard::check(x)"),
        ("src/main.rs", "use mailpulse::cli::run;"),
    ] {
        assert_eq!(planted(file, code), Vec::<String>::new(), "{file}: {code}");
    }
    assert_eq!(
        foreign_words(Path::new("src/query/mod.rs"), "use polars::prelude::col;").len(),
        1
    );
    assert_eq!(
        foreign_words(Path::new("src/query/mod.rs"), "let polarstern = 1;").len(),
        0
    );
    assert_eq!(
        foreign_words(Path::new("src/store/columnar/sql.rs"), "use polars::prelude::col;").len(),
        0
    );
    let foreign = |file: &str, code: &str| foreign_words(Path::new(file), code).len();
    assert_eq!(foreign("src/store/outbox/send.rs", "use rusqlite::params;"), 1);
    assert_eq!(
        foreign("src/store/outbox/send.rs", "fn f(c: &rusqlite::Connection) {}"),
        1
    );
    assert_eq!(foreign("src/store/catalogue/logs.rs", "use rusqlite::params;"), 0);
    assert_eq!(
        foreign("src/query/remote.rs", "let x = clickhouse::Client::default();"),
        1
    );
    assert_eq!(foreign("src/query/remote.rs", "use clickhouse as server;"), 1);
    assert_eq!(
        foreign("src/query/remote.rs", "use crate::store::clickhouse::Endpoint;"),
        0
    );
    assert_eq!(
        foreign("src/config/mod.rs", "mod clickhouse;\npub use clickhouse::ClickHouse;"),
        0
    );
}

/// Where the sources of the two crates are.
const CRATES: [&str; 2] = ["src", "parsers/src"];

/// The files of a crate by their names below its folder of sources, with their code.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    files.sort();
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(root().join(folder)).unwrap();
        let code = without_comments(&fs::read_to_string(path).unwrap());
        (name.to_str().unwrap().to_owned(), code)
    };
    files.iter().map(source).collect()
}

#[test]
fn no_files_stand_in_a_circle() {
    for folder in CRATES {
        let files = sources(folder);
        let files = files.iter().map(|(file, code)| (file.as_str(), code.clone()));
        let circles = circles::Sources::new(files).circles();
        assert_eq!(circles, Vec::<Vec<&str>>::new(), "{folder}");
    }
}

#[test]
fn a_planted_circle_is_found() {
    let cases: [(&str, &[(&str, &str)]); 8] = [
        (
            "a group",
            &[
                ("a.rs", "use crate::{b::{X, Y}, c};"),
                ("b.rs", "use crate::a::Z;"),
                ("c.rs", ""),
            ],
        ),
        (
            "a path in code",
            &[("a.rs", "fn f() { crate::b::g(1) }"), ("b.rs", "use super::a::f;")],
        ),
        (
            "a parent and its child",
            &[("a/mod.rs", "mod b;\nfn f() { b::g() }"), ("a/b.rs", "use super::X;")],
        ),
        (
            "a re-export",
            &[
                ("a/mod.rs", "mod b;\nmod c;\npub use b::X;"),
                ("a/b.rs", "use super::c::Y;"),
                ("a/c.rs", "pub(super) struct Y(\n    crate::a::X,\n);"),
            ],
        ),
        (
            "a re-export by another name",
            &[
                ("a/mod.rs", "pub(crate) use b::X as Z;"),
                ("a/b.rs", "use crate::c::Y;"),
                ("c.rs", "use crate::a::Z;"),
            ],
        ),
        (
            "a glob",
            &[("a/mod.rs", "mod b;\nuse b::X;"), ("a/b.rs", "use super::*;")],
        ),
        (
            "three",
            &[
                ("a.rs", "use crate::b::X;"),
                ("b.rs", "use crate::c::X;"),
                ("c.rs", "use crate::a::X;"),
            ],
        ),
        (
            "code behind a module of tests in a file of its own",
            &[
                ("a.rs", "#[cfg(test)]\nmod tests;\nuse crate::b::X;"),
                ("b.rs", "use crate::a::X;"),
            ],
        ),
    ];
    for (what, files) in cases {
        let files = files.iter().map(|(file, code)| (*file, (*code).to_owned()));
        assert_eq!(circles::Sources::new(files).circles().len(), 1, "{what}");
    }
    let no_circles: [(&str, &[(&str, &str)]); 5] = [
        ("one way", &[("a.rs", "use crate::b::X;"), ("b.rs", "use std::fmt;")]),
        (
            "a parent that only hands on",
            &[
                ("a/mod.rs", "mod b;\nmod c;\npub use b::X;"),
                ("a/b.rs", ""),
                ("a/c.rs", "use super::X;"),
            ],
        ),
        (
            "imports of tests",
            &[
                ("a.rs", "#[cfg(test)]\nmod tests {\n    use crate::b::X;\n}"),
                ("b.rs", "use crate::a::X;"),
            ],
        ),
        (
            "a visibility",
            &[("a/mod.rs", "use b::X;"), ("a/b.rs", "pub(in crate::a) struct X;")],
        ),
        (
            "a module of another crate",
            &[("a.rs", "use clap::b::X;"), ("b.rs", "use crate::a::f;")],
        ),
    ];
    for (what, files) in no_circles {
        let files = files.iter().map(|(file, code)| (*file, (*code).to_owned()));
        assert_eq!(
            circles::Sources::new(files).circles(),
            Vec::<Vec<&str>>::new(),
            "{what}"
        );
    }
}

#[test]
fn no_two_types_have_one_name() {
    let files = sources("src");
    let files: Vec<(&str, String)> = files.iter().map(|(file, code)| (file.as_str(), code.clone())).collect();
    let twins = names::twins(&files);
    assert!(twins.is_empty(), "{twins:#?}");
    let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
    assert_eq!(names::worn_out(&names), Vec::<String>::new());
}

#[test]
fn planted_twins_are_found() {
    let found = |files: &[(&str, &str)]| {
        let files: Vec<(&str, String)> = files.iter().map(|(file, code)| (*file, (*code).to_owned())).collect();
        names::twins(&files).into_keys().collect::<Vec<_>>()
    };
    for code in [
        "struct X;",
        "pub struct X<T>(T);",
        "pub(in crate::a) enum X {",
        "#[derive(Debug)]\ntrait X: Sized {",
        "type X = u8;",
        "fn f() {\n    struct X {",
    ] {
        assert_eq!(
            found(&[("a.rs", code), ("b/mod.rs", "pub(super) struct X {")]),
            ["X"],
            "{code}"
        );
    }
    assert_eq!(found(&[("a.rs", "struct X;\nmod y {\n    struct X;\n}")]), ["X"]);
    let of_tests: [&[(&str, &str)]; 5] = [
        &[
            ("a.rs", "struct X;"),
            ("b.rs", "#[cfg(test)]\nmod tests {\n    struct X;\n}"),
        ],
        &[
            ("a.rs", "struct X;"),
            ("b.rs", "#[cfg(test)]\n#[derive(Debug)]\nstruct X;"),
        ],
        &[("a/mod.rs", "#[cfg(test)]\nmod b;\nstruct X;"), ("a/b.rs", "struct X;")],
        &[
            ("a.rs", "#[cfg(test)]\n#[path = \"c.rs\"]\nmod tests;\nstruct X;"),
            ("c.rs", "struct X;"),
        ],
        &[("a.rs", "impl T for A {\n    type X = u8;\n}"), ("b.rs", "struct X;")],
    ];
    for files in of_tests {
        assert_eq!(found(files), Vec::<String>::new(), "{files:?}");
    }
    let names = [
        "a/x.rs", "b/x.rs", "c/x.rs", "d/x.rs", "x.rs", "a/mod.rs", "b/mod.rs", "c/mod.rs", "d/mod.rs",
    ];
    assert_eq!(names::worn_out(&names), ["5 files are called x.rs"]);
    assert_eq!(names::worn_out(&names[1..]), Vec::<String>::new());
}

/// The constants of time that stand in the crate `mailpulse-time` or beside its types in `model::time`, and nowhere else.
const OF_TIME: [&str; 10] = [
    "SECOND_MS",
    "MINUTE_MS",
    "HOUR_MS",
    "DAY_MS",
    "MINUTE_S",
    "DAY_S",
    "WEEK_S",
    "HOUR_MIN",
    "DAY_MIN",
    "AHEAD_MS",
];

#[test]
fn the_constants_of_time_are_defined_once() {
    let found = all("src", defined_again);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let planted = |file: &str, code: &str| defined_again(Path::new(file), code).len();
    assert_eq!(planted("src/graph/scale.rs", "const DAY_MS: i64 = 86_400_000;"), 1);
    assert_eq!(
        planted("src/graph/scale.rs", "mod tests {\n    pub const HOUR_MS: i64 = 1;"),
        1
    );
    assert_eq!(planted("src/time/mod.rs", "pub const DAY_MS: i64 = 24 * HOUR_MS;"), 0);
    assert_eq!(planted("src/graph/scale.rs", "const MONDAY_MS: i64 = 4 * DAY_MS;"), 0);
}

fn defined_again(file: &Path, code: &str) -> Vec<String> {
    if ["src/time/mod.rs", "src/model/time.rs"]
        .iter()
        .any(|own| file == Path::new(own))
    {
        return Vec::new();
    }
    let again = OF_TIME.iter().filter(|name| code.contains(&format!("const {name}:")));
    again.map(|name| format!("{name} is defined again")).collect()
}

/// Tables without a key whose keys are text, but for those of names that the configuration says.
fn unkeyed(file: &Path, code: &str) -> Vec<String> {
    if ["src/normalise/rules", "src/normalise/hosts.rs"]
        .iter()
        .any(|known| file.starts_with(known))
    {
        return Vec::new();
    }
    let tables = code.match_indices("HashMap<").chain(code.match_indices("HashSet<"));
    let all = tables.filter_map(|(at, word)| {
        let content = inside(&code[at + word.len()..]);
        let of_text = ["String", "(String", "str", "[u8]", "Box<[u8]>", "Vec<u8>"]
            .iter()
            .any(|text| without_reference(content).starts_with(text));
        let has_no_key = code[..at].ends_with("Fx") || content.ends_with("FxBuildHasher");
        (of_text && has_no_key).then(|| format!("a table without a key: {word}{content}>"))
    });
    all.collect()
}

/// What stands before the angle bracket that closes.
fn inside(code: &str) -> &str {
    let mut depth = 1;
    let end = code.find(|c: char| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0
    });
    &code[..end.unwrap_or(code.len())]
}

fn without_reference(of: &str) -> &str {
    match of.strip_prefix('&') {
        Some(rest) if rest.starts_with('\'') => rest.split_once(' ').map_or(rest, |(_, of)| of),
        Some(rest) => rest,
        None => of,
    }
}

/// Runs a check over all sources below a folder; its findings with their files.
fn all(folder: &str, check: impl Fn(&Path, &str) -> Vec<String>) -> Vec<String> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    assert!(!files.is_empty(), "{folder} has no sources");
    let finding = |path: &PathBuf| {
        let code = without_comments(&fs::read_to_string(path).unwrap());
        let name = path.strip_prefix(root()).unwrap().to_owned();
        check(&name, &code)
            .into_iter()
            .map(|what| format!("{}: {what}", name.display()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(finding).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => {}
        }
    }
}

fn without_comments(text: &str) -> String {
    let code = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
    code.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names against the flow.
fn arrows(file: &Path, code: &str) -> Vec<String> {
    let parts: Vec<&str> = file
        .components()
        .skip(1)
        .filter_map(|part| part.as_os_str().to_str())
        .collect();
    let own = parts[0].trim_end_matches(".rs");
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == own) else {
        return Vec::new();
    };
    let is_root_of_folder = matches!(parts.last(), Some(&"mod.rs"));
    let depth = parts.len() - usize::from(is_root_of_folder);
    let to_root = "super::".repeat(depth);
    let named = paths_after(code, "crate::")
        .into_iter()
        .chain(paths_after(code, &to_root));
    named
        .filter(|path| {
            let (module, rest) = path.split_once("::").unwrap_or((path, ""));
            let known = MAY_USE.iter().any(|(name, _)| *name == module);
            let only = ONLY.iter().find(|(user, used, _)| *user == own && *used == module);
            let part = rest.split("::").next().unwrap_or_default();
            known
                && module != own
                && (!allowed.contains(&module) || only.is_some_and(|(_, _, only)| !only.contains(&part)))
        })
        .map(|path| format!("{own} must not use {path}"))
        .collect()
}

/// The paths that follow a prefix; a group in braces gives one for each of its members.
fn paths_after(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        // `super::super::x` also ends in `super::x`, and `$crate::x` is a macro's.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.push(path_of(rest)),
        }
    }
    found
}

fn path_of(text: &str) -> String {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

/// The members of a group, up to its closing brace; what stands in inner braces is left out.
fn members(group: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut open = 0;
    for c in group.chars() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => break,
            '}' => open -= 1,
            ',' if open == 0 => found.push(String::new()),
            _ if open == 0 && !c.is_whitespace() => found.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    found
        .iter()
        .map(|path| path_of(path))
        .filter(|path| !path.is_empty())
        .collect()
}

/// Crates of others' rooms that a file names.
fn foreign_words(file: &Path, code: &str) -> Vec<String> {
    let owned = OWNED
        .iter()
        .filter(|(name, room)| !file.starts_with(room) && names_crate(code, name));
    owned
        .map(|(word, room)| format!("only {room} may name {word}"))
        .collect()
}

/// Whether a path begins with the crate's name. A module of that name is reached by a path that begins elsewhere, or from
/// the file that declares it.
fn names_crate(code: &str, name: &str) -> bool {
    let declares = code.contains(&format!("mod {name};"));
    let begins = |at: usize| {
        let before = code[..at].chars().next_back();
        let is_root = code[..at].ends_with("::") && code[..at].trim_end_matches("::").ends_with([' ', '(', '<']);
        let inner = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.');
        let after = &code[at + name.len()..];
        (is_root || !inner) && (after.starts_with("::") || code[..at].ends_with("use ") && after.starts_with(';'))
    };
    let renamed = code.contains(&format!("use {name} as ")) || code.contains(&format!(" as {name};"));
    !declares && (renamed || code.match_indices(name).any(|(at, _)| begins(at)))
}

/// Ways past `cli::output` that a file takes to stdout, to stderr or to JSON for people.
fn printing(file: &Path, code: &str) -> Vec<String> {
    if PRINTS.iter().any(|room| file == Path::new(room)) || file.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let macros = ["print", "println", "eprint", "eprintln", "to_string_pretty"].into_iter();
    let words = macros.filter(|word| has_word(code, word));
    let handles = ["stdout().lock", "stderr().lock"]
        .into_iter()
        .filter(|handle| code.contains(handle));
    words
        .chain(handles)
        .filter(|word| *word != "print" || code.contains("print!("))
        .map(|word| format!("prints by {word}, not by cli::output"))
        .collect()
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        !code[..at].chars().next_back().is_some_and(part) && !code[at + word.len()..].chars().next().is_some_and(part)
    })
}
