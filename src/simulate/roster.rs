//! The services themselves: the eight of the incident, and those that survived it; and by which numbers they are counted.

use super::impact::Fate;
use super::remote;
use super::rhythm::SendingRhythm;
use super::services::{BounceTo, Greeting, Routing, Service, ServiceHosts, To, UNATTRIBUTED};

/// One host without a number.
const fn host(name: &'static str, net: &'static str, last: u64) -> ServiceHosts {
    ServiceHosts {
        name: (name, ""),
        numbers: None,
        net: (net, last),
        greeting: Greeting::Verified,
    }
}

/// Numbered hosts.
const fn hosts(name: (&'static str, &'static str), first: u64, n: u64, net: (&'static str, u64)) -> ServiceHosts {
    ServiceHosts {
        name,
        numbers: Some((first, n)),
        net,
        greeting: Greeting::Verified,
    }
}

/// Hosts of others.
const fn outside(name: (&'static str, &'static str), n: u64, net: &'static str, greeting: Greeting) -> ServiceHosts {
    ServiceHosts {
        name,
        numbers: Some((1, n)),
        net: (net, 10),
        greeting,
    }
}

/// Most of the services of the incident: one host, people as recipients, mx1001 alone.
const fn single(name: &'static str, rhythm: SendingRhythm, hosts: &'static [ServiceHosts]) -> Service {
    Service {
        name,
        rhythm,
        scales: false,
        routing: Routing::Single(Fate::Lost),
        hosts,
        inside: true,
        tls: false,
        senders: &[],
        ids: &["{stamp}.{n}.{d9}@{host}"],
        to: To::People,
        fan_out: &[1],
        size: (8.0, 0.5),
        bounces: 0.006,
        bounce_to: BounceTo::Blackhole,
    }
}

/// Hours of the day (UTC) in percent of the busiest: developers in Europe and America.
const DEVELOPERS: [u8; 24] = [
    45, 38, 30, 24, 20, 20, 26, 38, 55, 66, 72, 74, 74, 82, 92, 100, 100, 98, 95, 90, 82, 74, 64, 54,
];
/// Readers and editors everywhere.
const WORLD: [u8; 24] = [
    62, 58, 55, 53, 52, 54, 58, 64, 71, 78, 83, 86, 88, 91, 94, 97, 99, 100, 100, 98, 94, 87, 78, 69,
];
/// An office in San Francisco.
const OFFICE: [u8; 24] = [
    70, 45, 25, 15, 10, 8, 8, 10, 14, 18, 20, 22, 24, 30, 44, 68, 86, 96, 100, 98, 96, 94, 90, 84,
];

/// All services. The order is that of the rules in `mailpulse.toml`, and of nothing else.
pub(super) static SERVICES: [Service; 13] = [
    Service {
        scales: true,
        routing: Routing::Single(Fate::Delayed),
        senders: &["no-reply@phabricator.wikimedia.org"],
        ids: &[
            "{h32}@phabricator.wikimedia.org",
            "differential-rev-PHID-DREV-{a20}-req@phabricator.wikimedia.org",
            "maniphest-task-PHID-TASK-{a20}@phabricator.wikimedia.org",
        ],
        size: (8.5, 0.6),
        bounces: 0.01,
        ..single(
            "phabricator",
            SendingRhythm::Wave {
                peak: 8.0,
                hours: &DEVELOPERS,
                weekend: 0.35,
            },
            &[host("phab1001.eqiad.wmnet", "2620:0:861:103:10:64:32:", 163)],
        )
    },
    Service {
        scales: true,
        senders: &["gerrit@wikimedia.org"],
        ids: &[
            "gerrit.{ms}.I{h40}@gerrit.wikimedia.org",
            "gerrit.{ms}.{d9}@gerrit.wikimedia.org",
        ],
        fan_out: &[60, 22, 12, 6],
        bounces: 0.008,
        ..single(
            "gerrit",
            SendingRhythm::Wave {
                peak: 4.0,
                hours: &DEVELOPERS,
                weekend: 0.25,
            },
            &[host("cobalt.wikimedia.org", "2620:0:861:3:208:80:154:", 81)],
        )
    },
    Service {
        senders: &["hue@thorium.eqiad.wmnet"],
        bounce_to: BounceTo::Nowhere,
        ..single(
            "hue",
            SendingRhythm::PerDay {
                mails: 6.0,
                hours: &OFFICE,
                weekend: 0.3,
            },
            &[host("thorium.eqiad.wmnet", "10.64.53.", 26)],
        )
    },
    Service {
        senders: &["grants@wikimedia.org"],
        ids: &["{h32}@iegreview.wikimedia.org"],
        ..single(
            "iegreview",
            SendingRhythm::PerDay {
                mails: 5.0,
                hours: &WORLD,
                weekend: 0.5,
            },
            KRYPTON,
        )
    },
    Service {
        senders: &["oozie@an-coord1001.eqiad.wmnet"],
        ids: &["{d9}.{n}.{ms}.JavaMail.oozie@an-coord1001"],
        to: To::Alias(&["analytics-alerts@wikimedia.org"]),
        ..single(
            "oozie",
            SendingRhythm::Beat {
                every: 10,
                at: 4,
                chance: 0.97,
                ring: 0,
            },
            &[host("an-coord1001.eqiad.wmnet", "10.64.21.", 104)],
        )
    },
    Service {
        senders: &["scholarships@wikimedia.org"],
        ids: &["{h32}@scholarships.wikimedia.org"],
        ..single(
            "wikimania_scholarships",
            SendingRhythm::PerDay {
                mails: 4.0,
                hours: &WORLD,
                weekend: 0.7,
            },
            KRYPTON,
        )
    },
    Service {
        senders: &["sentry@wikimedia.org"],
        ids: &["{stamp}.{n}.{d9}@sentry1001.eqiad.wmnet"],
        size: (9.2, 0.3),
        fan_out: &[70, 20, 10],
        ..single(
            "sentry",
            SendingRhythm::Wave {
                peak: 0.25,
                hours: &WORLD,
                weekend: 0.7,
            },
            &[host("sentry1001.eqiad.wmnet", "10.64.16.", 20)],
        )
    },
    Service {
        senders: &["ops-dumps@wikimedia.org"],
        ids: &["{stamp}.{n}.{d9}@{host}"],
        to: To::Alias(&["xmldatadumps-admin@wikimedia.org"]),
        ..single(
            "snapshot",
            SendingRhythm::Beat {
                every: 180,
                at: 12,
                chance: 0.96,
                ring: 9,
            },
            &[hosts(("snapshot", ".eqiad.wmnet"), 1005, 5, ("10.64.16.", 105))],
        )
    },
    Service {
        scales: true,
        routing: Routing::Balanced(0.5),
        tls: true,
        senders: &["wiki@wikimedia.org", "wiki-{wiki}-{a5}-{a6}-{a16}@wikimedia.org"],
        ids: &["{wiki}.{h13}.{d9}@en.wikipedia.org"],
        size: (8.3, 0.35),
        bounces: 0.015,
        bounce_to: BounceTo::Handler,
        ..single(
            "wiki",
            SendingRhythm::Wave {
                peak: 20.0,
                hours: &WORLD,
                weekend: 0.92,
            },
            &[
                hosts(("mw", ".eqiad.wmnet"), 1221, 128, ("10.64.48.", 11)),
                hosts(("mw", ".eqiad.wmnet"), 1301, 48, ("2620:0:861:107:10:64:48:", 50)),
                hosts(("mwmaint", ".eqiad.wmnet"), 1001, 1, ("10.64.16.", 77)),
            ],
        )
    },
    Service {
        scales: true,
        routing: Routing::Balanced(0.9),
        tls: true,
        senders: &[
            "{list}-bounces@lists.wikimedia.org",
            "{list}-bounces+{verp}@lists.wikimedia.org",
        ],
        ids: &[
            "mailman.{n}.{t}.{n}.{list}@lists.wikimedia.org",
            "CA+{a40}@mail.gmail.com",
        ],
        fan_out: &[30, 10, 10, 10, 10, 8, 6, 6, 5, 5],
        size: (9.0, 0.8),
        bounces: 0.012,
        bounce_to: BounceTo::Host(&remote::LISTS),
        ..single(
            "mailman",
            SendingRhythm::Wave {
                peak: 2.0,
                hours: &WORLD,
                weekend: 0.75,
            },
            &[host("fermium.wikimedia.org", "2620:0:861:1:208:80:154:", 21)],
        )
    },
    Service {
        scales: true,
        routing: Routing::Balanced(0.6),
        senders: &["{ticket}@wikimedia.org"],
        ids: &["{t}.{d6}.{d9}.{d3}@ticket.wikimedia.org"],
        bounces: 0.02,
        bounce_to: BounceTo::Host(&remote::TICKETS),
        ..single(
            "otrs",
            SendingRhythm::Wave {
                peak: 1.0,
                hours: &WORLD,
                weekend: 0.6,
            },
            &[host("mendelevium.eqiad.wmnet", "10.64.32.", 174)],
        )
    },
    Service {
        scales: true,
        routing: Routing::Balanced(0.55),
        tls: true,
        senders: &["root@{host}"],
        ids: &["E{eid}@{host}"],
        to: To::Alias(&["root@wikimedia.org"]),
        size: (7.2, 0.4),
        bounces: 0.0006,
        bounce_to: BounceTo::Nowhere,
        ..single(
            "cron",
            SendingRhythm::Beat {
                every: 10,
                at: 1,
                chance: 14.0,
                ring: 3,
            },
            &[
                hosts(("db", ".eqiad.wmnet"), 1061, 60, ("10.64.0.", 90)),
                hosts(("cp", ".eqiad.wmnet"), 1065, 30, ("10.64.16.", 140)),
                hosts(("analytics", ".eqiad.wmnet"), 1028, 50, ("10.64.36.", 111)),
                hosts(("ms-be", ".codfw.wmnet"), 2013, 30, ("10.192.32.", 50)),
            ],
        )
    },
    Service {
        scales: true,
        routing: Routing::Balanced(0.85),
        inside: false,
        tls: true,
        senders: &["{user}@{domain}", "{user}@{domain}", "{user}@{domain}", ""],
        ids: &["CA{a40}@mail.gmail.com", "{h8}.{a8}@{domain}", "{h8}-{d9}@{host}"],
        to: To::House(&[
            "{list}@lists.wikimedia.org",
            "{ticket}@wikimedia.org",
            "{user}@wikimedia.org",
        ]),
        fan_out: &[94, 5, 1],
        size: (9.3, 1.0),
        bounces: 0.0,
        ..single(
            UNATTRIBUTED,
            SendingRhythm::Wave {
                peak: 3.0,
                hours: &WORLD,
                weekend: 0.7,
            },
            OUTSIDE,
        )
    },
];

/// Two applications share this host; only their senders tell them apart.
const KRYPTON: &[ServiceHosts] = &[host("krypton.eqiad.wmnet", "10.64.32.", 181)];

/// Who writes to the lists and to the staff.
const OUTSIDE: &[ServiceHosts] = &[
    outside(("mail-oi0-f", ".google.com"), 200, "209.85.218.", Greeting::Verified),
    outside(
        ("mail-wr0-x", ".google.com"),
        200,
        "2a00:1450:400c:c0c::",
        Greeting::Verified,
    ),
    outside(
        ("sonic", ".consmr.mail.ne1.yahoo.com"),
        90,
        "66.163.190.",
        Greeting::Verified,
    ),
    outside(("mout", ".gmx.net"), 12, "212.227.15.", Greeting::Other("mout.gmx.net")),
    outside(
        ("mx", ".example-isp.net"),
        40,
        "198.51.100.",
        Greeting::Other("[192.168.1.4]"),
    ),
    outside(("smtp", ".mail.example.edu"), 20, "203.0.113.", Greeting::Nameless),
];

/// Number of services in counts: those of the table, local bounces, and what belongs to none.
pub(super) const COUNT: usize = SERVICES.len() + 2;
/// Index of local bounces (`<= <> R=…`).
pub(super) const LOCAL_BOUNCE: usize = SERVICES.len();
/// Index of rejects, queue runs and connections.
pub(super) const NO_SERVICE: usize = SERVICES.len() + 1;
/// Name under which `Truth` counts the relay's own bounce messages; no rule of `mailpulse.toml` names them.
pub const LOCAL_BOUNCES: &str = "(local bounce)";

/// The name under which an index is counted.
pub(super) fn name(index: usize) -> &'static str {
    match index {
        LOCAL_BOUNCE => LOCAL_BOUNCES,
        NO_SERVICE => UNATTRIBUTED,
        _ => SERVICES[index].name,
    }
}
