//! systemd's journal, by its own tool: `journalctl -o json` as a child process.
//!
//! The journal's file format is private to systemd and changes with it; what `journalctl` prints is documented, stable,
//! and works with any version, compression and access right. Each entry is one line; its **cursor** says where it
//! stands: `s=` names the sequence of numbers, `i=` is the entry's own number in it. Both together are its identity, by
//! whatever way it is read.
//!
//! `journalctl --after-cursor=C` must not be used to go on: where C has been vacuumed away it seeks to the entry that
//! comes next, and then steps over that one. We start **at** C, and whoever calls looks whether C is what comes first.

use super::Limits;
use crate::model::time::UtcMs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// What is kept of what the tool says on its stderr.
const WORDS_BYTES_MAX: u64 = 2048;

/// What is asked for of an entry; its cursor and time always come.
const FIELDS: &str = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME";

/// A part of a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalSource {
    /// Folder of journal files; by default this machine's journal.
    pub directory: Option<PathBuf>,
    /// Units.
    pub units: Vec<String>,
    /// Syslog identifiers.
    pub identifiers: Vec<String>,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'c> {
    /// At the oldest entry.
    Oldest,
    /// At the entry of this cursor, which comes again; if it is gone, at the one that comes next.
    At(&'c str),
    /// At a time, microseconds since 1970.
    Since(i64),
}

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The tool cannot be started.
    #[error(
        "cannot start journalctl ({0}). It is part of systemd: install it, or read log files instead of the journal \
         (`paths` instead of `journal = true`)"
    )]
    NoTool(#[source] io::Error),
    /// The tool failed.
    #[error(
        "journalctl failed ({status}): {words}. Run it by hand (`{command}`). The user must be in the group \
         systemd-journal or adm, and `directory` must exist. What was read before is stored"
    )]
    Failed {
        /// How it ended.
        status: String,
        /// What it said.
        words: String,
        /// How it was called.
        command: String,
    },
    /// The pipe broke.
    #[error("cannot read from journalctl: {0}. Run again: it continues where it stopped")]
    Pipe(#[from] io::Error),
}

/// Where journal files lie, or lie in a folder for each machine: below `directory`, or as systemd has it.
#[must_use]
pub fn folders(directory: Option<&Path>) -> Vec<PathBuf> {
    match directory {
        Some(directory) => vec![directory.to_owned()],
        None => ["/var/log/journal", "/run/log/journal"].map(PathBuf::from).to_vec(),
    }
}

impl JournalSource {
    /// How messages and the catalogue call it.
    #[must_use]
    pub fn name(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| PathBuf::from("journal"))
    }

    /// The newest change of its files, and their sizes' sum: when it is another than before,
    /// there may be more to read. None where no file can be seen.
    #[must_use]
    pub fn newest(&self) -> Option<(UtcMs, u64)> {
        let folders = folders(self.directory.as_deref());
        let mut newest = None;
        let mut look = |folder: &Path| {
            let mut below = Vec::new();
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    below.push(entry.path());
                } else if entry.path().extension().is_some_and(|end| end == "journal") {
                    let stamp = super::Stamp::of(&metadata, super::Codec::Plain);
                    let (at, sum) = newest.unwrap_or((UtcMs::MIN, 0));
                    newest = Some((stamp.mtime_ms.max(at), sum + stamp.size));
                }
            }
            below
        };
        // A folder a machine, and the files in it.
        let machines: Vec<PathBuf> = folders.iter().flat_map(|folder| look(folder)).collect();
        machines.iter().for_each(|machine| _ = look(machine));
        newest
    }

    fn command(&self, start: Start<'_>) -> Command {
        let mut command = Command::new("journalctl");
        command.args(["-o", "json", "--no-pager", "--all"]);
        command.arg(format!("--output-fields={FIELDS}"));
        if let Some(directory) = &self.directory {
            let mut option = std::ffi::OsString::from("--directory=");
            option.push(directory);
            command.arg(option);
        }
        for unit in &self.units {
            command.arg(format!("--unit={unit}"));
        }
        for identifier in &self.identifiers {
            command.arg(format!("--identifier={identifier}"));
        }
        match start {
            Start::Oldest => {}
            Start::At(cursor) => _ = command.arg(format!("--cursor={cursor}")),
            Start::Since(us) => {
                let (seconds, micros) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
                command.arg(format!("--since=@{seconds}.{micros:06}"));
            }
        }
        if self.units.is_empty() && self.identifiers.is_empty() {
            // The facility mail, which both Exim and Postfix use.
            command.arg("SYSLOG_FACILITY=2");
        }
        command
    }

    /// Starts reading.
    ///
    /// # Errors
    /// The tool is not there.
    pub fn read(&self, start: Start<'_>, limits: &Limits) -> Result<Entries, JournalError> {
        let mut command = self.command(start);
        let shown = format!("{command:?}").replace('"', "");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(JournalError::NoTool)?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(JournalError::NoTool(io::ErrorKind::BrokenPipe.into()));
        };
        // Read beside the entries, so that a talkative tool does not block.
        let words = std::thread::spawn(move || {
            let mut words = Vec::new();
            let mut err = err.take(u64::MAX);
            err.set_limit(WORDS_BYTES_MAX);
            let _ = err.read_to_end(&mut words);
            let _ = io::copy(&mut err.into_inner(), &mut io::sink());
            words
        });
        Ok(Entries {
            child,
            out: BufReader::with_capacity(256 << 10, out),
            words: Some(words),
            command: shown,
            line_bytes_max: limits.chunk_bytes.max(limits.line_bytes_max),
        })
    }
}

/// The entries of one run of the tool, oldest first.
#[derive(Debug)]
pub struct Entries {
    child: Child,
    out: BufReader<ChildStdout>,
    words: Option<JoinHandle<Vec<u8>>>,
    command: String,
    line_bytes_max: usize,
}

impl Entries {
    /// Appends the next entry and a newline to `into`; false at the end. What an entry has beyond the limit of a chunk
    /// is left out.
    ///
    /// # Errors
    /// The pipe broke.
    pub(crate) fn next_line(&mut self, into: &mut Vec<u8>) -> Result<bool, JournalError> {
        let begin = into.len();
        let got = (&mut self.out)
            .take(self.line_bytes_max as u64)
            .read_until(b'\n', into)?;
        if got == 0 {
            return Ok(false);
        }
        if into.last() != Some(&b'\n') {
            if into.len() - begin >= self.line_bytes_max {
                self.skip_line()?;
            }
            into.push(b'\n');
        }
        Ok(true)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ready = self.out.fill_buf()?;
            match memchr::memchr(b'\n', ready) {
                Some(at) => {
                    self.out.consume(at + 1);
                    return Ok(());
                }
                None if ready.is_empty() => return Ok(()),
                None => {
                    let len = ready.len();
                    self.out.consume(len);
                }
            }
        }
    }

    /// To be called when the entries have ended. Gives what the tool had to say, if anything.
    ///
    /// # Errors
    /// It failed.
    pub fn finish(mut self) -> Result<Option<String>, JournalError> {
        let status = self.child.wait()?;
        let words = self
            .words
            .take()
            .and_then(|words| words.join().ok())
            .unwrap_or_default();
        let words = mailpulse_parsers::harmless::safe_text(words.trim_ascii());
        if status.success() {
            return Ok((!words.is_empty()).then_some(words));
        }
        Err(JournalError::Failed {
            status: status.to_string(),
            words: if words.is_empty() {
                "it said nothing".to_owned()
            } else {
                words
            },
            command: std::mem::take(&mut self.command),
        })
    }
}

/// Nobody wants the rest.
impl Drop for Entries {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'l> {
    /// All of it.
    pub text: &'l str,
    /// Name of the sequence of numbers.
    pub sequence: &'l str,
    /// Number in it.
    pub number: u64,
    /// Time of the entry, microseconds since 1970.
    pub realtime_us: i64,
}

/// The cursor in a line of `journalctl -o json`. Quotes inside of values are escaped, so that no message can bring one.
#[must_use]
pub fn cursor(line: &[u8]) -> Option<Cursor<'_>> {
    let key = b"\"__CURSOR\"";
    let rest = &line[memchr::memmem::find(line, key)? + key.len()..];
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let text = &rest[..memchr::memchr(b'"', rest)?];
    parse_cursor(std::str::from_utf8(text).ok()?)
}

/// The parts of a cursor.
#[must_use]
pub(crate) fn parse_cursor(text: &str) -> Option<Cursor<'_>> {
    let part = |name: &str| text.split(';').find_map(|part| part.strip_prefix(name));
    Some(Cursor {
        text,
        sequence: part("s=")?,
        number: u64::from_str_radix(part("i=")?, 16).ok()?,
        realtime_us: i64::from_str_radix(part("t=")?, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found_and_cannot_be_forged() {
        let line =
            br#"{"MESSAGE":"\"__CURSOR\":\"s=evil;i=1;t=1\"","__CURSOR" : "s=4f;i=1a;b=0;m=3;t=56dfdb433cb40;x=7"}"#;
        let found = cursor(line).unwrap();
        assert_eq!((found.sequence, found.number), ("4f", 26));
        assert_eq!(found.realtime_us, 1_528_311_301_000_000);
        for line in [
            &b""[..],
            b"{}",
            b"{\"__CURSOR\":\"s=1\"}",
            b"{\"__CURSOR\":\"s=1;i=x;t=1",
        ] {
            assert_eq!(cursor(line), None);
        }
    }

    #[test]
    fn how_the_tool_is_called() {
        let args = |journal: &JournalSource, start| format!("{:?}", journal.command(start)).replace('"', "");
        let all = JournalSource::default();
        let shown = args(&all, Start::Since(1_500_000));
        assert!(shown.ends_with("--since=@1.500000 SYSLOG_FACILITY=2"), "{shown}");
        let some = JournalSource {
            directory: Some("/j".into()),
            identifiers: vec!["exim".into()],
            ..JournalSource::default()
        };
        let shown = args(&some, Start::At("s=1"));
        assert!(
            shown.ends_with("--directory=/j --identifier=exim --cursor=s=1"),
            "{shown}"
        );
    }
}
