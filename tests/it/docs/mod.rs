//! README.md, ARCHITECTURE.md and docs/: links lead somewhere, every page is in the book, error messages are those of the
//! program, and the two front pages stay short. `commands` and `runs` hold what the pages tell readers to type to the truth.

pub(crate) mod blocks;
mod commands;
mod runs;

use crate::logs::root;
use mailpulse::detect::alarm::State;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages that belong to the repository's host as much as to its readers.
const PAGES: [&str; 5] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "dist/grafana/README.md",
];

fn pages() -> Vec<PathBuf> {
    let mut all = blocks::pages();
    all.extend(PAGES.iter().map(|page| root().join(page)));
    all
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

/// mdBook shows what SUMMARY.md lists. The index page lists it for those who read the files.
#[test]
fn every_page_is_in_the_book_and_can_be_found() {
    let docs = root().join("docs");
    let linked = |page: &str| {
        let text = fs::read_to_string(docs.join(page)).unwrap();
        let links = links(&text).into_iter();
        let links = links.map(|link| link.split('#').next().unwrap_or_default().to_owned());
        links.collect::<Vec<_>>()
    };
    let mut there = Vec::new();
    blocks::below(&docs, &mut there);
    let there = there
        .iter()
        .map(|page| page.strip_prefix(&docs).unwrap().to_str().unwrap().to_owned());
    let there: BTreeSet<String> = there.filter(|page| page != "SUMMARY.md").collect();
    let summary = linked("SUMMARY.md");
    assert_eq!(summary.iter().cloned().collect::<BTreeSet<_>>(), there);
    assert_eq!(summary.len(), there.len(), "a page is listed twice");
    // The index, and one page further: that of the runbooks lists them.
    let near = linked("README.md");
    let pages = near.iter().filter(|page| page.ends_with(".md"));
    let mut found: BTreeSet<String> = pages.flat_map(|page| linked(page)).collect();
    found.extend(near.iter().cloned());
    found.insert("README.md".to_owned());
    let missing: Vec<&String> = there.difference(&found).collect();
    assert!(missing.is_empty(), "the index does not lead to {missing:?}");
}

/// mdBook and the Debian package have what is below docs/.
#[test]
fn no_page_of_the_book_leads_out_of_it() {
    let docs = root().join("docs");
    for page in blocks::pages().iter().filter(|page| page.starts_with(&docs)) {
        let depth = page.strip_prefix(&docs).unwrap().components().count();
        for link in links(&fs::read_to_string(page).unwrap()) {
            let up = link.split('/').filter(|part| *part == "..").count();
            assert!(up < depth, "{}: {link}", page.display());
        }
    }
}

/// Notifications name pages by their place in the package.
#[test]
fn the_package_has_every_page_and_picture() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&manifest).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let packed = |name: &str| {
        assets.iter().any(|asset| {
            let (from, to) = (asset[0].as_str().unwrap(), asset[1].as_str().unwrap());
            let glob = globset::GlobBuilder::new(from).literal_separator(true).build().unwrap();
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            glob.compile_matcher().is_match(name) && to == format!("usr/share/doc/mailpulse/{folder}/")
        })
    };
    let mut pages = Vec::new();
    blocks::below(&root().join("docs"), &mut pages);
    let pages = pages.iter().map(|page| blocks::name(page));
    let missing: Vec<String> = pages.filter(|name| !packed(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(packed("docs/now.png") && packed("docs/outage.svg") && !packed("docs/book.toml"));
}

/// `tests/bench/pictures.sh` makes them.
#[test]
fn pictures_are_small_and_shown() {
    let shown: BTreeSet<String> = blocks::pages()
        .iter()
        .flat_map(|page| links(&fs::read_to_string(page).unwrap()))
        .filter_map(|link| Some(link.rsplit('/').next()?.to_owned()))
        .collect();
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pictures: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "png" || kind == "svg"))
        .collect();
    assert!(pictures.len() >= 3, "{pictures:?}");
    let made = fs::read_to_string(root().join("tests/bench/pictures.sh")).unwrap();
    for picture in pictures {
        let name = picture.file_name().unwrap().to_str().unwrap();
        assert!(fs::metadata(&picture).unwrap().len() < 150_000, "{name} is large");
        assert!(shown.contains(name), "no page shows {name}");
        assert!(made.contains(name), "no command makes {name}");
    }
}

#[test]
fn every_state_of_an_alarm_has_a_runbook() {
    let parts = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
    let states = State::ALL.map(State::as_str);
    for state in states.iter().chain(&["stale"]) {
        let path = root().join(format!("docs/runbooks/{state}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(text.starts_with(&format!("# {state}: ")), "{state}");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, parts, "{state}");
    }
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
