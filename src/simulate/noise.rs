//! What a relay logs besides mail: spam that it rejects, broken clients, queue runs, the start of the daemon.

use super::clock::{MINUTE, RESTARTED};
use super::form::LineForm;
use super::prng::Rng;
use super::relay::{LineSink, QUEUE_RUN, Relay};
use super::roster::NO_SERVICE;

/// Whom spammers write to.
const VICTIMS: [&str; 4] = [
    "wikidata-l@wikipedia.org",
    "info@wikimedia.org",
    "sales@wikimedia.org",
    "nobody@lists.wikimedia.org",
];

/// The noise of one relay.
pub(super) struct RelayNoise {
    rng: Rng,
    /// Strangers a minute.
    per_minute: f64,
    /// When the next queue run starts.
    next_run: i64,
}

/// A stranger's connection.
struct Stranger {
    t: i64,
    ip: String,
    /// `[ip]:port I=[…]:25`
    ends: String,
    helo: String,
    sender: String,
}

impl RelayNoise {
    /// The noise of a relay from `from` on.
    pub(super) fn new<S: LineSink>(relay: &Relay<S>, seed: u64, key: u64, per_minute: f64, from: i64) -> Self {
        Self {
            rng: Rng::stream(seed, &[key, 77]),
            per_minute,
            next_run: relay.queue_run_after(from - 1),
        }
    }

    /// Plans the minute that starts at `t`.
    pub(super) fn minute<S: LineSink>(&mut self, relay: &mut Relay<S>, t: i64) {
        let rng = &mut self.rng;
        while self.next_run < t + MINUTE {
            queue_run(relay, self.next_run, rng);
            self.next_run = relay.queue_run_after(self.next_run);
        }
        for _ in 0..rng.poisson(self.per_minute) {
            let at = t + rng.secs(MINUTE);
            let visitor = Stranger::draw(relay, at, rng);
            // A stranger whose session the stop would cut off has gone elsewhere.
            if !relay.is_down(at) && !relay.is_down(at + 12) {
                visitor.visit(relay, rng);
            }
        }
    }
}

/// A queue run, and before the first one after the outage the start of the daemon.
fn queue_run<S: LineSink>(relay: &mut Relay<S>, t: i64, rng: &mut Rng) {
    let mut pid = relay.next_pid(rng);
    let ends = if t == RESTARTED {
        QUEUE_RUN / 3
    } else {
        28 + rng.secs(12)
    };
    if t == RESTARTED && relay.queue_run_after(t - 1) == RESTARTED && relay.is_down(t - 1) {
        let start = format!("exim 4.89 daemon started: pid={pid}, -q5m, listening for SMTP on port 25 (IPv6 and IPv4)");
        relay.push(t, NO_SERVICE, LineForm::DaemonStart, start);
        pid = relay.next_pid(rng);
    }
    relay.push(
        t,
        NO_SERVICE,
        LineForm::QueueStart,
        format!("Start queue run: pid={pid}"),
    );
    if !relay.is_down(t + ends) {
        relay.push(
            t + ends,
            NO_SERVICE,
            LineForm::QueueEnd,
            format!("End queue run: pid={pid}"),
        );
    }
}

impl Stranger {
    /// Someone from somewhere.
    fn draw<S: LineSink>(relay: &Relay<S>, t: i64, rng: &mut Rng) -> Self {
        let mut part = |n| 1 + rng.below(n);
        let (ip, own) = match part(12) {
            1 => (
                format!("2001:db8:{:x}::{:x}", part(65_000), part(65_000)),
                relay.identity.v6,
            ),
            _ => (
                format!("{}.{}.{}.{}", part(222), part(250), part(250), part(250)),
                relay.identity.v4,
            ),
        };
        let ends = format!("[{ip}]:{} I=[{own}]:25", 1024 + part(64_000));
        let helo = match part(5) {
            1 => format!("[{ip}]"),
            2 => "[]".to_owned(),
            3 => "User".to_owned(),
            4 => "ylmf-pc".to_owned(),
            _ => format!("static-{}.dynamic.example.net", part(9999)),
        };
        Self {
            t,
            ip,
            ends,
            helo,
            sender: format!("spam{}@bulk{}.example", part(99_999), part(400)),
        }
    }

    /// The session. It takes 12 seconds at most.
    fn visit<S: LineSink>(&self, relay: &mut Relay<S>, rng: &mut Rng) {
        let Self { t, ends, helo, .. } = self;
        let mut log = |at: i64, form, text| relay.push(at, NO_SERVICE, form, text);
        let count = 1 + rng.below(12);
        log(
            *t,
            LineForm::Connect,
            format!("SMTP connection from {ends} (TCP/IP connection count = {count})"),
        );
        if rng.chance(0.25) {
            log(
                *t,
                LineForm::NoHostName,
                format!("no host name found for IP address {}", self.ip),
            );
        }
        let mut at = t + rng.secs(4);
        match rng.below(100) {
            0..4 => {
                let error = "SMTP protocol synchronization error (input sent without waiting for greeting)";
                let input = r#"input="GET / HTTP/1.1\r\n""#;
                return log(
                    at,
                    LineForm::RejectSync,
                    format!("{error}: rejected connection from H={ends} {input}"),
                );
            }
            4..7 => {
                let error = "(gnutls_handshake): A TLS packet with unexpected length was received.";
                log(
                    at,
                    LineForm::TlsError,
                    format!("TLS error on connection from ({helo}) {ends} {error}"),
                );
            }
            7..10 => {
                let error = "syntactically invalid argument(s)";
                log(
                    at,
                    LineForm::RejectHelo,
                    format!("rejected EHLO from {ends}: {error}: {helo}_x"),
                );
            }
            10..13 => {
                let error = "spam: missing or malformed local part";
                log(
                    at,
                    LineForm::SyntaxError,
                    format!("SMTP syntax error in \"RCPT TO:spam\" H=({helo}) {ends} {error}"),
                );
            }
            13..20 => self.spam(relay, at, rng),
            _ => at = self.recipients(relay, at, rng),
        }
        self.leave(relay, at + rng.secs(4), rng);
    }

    /// A message that is refused once it was read: it has an ID, and no arrival.
    fn spam<S: LineSink>(&self, relay: &mut Relay<S>, at: i64, rng: &mut Rng) {
        let Self { ends, helo, sender, .. } = self;
        let (id, score) = (relay.next_id(at, rng), 50 + rng.below(200));
        let text = format!("Your message scored {}.{} SpamAssassin points", score / 10, score % 10);
        let head = format!("{id} H=({helo}) {ends} F=<{sender}>");
        relay.push(
            at,
            NO_SERVICE,
            LineForm::RejectData,
            format!("{head} rejected after DATA: {text}"),
        );
    }

    /// RCPT commands that are refused; returns when the last was.
    fn recipients<S: LineSink>(&self, relay: &mut Relay<S>, mut at: i64, rng: &mut Rng) -> i64 {
        let Self {
            ip, ends, helo, sender, ..
        } = self;
        for _ in 0..1 + rng.below(3) {
            let to = rng.pick(&VICTIMS);
            let (form, verb, why) = match rng.below(10) {
                0..6 => {
                    let why = format!("refusing mail from {ip} - address is blocklisted by zen.spamhaus.org");
                    (LineForm::RejectRcpt, "rejected", why)
                }
                6..8 => (LineForm::RejectRcpt, "rejected", "Unrouteable address".to_owned()),
                8 => (LineForm::RejectRcpt, "rejected", "relay not permitted".to_owned()),
                _ => {
                    let why = "Could not complete sender verify callout".to_owned();
                    (LineForm::RejectRcptTemporary, "temporarily rejected", why)
                }
            };
            relay.push(
                at,
                NO_SERVICE,
                form,
                format!("H=({helo}) {ends} F=<{sender}> {verb} RCPT <{to}>: {why}"),
            );
            at += rng.secs(2);
        }
        at
    }

    /// How the session ends.
    fn leave<S: LineSink>(&self, relay: &mut Relay<S>, at: i64, rng: &mut Rng) {
        let peer = format!("({}) {}", self.helo, self.ends);
        let (form, text) = match rng.below(4) {
            0 => (LineForm::Lost, format!("SMTP connection from {peer} lost")),
            1 => {
                let error = "(error: Connection reset by peer)";
                (
                    LineForm::Lost,
                    format!("unexpected disconnection while reading SMTP command from {peer} {error}"),
                )
            }
            _ => (LineForm::Quit, format!("SMTP connection from {peer} closed by QUIT")),
        };
        relay.push(at, NO_SERVICE, form, text);
    }
}
