//! One word, one thing: names of types, and names of files.

use std::collections::{BTreeMap, BTreeSet};

/// Types of one name, with the files in which they are. Associated types and those of tests do not count.
pub(super) fn twins(files: &[(&str, String)]) -> BTreeMap<String, Vec<String>> {
    let tests = test_files(files);
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, code) in files.iter().filter(|(file, _)| !tests.contains(*file)) {
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let mut is_of_tests = false;
        for line in code.lines() {
            if let Some(name) = declared(line).filter(|_| !is_of_tests) {
                all.entry(name.to_owned()).or_default().push((*file).to_owned());
            }
            let is_attribute = line.trim_start().starts_with("#[");
            is_of_tests = line.trim() == "#[cfg(test)]" || is_of_tests && is_attribute;
        }
    }
    all.retain(|_, files| files.len() > 1);
    all
}

/// The type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let is_indented = line.starts_with(' ');
    let line = line.trim_start();
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    let (word, rest) = line.split_once(' ')?;
    let is_type = ["struct", "enum", "trait", "union"].contains(&word) || word == "type" && !is_indented;
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let name = &rest[..end];
    (is_type && name.starts_with(|c: char| c.is_ascii_uppercase())).then_some(name)
}

/// Files of tests: what stands behind `#[cfg(test)] mod x;`, with what is below, and what such files name by `#[path]`.
pub(super) fn test_files<'f>(files: &[(&'f str, String)]) -> BTreeSet<&'f str> {
    let mut tests: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = tests.len();
        for (file, code) in files {
            let folder = file
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| format!("{folder}/"));
            let own = match file.strip_suffix("mod.rs").or(file.strip_suffix("lib.rs")) {
                Some(own) => own.to_owned(),
                None => format!("{}/", file.trim_end_matches(".rs")),
            };
            for (name, path) in modules(code, tests.contains(file)) {
                let wanted = match &path {
                    Some(path) => format!("{folder}{path}"),
                    None => format!("{own}{name}.rs"),
                };
                let below = format!("{own}{name}/");
                let of_it = files
                    .iter()
                    .filter(|(file, _)| *file == wanted || file.starts_with(&below));
                tests.extend(of_it.map(|(file, _)| *file));
            }
        }
        if tests.len() == before {
            return tests;
        }
    }
}

/// Modules of tests that a file declares, with their `#[path]`; in a file of tests, all are.
fn modules(code: &str, is_test: bool) -> Vec<(String, Option<String>)> {
    let (mut found, mut path, mut of_tests) = (Vec::new(), None, is_test);
    let mut in_tests = is_test;
    for line in code.lines().map(str::trim) {
        if line == "#[cfg(test)]" {
            of_tests = true;
        } else if let Some(named) = line
            .strip_prefix("#[path = \"")
            .and_then(|rest| rest.strip_suffix("\"]"))
        {
            path = Some(named.to_owned());
        } else if let Some(name) = line.strip_prefix("mod ") {
            match name.strip_suffix(';') {
                Some(name) if of_tests || in_tests => found.push((name.to_owned(), path.take())),
                // From here on, tests to the end.
                None if of_tests => in_tests = true,
                _ => {}
            }
            (path, of_tests) = (None, is_test);
        } else if !line.starts_with("#[") {
            (path, of_tests) = (None, is_test);
        }
    }
    found
}

/// Names that so many files have that none of them says what is in it.
pub(super) fn worn_out(files: &[&str]) -> Vec<String> {
    const FILES_MAX: usize = 4;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        *counts.entry(file.rsplit('/').next().unwrap_or(file)).or_default() += 1;
    }
    let many = counts
        .into_iter()
        .filter(|(name, count)| *count > FILES_MAX && !["mod.rs", "tests.rs"].contains(name));
    many.map(|(name, count)| format!("{count} files are called {name}"))
        .collect()
}
