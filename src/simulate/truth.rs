//! What was really written: counted line by line on its way into the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::apps::AppTruth;
use super::services;

/// The forms of line that the simulator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `<= sender H=…`
    Arrival,
    /// `<= <> R=msgid U=Debian-exim P=local`
    ArrivalBounce,
    /// `=> address … H=…`
    Delivery,
    /// `=> address … H=host [ip]*`
    DeliveryContinued,
    /// `-> address`
    DeliveryFurther,
    /// `=> address` by a local transport (no `H=`)
    DeliveryPipe,
    /// `=> :blackhole: <address>`
    Blackhole,
    /// `== … defer (-44|-45|-46) H=…: SMTP error …: 4xx …`
    DeferSmtp,
    /// `== … defer (110|111): Connection …`
    DeferConnect,
    /// `== … R=dnslookup defer (-1): host lookup did not complete`
    DeferDns,
    /// `== … defer (-53): retry time not reached for any host`
    DeferRetryHost,
    /// `== … routing defer (-51): retry time not reached`
    DeferRetryRouting,
    /// `msgid H=host [ip] Connection timed out`
    HostError,
    /// `** … SMTP error …: 550 …` or `** …: Unrouteable address`
    Failure,
    /// `** …: retry timeout exceeded`
    FailureExpired,
    /// `Frozen (delivery error message)`
    Frozen,
    /// `Message is frozen`, once a queue run
    StillFrozen,
    /// `Unfrozen by errmsg timer`
    Unfrozen,
    /// `address: error ignored`
    ErrorIgnored,
    /// `Completed`
    Completed,
    /// `rejected RCPT <…>: …`
    RejectRcpt,
    /// `temporarily rejected RCPT <…>: …`
    RejectRcptTemporary,
    /// `msgid H=… rejected after DATA: …`
    RejectData,
    /// `rejected EHLO from …: syntactically invalid argument(s): …`
    RejectHelo,
    /// `SMTP protocol synchronization error (…): rejected connection from …`
    RejectSync,
    /// `SMTP connection from [ip]:port I=… (TCP/IP connection count = n)`
    Connect,
    /// `SMTP connection from … closed by QUIT`
    Quit,
    /// `SMTP connection from … lost`, `unexpected disconnection while reading SMTP command from …`
    Lost,
    /// `no host name found for IP address …`
    NoHostName,
    /// `TLS error on connection from …`
    TlsError,
    /// `SMTP syntax error in "…" …`
    SyntaxError,
    /// `Start queue run: pid=…`
    QueueStart,
    /// `End queue run: pid=…`
    QueueEnd,
    /// `exim 4.89 daemon started: pid=…`
    DaemonStart,
}

impl Form {
    /// Number of forms.
    pub(super) const COUNT: usize = Form::DaemonStart as usize + 1;

    /// The kind of event that such a line is (interface.md §2); `None` for a line that is no event.
    pub fn kind(self) -> Option<&'static str> {
        use Form::*;
        Some(match self {
            Arrival | ArrivalBounce => "accepted",
            Delivery | DeliveryContinued | DeliveryFurther | DeliveryPipe => "delivered",
            Blackhole => "discarded",
            DeferSmtp | DeferConnect | DeferDns | DeferRetryHost | DeferRetryRouting => "deferred",
            Failure => "bounced",
            FailureExpired => "expired",
            Frozen | StillFrozen => "frozen",
            Completed => "completed",
            RejectRcpt | RejectRcptTemporary | RejectData | RejectHelo | RejectSync => "rejected",
            _ => return None,
        })
    }
}

/// Where a line lies relative to the outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the stop.
    Before,
    /// From the stop to the restart.
    Outage,
    /// After the restart.
    After,
}

/// What the outage does to a service's mail (the words of `incident`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Never written to any log.
    Lost,
    /// Sent after the restart.
    Delayed,
    /// Sent by the other relay.
    Rerouted,
}

/// Mails of one service in the outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// What happened to those that would have used the stopped relay.
    pub fate: Fate,
    /// When each of those was first tried, in seconds since the epoch, in order.
    pub tried: Vec<i64>,
    /// Mails that went by the other relay all the same, as always.
    pub untouched: u64,
}

/// Messages and recipients of one service, relay and phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Arrival lines: messages.
    pub accepted: u64,
    /// Delivery lines, `=>` and `->`: recipients.
    pub delivered: u64,
}

/// What the logs hold: the relays' logs, but for `apps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Events by service, relay and kind (interface.md §2).
    pub counts: BTreeMap<(String, String, String), u64>,
    /// Messages and recipients by service, relay and phase.
    pub phases: BTreeMap<(String, String, Phase), Tally>,
    /// Lines by form.
    pub forms: BTreeMap<Form, u64>,
    /// All lines.
    pub lines: u64,
    /// All bytes before compression.
    pub bytes: u64,
    /// By service: what the outage did.
    pub impact: BTreeMap<String, Impact>,
    /// First instant of the logs, the stop, the restart, the end (seconds since the epoch, UTC).
    pub from: i64,
    /// The clean stop of mx1001.
    pub stopped: i64,
    /// Its start.
    pub restarted: i64,
    /// No line is at or after this instant.
    pub until: i64,
    /// The files, oldest last.
    pub files: Vec<PathBuf>,
    /// The applications' own logs; nothing of them is counted above.
    pub apps: AppTruth,
}

/// Lines of one relay by service, phase and form, while they are written.
pub(super) struct Counter {
    cells: Vec<u64>,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Counter {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            cells: vec![0; services::COUNT * 3 * Form::COUNT],
            lines: 0,
            bytes: 0,
        }
    }

    /// One line.
    pub(super) fn add(&mut self, service: usize, phase: Phase, form: Form, bytes: usize) {
        self.cells[(service * 3 + phase as usize) * Form::COUNT + form as usize] += 1;
        self.lines += 1;
        self.bytes += bytes as u64;
    }

    /// Adds what one relay wrote to the truth.
    pub(super) fn merge_into(&self, truth: &mut Truth, relay: &str) {
        truth.lines += self.lines;
        truth.bytes += self.bytes;
        for (cell, &n) in self.cells.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (row, form) = (cell / Form::COUNT, FORMS[cell % Form::COUNT]);
            let (service, phase) = (
                services::name(row / 3),
                [Phase::Before, Phase::Outage, Phase::After][row % 3],
            );
            *truth.forms.entry(form).or_default() += n;
            let Some(kind) = form.kind() else { continue };
            *truth
                .counts
                .entry((service.into(), relay.into(), kind.into()))
                .or_default() += n;
            let tally = truth.phases.entry((service.into(), relay.into(), phase)).or_default();
            match kind {
                "accepted" => tally.accepted += n,
                "delivered" => tally.delivered += n,
                _ => {}
            }
        }
    }
}

/// All forms in the order of their numbers.
#[rustfmt::skip]
pub(super) const FORMS: [Form; Form::COUNT] = {
    use Form::*;
    [Arrival, ArrivalBounce, Delivery, DeliveryContinued, DeliveryFurther, DeliveryPipe, Blackhole, DeferSmtp,
     DeferConnect, DeferDns, DeferRetryHost, DeferRetryRouting, HostError, Failure, FailureExpired, Frozen,
     StillFrozen, Unfrozen, ErrorIgnored, Completed, RejectRcpt, RejectRcptTemporary, RejectData, RejectHelo,
     RejectSync, Connect, Quit, Lost, NoHostName, TlsError, SyntaxError, QueueStart, QueueEnd, DaemonStart]
};
