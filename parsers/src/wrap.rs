//! What the runtime of a container puts around each line of a program's output.
//!
//! ```text
//! docker   = {"log":"TEXT\n","stream":"stdout","time":"2025-11-19T13:39:04.1Z"}     json-file; 16 KiB without \n go on
//! cri      = rfc3339 " " ("stdout" | "stderr") " " ("F" | "P") {":" tag} " " TEXT   containerd, CRI-O; P goes on
//! compose  = name {" "} " | " TEXT                                                  `docker compose logs`
//! dated    = rfc3339 with nine digits " " TEXT                                      `docker logs --timestamps`
//! ```
//!
//! What is inside may be wrapped again (`docker compose logs --timestamps`): the caller goes on until nothing is.

use crate::cut::Cut;
use crate::stamp::{Stamp, rfc3339};
use memchr::memmem;
use serde_json::Value;
use std::borrow::Cow;

/// Wrappers within wrappers that are taken off; what is deeper is no log of anybody's.
pub const DEPTH_MAX: usize = 3;

/// Docker cuts a longer line.
const DOCKER_BYTES_MAX: usize = 16 << 10;

/// A runtime, or a command that shows its logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Docker's driver `json-file`: one JSON object per line.
    DockerJson,
    /// Kubernetes (containerd, CRI-O): time, stream, and `F` or `P`.
    Cri,
    /// `docker compose logs`: the container's name and a bar.
    Compose,
    /// `docker logs --timestamps`: a time with nine digits.
    DockerTimes,
}

impl Runtime {
    /// In words, for a message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Runtime::DockerJson => "Docker's json-file driver",
            Runtime::Cri => "a Kubernetes runtime (CRI)",
            Runtime::Compose => "`docker compose logs`",
            Runtime::DockerTimes => "`docker logs --timestamps`",
        }
    }
}

/// One line without its wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped<'a> {
    /// Which runtime wrapped it.
    pub runtime: Runtime,
    /// When the runtime took it, where that is printed.
    pub stamp: Option<Stamp>,
    /// Compose's name of the container; else the stream. Pieces of one line have the same.
    pub name: Cow<'a, [u8]>,
    /// The program's line, which may be wrapped again.
    pub text: Cow<'a, [u8]>,
    /// The runtime cut it: the next line of this name goes on with it.
    pub goes_on: bool,
}

/// Takes one wrapper off; `None` where there is none.
///
/// ```
/// use mailpulse_parsers::wrap::{Runtime, unwrap};
///
/// let line = br#"{"log":"4F1A23B5C7: removed\n","stream":"stdout","time":"2018-06-06T18:55:01.5Z"}"#;
/// let inner = unwrap(line).unwrap();
/// assert_eq!((inner.runtime, &*inner.text), (Runtime::DockerJson, &b"4F1A23B5C7: removed"[..]));
/// assert_eq!(inner.stamp.unwrap().utc_ms(), 1_528_311_301_500);
///
/// let inner = unwrap(b"2018-06-06T18:55:01.5Z stdout P the first half of ").unwrap();
/// assert_eq!((inner.runtime, inner.goes_on), (Runtime::Cri, true));
/// assert_eq!(unwrap(b"2018-06-06 18:55:01 Start queue run: pid=9"), None);
/// ```
#[must_use]
pub fn unwrap(line: &[u8]) -> Option<Wrapped<'_>> {
    match line.first()? {
        b'{' => docker_json(line),
        b'0'..=b'9' => dated(line).or_else(|| compose(line)),
        _ => compose(line),
    }
}

fn docker_json(line: &[u8]) -> Option<Wrapped<'_>> {
    memmem::find(line.until(4096), b"\"log\"")?;
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else {
        return None;
    };
    let Some(Value::String(log)) = fields.remove("log") else {
        return None;
    };
    // Something else has a key of this name as well.
    let stamp = match fields.get("time") {
        Some(Value::String(time)) => whole_time(time.as_bytes()),
        _ => None,
    };
    let stream = match fields.remove("stream") {
        Some(Value::String(stream)) if matches!(stream.as_str(), "stdout" | "stderr") => stream,
        Some(_) => return None,
        None => String::new(),
    };
    if stamp.is_none() && stream.is_empty() {
        return None;
    }
    let mut text = log.into_bytes();
    // The last words of a program may lack the newline too.
    let goes_on = text.pop_if(|byte| *byte == b'\n').is_none() && text.len() >= DOCKER_BYTES_MAX;
    text.pop_if(|byte| *byte == b'\r');
    Some(Wrapped {
        runtime: Runtime::DockerJson,
        stamp,
        name: Cow::Owned(stream.into_bytes()),
        text: Cow::Owned(text),
        goes_on,
    })
}

fn whole_time(text: &[u8]) -> Option<Stamp> {
    let (rest, stamp) = rfc3339(text).ok()?;
    (rest.is_empty() && stamp.offset_seconds.is_some()).then_some(stamp)
}

/// CRI, or Docker's timestamps.
fn dated(line: &[u8]) -> Option<Wrapped<'_>> {
    let (rest, stamp) = rfc3339(line).ok()?;
    let time = line.until(line.len() - rest.len());
    let rest = rest.strip_prefix(b" ").filter(|_| stamp.offset_seconds.is_some())?;
    let stream = [&b"stdout"[..], b"stderr"]
        .into_iter()
        .find(|stream| rest.starts_with(stream) && rest.get(stream.len()) == Some(&b' '));
    if let Some(stream) = stream {
        let rest = rest.past(stream.len() + 1);
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        let goes_on = match rest.until(end).split(|byte| *byte == b':').next()? {
            b"F" => false,
            b"P" => true,
            _ => return None,
        };
        return Some(Wrapped {
            runtime: Runtime::Cri,
            stamp: Some(stamp),
            name: Cow::Borrowed(stream),
            text: Cow::Borrowed(rest.get(end + 1..).unwrap_or_default()),
            goes_on,
        });
    }
    let [b'.', digits @ ..] = time.past(19) else {
        return None;
    };
    let nanoseconds = digits.iter().take_while(|byte| byte.is_ascii_digit()).count() == 9;
    nanoseconds.then_some(Wrapped {
        runtime: Runtime::DockerTimes,
        stamp: Some(stamp),
        name: Cow::Borrowed(b""),
        text: Cow::Borrowed(rest),
        goes_on: false,
    })
}

/// Longest name of a container.
const NAME_MAX: usize = 128;

fn compose(line: &[u8]) -> Option<Wrapped<'_>> {
    let rest = after_colour(line);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let end = rest.iter().take(NAME_MAX).position(|byte| !is_name(byte))?;
    let (name, rest) = rest.split_at(end);
    let bar = rest.iter().take(NAME_MAX).position(|byte| *byte != b' ')?;
    let text = rest.past(bar).strip_prefix(b"|")?;
    if name.is_empty() || bar == 0 {
        return None;
    }
    let text = after_colour(text);
    let text = after_colour(match text {
        [] => text,
        [b' ', text @ ..] => text,
        _ => return None,
    });
    Some(Wrapped {
        runtime: Runtime::Compose,
        stamp: None,
        name: Cow::Borrowed(name),
        text: Cow::Borrowed(text),
        goes_on: false,
    })
}

/// What follows `ESC[36m`, with which Compose tells containers apart on a terminal.
fn after_colour(text: &[u8]) -> &[u8] {
    let after = || {
        let codes = text.strip_prefix(b"\x1b[")?;
        let end = codes.iter().take(16).position(|byte| *byte == b'm')?;
        let plain = codes
            .until(end)
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b';');
        plain.then(|| codes.past(end + 1))
    };
    after().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<(Runtime, String, String, bool, Option<i64>)> {
        let found = unwrap(line.as_bytes())?;
        let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let ms = found.stamp.map(|stamp| stamp.utc_ms());
        Some((found.runtime, of(&found.name), of(&found.text), found.goes_on, ms))
    }

    #[test]
    fn each_runtime() {
        for (line, runtime, name, inner, goes_on, ms) in [
            (
                r#"{"log":"a \u003cb\u003e \"c\"\n","stream":"stdout","time":"2025-11-19T13:39:04.123456789Z"}"#,
                Runtime::DockerJson,
                "stdout",
                "a <b> \"c\"",
                false,
                Some(123),
            ),
            (
                r#"{"log":"half","stream":"stderr","attrs":{"tag":"x"},"time":"2025-11-19T13:39:04Z"}"#,
                Runtime::DockerJson,
                "stderr",
                "half",
                false,
                Some(0),
            ),
            (
                "2025-11-19T14:39:04.123456789+01:00 stdout F a b",
                Runtime::Cri,
                "stdout",
                "a b",
                false,
                Some(123),
            ),
            (
                "2025-11-19T13:39:04.1Z stderr P:x a ",
                Runtime::Cri,
                "stderr",
                "a ",
                true,
                Some(100),
            ),
            (
                "2025-11-19T13:39:04.1Z stderr F",
                Runtime::Cri,
                "stderr",
                "",
                false,
                Some(100),
            ),
            (
                "2025-11-19T13:39:04.123456789Z     9 LOG: MAIN",
                Runtime::DockerTimes,
                "",
                "    9 LOG: MAIN",
                false,
                Some(123),
            ),
            ("mail-1  | a | b", Runtime::Compose, "mail-1", "a | b", false, None),
            ("2mail_1  |", Runtime::Compose, "2mail_1", "", false, None),
            (
                "\u{1b}[36mmail-1  |\u{1b}[0m a",
                Runtime::Compose,
                "mail-1",
                "a",
                false,
                None,
            ),
        ] {
            let ms = ms.map(|ms| 1_763_559_544_000 + ms);
            assert_eq!(
                text(line),
                Some((runtime, name.into(), inner.into(), goes_on, ms)),
                "{line}"
            );
        }
    }

    #[test]
    fn docker_cuts_long_lines() {
        let piece =
            |text: &str| format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"2025-11-19T13:39:04Z\"}}");
        assert!(unwrap(piece(&"x".repeat(16 << 10)).as_bytes()).unwrap().goes_on);
        assert!(
            !unwrap(piece(&("x".repeat(16 << 10) + "\\n")).as_bytes())
                .unwrap()
                .goes_on
        );
    }

    #[test]
    fn what_is_none() {
        for line in [
            "",
            "{",
            "{}",
            r#"{"log":"a\n"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"2025-11-19T13:39:04Z""#,
            r#"{"log":{"level":"info"},"stream":"stdout"}"#,
            r#"{"log":"a","stream":"blue","time":"2025-11-19T13:39:04Z"}"#,
            r#"{"message":"log","time":"2025-11-19T13:39:04Z"}"#,
            "2025-11-19T13:39:04.123Z a",
            "2025-11-19T13:39:04.1234567891Z a",
            "2025-11-19T13:39:04.123456789 a",
            "2025-11-19T13:39:04Z stdout Q a",
            "2025-11-19 13:39:04 mail-1 | a",
            "mail-1| a",
            "mail 1 | a",
            " | a",
            "mail-1 |a",
        ] {
            assert_eq!(text(line), None, "{line}");
        }
    }
}
