//! Two tiers of tests: what `cargo test` runs needs this program alone; what needs a part of the laboratory is marked, is
//! shown as ignored with its reason, and is run by `tests/run`. Reads the tests as text.

use crate::logs::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a test may start without a mark, beside the program under test: these come with every Linux.
const EVERYWHERE: [&str; 4] = ["bash", "cargo", "cp", "mkfifo"];

/// A function of the tests: where it stands, what it is called by, and what stands in it.
#[derive(Debug)]
struct Function {
    file: String,
    /// `name`, or `Type::name` in an `impl`.
    name: String,
    is_test: bool,
    /// The reason for which it is ignored.
    ignored: Option<String>,
    /// What the names mean that its file imports.
    imports: BTreeMap<String, String>,
    body: String,
}

#[test]
fn every_test_that_uses_the_laboratory_is_marked_and_no_other() {
    let functions = functions_of_all();
    let tests = functions.iter().filter(|function| function.is_test).count();
    assert!(tests > 300, "only {tests} tests are seen");
    let faults = faults(&functions);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_planted_test_without_its_mark_is_found() {
    let lab = "fn program(name: &str) -> Command {\n}\npub fn as_root() {\n}\n";
    let planted = |files: &[(&str, &str)]| {
        let all = files.iter().flat_map(|(file, text)| functions(file, text));
        faults(&functions("lab.rs", lab).into_iter().chain(all).collect::<Vec<_>>())
    };
    let marked = "#[test]\n#[ignore = \"lab: needs x\"]\nfn a() {\n    tls();\n}\n";
    let helper = "use crate::lab;\nfn tls() {\n    lab::program(\"openssl\");\n}\n";
    assert_eq!(planted(&[("x.rs", &format!("{helper}{marked}"))]), [""; 0]);
    for (files, words) in [
        // By itself, through a helper, another file's helper, a type, a path.
        (
            vec![("x.rs", "use crate::lab;\n#[test]\nfn a() {\n    lab::as_root();\n}\n")],
            "x.rs: a uses the laboratory",
        ),
        (
            vec![("x.rs", &*format!("{helper}#[test]\nfn a() {{\n    tls();\n}}\n"))],
            "x.rs: a uses the laboratory",
        ),
        (
            vec![
                ("y.rs", helper),
                ("x.rs", "use crate::y::tls;\n#[test]\nfn a() {\n    tls();\n}\n"),
            ],
            "x.rs: a uses the laboratory",
        ),
        (
            vec![
                ("y/mod.rs", helper),
                ("x.rs", "#[test]\nfn a() {\n    crate::y::tls();\n}\n"),
            ],
            "x.rs: a uses the laboratory",
        ),
        (
            vec![
                (
                    "y/mod.rs",
                    "impl Server {\n    fn new() -> Server {\n        crate::lab::engine(\"chdb\")\n    }\n}\n",
                ),
                (
                    "y/x.rs",
                    "use super::Server;\n#[test]\nfn a() {\n    Server::new();\n}\n",
                ),
            ],
            "y/x.rs: a uses the laboratory",
        ),
        // What needs nothing of it runs everywhere, and what it needs is said.
        (
            vec![("x.rs", "#[test]\n#[ignore = \"lab: needs x\"]\nfn a() {\n}\n")],
            "x.rs: a is marked",
        ),
        (
            vec![("x.rs", "#[test]\n#[ignore]\nfn a() {\n}\n")],
            "x.rs: a is ignored",
        ),
        // Nothing is started past the laboratory.
        (
            vec![("x.rs", "#[test]\nfn a() {\n    Command::new(\"openssl\");\n}\n")],
            "x.rs: a starts openssl",
        ),
        // A helper of the same name in a third file is another.
        (
            vec![
                ("y.rs", helper),
                (
                    "x.rs",
                    "use crate::lab;\nfn tls() {\n}\n#[test]\n#[ignore = \"lab: needs x\"]\nfn a() {\n    tls();\n}\n",
                ),
            ],
            "x.rs: a is marked",
        ),
    ] {
        let faults = planted(&files);
        assert!(
            faults.len() == 1 && faults[0].starts_with(words),
            "{files:?}: {faults:?}"
        );
    }
}

fn functions_of_all() -> Vec<Function> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let file = path.strip_prefix(root().join("tests/it")).unwrap();
                // This file plants faults.
                if file != Path::new("tiers.rs") {
                    found.extend(functions(file.to_str().unwrap(), &fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    found
}

/// The functions of a file that is formatted by rustfmt: a body ends with the brace that stands as far left as its `fn`.
fn functions(file: &str, text: &str) -> Vec<Function> {
    let mut found: Vec<Function> = Vec::new();
    let (mut is_test, mut ignored, mut of_type) = (false, None, String::new());
    // The line that closes the function that is open.
    let mut end: Option<String> = None;
    for line in text.lines() {
        let code = line.trim_start();
        if let Some(brace) = &end {
            if line == brace {
                end = None;
            } else if let Some(function) = found.last_mut() {
                function.body += code.split("//").next().unwrap_or_default();
                function.body.push('\n');
            }
        } else if let Some(reason) = code.strip_prefix("#[ignore") {
            let reason = reason.trim_end_matches(']').trim_start_matches(" = ");
            ignored = Some(reason.trim_matches('"').to_owned());
        } else if code == "#[test]" {
            is_test = true;
        } else if line == "}" {
            of_type.clear();
        } else if let Some(rest) = line.strip_prefix("impl") {
            let name = rest.split_once(" for ").or(rest.split_once(' '));
            let letters = name.unwrap_or_default().1.chars();
            of_type = letters.take_while(|c| c.is_alphanumeric()).collect();
        } else if let Some(at) = line.find("fn ").filter(|_| !code.starts_with("//")) {
            let rest = &line[at + 3..];
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let indent = &line[..line.len() - code.len()];
            end = (!line.ends_with(['}', ';'])).then(|| format!("{indent}}}"));
            found.push(Function {
                file: file.to_owned(),
                name: [&of_type, &rest[..length]]
                    .iter()
                    .filter(|part| !part.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join("::"),
                is_test: std::mem::take(&mut is_test),
                ignored: ignored.take(),
                imports: imports(file, text),
                body: rest[length..].to_owned() + "\n",
            });
        }
    }
    let full = |mut function: Function| {
        if let Some((of_type, _)) = function.name.split_once("::") {
            function.body = function.body.replace("Self::", &format!("{of_type}::"));
        }
        function
    };
    found.into_iter().map(full).collect()
}

/// The module of a file, as `tail::bench`.
fn module_of(file: &str) -> String {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod");
    name.replace('/', "::")
}

/// What each name means that a file imports, as `tail::bench::Bench`.
fn imports(file: &str, text: &str) -> BTreeMap<String, String> {
    let statements = text.split("\nuse ").skip(1).chain(text.strip_prefix("use "));
    let mut found = BTreeMap::new();
    for statement in statements.filter_map(|rest| rest.split(';').next()) {
        let statement: String = statement.split_whitespace().collect();
        for path in expanded(&statement) {
            let path = absolute(&module_of(file), path.trim_end_matches("::self"));
            if let Some(name) = path.rsplit("::").next() {
                found.insert(name.to_owned(), path.clone());
            }
        }
    }
    found
}

/// The paths that a tree of `use` holds: `a::{b,c::{d}}` has `a::b` and `a::c::d`.
fn expanded(tree: &str) -> Vec<String> {
    let Some((head, group)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut members, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match members.last_mut() {
            Some(member) if c != ',' || depth > 0 => member.push(c),
            _ => members.push(String::new()),
        }
    }
    let full = |member: &String| expanded(member).into_iter().map(|path| format!("{head}{path}"));
    members
        .iter()
        .filter(|member| !member.is_empty())
        .flat_map(full)
        .collect()
}

/// A path as seen from the root of the tests; `super` and `crate` are resolved.
fn absolute(module: &str, path: &str) -> String {
    let (mut module, mut path) = (module, path);
    if let Some(rest) = path.strip_prefix("crate::") {
        return rest.to_owned();
    }
    while let Some(rest) = path.strip_prefix("super::") {
        (module, path) = (module.rsplit_once("::").map_or("", |(parent, _)| parent), rest);
    }
    match module {
        "" => path.to_owned(),
        module => format!("{module}::{path}"),
    }
}

fn faults(functions: &[Function]) -> Vec<String> {
    let of_lab = reach_the_laboratory(functions);
    let fault = |(at, function): (usize, &Function)| {
        let place = format!("{}: {}", function.file, function.name);
        let started = started(&function.body);
        let foreign = started.iter().find(|name| !EVERYWHERE.contains(name));
        if let Some(name) = foreign.filter(|_| function.file != "lab.rs") {
            return Some(format!(
                "{place} starts {name} past lab::program, which says where it comes from"
            ));
        }
        let reason = function.ignored.as_deref();
        let is_marked = reason.is_some_and(|reason| reason.starts_with("lab: needs "));
        match (function.is_test, of_lab.contains(&at), reason) {
            (true, true, _) if !is_marked => Some(format!(
                "{place} uses the laboratory: mark it #[ignore = \"lab: needs …\"]"
            )),
            (true, false, Some(_)) if is_marked => Some(format!(
                "{place} is marked as a test of the lab, and uses nothing of it"
            )),
            (true, false, Some(reason)) if !["slow: ", "minutes: "].iter().any(|why| reason.starts_with(why)) => {
                Some(format!("{place} is ignored: why?"))
            }
            _ => None,
        }
    };
    functions.iter().enumerate().filter_map(fault).collect()
}

/// The names in `Command::new("name")`.
fn started(body: &str) -> Vec<&str> {
    let calls = body.match_indices("Command::new(\"");
    calls
        .map(|(at, call)| body[at + call.len()..].split('"').next().unwrap_or_default())
        .collect()
}

/// The functions that use a part, by themselves or through others. Methods with `self` need no look: the value came from
/// a function that is found.
fn reach_the_laboratory(functions: &[Function]) -> BTreeSet<usize> {
    let mut reached = ["program", "engine", "build_deb", "as_root"]
        .map(|entrance| format!("lab::{entrance}"))
        .into_iter()
        .collect::<BTreeSet<String>>();
    let calls: Vec<BTreeSet<String>> = functions.iter().map(calls).collect();
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (at, function) in functions.iter().enumerate() {
            let full = meaning(function, &function.name);
            if reached.contains(&full) || calls[at].iter().any(|call| reached.contains(call)) {
                reached.insert(full);
                found.insert(at);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The functions that a function names, by calling them or by handing them over, as paths from the root of the tests.
fn calls(function: &Function) -> BTreeSet<String> {
    let is_path = |c: char| is_part(c) || c == ':';
    let words = function.body.split(|c| !is_path(c)).filter(|word| !word.is_empty());
    words.map(|word| meaning(function, word)).collect()
}

/// What a name means in a function's file, as a path from the root of the tests.
fn meaning(function: &Function, name: &str) -> String {
    let (head, rest) = name.split_at(name.find("::").unwrap_or(name.len()));
    match function.imports.get(head) {
        Some(import) => format!("{import}{rest}"),
        None => absolute(&module_of(&function.file), name),
    }
}

/// Whether a character may be part of a name.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
