//! The pages of the book, followed by somebody who types what they say: in the order of the page, in a scratch folder.
//!
//! `mailpulse` is the program under test, with four things changed. A demo that a page makes is the small one. `init` looks at a machine without logs. Pages are served on a port that is free. In blocks marked `demo`, commands that name
//! no store ask the demo's.

use super::blocks::{Block, blocks, pages};
use crate::util::{PROGRAM, Place, Reserved, Run, copy_folder, stop};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;

/// The port of the pages in the documentation.
const PORT: &str = "8425";

/// What `mailpulse demo` leaves behind.
static DEMO: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(PROGRAM);
    command.arg("demo").current_dir(folder.path());
    Run::of(command.output().expect("the program starts")).ends(0);
    folder
});

/// Who follows a page.
struct Reader {
    place: Place,
    port: Reserved,
    daemons: Vec<(String, Child)>,
}

impl Reader {
    fn new(demo: Option<&Path>) -> Reader {
        let reader = Reader {
            place: Place::with(""),
            port: Reserved::new(),
            daemons: Vec::new(),
        };
        fs::create_dir_all(reader.place.path("work")).expect("a folder");
        if let Some(demo) = demo {
            copy_folder(
                &demo.join("mailpulse-demo/store"),
                &reader.place.path("work/mailpulse-demo/store"),
            );
        }
        let script = format!(
            "#!/bin/bash\nif [[ -n $DEMO && \" $* \" != *\" --store \"* && \" $* \" != *\" --config \"* ]]; then\n  \
             set -- --store \"$DEMO\" \"$@\"\nfi\nfor word; do\n  case $word in\n    demo) exec {PROGRAM} \"$@\" --small ;;\n    \
             init) exec {PROGRAM} \"$@\" --root {} ;;\n    serve) exec {PROGRAM} \"$@\" --listen 127.0.0.1:{} ;;\n  \
             esac\ndone\nexec {PROGRAM} \"$@\"\n",
            reader.place.path("machine").display(),
            reader.port.port()
        );
        let program = reader.place.write("bin/mailpulse", script);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("a program");
        reader.place.write("machine/etc/hostname", "mx1001\n");
        reader
    }

    fn folder(&self) -> PathBuf {
        self.place.path("work")
    }

    fn shell(&self, block: &Block, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("bash");
        shell
            .args(["-e", "-o", "pipefail", "-c", &self.here(script)])
            .current_dir(self.folder())
            .env("PATH", format!("{}:{path}", self.place.path("bin").display()))
            .env("HOME", self.place.path("home"))
            .env("COLUMNS", "120")
            .env(
                "DEMO",
                if block.is("demo") {
                    self.folder().join("mailpulse-demo/store")
                } else {
                    PathBuf::new()
                },
            )
            .env_remove("XDG_STATE_HOME");
        shell
    }

    /// With the port that is free here.
    fn here(&self, text: &str) -> String {
        text.replace(PORT, &self.port.port().to_string())
    }

    /// With the port and the folder of the page.
    fn there(&self, text: &str) -> String {
        let text = text.replace(&self.port.port().to_string(), PORT);
        text.replace(&format!("{}/", self.folder().display()), "")
    }

    fn follow(&mut self, block: &Block) {
        if let Some(file) = block.value("file") {
            let path = self.folder().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, self.here(&block.text)).expect("a file");
        } else if block.is("start") {
            self.start(block);
        } else if block.is("run") && block.language == "sql" {
            for statement in block.text.lines() {
                let mut command = Command::new(PROGRAM);
                command.args(["--store", "mailpulse-demo/store", "query", "--sql", statement]);
                let run = Run::of(command.current_dir(self.folder()).output().expect("it starts"));
                assert_eq!(run.code, 0, "{}: {statement}\n{}", block.place, run.err);
            }
        } else if block.is("run") {
            self.run(block);
        }
    }

    fn run(&self, block: &Block) {
        let expected: i32 = block
            .value("exit")
            .map_or(0, |code| code.parse().expect("an exit code"));
        if block.language == "sh" {
            let run = Run::of(self.shell(block, &block.text).output().expect("bash starts"));
            assert_eq!(run.code, expected, "{}: exit code\n{}{}", block.place, run.out, run.err);
            return;
        }
        let parts = parts(&block.text);
        for (at, (command, page)) in parts.iter().enumerate() {
            // What a reader sees is both.
            let run = Run::of(
                self.shell(block, &format!("{{ {command}; }} 2>&1"))
                    .output()
                    .expect("bash starts"),
            );
            let expected = if at + 1 == parts.len() { expected } else { 0 };
            assert_eq!(run.code, expected, "{}: {command}: exit code\n{}", block.place, run.out);
            assert!(
                is_shown(page, &self.there(&run.out)),
                "{}: {command}\n--- the page\n{page}--- the program\n{}",
                block.place,
                run.out
            );
        }
    }

    fn start(&mut self, block: &Block) {
        let child = self
            .shell(block, &format!("exec {}", block.commands()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bash starts");
        self.daemons.push((block.place.clone(), child));
        // Long enough to open the store and to refuse what is wrong.
        std::thread::sleep(Duration::from_secs(3));
    }

    fn leave(mut self) {
        for (place, mut child) in self.daemons.drain(..) {
            let ended = child.try_wait().expect("a status");
            if let Some(status) = ended {
                let run = Run::of(child.wait_with_output().expect("its output"));
                panic!("{place}: ended with {status}\n{}", run.err);
            }
            stop(&mut child);
        }
    }
}

/// The commands of a `console` block, each with the output that the page shows.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), parts.last_mut()) {
            (Some(command), _) => parts.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("output before a command: {line}"),
        }
    }
    parts
}

/// Whether a page shows an output. A line `…` stands for any lines, and `…` in a line for any text; blanks at the ends of
/// lines do not count.
fn is_shown(page: &str, output: &str) -> bool {
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    is_like(&lines(page), &lines(output))
}

fn is_like(page: &[String], output: &[String]) -> bool {
    match (page, output) {
        ([], []) => true,
        ([any, rest @ ..], _) if any.trim() == "…" => {
            (0..=output.len()).any(|skipped| is_like(rest, &output[skipped..]))
        }
        ([line, rest @ ..], [other, others @ ..]) => is_line_like(line, other) && is_like(rest, others),
        _ => false,
    }
}

fn is_line_like(page: &str, mut line: &str) -> bool {
    let pieces: Vec<&str> = page.split('…').collect();
    let [first, .., last] = pieces[..] else {
        return page == line;
    };
    let Some(rest) = line.strip_prefix(first) else {
        return false;
    };
    line = rest;
    for piece in &pieces[1..pieces.len() - 1] {
        let Some(at) = line.find(piece) else { return false };
        line = &line[at + piece.len()..];
    }
    line.ends_with(last)
}

fn follow(page: &Path, demo: Option<&Path>) -> usize {
    let blocks = blocks(page);
    let is_active = |block: &&Block| block.is("run") || block.is("start");
    let active = blocks.iter().filter(is_active).count();
    if active > 0 {
        let mut reader = Reader::new(demo);
        blocks.iter().for_each(|block| reader.follow(block));
        reader.leave();
    }
    active
}

fn needs_demo(page: &Path) -> bool {
    blocks(page).iter().any(|block| block.is("demo"))
}

/// Above all the first hour: from nothing to a delivered alarm, and a daemon that runs.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_newcomer_who_follows_the_book_gets_what_it_shows() {
    let pages = pages();
    let pages = pages.iter().filter(|page| !needs_demo(page));
    let all: usize = pages.map(|page| follow(page, None)).sum();
    assert!(all >= 8, "{all} blocks");
}

#[test]
#[ignore = "minutes: three weeks of mail without optimization; tests/run runs it"]
fn the_book_shows_what_the_program_answers_about_the_demo() {
    let pages = pages();
    let pages = pages.iter().filter(|page| needs_demo(page));
    let all: usize = pages.map(|page| follow(page, Some(DEMO.path()))).sum();
    assert!(all >= 15, "{all} blocks");
}

#[test]
fn another_output_is_not_what_a_page_shows() {
    assert!(is_shown("a\n…\nd …\n", "a  \nb\nc\nd 12 ms\n"));
    assert!(is_shown("…", ""));
    assert!(!is_shown("a\n…\nd\n", "a\nb\nc\n"));
    assert!(!is_shown("a … c", "a b"));
    assert!(!is_shown("a", "a\nb"));
    assert_eq!(
        parts("$ a\nx\n$ b\n"),
        [("a".to_owned(), "x\n".to_owned()), ("b".to_owned(), String::new())]
    );
}
