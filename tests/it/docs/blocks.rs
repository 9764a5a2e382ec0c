//! What stands in the code blocks of a page, and what its writer says of each.
//!
//! The words behind a block's language say what the tests do with it:
//!
//! | word | meaning |
//! |---|---|
//! | `run` | run in the page's scratch folder, in order; `console` blocks show the output, which is compared |
//! | `run demo` | the same, where the folder `mailpulse-demo` of `mailpulse demo` is needed |
//! | `exit=1` | the last command of the block ends so |
//! | `start` | a daemon: it still runs when the page ends, and then ends well |
//! | `needs=systemd` | not run, because a part is missing in most places; parsed |
//! | `example` | not run, because names in it stand for the reader's own; parsed |
//! | `test=NAME` | run by the test of this name |
//! | `file=NAME` | a configuration that is written to this file of the scratch folder |

use crate::logs::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Reasons for which a block is parsed only.
const NEEDS: [&str; 7] = ["systemd", "apt", "clickhouse", "cargo", "container", "network", "relay"];

/// A block of code.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// `docs/x.md:12`.
    pub place: String,
    pub language: String,
    marks: Vec<String>,
    pub text: String,
}

impl Block {
    /// Whether its writer says this of it.
    pub(crate) fn is(&self, mark: &str) -> bool {
        self.marks.iter().any(|word| word == mark)
    }

    /// The value of a mark, such as `file=NAME`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.marks
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether it is commands for a shell.
    pub(crate) fn is_shell(&self) -> bool {
        matches!(self.language.as_str(), "sh" | "console")
    }

    /// Its commands, without their output.
    pub(crate) fn commands(&self) -> String {
        if self.language == "sh" {
            return self.text.clone();
        }
        let commands = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
        commands.map(|line| format!("{line}\n")).collect()
    }

    /// What is wrong with its marks.
    fn fault(&self) -> Option<String> {
        let reason = self.value("needs");
        let ways = [
            self.is("run"),
            self.is("start"),
            self.is("example"),
            reason.is_some(),
            self.value("test").is_some(),
        ];
        let is_reason_known = reason.is_none_or(|reason| NEEDS.contains(&reason));
        match self.is_shell() {
            true if ways.iter().filter(|way| **way).count() != 1 => {
                Some("say one of: run, start, example, needs=…, test=…".to_owned())
            }
            true if !is_reason_known => Some(format!("needs=… is one of {NEEDS:?}")),
            _ => None,
        }
    }
}

/// The pages of the book: README.md, and what is below docs/.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    below(&root().join("docs"), &mut all);
    all
}

/// Pages below a folder, in the order of their names; what mdBook makes of them is none.
pub(crate) fn below(folder: &Path, all: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("docs/book") {
            below(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            all.push(path);
        }
    }
}

/// `docs/x.md`.
pub(crate) fn name(page: &Path) -> String {
    let name = page.strip_prefix(root()).expect("a page of the repository");
    name.to_str().expect("UTF-8").to_owned()
}

/// The blocks of a page.
pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    blocks_of(&name(page), &fs::read_to_string(page).expect("a page"))
}

/// The commands of a plain text: its indented lines.
pub(crate) fn indented(place: &str, text: &str) -> Block {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    Block {
        place: place.to_owned(),
        language: "sh".to_owned(),
        marks: Vec::new(),
        text: lines.map(|line| format!("{line}\n")).collect(),
    }
}

fn blocks_of(page: &str, text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let block = Block {
                    place: format!("{page}:{}", number + 1),
                    language: words.next().unwrap_or_default(),
                    marks: words.collect(),
                    text: String::new(),
                };
                open = Some((indent, block));
            }
            (Some(_), Some(_)) => all.extend(open.take().map(|(_, block)| block)),
            (None, Some((indent, block))) => {
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block does not end");
    all
}

#[test]
fn every_block_of_commands_says_what_becomes_of_it() {
    let all: Vec<Block> = pages().iter().flat_map(|page| blocks(page)).collect();
    let faults: Vec<String> = all
        .iter()
        .filter_map(|block| Some(format!("{}: {}", block.place, block.fault()?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(all.iter().filter(|block| block.is_shell()).count() > 40);
    let planted = blocks_of(
        "x.md",
        "1. a\n\n   ```sh run demo exit=1\n   a \\\n     b\n   ```\n\n```sh\nc\n```\n",
    );
    assert_eq!(planted[0].text, "a \\\n  b\n");
    assert_eq!((planted[0].is("demo"), planted[0].value("exit")), (true, Some("1")));
    assert_eq!(planted[1].place, "x.md:8");
    assert!(planted[0].fault().is_none() && planted[1].fault().is_some());
}
