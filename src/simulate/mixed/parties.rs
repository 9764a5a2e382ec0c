//! Who takes part in a mixed relay: services of ours, foreign domains, providers.

use super::super::prng::Rng;

/// How a service hands its mail in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandIn {
    /// By a command on the relay, as a user.
    Local(&'static str),
    /// From a host of a private network: name and address.
    Host(&'static str, &'static str),
    /// From anywhere, with a password.
    Account(&'static str),
}

/// A service of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct MixedService {
    pub name: &'static str,
    pub sender: &'static str,
    pub hand_in: HandIn,
    /// Its part of our mail.
    pub weight: u32,
}

const fn service(name: &'static str, sender: &'static str, hand_in: HandIn, weight: u32) -> MixedService {
    MixedService {
        name,
        sender,
        hand_in,
        weight,
    }
}

/// The service whose mail bounces where that is asked for.
pub(super) const BOUNCING: &str = "shop";

/// Twelve services; the last one is the list server, whose posts are planned apart.
pub(super) const SERVICES: [MixedService; 12] = [
    service(
        "shop",
        "orders@shop.example.org",
        HandIn::Host("shop1.example.org", "10.0.1.11"),
        30,
    ),
    service(
        "newsletter",
        "news@example.org",
        HandIn::Host("crm1.example.org", "10.0.1.12"),
        18,
    ),
    service(
        "tickets",
        "tickets@example.org",
        HandIn::Host("tickets1.example.org", "10.0.1.13"),
        14,
    ),
    service(
        "wiki",
        "wiki@example.org",
        HandIn::Host("wiki1.example.org", "10.0.1.14"),
        8,
    ),
    service(
        "gerrit",
        "gerrit@example.org",
        HandIn::Host("gerrit1.example.org", "10.0.1.15"),
        8,
    ),
    service(
        "monitoring",
        "icinga@mon1.example.org",
        HandIn::Host("mon1.example.org", "10.0.1.16"),
        5,
    ),
    service("billing", "billing@example.org", HandIn::Account("billing"), 5),
    service("webmail", "office@example.org", HandIn::Account("webmail"), 12),
    service("crm", "crm@example.org", HandIn::Account("crm"), 4),
    service("cron", "root@example.org", HandIn::Local("root"), 3),
    service("backup", "backup@example.org", HandIn::Local("backup"), 1),
    service("lists", "talk-bounces@lists.example.org", HandIn::Local("list"), 4),
];

/// The list server in [`SERVICES`].
pub(super) const LISTS: usize = SERVICES.len() - 1;

/// Foreign domains.
const DOMAINS: u64 = 20_000;

/// The domain with a number.
pub(super) fn domain(number: u64) -> String {
    let endings = ["example", "test", "invalid"];
    format!("d{number:05}.{}", endings[(number % 3) as usize])
}

/// A foreign domain: a few send much, and most send once a week.
pub(super) fn stranger(rng: &mut Rng) -> u64 {
    let many = rng.unit();
    ((many * many * many) * DOMAINS as f64) as u64
}

/// Its address, of the networks for documentation.
pub(super) fn address(number: u64) -> String {
    let network = ["192.0.2", "198.51.100", "203.0.113"][(number % 3) as usize];
    format!("{network}.{}", number / 3 % 254 + 1)
}

/// Where a copy goes outside.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    /// `google`; empty for all the others.
    pub provider: &'static str,
    pub domain: String,
    pub host: String,
    pub address: String,
}

/// Providers: name, domain, host, part of outbound mail in per cent.
const PROVIDERS: [(&str, &str, &str, u32); 5] = [
    ("google", "gmail.com", "gmail-smtp-in.l.google.com", 35),
    ("microsoft", "outlook.com", "outlook-com.olc.protection.outlook.com", 20),
    ("yahoo", "yahoo.com", "mta5.am0.yahoodns.net", 8),
    ("gmx", "gmx.net", "mx00.emig.gmx.net", 7),
    ("", "", "", 30),
];

/// A receiving side.
pub(super) fn receiver(rng: &mut Rng) -> Receiver {
    let at = rng.weighted(PROVIDERS.iter().map(|(.., weight)| *weight));
    match PROVIDERS[at] {
        ("", ..) => foreign(stranger(rng)),
        (provider, domain, host, _) => Receiver {
            provider,
            domain: domain.to_owned(),
            host: host.to_owned(),
            address: format!("198.51.100.{}", 240 + at),
        },
    }
}

/// The receiving side of a foreign domain.
pub(super) fn foreign(number: u64) -> Receiver {
    let domain = domain(number);
    Receiver {
        provider: "",
        host: format!("mx.{domain}"),
        domain,
        address: address(number),
    }
}
