//! What goes wrong with a recipient: deferrals with their retries, bounces, timeouts of days.

use super::clock::{HOUR, MINUTE};
use super::delivery;
use super::form::LineForm;
use super::id::EximId;
use super::message::{Letter, Recipient};
use super::prng::Rng;
use super::relay::{LineSink, Relay};
use super::remote::Mx;
use super::replies::{self, Topic};

/// What a recipient's host answers at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryTrouble {
    /// 451 to RCPT: come back later.
    Greylisted,
    /// 4xx to MAIL FROM: too much from here.
    RateLimited,
    /// 452 to RCPT: over quota.
    MailboxFull,
    /// No answer.
    Timeout,
    /// Connection refused.
    Refused,
    /// The name server does not answer.
    Dns,
    /// No answer, for good: given up after four days.
    Dead,
    /// 550 to RCPT.
    NoSuchUser,
    /// 550 after DATA.
    Policy,
}

use DeliveryTrouble::*;

impl DeliveryTrouble {
    /// What a mail system does with a recipient; `None`: it takes the message.
    pub(super) fn draw(mx: &Mx, bounces: f64, rng: &mut Rng) -> Option<Self> {
        let x = rng.unit();
        let [grey, rate, full, silent] = mx.trouble;
        let steps = [
            (grey, Greylisted),
            (rate, RateLimited),
            (full, MailboxFull),
            (silent * 0.60, Timeout),
            (silent * 0.25, Refused),
            (silent * 0.13, Dns),
            (silent * 0.02, Dead),
            (bounces * 0.85, NoSuchUser),
            (bounces * 0.15, Policy),
        ];
        let mut sum = 0.0;
        steps.into_iter().find_map(|(share, trouble)| {
            sum += share;
            (x < sum).then_some(trouble)
        })
    }

    /// How long it lasts.
    fn lasts(self, rng: &mut Rng) -> i64 {
        let mean = match self {
            Greylisted => return 5 * MINUTE + rng.secs(13 * MINUTE),
            RateLimited => 20 * MINUTE,
            MailboxFull => 2 * HOUR,
            Timeout | Refused => HOUR,
            _ => 10 * MINUTE,
        };
        rng.exponential(mean as f64) as i64
    }
}

/// `* * F,2h,15m; G,16h,1h,1.5; F,4d,6h`: Exim's default retry rule, as seconds until the next attempt.
fn pause(age: i64, previous: i64) -> Option<i64> {
    match age {
        ..7_200 => Some(15 * MINUTE),
        7_200..57_600 => Some((previous * 3 / 2).max(HOUR)),
        57_600..345_600 => Some(6 * HOUR),
        _ => None,
    }
}

/// One recipient of a message, while it waits.
struct WaitingRecipient<'a> {
    letter: &'a Letter,
    to: &'a Recipient,
    trouble: DeliveryTrouble,
    host: (&'static str, &'static str),
}

/// Plans all attempts for a recipient whose first one, at `t`, meets trouble. Returns when it is settled.
pub(super) fn plan<S: LineSink>(
    relay: &mut Relay<S>,
    letter: &Letter,
    (to, trouble): (&Recipient, DeliveryTrouble),
    t: i64,
    rng: &mut Rng,
) -> i64 {
    let waiting = WaitingRecipient {
        letter,
        to,
        trouble,
        host: rng.pick(to.mx.hosts),
    };
    if matches!(trouble, NoSuchUser | Policy) {
        return waiting.fail(relay, t + 1 + rng.secs(3), rng);
    }
    let lasts = if trouble == Dead { i64::MAX } else { trouble.lasts(rng) };
    // A connection that times out takes its time.
    let first = relay.when_up(t + if matches!(trouble, Timeout | Dead) { 127 } else { 1 }, rng);
    waiting.defer(relay, first, rng);
    let (mut next, mut gap) = (first + 15 * MINUTE, 15 * MINUTE);
    let mut run = relay.queue_run_after(first);
    loop {
        let (now, age) = (relay.when_up(run + 1 + rng.secs(25), rng), run - first);
        if run < next {
            waiting.not_yet(relay, now);
        } else if age >= lasts {
            return delivery::deliver(relay, letter, &[to], now, rng);
        } else if let Some(pause) = pause(age, gap) {
            waiting.defer(relay, now, rng);
            (next, gap) = (run + pause, pause);
        } else {
            return waiting.expire(relay, now, rng);
        }
        run = relay.queue_run_after(run);
    }
}

impl WaitingRecipient<'_> {
    /// `msgid mark address`: how all its lines begin.
    fn head(&self, mark: &str) -> String {
        format!("{} {mark} {}", self.letter.id, self.to.shown)
    }

    /// An attempt that is deferred.
    fn defer<S: LineSink>(&self, relay: &mut Relay<S>, t: i64, rng: &mut Rng) {
        let (service, router, (host, ip)) = (self.letter.service, self.to.router, self.host);
        let head = self.head("==");
        let id: EximId = self.letter.id;
        let (form, tail) = match self.trouble {
            Dns => (
                LineForm::DeferDns,
                format!("R={router} defer (-1): host lookup did not complete"),
            ),
            Timeout | Dead | Refused => {
                let (errno, text) = if self.trouble == Refused {
                    (111, "refused")
                } else {
                    (110, "timed out")
                };
                relay.push(
                    t,
                    service,
                    LineForm::HostError,
                    format!("{id} H={host} [{ip}] Connection {text}"),
                );
                let tail = format!("R={router} T=remote_smtp defer ({errno}): Connection {text}");
                (LineForm::DeferConnect, tail)
            }
            _ => {
                let (errno, command, reply) = self.temporary_reply(relay.identity.v4, rng);
                let error = format!("SMTP error from remote mail server after {command}: {reply}");
                if self.trouble == RateLimited {
                    relay.push(
                        t,
                        service,
                        LineForm::HostError,
                        format!("{id} H={host} [{ip}]: {error}"),
                    );
                }
                (
                    LineForm::DeferSmtp,
                    format!("R={router} T=remote_smtp defer ({errno}) H={host} [{ip}]: {error}"),
                )
            }
        };
        relay.push(t, service, form, format!("{head} {tail}"));
    }

    /// Exim's error number, the command, and the reply to it.
    fn temporary_reply(&self, ip: &str, rng: &mut Rng) -> (i32, String, String) {
        let address = &self.to.address;
        let (errno, topic) = match self.trouble {
            Greylisted => (-44, Topic::Greylisted),
            MailboxFull => (-44, Topic::MailboxFull),
            _ => (-45, Topic::RateLimited),
        };
        let command = match errno {
            -44 => format!("RCPT TO:<{address}>"),
            _ => format!("MAIL FROM:<{}> SIZE={}", self.letter.sender, self.letter.size + 1024),
        };
        (errno, command, replies::draw(topic, address, ip, rng))
    }

    /// A queue run before the retry time.
    fn not_yet<S: LineSink>(&self, relay: &mut Relay<S>, t: i64) {
        let head = self.head("==");
        let router = self.to.router;
        let (form, tail) = match self.trouble {
            Greylisted | MailboxFull | Dns => (
                LineForm::DeferRetryRouting,
                "routing defer (-51): retry time not reached".to_owned(),
            ),
            _ => {
                let tail = format!("R={router} T=remote_smtp defer (-53): retry time not reached for any host");
                (LineForm::DeferRetryHost, tail)
            }
        };
        relay.push(t, self.letter.service, form, format!("{head} {tail}"));
    }

    /// A refusal for good, and its bounce.
    fn fail<S: LineSink>(&self, relay: &mut Relay<S>, t: i64, rng: &mut Rng) -> i64 {
        let t = relay.when_up(t, rng);
        let (head, router, (host, ip)) = (self.head("**"), self.to.router, self.host);
        let tls = if self.to.mx.tls.is_empty() {
            String::new()
        } else {
            format!(" {}", self.to.mx.tls)
        };
        let address = &self.to.address;
        let (command, topic) = match self.trouble {
            Policy => ("end of data".to_owned(), Topic::Policy),
            _ => (format!("RCPT TO:<{address}>"), Topic::NoSuchUser),
        };
        let reply = replies::draw(topic, address, relay.identity.v4, rng);
        let error = format!("SMTP error from remote mail server after {command}: {reply}");
        let line = format!("{head} R={router} T=remote_smtp H={host} [{ip}]{tls}: {error}");
        relay.push(t, self.letter.service, LineForm::Failure, line);
        delivery::bounce(relay, self.letter, t, rng);
        t
    }

    /// Given up after four days.
    fn expire<S: LineSink>(&self, relay: &mut Relay<S>, t: i64, rng: &mut Rng) -> i64 {
        let line = format!(
            "{} R={} T=remote_smtp: retry timeout exceeded",
            self.head("**"),
            self.to.router
        );
        relay.push(t, self.letter.service, LineForm::FailureExpired, line);
        delivery::bounce(relay, self.letter, t, rng);
        t
    }
}
