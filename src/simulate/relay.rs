//! One relay's Exim: its clock (when it runs, when its queue runs), its message IDs, and its log in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;

use super::clock::{RESTARTED, STOPPED, TimeFormatter};
use super::counter::Counter;
use super::form::LineForm;
use super::id::EximId;
use super::impact::Phase;
use super::prng::Rng;

/// Seconds between two queue runs (`-q5m`).
pub(super) const QUEUE_RUN: i64 = 300;

/// Where finished lines go, in order of time.
pub(super) trait LineSink {
    /// One line, its newline included.
    fn line(&mut self, t: i64, line: &[u8]) -> io::Result<()>;

    /// Whether no more lines are wanted.
    fn is_full(&self) -> bool {
        false
    }
}

/// What sets the two relays apart.
pub(super) struct Identity {
    pub(super) name: &'static str,
    pub(super) v4: &'static str,
    pub(super) v6: &'static str,
    /// Start of the first queue run, modulo its interval.
    phase: i64,
    first_pid: u32,
}

/// The relays of the incident.
pub(super) const RELAYS: [Identity; 2] = [
    Identity {
        name: "mx1001",
        v4: "208.80.154.76",
        v6: "2620:0:861:3:208:80:154:76",
        phase: 131,
        first_pid: 11_873,
    },
    Identity {
        name: "mx2001",
        v4: "208.80.153.45",
        v6: "2620:0:860:2:208:80:153:45",
        phase: 47,
        first_pid: 27_410,
    },
];

/// A line that waits for its time. Equal times keep the order in which they were planned.
struct PendingLine {
    t: i64,
    order: u64,
    service: usize,
    form: LineForm,
    text: String,
}

impl PartialEq for PendingLine {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for PendingLine {}

impl PartialOrd for PendingLine {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PendingLine {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.t, self.order).cmp(&(other.t, other.order))
    }
}

/// A relay and the lines that it will write.
pub(super) struct Relay<S> {
    pub(super) identity: &'static Identity,
    /// Whether the outage hits this relay.
    stops: bool,
    pending: BinaryHeap<Reverse<PendingLine>>,
    order: u64,
    pid: u32,
    stamp: TimeFormatter,
    buffer: Vec<u8>,
    pub(super) sink: S,
    pub(super) counter: Counter,
}

impl<S: LineSink> Relay<S> {
    /// A relay that has written nothing yet.
    pub(super) fn new(identity: &'static Identity, stops: bool, sink: S) -> Self {
        Self {
            identity,
            stops,
            pending: BinaryHeap::new(),
            order: 0,
            pid: identity.first_pid,
            stamp: TimeFormatter::new(),
            buffer: Vec::with_capacity(1024),
            sink,
            counter: Counter::new(),
        }
    }

    /// Whether Exim is stopped at `t`.
    pub(super) fn is_down(&self, t: i64) -> bool {
        self.stops && (STOPPED..RESTARTED).contains(&t)
    }

    /// The next process ID, as Linux gives them: others fork too.
    pub(super) fn next_pid(&mut self, rng: &mut Rng) -> u32 {
        self.pid += 1 + rng.below(4) as u32;
        if self.pid >= 32_768 {
            self.pid = 300 + self.pid % 32_768;
        }
        self.pid
    }

    /// A fresh message ID.
    pub(super) fn next_id(&mut self, t: i64, rng: &mut Rng) -> EximId {
        let pid = self.next_pid(rng);
        EximId::new(t, pid, rng)
    }

    /// Start of the first queue run after `t`; the daemon starts one as soon as it is up.
    pub(super) fn queue_run_after(&self, t: i64) -> i64 {
        let origin = if self.stops && t >= RESTARTED {
            RESTARTED
        } else {
            self.identity.phase
        };
        let next = origin + ((t - origin).div_euclid(QUEUE_RUN) + 1) * QUEUE_RUN;
        if self.is_down(t) || self.is_down(next) {
            RESTARTED
        } else {
            next
        }
    }

    /// When a delivery that is due at `t` happens: at once, or in the queue run after the restart.
    pub(super) fn when_up(&self, t: i64, rng: &mut Rng) -> i64 {
        if self.is_down(t) {
            RESTARTED + 1 + rng.secs(60)
        } else {
            t
        }
    }

    /// Plans a line. A stopped Exim writes nothing.
    pub(super) fn push(&mut self, t: i64, service: usize, form: LineForm, text: String) {
        if !self.is_down(t) {
            self.order += 1;
            self.pending.push(Reverse(PendingLine {
                t,
                order: self.order,
                service,
                form,
                text,
            }));
        }
    }

    /// Writes all lines before `until`.
    pub(super) fn drain(&mut self, until: i64) -> io::Result<()> {
        while self.pending.peek().is_some_and(|next| next.0.t < until) && !self.sink.is_full() {
            let Some(Reverse(line)) = self.pending.pop() else { break };
            self.buffer.clear();
            self.buffer.extend_from_slice(self.stamp.of(line.t));
            self.buffer.push(b' ');
            self.buffer.extend_from_slice(line.text.as_bytes());
            self.buffer.push(b'\n');
            let phase = Phase::at(line.t);
            self.counter.add(line.service, phase, line.form, self.buffer.len());
            self.sink.line(line.t, &self.buffer)?;
        }
        Ok(())
    }
}
