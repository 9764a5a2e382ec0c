//! Mail systems of others: where people have their mailboxes, and how these answer.

use std::fmt::Write;

use super::id::EximId;
use super::prng::Rng;

/// A mail system.
pub(super) struct Mx {
    pub(super) weight: u32,
    pub(super) domains: &'static [&'static str],
    pub(super) hosts: &'static [(&'static str, &'static str)],
    /// `X=… CV=… DN="…"`; empty without TLS, and only then connections are continued.
    pub(super) tls: &'static str,
    pub(super) answer: ReplyStyle,
    /// Shares of first attempts that are deferred by 451, by a 4xx to MAIL FROM, by a full mailbox, by silence.
    pub(super) trouble: [f64; 4],
}

/// How it confirms a message.
pub(super) enum ReplyStyle {
    Google,
    Yahoo,
    Outlook,
    Postfix,
    Exim,
    Arrow,
}

const fn mx(weight: u32, domains: &'static [&'static str], hosts: &'static [(&'static str, &'static str)]) -> Mx {
    Mx {
        weight,
        domains,
        hosts,
        tls: "",
        answer: ReplyStyle::Postfix,
        trouble: [0.002, 0.0, 0.001, 0.003],
    }
}

const GOOGLE_HOSTS: &[(&str, &str)] = &[
    ("aspmx.l.google.com", "74.125.141.27"),
    ("alt1.aspmx.l.google.com", "2607:f8b0:4002:c08::1b"),
    ("aspmx.l.google.com", "2607:f8b0:400c:c06::1a"),
];
const GOOGLE_TLS: &str = "X=TLS1.2:ECDHE_RSA_AES_128_GCM_SHA256:128 CV=yes DN=\"C=US,ST=California,L=Mountain View,\
     O=Google Inc,CN=mx.google.com\"";

/// Where the staff has its mailboxes, under the house's own domain.
pub(super) static STAFF: Mx = Mx {
    tls: GOOGLE_TLS,
    answer: ReplyStyle::Google,
    trouble: [0.0, 0.0, 0.0005, 0.0002],
    ..mx(0, &["wikimedia.org"], GOOGLE_HOSTS)
};

/// The mailing list host.
pub(super) static LISTS: Mx = Mx {
    tls: AES256_NO,
    answer: ReplyStyle::Exim,
    trouble: [0.0; 4],
    ..mx(
        0,
        &["lists.wikimedia.org"],
        &[("fermium.wikimedia.org", "208.80.154.21"), FERMIUM6],
    )
};
const FERMIUM6: (&str, &str) = ("fermium.wikimedia.org", "2620:0:861:1:208:80:154:21");

/// The ticket system.
pub(super) static TICKETS: Mx = Mx {
    answer: ReplyStyle::Exim,
    trouble: [0.0; 4],
    ..mx(
        0,
        &["ticket.wikimedia.org"],
        &[("mendelevium.eqiad.wmnet", "10.64.32.174")],
    )
};

/// Mail systems of the world.
pub(super) static WORLD: [Mx; 12] = [
    Mx {
        tls: GOOGLE_TLS,
        answer: ReplyStyle::Google,
        trouble: [0.0, 0.001, 0.004, 0.001],
        ..mx(
            420,
            &["gmail.com", "gmail.com", "gmail.com", "googlemail.com"],
            GOOGLE_HOSTS,
        )
    },
    Mx {
        tls: "X=TLS1.2:ECDHE_RSA_AES_128_GCM_SHA256:128 CV=yes DN=\"C=US,ST=California,\
              L=Sunnyvale,O=Oath Inc,CN=*.am0.yahoodns.net\"",
        answer: ReplyStyle::Yahoo,
        trouble: [0.0, 0.05, 0.003, 0.002],
        ..mx(
            70,
            &["yahoo.com", "yahoo.co.uk", "aol.com"],
            &[
                ("mta5.am0.yahoodns.net", "98.137.159.24"),
                ("mx-aol.mail.gm0.yahoodns.net", "67.195.228.84"),
            ],
        )
    },
    Mx {
        tls: "X=TLS1.2:ECDHE_RSA_AES_256_CBC_SHA384:256 CV=yes DN=\"C=US,ST=WA,L=Redmond,O=Microsoft Corporation,\
              OU=Microsoft Corporation,CN=mail.protection.outlook.com\"",
        answer: ReplyStyle::Outlook,
        trouble: [0.0, 0.01, 0.003, 0.001],
        ..mx(
            130,
            &["hotmail.com", "outlook.com", "live.com", "msn.com"],
            &[("hotmail-com.olc.protection.outlook.com", "104.47.6.33")],
        )
    },
    Mx {
        tls: "X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256 CV=yes DN=\"C=US,ST=California,\
              O=Apple Inc.,OU=management:idms.group.859635,CN=*.mail.icloud.com\"",
        ..mx(
            40,
            &["icloud.com", "me.com"],
            &[("mx1.mail.icloud.com", "17.42.251.62")],
        )
    },
    Mx {
        tls: "X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256 CV=yes DN=\"C=DE,\
              O=1&1 PlannedMail & Media GmbH,ST=Rhineland-Palatinate,L=Montabaur,CN=mx00.gmx.net\"",
        answer: ReplyStyle::Arrow,
        trouble: [0.0, 0.004, 0.003, 0.001],
        ..mx(
            70,
            &["gmx.de", "gmx.net", "web.de"],
            &[("mx00.gmx.net", "212.227.15.10"), ("mx01.gmx.net", "212.227.17.4")],
        )
    },
    Mx {
        tls: AES128_NO,
        ..mx(40, &["yandex.ru", "ya.ru"], &[("mx.yandex.ru", "2a02:6b8::89")])
    },
    Mx {
        trouble: [0.02, 0.0, 0.004, 0.006],
        ..mx(30, &["mail.ru", "bk.ru"], &[("mxs.mail.ru", "94.100.180.104")])
    },
    Mx {
        trouble: [0.0, 0.03, 0.002, 0.02],
        ..mx(
            25,
            &["qq.com", "163.com"],
            &[
                ("mx3.qq.com", "183.57.48.35"),
                ("163mx01.mxmail.netease.com", "220.181.14.156"),
            ],
        )
    },
    Mx {
        tls: AES128_NO,
        answer: ReplyStyle::Exim,
        trouble: [0.32, 0.0, 0.001, 0.002],
        ..mx(
            60,
            &["example.org", "verein.example.net", "uni.example.edu"],
            &[("mail.example.org", "198.51.100.25")],
        )
    },
    Mx {
        trouble: [0.25, 0.0, 0.002, 0.004],
        ..mx(
            45,
            &["freemail.example.com", "isp.example"],
            &[("mx2.freemail.example.com", "203.0.113.77")],
        )
    },
    Mx {
        tls: "X=TLS1.2:DHE_RSA_AES_256_CBC_SHA256:256 CV=no DN=\"C=XX,ST=,L=Default City,CN=old.example.com\"",
        answer: ReplyStyle::Exim,
        ..mx(20, &["old.example.com"], &[("old.example.com", "2001:db8:25::19")])
    },
    Mx {
        trouble: [0.0, 0.0, 0.0, 0.08],
        ..mx(
            12,
            &["flaky.example", "slow.example"],
            &[("mx.flaky.example", "192.0.2.66")],
        )
    },
];

const AES256_NO: &str = "X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256 CV=no DN=\"CN=fermium.wikimedia.org\"";
const AES128_NO: &str = "X=TLS1.2:ECDHE_RSA_AES_128_GCM_SHA256:128 CV=no DN=\"CN=mail.example.org\"";

/// A mail system, by its share of mailboxes.
pub(super) fn draw(rng: &mut Rng) -> &'static Mx {
    &WORLD[rng.weighted(WORLD.iter().map(|mx| mx.weight))]
}

/// A domain, by the share of its mail system.
pub(super) fn domain(rng: &mut Rng) -> &'static str {
    let mx = draw(rng);
    rng.pick(mx.domains)
}

impl Mx {
    /// The text that confirms a message: what stands in `C="…"`.
    pub(super) fn confirmation(&self, t: i64, rng: &mut Rng) -> String {
        let mut text = String::with_capacity(64);
        let n = rng.below(100_000_000);
        let _ = match self.answer {
            ReplyStyle::Google => {
                write!(
                    text,
                    "250 2.0.0 OK {t} v{}si{n}qt{}.{} - gsmtp",
                    n % 31,
                    self.weight % 10,
                    n % 530
                )
            }
            ReplyStyle::Yahoo => write!(text, "250 ok dirdel"),
            ReplyStyle::Outlook => write!(
                text,
                "250 2.6.0 <{n:x}.{t}@mail> [InternalId={}, Hostname=DB5EUR03HT{:03}.eop-EUR03.\
                 prod.protection.outlook.com] \
                 {} bytes in 0.{:03}, {}.{:03} KB/sec Queued mail for delivery",
                rng.below(1 << 44),
                n % 230,
                5000 + n % 90_000,
                n % 999,
                n % 300,
                n % 997,
            ),
            ReplyStyle::Postfix => write!(text, "250 2.0.0 Ok: queued as {:010X}", rng.below(1 << 40)),
            ReplyStyle::Exim => write!(text, "250 OK id={}", EximId::new(t, 1 + (n % 32_000) as u32, rng)),
            ReplyStyle::Arrow => {
                write!(
                    text,
                    "250 Requested mail action okay, completed: id=0M{n:06} -> 1fQ{:03}=ok",
                    n % 1000
                )
            }
        };
        text
    }
}
