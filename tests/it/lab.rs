//! The parts of the lab tier: other programs, root, and what they leave behind.
//!
//! Nothing else in these tests starts a program that does not come with the project or with every Linux. A part is given
//! out only where ignored tests were asked for, so that a test that uses one and is not marked `#[ignore = "lab: …"]` fails
//! also where the part is installed; and a part that is missing is a failure that names its package.

use crate::logs::root;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A program, and the Debian package that has it; `tests/run` reads the same list.
pub(crate) const PARTS: &str = include_str!("../lab/parts.txt");

/// Engines from PyPI, each in a folder of its own: the variable that names it, and its default.
const ENGINES: [(&str, &str, &str); 3] = [
    ("chdb", "MAILPULSE_CHDB", "chdb-26.9.0"),
    ("duckdb", "MAILPULSE_DUCKDB", "duckdb-2.0.1"),
    ("schemathesis", "MAILPULSE_SCHEMATHESIS", "schemathesis-4.32.5"),
];

/// Program and package of each part.
fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = PARTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("a program and its package"))
}

/// A program of the laboratory.
#[track_caller]
pub(crate) fn program(name: &str) -> Command {
    is_asked_for(name);
    let (_, package) = parts()
        .find(|(program, _)| *program == name)
        .unwrap_or_else(|| panic!("{name} is missing in tests/lab/parts.txt"));
    assert!(
        is_there(name),
        "{name} is not there: apt-get install {package} (`tests/run --install` does)"
    );
    Command::new(name)
}

/// The Python that has an engine: `chdb`, `duckdb`, or `schemathesis`.
#[track_caller]
pub(crate) fn engine(name: &str) -> Command {
    is_asked_for(name);
    let (_, variable, folder) = ENGINES
        .iter()
        .find(|(engine, ..)| *engine == name)
        .expect("one of ENGINES");
    Command::new(installed(variable, folder, "bin/python3", "PyPI"))
}

/// The script of axe-core, which finds what bars people from a page; of the npm registry.
#[track_caller]
pub(crate) fn axe() -> PathBuf {
    is_asked_for("axe-core");
    installed("MAILPULSE_AXE", "axe-core-4.14.1", "axe.min.js", "npm")
}

/// The folder with Grafana's published types and a TypeScript compiler; of the npm registry.
#[track_caller]
pub(crate) fn grafana_types() -> PathBuf {
    is_asked_for("Grafana's published types");
    installed("MAILPULSE_GRAFANA_TYPES", "grafana-types-0.0.21", "node_modules", "npm")
}

/// What `tests/run` has installed in a folder of its own; the variable names another folder.
#[track_caller]
fn installed(variable: &str, folder: &str, part: &str, from: &str) -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let folder = std::env::var(variable).unwrap_or(format!("{home}/.cache/mailpulse-lab/{folder}"));
    let path = Path::new(&folder).join(part);
    assert!(
        path.exists(),
        "{} is not there: `tests/run --install` fetches it from {from}; {variable} names another folder",
        path.display()
    );
    path
}

/// What builds the Debian package.
#[track_caller]
pub(crate) fn build_deb() -> Command {
    is_asked_for("cargo-deb");
    let is_installed = Command::new("cargo").args(["deb", "--version"]).output();
    assert!(
        is_installed.is_ok_and(|output| output.status.success()),
        "cargo-deb is not there: cargo install cargo-deb (`tests/run --install` does)"
    );
    Command::new(root().join("dist/build-deb"))
}

/// Only root may do what this test does.
#[track_caller]
pub(crate) fn as_root() {
    is_asked_for("root");
    assert!(is_root(), "this test needs root");
}

/// Whether this is root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[track_caller]
fn is_asked_for(part: &str) {
    assert!(
        std::env::args().any(|argument| argument == "--ignored" || argument == "--include-ignored"),
        "this test needs {part}, which is a part of the lab tier: mark it #[ignore = \"lab: needs {part}\"], and run it by \
         `tests/run NAME`, or `cargo test --test it -- --ignored NAME`"
    );
}

fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// The folder of one run of the laboratory with a selector.
pub(crate) fn lab(selector: &str) -> PathBuf {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    let dir = LAB.get_or_init(|| run_lab(&["--selector", "default,all,wikimedia"]));
    dir.path().join(selector)
}

/// The folder of a run with a sender's Exim and a relay's.
pub(crate) fn relay_lab() -> &'static Path {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    LAB.get_or_init(|| run_lab(&["--relay"])).path()
}

/// The folder of a run of the Postfix with this form of queue ID.
pub(crate) fn postfix_lab(ids: &str) -> PathBuf {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    let dir = LAB.get_or_init(|| run_postfix(&["--ids", "short,long"]));
    dir.path().join(ids)
}

/// The folder of a run with a sender's Exim and a Postfix behind it.
pub(crate) fn postfix_relay_lab() -> &'static Path {
    static LAB: OnceLock<TempDir> = OnceLock::new();
    LAB.get_or_init(|| {
        program("/usr/sbin/exim4");
        run_postfix(&["--exim"])
    })
    .path()
}

fn run_lab(args: &[&str]) -> TempDir {
    program("/usr/sbin/exim4");
    run("exim_lab.py", args)
}

fn run_postfix(args: &[&str]) -> TempDir {
    for part in ["dpkg-deb", "useradd", "/usr/sbin/pflogsumm"] {
        program(part);
    }
    run("postfix_lab.py", args)
}

fn run(script: &str, args: &[&str]) -> TempDir {
    as_root();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut command = program("python3");
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
pub(crate) fn truth(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("truth.json")).expect("truth.json")).expect("JSON")
}
