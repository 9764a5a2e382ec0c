//! Runs the laboratory of tests/lab once for all tests of a process.

use crate::logs::root;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The folder of one run of the laboratory with a selector.
pub fn lab(selector: &str) -> PathBuf {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    let dir = LAB.get_or_init(|| run_lab(&["--selector", "default,all,wikimedia"]));
    dir.path().join(selector)
}

/// The folder of a run with a sender's Exim and a relay's.
pub fn relay_lab() -> &'static Path {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    LAB.get_or_init(|| run_lab(&["--relay"])).path()
}

/// The folder of a run of the Postfix with this form of queue ID.
pub fn postfix_lab(ids: &str) -> PathBuf {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    let dir = LAB.get_or_init(|| run("postfix_lab.py", &["--ids", "short,long"]));
    dir.path().join(ids)
}

/// The folder of a run with a sender's Exim and a Postfix behind it.
pub fn postfix_relay_lab() -> &'static Path {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    LAB.get_or_init(|| run("postfix_lab.py", &["--exim"])).path()
}

fn run_lab(args: &[&str]) -> TempDir {
    run("exim_lab.py", args)
}

fn run(script: &str, args: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("python3");
    command
        .arg(root().join("tests/lab").join(script))
        .args(args)
        .arg("--out")
        .arg(dir.path());
    let output = command.output().expect("python3 starts");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        output.status.success(),
        "{script}: {} (77: it needs root and exim4-daemon-heavy)\n{err}",
        output.status
    );
    dir
}

/// What was really sent and what became of it.
pub fn truth(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("truth.json")).expect("truth.json")).expect("JSON")
}
