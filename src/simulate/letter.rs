//! One message from its connection to its `Completed`: arrival, and the first attempt for every recipient.

use super::clock::STOPPED;
use super::delivery;
use super::form::LineForm;
use super::id::EximId;
use super::message::{Letter, Recipient};
use super::prng::Rng;
use super::relay::{LineSink, Relay};
use super::remote::{self, Mx};
use super::retry;
use super::roster::SERVICES;
use super::services::{Greeting, Service, To};
use super::text::{Scene, fill};
use super::traffic::PlannedMail;

/// A client, as Exim shows it.
struct SmtpClient {
    name: String,
    ip: String,
    /// `[ip]:port`
    address: String,
    /// `name (helo) [ip]:port`
    full: String,
}

/// A mail as its service makes it and a relay takes it.
pub(super) struct MailDraft<I> {
    client: SmtpClient,
    /// When the relay takes it, or when it was tried.
    pub(super) t: i64,
    /// What the relay calls it.
    id: I,
    pub(super) sender: String,
    pub(super) size: i64,
    pub(super) recipients: Vec<Recipient>,
    pub(super) message_id: String,
}

impl<I> MailDraft<I> {
    /// Name of the sending host.
    pub(super) fn host(&self) -> &str {
        &self.client.name
    }
}

impl SmtpClient {
    /// A host of the service.
    fn draw(service: &Service, rng: &mut Rng) -> Self {
        let set = &service.hosts[rng.weighted(service.hosts.iter().map(|set| set.count() as u32))];
        let (name, ip) = set.nth(rng.below(set.count()));
        let address = format!("[{ip}]:{}", 32_768 + rng.below(28_232));
        let full = match set.greeting {
            Greeting::Verified => format!("{name} {address}"),
            Greeting::Other(helo) => format!("{name} ({helo}) {address}"),
            Greeting::Nameless => format!("({name}) {address}"),
        };
        Self {
            name,
            ip,
            address,
            full,
        }
    }
}

/// A mail that the log of its sender speaks of: the same as `plan` hands to mx1001, or one that no relay took.
pub(super) fn draft(mail: &PlannedMail, is_taken: bool) -> MailDraft<()> {
    draw(mail, &mut Rng::new(mail.key), |t, rng| {
        // The relay's share of the draws.
        let (_pid, _fraction) = (rng.below(4), rng.below(2000));
        let taken = if mail.t < STOPPED { t.min(STOPPED - 1) } else { t };
        (if is_taken { taken } else { mail.t }, ())
    })
}

/// A mail in all its details; `take` gives the time at which the relay takes it, and what it calls it.
fn draw<I>(mail: &PlannedMail, rng: &mut Rng, take: impl FnOnce(i64, &mut Rng) -> (i64, I)) -> MailDraft<I> {
    let service = &SERVICES[mail.service];
    let client = SmtpClient::draw(service, rng);
    let t = mail.t + rng.secs(3);
    let (t, id) = take(t, rng);
    let scene = Scene { t, host: &client.name };
    let sender = fill(rng.pick(service.senders), &scene, rng);
    let size = (rng.lognormal(service.size.0, service.size.1) as i64).clamp(400, 30_000_000);
    let recipients = recipients(service, t, rng);
    let message_id = fill(rng.pick(service.ids), &scene, rng);
    MailDraft {
        client,
        t,
        id,
        sender,
        size,
        recipients,
        message_id,
    }
}

/// Plans everything that the relay will log about a mail that connects at `mail.t`.
pub(super) fn plan<S: LineSink>(relay: &mut Relay<S>, mail: &PlannedMail) {
    let (index, mut rng) = (mail.service, Rng::new(mail.key));
    let (service, rng) = (&SERVICES[index], &mut rng);
    let draft = draw(mail, rng, |t, rng| {
        let t = if relay.is_down(t) { STOPPED - 1 } else { t };
        (t, relay.next_id(t, rng))
    });
    let (t, client) = (draft.t, &draft.client);
    let own = match client.ip.contains(':') {
        true => relay.identity.v6,
        false => relay.identity.v4,
    };
    let interface = format!("I=[{own}]:25");
    let arrived = arrival(service, &draft, &interface);
    if !service.inside {
        let (peer, count) = (&client.address, 1 + rng.below(12));
        let connected = format!("SMTP connection from {peer} {interface} (TCP/IP connection count = {count})");
        relay.push(mail.t, index, LineForm::Connect, connected);
    }
    relay.push(t, index, LineForm::Arrival, arrived);
    if !service.inside {
        let quit = format!("SMTP connection from {} {interface} closed by QUIT", client.full);
        relay.push(t + rng.secs(2), index, LineForm::Quit, quit);
    }
    let letter = Letter {
        id: draft.id,
        service: index,
        sender: draft.sender,
        size: draft.size,
    };
    let done = attempt(relay, &letter, &draft.recipients, t + rng.secs(2), rng);
    relay.push(done, index, LineForm::Completed, format!("{} Completed", letter.id));
}

/// The `<=` line.
fn arrival(service: &Service, draft: &MailDraft<EximId>, interface: &str) -> String {
    let sender = if draft.sender.is_empty() { "<>" } else { &draft.sender };
    let utf8 = if sender.is_ascii() && draft.recipients.iter().all(|r| r.address.is_ascii()) {
        ""
    } else {
        "utf8"
    };
    let tls = match service.tls {
        true => "s X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256 CV=no",
        false => "",
    };
    let (id, full, size, message_id) = (draft.id, &draft.client.full, draft.size, &draft.message_id);
    format!("{id} <= {sender} H={full} {interface} P={utf8}esmtp{tls} S={size} id={message_id}")
}

/// Who shall get a message of this service.
fn recipients(service: &Service, t: i64, rng: &mut Rng) -> Vec<Recipient> {
    let n = 1 + rng.weighted(service.fan_out.iter().copied());
    let scene = Scene { t, host: "" };
    let mut all: Vec<Recipient> = match &service.to {
        To::People => (0..n).map(|_| person(&scene, rng)).collect(),
        To::Alias(aliases) => {
            let alias = rng.pick(aliases);
            (0..2).map(|_| staff(Some(alias), &scene, rng)).collect()
        }
        To::House(templates) => (0..n).map(|_| house(rng.pick(templates), &scene, rng)).collect(),
    };
    all.sort_by(|a, b| a.address.cmp(&b.address));
    all.dedup_by(|a, b| a.address == b.address);
    all
}

/// Someone with a mailbox elsewhere.
fn person(scene: &Scene<'_>, rng: &mut Rng) -> Recipient {
    let mx = remote::draw(rng);
    let domain = rng.pick(mx.domains);
    let address = format!("{}@{domain}", fill("{user}", scene, rng));
    Recipient {
        shown: address.clone(),
        address,
        router: "dnslookup",
        mx,
    }
}

/// A member of the staff, by an alias or not. `+all_parents` shows the alias in between too.
fn staff(alias: Option<&str>, scene: &Scene<'_>, rng: &mut Rng) -> Recipient {
    let address = format!("{}@wikimedia.org", fill("ops{n}", scene, rng));
    let shown = match alias {
        Some(alias) if rng.chance(0.5) => format!("{address} (ops-members@wikimedia.org) <{alias}>"),
        Some(alias) => format!("{address} <{alias}>"),
        None => address.clone(),
    };
    Recipient {
        shown,
        address,
        router: "ldap_account",
        mx: &remote::STAFF,
    }
}

/// An address of the house.
fn house(template: &str, scene: &Scene<'_>, rng: &mut Rng) -> Recipient {
    let (mx, router): (&'static Mx, _) = match template.split_once('@') {
        Some((_, "lists.wikimedia.org")) => (&remote::LISTS, "lists"),
        Some(("{ticket}", _)) => (&remote::TICKETS, "otrs"),
        _ => return staff(None, scene, rng),
    };
    let address = fill(template, scene, rng);
    Recipient {
        shown: address.clone(),
        address,
        router,
        mx,
    }
}

/// The first attempt at `t`, host by host, and what follows from it. Returns when the message is gone.
fn attempt<S: LineSink>(relay: &mut Relay<S>, letter: &Letter, to: &[Recipient], t: i64, rng: &mut Rng) -> i64 {
    let bounces = SERVICES[letter.service].bounces;
    let mut done = t;
    let mut rest: Vec<&Recipient> = to.iter().collect();
    while let Some(first) = rest.first() {
        let mx = first.mx;
        let (group, others) = rest.into_iter().partition(|r| std::ptr::eq(r.mx, mx));
        rest = others;
        let started = relay.when_up(t, rng);
        let mut accepted: Vec<&Recipient> = Vec::new();
        let mut refused = Vec::new();
        for recipient in group {
            match retry::DeliveryTrouble::draw(mx, bounces, rng) {
                None => accepted.push(recipient),
                Some(trouble) => refused.push((recipient, trouble)),
            }
        }
        if !accepted.is_empty() {
            done = done.max(delivery::deliver(relay, letter, &accepted, started, rng));
        }
        for refusal in refused {
            done = done.max(retry::plan(relay, letter, refusal, started, rng));
        }
    }
    done
}
