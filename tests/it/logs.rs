//! Logs to read: of the simulator, cut and packed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs another program, which must succeed; its standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        output.stderr.escape_ascii()
    );
    output.stdout
}

/// Text in the form of a packer: `gzip`, `zstd`, `bzip2`, `xz`.
pub(crate) fn packed(packer: &str, bytes: &[u8]) -> Vec<u8> {
    let packed = match packer {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        "zstd" => zstd::encode_all(bytes, 3),
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        other => panic!("no packer {other}"),
    };
    packed.expect("memory takes it")
}

/// Packs a file as `gzip` does: another beside it with the name, the time and the mode of the plain one, which goes.
pub(crate) fn gzip(path: &Path) {
    let plain = fs::metadata(path).expect("a file");
    let name = path.file_name().expect("a name").to_str().expect("UTF-8");
    let (time, to) = (
        plain.modified().expect("a time"),
        path.with_file_name(format!("{name}.gz")),
    );
    let seconds = time
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let head = flate2::GzBuilder::new().filename(name).mtime(seconds as u32);
    let file = fs::File::create_new(&to).expect("nothing is there");
    let mut encoder = head.write(file, flate2::Compression::default());
    encoder.write_all(&fs::read(path).expect("a file")).expect("written");
    let file = encoder.finish().expect("written");
    file.set_permissions(plain.permissions()).expect("its mode");
    file.set_modified(time).expect("its time");
    fs::remove_file(path).expect("the plain one goes");
}

/// The path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A moment, seconds since 1970, as Exim prints it in UTC.
pub(crate) fn stamp(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap();
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A mail that an Exim takes and hands on in the same second, by its queue ID: three lines.
pub(crate) fn passed_on(at: i64, id: &str, sender: &str) -> String {
    let time = stamp(at);
    format!(
        "{time} {id} <= {sender}@example.org H=app.example.org [10.0.0.1] P=esmtp S=600 id={id}@example.org\n\
         {time} {id} => user@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] C=\"250 ok\"\n\
         {time} {id} Completed\n"
    )
}

/// The same by an ID that is made of the moment.
pub(crate) fn passed_on_at(at: i64, sender: &str) -> String {
    passed_on(
        at,
        &format!("1f{:04}-{:06}-A1", at / 1_000_000 % 10_000, at % 1_000_000),
        sender,
    )
}

/// A log of the simulator, of about so many bytes. Two runs with one seed give the same.
pub(crate) fn simulated(bytes: u64, seed: u64) -> Vec<u8> {
    let mut log = Vec::new();
    mailpulse::simulate::exim_log(&mut log, bytes, seed, &[]).expect("a log");
    log
}

/// Cuts a log in two after the line that holds the byte at this share of it.
pub(crate) fn cut(log: &[u8], share: f64) -> (&[u8], &[u8]) {
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
pub(crate) fn lines(log: &[u8]) -> u64 {
    log.iter().filter(|byte| **byte == b'\n').count() as u64
}
