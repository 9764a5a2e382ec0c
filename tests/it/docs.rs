//! README.md, ARCHITECTURE.md and docs/: links lead somewhere, error messages are those of the program, and the two front
//! pages stay short.

use crate::logs::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages that belong to the repository's host as much as to its readers.
const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

/// Pages that are linked to before they are written.
const PLANNED: [&str; 2] = ["CONTRIBUTING.md", "SECURITY.md"];

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    PAGES.iter().map(|page| root().join(page)).chain(docs).collect()
}

/// The text outside of blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || "-_".contains(c) => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn has_anchor(page: &Path, wanted: &str) -> bool {
    let text = prose(&fs::read_to_string(page).unwrap());
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| anchor(line.trim_start_matches('#').trim()) == wanted)
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for page in pages() {
        for link in links(&fs::read_to_string(&page).unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            if PLANNED.contains(&file) && !target.exists() {
                continue;
            }
            assert!(target.exists(), "{}: {link}", page.display());
            assert!(
                wanted.is_empty() || has_anchor(&target, wanted),
                "{}: {link}",
                page.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} links");
}

#[test]
fn front_pages_stay_short() {
    for (page, lines) in [("README.md", 150), ("ARCHITECTURE.md", 200)] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        assert!(text.lines().count() <= lines, "{page} has over {lines} lines");
    }
}

/// The sources as one text, without quotes of code and without the breaks of long literals.
fn sources(folder: &Path, all: &mut String) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => sources(&path, all),
            false => {
                let text = fs::read_to_string(&path).unwrap_or_default().replace("\\\n", "");
                let words: Vec<&str> = text.split_whitespace().collect();
                all.push_str(&words.join(" ").replace('`', ""));
            }
        }
    }
}

/// A message that changes in the program changes in docs/troubleshooting.md too.
#[test]
fn troubleshooting_quotes_the_programs_messages() {
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let mut quoted = 0;
    for heading in page.lines().filter_map(|line| line.strip_prefix("### `")) {
        let heading = heading.trim_end_matches('`');
        for part in heading.split('…').map(str::trim).filter(|part| part.len() > 3) {
            assert!(all.contains(part), "no message has `{part}`");
            quoted += 1;
        }
    }
    assert!(quoted > 25, "{quoted} parts of messages");
}

/// Names of tests behind "Tests:" in an entry of ARCHITECTURE.md.
fn tests_named(entry: &str) -> Vec<&str> {
    let named = entry.split_once("Tests:").map_or("", |(_, named)| named);
    named.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, invariants) = text.split_once("## Invariants").unwrap();
    let invariants = invariants.split("\n## ").next().unwrap();
    let mut code = String::new();
    for folder in ["src", "tests", "parsers"] {
        sources(&root().join(folder), &mut code);
    }
    let entries: Vec<&str> = invariants.split("\n* ").skip(1).collect();
    assert!(entries.len() >= 10, "{entries:?}");
    for entry in entries {
        let named = tests_named(entry);
        assert!(!named.is_empty(), "no test: {entry}");
        for name in named {
            assert!(code.contains(&format!("fn {name}()")), "there is no test {name}");
        }
    }
    assert_eq!(tests_named("No x. Tests: `a`,\n  `b`."), ["a", "b"]);
}
