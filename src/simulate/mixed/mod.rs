//! A mixed relay: nearly all of its mail comes from the world. Two hosts, `mx1` with Exim and `mx2` with Postfix, take mail from
//! 20 000 foreign domains, forward some of it, feed lists, send bounces, refuse strangers who claim to be services of ours, and
//! send the mail of twelve services. What was written is counted by what it means: whose mail, and where each copy went.
//!
//! Domains are reserved ones, but for those of large providers; addresses are of the networks for documentation.

mod form;
mod parties;

use self::form::{Client, CopyFate, MixedForm, MixedMail, MixedRecipient};
use self::parties::{BOUNCING, LISTS, Receiver, SERVICES};
use super::clock::{DAY, HOUR, MIDNIGHT, MINUTE, TimeFormatter};
use super::prng::Rng;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

/// How to write a mixed relay's logs.
#[derive(Debug, Clone, PartialEq)]
pub struct MixedRelay {
    /// Equal seeds write equal bytes.
    pub seed: u64,
    /// Days, of which the last one has the faults.
    pub days: u32,
    /// Mails of our services a day and host.
    pub ours_per_day: f64,
    /// Mails of the world for each of ours; 19 make 95 % inbound.
    pub inbound_per_ours: f64,
    /// From noon to midnight of the last day google puts off 64 % of all attempts.
    pub throttled: bool,
    /// From noon to midnight of the last day 60 % of the shop's mail bounces after DATA.
    pub bouncing: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MixedTruth {
    /// First second, and the one after the last.
    pub span: (i64, i64),
    /// First and last second of the faults.
    pub faults: (i64, i64),
    /// Lines.
    pub lines: u64,
    /// Messages that our services handed in, by host and service; and `bounces`, our own null sender.
    pub accepted: BTreeMap<(String, String), u64>,
    /// Copies of our services that hosts outside took, by service.
    pub outbound: BTreeMap<String, u64>,
    /// Copies that arrived, by direction: `outbound`, `inbound`, `internal`, `transit`.
    pub copies: BTreeMap<&'static str, u64>,
    /// Messages of the world.
    pub inbound: u64,
    /// Copies of our services that bounced outside, by service.
    pub bounced: BTreeMap<String, u64>,
    /// Attempts to named providers that were put off.
    pub deferred: BTreeMap<&'static str, u64>,
    /// Attempts to named providers.
    pub attempts: BTreeMap<&'static str, u64>,
    /// Strangers that were refused.
    pub refused: u64,
}

/// Hosts with their forms and the names of their logs.
const HOSTS: [(&str, MixedForm, &str); 2] = [
    ("mx1", MixedForm::Exim, "mainlog"),
    ("mx2", MixedForm::Postfix, "mail.log"),
];

/// Bounces and deferrals of ordinary days.
const USUAL: f64 = 0.01;
/// Seconds between attempts.
const RETRY: i64 = 15 * MINUTE;

/// Writes `dir/mx1/mainlog`, `dir/mx2/mail.log`, and `dir/mailpulse.toml` with the rules of the twelve services.
///
/// # Errors
/// A file cannot be written.
pub fn mixed_relay(dir: &Path, spec: &MixedRelay) -> io::Result<MixedTruth> {
    let from = MIDNIGHT - i64::from(spec.days) * DAY;
    let mut truth = MixedTruth {
        span: (from, MIDNIGHT),
        faults: (MIDNIGHT - DAY / 2, MIDNIGHT),
        ..MixedTruth::default()
    };
    for (number, (host, form, log)) in HOSTS.into_iter().enumerate() {
        fs::create_dir_all(dir.join(host))?;
        let mut relay = MixedWriter {
            spec,
            host,
            form,
            rng: Rng::stream(spec.seed, &[number as u64, 77]),
            later: BTreeMap::new(),
            count: 0,
            truth: &mut truth,
        };
        relay.write(from, &mut BufWriter::new(File::create(dir.join(host).join(log))?))?;
    }
    fs::write(dir.join("mailpulse.toml"), toml())?;
    Ok(truth)
}

/// Sources and rules.
fn toml() -> String {
    let mut text =
        String::from("# A mixed relay: twelve services of ours, and mail of the world.\n[store]\nurl = \"store\"\n");
    for (host, form, log) in HOSTS {
        let kind = if form == MixedForm::Exim { "exim" } else { "postfix" };
        text.push_str(&format!(
            "\n[[source]]\nkind = \"{kind}\"\npaths = [\"{host}/{log}\"]\nhost = \"{host}\"\ntimezone = \"UTC\"\n"
        ));
    }
    for service in SERVICES {
        let (name, sender) = (service.name, service.sender);
        text.push_str(&format!(
            "\n[[service]]\nname = \"{name}\"\nmatch = [{{ sender = \"{sender}\" }}]\n"
        ));
    }
    text
}

/// One host's log.
struct MixedWriter<'w> {
    spec: &'w MixedRelay,
    host: &'static str,
    form: MixedForm,
    rng: Rng,
    /// Lines by their second, in the order in which they were planned.
    later: BTreeMap<(i64, u64), String>,
    count: u64,
    truth: &'w mut MixedTruth,
}

/// A copy that is still to be delivered.
struct PlannedCopy {
    to: MixedRecipient,
    receiver: Receiver,
    service: Option<usize>,
    direction: &'static str,
}

impl MixedWriter<'_> {
    fn write(&mut self, from: i64, out: &mut impl io::Write) -> io::Result<()> {
        let mut times = TimeFormatter::new();
        for minute in (from..MIDNIGHT).step_by(MINUTE as usize) {
            let hour = minute.rem_euclid(DAY) / HOUR;
            let busy = if (7..19).contains(&hour) { 1.5 } else { 0.5 };
            // The last minute is for what is under way.
            let busy = if minute + MINUTE < MIDNIGHT { busy } else { 0.0 };
            let rate = self.spec.ours_per_day / 1440.0 * busy;
            for _ in 0..self.rng.poisson(rate) {
                let service = self
                    .rng
                    .weighted(SERVICES[..LISTS].iter().map(|service| service.weight));
                self.ours(minute, service);
            }
            for _ in 0..self.rng.poisson(rate * self.spec.inbound_per_ours) {
                self.world(minute);
            }
            // What is not over by the end has no more lines.
            let due = self.later.split_off(&(minute + MINUTE, 0));
            for ((at, _), text) in std::mem::replace(&mut self.later, due) {
                writeln!(out, "{}{text}", self.form.head(self.host, at, &mut times))?;
                self.truth.lines += 1;
            }
        }
        out.flush()
    }

    fn line(&mut self, at: i64, text: String) {
        self.count += 1;
        self.later.insert((at, self.count), text);
    }

    /// Hands a mail in; its ID.
    fn arrive(&mut self, at: i64, sender: &str, client: &Client, recipients: usize) -> String {
        let id = self.form.id(at, self.count, &mut self.rng);
        let mail = MixedMail {
            id: id.clone(),
            sender: sender.to_owned(),
            size: 800 + self.rng.below(40_000),
            recipients,
        };
        for text in self.form.arrival(&mail, client) {
            self.line(at, text);
        }
        id
    }

    /// A mail of one of our services: most go outside.
    fn ours(&mut self, minute: i64, service: usize) {
        let at = minute + self.rng.secs(MINUTE);
        let one = &SERVICES[service];
        let recipients = 1 + usize::from(self.rng.chance(0.1));
        let id = self.arrive(at, one.sender, &Client::Ours(one.hand_in), recipients);
        self.count_accepted(one.name);
        let mut end = at + 1;
        for _ in 0..recipients {
            end = end.max(match self.rng.chance(0.15) {
                true => self.mailbox(at + 1, &id, "internal"),
                false => {
                    let copy = self.outside(Some(service), "outbound", None);
                    self.deliver(at + 1, &id, &copy)
                }
            });
        }
        let text = self.form.end(&id);
        self.line(end, text);
    }

    fn count_accepted(&mut self, service: &str) {
        let key = (self.host.to_owned(), service.to_owned());
        *self.truth.accepted.entry(key).or_default() += 1;
    }

    /// A copy for somebody outside.
    fn outside(
        &mut self,
        service: Option<usize>,
        direction: &'static str,
        forwarded_from: Option<String>,
    ) -> PlannedCopy {
        let receiver = parties::receiver(&mut self.rng);
        PlannedCopy {
            to: MixedRecipient {
                address: format!("user{}@{}", self.rng.below(5000), receiver.domain),
                forwarded_from,
            },
            receiver,
            service,
            direction,
        }
    }

    fn mailbox(&mut self, at: i64, id: &str, direction: &'static str) -> i64 {
        let to = MixedRecipient {
            address: format!("staff{}@example.org", self.rng.below(200)),
            forwarded_from: None,
        };
        let text = self.form.copy(id, &to, &CopyFate::Mailbox);
        self.line(at, text);
        *self.truth.copies.entry(direction).or_default() += 1;
        at
    }

    /// Attempts until a copy is gone; the second of the last one. What is put off beyond the end stays.
    fn deliver(&mut self, at: i64, id: &str, copy: &PlannedCopy) -> i64 {
        let provider = copy.receiver.provider;
        let mut now = at;
        while now < MIDNIGHT {
            let is_fault = now >= self.truth.faults.0;
            let throttled = is_fault && self.spec.throttled && provider == "google";
            let is_bouncing = copy.service.is_some_and(|service| SERVICES[service].name == BOUNCING);
            let bouncing = is_fault && self.spec.bouncing && is_bouncing;
            if !provider.is_empty() {
                *self.truth.attempts.entry(provider).or_default() += 1;
            }
            let fate = if self.rng.chance(if throttled { 0.64 } else { USUAL }) {
                CopyFate::Deferred(copy.receiver.clone())
            } else if self.rng.chance(if bouncing { 0.6 } else { USUAL }) {
                CopyFate::Bounced(copy.receiver.clone())
            } else {
                CopyFate::Sent(copy.receiver.clone())
            };
            let text = self.form.copy(id, &copy.to, &fate);
            self.line(now, text);
            if !matches!(fate, CopyFate::Deferred(_)) {
                self.count_copy(copy, &fate);
                return now;
            }
            if !provider.is_empty() {
                *self.truth.deferred.entry(provider).or_default() += 1;
            }
            now += RETRY + self.rng.secs(RETRY);
        }
        now
    }

    fn count_copy(&mut self, copy: &PlannedCopy, fate: &CopyFate) {
        let service = copy.service.map(|service| SERVICES[service].name.to_owned());
        if matches!(fate, CopyFate::Bounced(_)) {
            if let Some(service) = service {
                *self.truth.bounced.entry(service).or_default() += 1;
            }
            return;
        }
        *self.truth.copies.entry(copy.direction).or_default() += 1;
        if let Some(service) = service {
            *self.truth.outbound.entry(service).or_default() += 1;
        }
    }

    /// Something from the world.
    fn world(&mut self, minute: i64) {
        let at = minute + self.rng.secs(MINUTE);
        let number = parties::stranger(&mut self.rng);
        let (domain, address) = (parties::domain(number), parties::address(number));
        let name = format!("mail.{domain}");
        let sender = format!("user{}@{domain}", self.rng.below(50));
        let kind = self.rng.unit();
        if kind < 0.1 {
            let claims = self.rng.pick(&SERVICES).sender;
            let text = self.form.refusal((&name, &address), claims, "staff1@example.org");
            self.line(at, text);
            self.truth.refused += 1;
            return;
        }
        let id = self.arrive(at, &sender, &Client::Outside(name, address), 1);
        self.truth.inbound += 1;
        let end = match kind {
            ..0.15 => {
                let alias = format!("alias{}@example.org", self.rng.below(30));
                let copy = self.outside(None, "transit", Some(alias));
                self.deliver(at + 1, &id, &copy)
            }
            ..0.17 => self.list(at + 1, &id),
            ..0.19 => self.bounce(at + 1, &id, (&sender, number)),
            _ => self.mailbox(at + 1, &id, "inbound"),
        };
        let text = self.form.end(&id);
        self.line(end, text);
    }

    /// A post to a list: into the list server, and out again to its members.
    fn list(&mut self, at: i64, id: &str) -> i64 {
        let to = MixedRecipient {
            address: "talk@lists.example.org".to_owned(),
            forwarded_from: None,
        };
        let text = self.form.copy(id, &to, &CopyFate::Piped);
        self.line(at, text);
        *self.truth.copies.entry("inbound").or_default() += 1;
        let members = 5;
        let one = &SERVICES[LISTS];
        let post = self.arrive(at + 1, one.sender, &Client::Ours(one.hand_in), members);
        self.count_accepted(one.name);
        let mut end = at + 2;
        for _ in 0..members {
            let copy = self.outside(Some(LISTS), "outbound", None);
            end = end.max(self.deliver(at + 2, &post, &copy));
        }
        let text = self.form.end(&post);
        self.line(end, text);
        at
    }

    /// An address that there is not: our own bounce goes back to the sender.
    fn bounce(&mut self, at: i64, id: &str, (sender, number): (&str, u64)) -> i64 {
        let to = MixedRecipient {
            address: "nobody@example.org".to_owned(),
            forwarded_from: None,
        };
        let text = self.form.copy(id, &to, &CopyFate::Unknown);
        self.line(at, text);
        let bounce = self.arrive(at, "", &Client::Itself(id.to_owned()), 1);
        self.count_accepted("bounces");
        let copy = PlannedCopy {
            to: MixedRecipient {
                address: sender.to_owned(),
                forwarded_from: None,
            },
            receiver: parties::foreign(number),
            service: None,
            direction: "outbound",
        };
        let end = self.deliver(at + 1, &bounce, &copy);
        let text = self.form.end(&bounce);
        self.line(end, text);
        at
    }
}
