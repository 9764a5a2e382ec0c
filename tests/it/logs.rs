//! Logs to read: of the simulator, cut and packed; and the programs that pack.

use crate::util::Place;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs another program, which must succeed; its standard output.
#[track_caller]
pub fn tool(name: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(name)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        output.status.success(),
        "{name} {args:?}: {}\n{}",
        output.status,
        output.stderr.escape_ascii()
    );
    output.stdout
}

/// Text packed by a packer as people use it: `gzip`, `zstd`, `bzip2`, `xz`.
#[track_caller]
pub fn packed(packer: &str, place: &Place, bytes: &[u8]) -> Vec<u8> {
    let plain = place.write("packer.tmp", bytes);
    let out = tool(packer, &["-q", "-c", plain.to_str().expect("UTF-8")]);
    fs::remove_file(plain).expect("the temporary file removed");
    out
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A moment, seconds since 1970, as Exim prints it in UTC.
pub fn stamp(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap();
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A mail that an Exim takes and hands on in the same second, by its queue ID: three lines.
pub fn passed_on(at: i64, id: &str, sender: &str) -> String {
    let time = stamp(at);
    format!(
        "{time} {id} <= {sender}@example.org H=app.example.org [10.0.0.1] P=esmtp S=600 id={id}@example.org\n\
         {time} {id} => user@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] C=\"250 ok\"\n\
         {time} {id} Completed\n"
    )
}

/// A log of the simulator, of about so many bytes. Two runs with one seed give the same.
pub fn simulated(bytes: u64, seed: u64) -> Vec<u8> {
    let mut log = Vec::new();
    mailpulse::simulate::exim_log(&mut log, bytes, seed, &[]).expect("a log");
    log
}

/// Cuts a log in two after the line that holds the byte at this share of it.
pub fn cut(log: &[u8], share: f64) -> (&[u8], &[u8]) {
    let from = (log.len() as f64 * share) as usize;
    let end = log[from..]
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line's end")
        + from
        + 1;
    log.split_at(end)
}

/// How many lines a log has.
pub fn lines(log: &[u8]) -> u64 {
    log.iter().filter(|byte| **byte == b'\n').count() as u64
}
