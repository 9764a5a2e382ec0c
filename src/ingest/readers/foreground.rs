//! The log of an Exim in the foreground (`exim -bd -v`), which names no message: the lines of one process are one
//! message's, and a process that delivers goes on with the message that was just taken for its recipient.
//!
//! A message gets an ID of Exim's form, made of its arrival's time, process and offset: the same line gives the same one
//! again. What cannot be told apart (two messages wait, and the log names no recipients: `log_selector =
//! +received_recipients`) gets an ID of its own, rather than another one's sender.

use mailpulse_parsers::exim::{self, Foreground, foreground};
use mailpulse_parsers::layers::is_sure;
use std::collections::VecDeque;

/// Messages and processes that are remembered.
const OPEN_MAX: usize = 1000;

/// What is kept between lines.
#[derive(Debug)]
pub struct Processes {
    /// Processes that have begun an entry of the main log.
    marked: VecDeque<Option<u32>>,
    /// No entry has begun since reading began: its mark may have been read before.
    is_first: bool,
    /// Messages, oldest first.
    open: VecDeque<ForegroundMessage>,
}

impl Default for Processes {
    fn default() -> Self {
        Processes {
            marked: VecDeque::new(),
            is_first: true,
            open: VecDeque::new(),
        }
    }
}

#[derive(Debug)]
struct ForegroundMessage {
    id: String,
    recipients: Vec<Vec<u8>>,
    /// The process that delivers it.
    by: Option<Option<u32>>,
}

impl Processes {
    /// The text of the main log that a line holds, and its process; none for a mark or debug output.
    pub fn text<'l>(&mut self, line: &'l [u8]) -> Option<(Option<u32>, &'l [u8])> {
        match foreground(line) {
            Foreground::Mark { pid, main } => {
                self.is_first = false;
                self.marked.retain(|known| *known != pid);
                if main {
                    self.marked.push_back(pid);
                    if self.marked.len() > OPEN_MAX {
                        self.marked.pop_front();
                    }
                }
                None
            }
            Foreground::Text { pid, text } => {
                let at = self.marked.iter().position(|known| *known == pid);
                let begun = at.map(|at| self.marked.remove(at)).is_some();
                let continues = std::mem::take(&mut self.is_first) && is_entry(text);
                (begun || continues).then_some((pid, text))
            }
            Foreground::Other => None,
        }
    }

    /// The ID of the message that a text is about; none where it is about no message. `second` is when, since 1970.
    pub fn id(&mut self, text: &[u8], pid: Option<u32>, second: i64, offset: u64) -> Option<String> {
        let of = kind(text);
        if of == Subject::NoMessage {
            return None;
        }
        let known = if of == Subject::Arrival {
            None
        } else {
            self.find(text, pid)
        };
        let at = known.unwrap_or_else(|| {
            self.open.push_back(ForegroundMessage {
                id: made_up(second, pid.unwrap_or(0), offset),
                recipients: recipients(text),
                by: (of != Subject::Arrival).then_some(pid),
            });
            if self.open.len() > OPEN_MAX {
                self.open.pop_front();
            }
            self.open.len() - 1
        });
        if of == Subject::Completed {
            return self.open.remove(at).map(|message| message.id);
        }
        if of == Subject::Delivery {
            self.open[at].by = Some(pid);
        }
        Some(self.open[at].id.clone())
    }

    fn find(&self, text: &[u8], pid: Option<u32>) -> Option<usize> {
        let last = |test: &dyn Fn(&ForegroundMessage) -> bool| self.open.iter().rposition(test);
        if let Some(at) = last(&|message| message.by == Some(pid)) {
            return Some(at);
        }
        let address = text.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let names = |message: &ForegroundMessage| message.recipients.iter().any(|known| known == address);
        let named = last(&|message| message.by.is_none() && names(message)).or_else(|| last(&names));
        if named.is_some() {
            return named;
        }
        let mut unnamed = self.open.iter().enumerate().filter(|(_, message)| message.by.is_none());
        match (unnamed.next(), unnamed.next()) {
            (Some((at, _)), None) => Some(at),
            _ => None,
        }
    }
}

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Arrival,
    Delivery,
    Completed,
    NoMessage,
}

fn kind(text: &[u8]) -> Subject {
    match text {
        [b'<' | b'(', b'=', b' ', ..] => Subject::Arrival,
        [b'=', b'>' | b'=', b' ', ..] | [b'-' | b'>' | b'*', b'>', b' ', ..] | [b'*', b'*', b' ', ..] => {
            Subject::Delivery
        }
        _ if text == b"Completed" || text.starts_with(b"Completed QT=") => Subject::Completed,
        _ => Subject::NoMessage,
    }
}

/// Whether a text can only be an entry of the main log: its mark may have been read in an earlier life.
fn is_entry(text: &[u8]) -> bool {
    let line = [b"2000-01-01 00:00:00 ", text].concat();
    kind(text) != Subject::NoMessage || exim::parse(&line).is_ok_and(|record| is_sure(&record))
}

/// Behind the last ` for `.
fn recipients(text: &[u8]) -> Vec<Vec<u8>> {
    let Some(at) = memchr::memmem::rfind(text, b" for ").filter(|_| kind(text) == Subject::Arrival) else {
        return Vec::new();
    };
    let words = text[at + 5..].split(|byte| *byte == b' ').take(100);
    words.map(<[u8]>::to_vec).collect()
}

fn made_up(second: i64, pid: u32, offset: u64) -> String {
    format!(
        "{}-{}-{}",
        base62(u64::try_from(second).unwrap_or(0), 6),
        base62(u64::from(pid), 6),
        base62(offset, 2)
    )
}

fn base62(mut number: u64, width: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailpulse_parsers::exim::record::MessageId;

    fn ids(processes: &mut Processes, lines: &[&str]) -> Vec<Option<String>> {
        let mut ids = Vec::new();
        for (offset, line) in (0u64..).zip(lines) {
            if let Some((pid, text)) = processes.text(line.as_bytes()) {
                ids.push(processes.id(text, pid, 1_763_559_544, offset));
            }
        }
        ids
    }

    #[test]
    fn a_process_delivers_what_was_taken_for_its_recipient() {
        let lines = [
            "    9 LOG: MAIN",
            "    9   <= a@x H=(web) [10.0.0.1] P=esmtp for bob@y",
            "    9   SMTP>> 250 OK",
            "    9 LOG: MAIN",
            "    9   <= a@x H=(web) [10.0.0.1] P=esmtp for carl@y dora@y",
            "   11 LOG: MAIN",
            "   10 LOG: MAIN",
            "   11   => dora@y R=r T=t H=mx [192.0.2.1]",
            "   10   => bob@y R=r T=t H=mx [192.0.2.1]",
            "   11 LOG: MAIN",
            "   11   -> carl@y R=r T=t",
            "   11 LOG: MAIN",
            "   11   Completed",
            "   10 LOG: MAIN",
            "   10   Completed",
            "   12 LOG: MAIN REJECT",
            "   12   H=(x) [10.0.0.1] rejected RCPT <z@y>: relay not permitted",
        ];
        let mut processes = Processes::default();
        let ids = ids(&mut processes, &lines);
        let [bob, carl] = [ids[0].clone(), ids[1].clone()];
        assert_ne!(bob, carl);
        let rest = [&carl, &bob, &carl, &carl, &bob].map(Clone::clone);
        assert_eq!(ids[2..7], rest);
        assert_eq!(ids[7], None);
        assert!(processes.open.is_empty());
        let first = bob.unwrap();
        assert_eq!(MessageId(first.as_bytes()).arrival_epoch(), Some(1_763_559_544));
    }

    #[test]
    fn what_cannot_be_told_apart_is_a_message_of_its_own() {
        let lines = [
            "  <= a@x P=local",
            "LOG: MAIN",
            "  <= b@x P=local",
            "  not an entry",
            "LOG: MAIN",
            "  => bob@y R=r T=t",
        ];
        let ids = ids(&mut Processes::default(), &lines);
        assert_eq!(ids.len(), 3);
        assert!(ids[2] != ids[0] && ids[2] != ids[1]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut processes = Processes::default();
        for pid in 0..3000 {
            let mark = format!("{pid:5} LOG: MAIN");
            let text = format!("{pid:5}   <= a@x P=local for b{pid}@y");
            ids(&mut processes, &[&mark, &mark, &text, &mark]);
        }
        assert!(processes.open.len() <= OPEN_MAX && processes.marked.len() <= OPEN_MAX);
    }
}
