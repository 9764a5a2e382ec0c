use super::*;

/// A linear congruential generator: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const LOCALS: &[&str] = &["gerrit", "Hue", "root", "a", "ab", "wiki-en", "wiki-de", ""];
const HOSTS: &[&str] = &[
    "mw1.x.org",
    "mw12.x.org",
    "MW2.y.org",
    "hue1.wmnet",
    "x.org",
    "y.org",
    "",
    "mx1",
    "a",
];
const PATTERNS: &[&str] = &[
    "mw*",
    "*.org",
    "mw[0-9].x.org",
    "*",
    "*.x.*",
    "h?e*",
    "a*",
    "mw*.org",
    "?",
    "[!m]*",
];
const WORDS: &[&str] = &["gerrit", "hue", "www-data", "a", "remote_smtp", "smart_route"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.1.1", "2001:db8::1", "192.0.2.1"];
const NETS: &[&str] = &["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0"];
const KEYS: &[FactKey] = &[
    FactKey::Sender,
    FactKey::SenderDomain,
    FactKey::Client,
    FactKey::User,
    FactKey::Auth,
    FactKey::Router,
    FactKey::Transport,
    FactKey::MessageIdHost,
    FactKey::Host,
    FactKey::ClientIp,
    FactKey::Network,
];

fn random_pattern(random: &mut Random, key: FactKey) -> String {
    let domain = |random: &mut Random| match random.below(2) {
        0 => random.pick(&HOSTS[..6]),
        _ => random.pick(PATTERNS),
    };
    match key {
        FactKey::Sender => match random.below(6) {
            0 => "<>".to_owned(),
            1 => format!("{}*", random.pick(&LOCALS[..6])),
            2 => random.pick(PATTERNS).to_owned(),
            _ => format!("{}@{}", random.pick(LOCALS), domain(random)),
        },
        FactKey::SenderDomain | FactKey::Client | FactKey::MessageIdHost | FactKey::Host => domain(random).to_owned(),
        FactKey::ClientIp | FactKey::Network => random.pick(NETS).to_owned(),
        _ if random.below(3) == 0 => random.pick(PATTERNS).to_owned(),
        _ => random.pick(WORDS).to_owned(),
    }
}

fn random_rules(random: &mut Random) -> Vec<RuleInput> {
    let rule = |random: &mut Random, number: usize| {
        let entry = |random: &mut Random| {
            let conditions = (0..1 + random.below(3)).map(|_| {
                let key = KEYS[random.below(KEYS.len())];
                (key, random_pattern(random, key))
            });
            EntryInput {
                conditions: conditions.collect(),
            }
        };
        RuleInput {
            service: format!("s{number}"),
            entries: (0..1 + random.below(3)).map(|_| entry(random)).collect(),
        }
    };
    (0..1 + random.below(12)).map(|number| rule(random, number)).collect()
}

/// Globs once more, by recursion over bytes.
fn naive_glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|at| naive_glob(rest, &text[at..])),
        [b'?', rest @ ..] => !text.is_empty() && naive_glob(rest, &text[1..]),
        [b'[', class @ ..] => {
            let end = class.iter().position(|&b| b == b']').unwrap();
            let (class, rest) = (&class[..end], &class[end + 1..]);
            let holds = |byte: u8| match class {
                [b'!', one] => byte != *one,
                [from, b'-', to] => (*from..=*to).contains(&byte),
                _ => unreachable!(),
            };
            text.first().is_some_and(|&byte| holds(byte)) && naive_glob(rest, &text[1..])
        }
        [byte, rest @ ..] => text.first() == Some(byte) && naive_glob(rest, &text[1..]),
    }
}

fn naive_holds(facts: &Facts<'_>, key: FactKey, pattern: &str) -> bool {
    let sender = facts.sender.unwrap_or_default();
    let sender = if sender.is_empty() { b"<>" } else { sender };
    let text = match key {
        FactKey::ClientIp | FactKey::Network => {
            let net = pattern
                .parse::<IpNet>()
                .unwrap_or_else(|_| IpNet::from(pattern.parse::<std::net::IpAddr>().unwrap()));
            return facts.client_ip.is_some_and(|ip| net.contains(&ip));
        }
        FactKey::Sender => Some(sender),
        FactKey::SenderDomain => sender.split(|&b| b == b'@').nth(1),
        FactKey::Client => facts.client_name,
        FactKey::User => facts.user,
        FactKey::Auth => facts.auth,
        FactKey::Router => facts.router,
        FactKey::Transport => facts.transport,
        FactKey::MessageIdHost => facts.message_id_host,
        FactKey::Host => Some(facts.host.as_bytes()),
    };
    let text = text.filter(|text| !text.is_empty()).map(<[u8]>::to_ascii_lowercase);
    text.is_some_and(|text| naive_glob(pattern.to_ascii_lowercase().as_bytes(), &text))
}

fn naive_find(rules: &[RuleInput], facts: &Facts<'_>) -> Option<Match> {
    for (service, rule) in rules.iter().enumerate() {
        for (entry, input) in rule.entries.iter().enumerate() {
            if input
                .conditions
                .iter()
                .all(|(key, pattern)| naive_holds(facts, *key, pattern))
            {
                return Some(Match { service, entry });
            }
        }
    }
    None
}

#[test]
fn finds_what_a_naive_search_finds() {
    let mut random = Random(20_180_606);
    let (mut matched, mut total) = (0, 0);
    for _ in 0..200 {
        let rules = random_rules(&mut random);
        let compiled = ServiceRules::compile(rules.clone()).unwrap();
        for _ in 0..60 {
            let sender = match random.below(8) {
                0 => String::new(),
                1 => "<>".to_owned(),
                _ => format!("{}@{}", random.pick(LOCALS), random.pick(HOSTS)),
            };
            let mut maybe = |from: &[&'static str]| (random.below(3) > 0).then(|| random.pick(from).as_bytes());
            let facts = Facts {
                sender: Some(sender.as_bytes()),
                client_name: maybe(HOSTS),
                user: maybe(WORDS),
                auth: maybe(WORDS),
                message_id_host: maybe(HOSTS),
                router: maybe(WORDS),
                transport: maybe(WORDS),
                client_ip: (random.below(3) > 0).then(|| random.pick(ADDRESSES).parse().unwrap()),
                host: random.pick(HOSTS),
            };
            let expected = naive_find(&rules, &facts);
            assert_eq!(compiled.find(&facts), expected, "{rules:#?} {facts:?}");
            let explained = compiled.explain(&facts).into_iter().find(EntryTrace::held);
            assert_eq!(explained.map(|entry| entry.at), expected);
            (matched, total) = (matched + usize::from(expected.is_some()), total + 1);
        }
    }
    assert!(
        matched > total / 4 && matched < total * 3 / 4 + total / 5,
        "{matched} of {total} is no test"
    );
}

fn rule(service: &str, conditions: &[(FactKey, &str)]) -> RuleInput {
    let conditions = conditions
        .iter()
        .map(|&(key, pattern)| (key, pattern.to_owned()))
        .collect();
    RuleInput {
        service: service.to_owned(),
        entries: vec![EntryInput { conditions }],
    }
}

#[test]
fn all_conditions_of_an_entry_and_any_entry() {
    let mut both = rule(
        "phab",
        &[(FactKey::Sender, "no-reply@*"), (FactKey::Network, "10.64.0.0/16")],
    );
    both.entries.extend(rule("", &[(FactKey::User, "phd")]).entries);
    let rules = ServiceRules::compile(vec![both, rule("rest", &[(FactKey::Sender, "*")])]).unwrap();
    let facts = Facts {
        sender: Some(b"No-Reply@x.org"),
        client_ip: "10.64.1.2".parse().ok(),
        ..Facts::default()
    };
    assert_eq!(rules.find(&facts), Some(Match { service: 0, entry: 0 }));
    assert_eq!(
        rules.find(&Facts {
            client_ip: None,
            ..facts
        }),
        Some(Match { service: 1, entry: 0 })
    );
    assert_eq!(
        rules.find(&Facts {
            client_ip: None,
            user: Some(b"phd"),
            ..facts
        }),
        Some(Match { service: 0, entry: 1 })
    );
    assert_eq!(rules.names().collect::<Vec<_>>(), ["phab", "rest"]);
    assert!(!rules.needs_delivery());
    let near = rules.explain(&Facts {
        client_ip: None,
        ..facts
    });
    assert!(!near[0].held() && near[1].held());
    assert_eq!(
        near[0]
            .conditions
            .iter()
            .filter(|c| c.held)
            .map(|c| &*c.pattern)
            .collect::<Vec<_>>(),
        ["no-reply@*"]
    );
}

#[test]
fn a_router_is_unknown_until_the_delivery() {
    let rules = ServiceRules::compile(vec![rule("lists", &[(FactKey::Router, "mailman*")])]).unwrap();
    assert!(rules.needs_delivery());
    assert_eq!(rules.find(&Facts::default()), None);
    let facts = Facts {
        router: Some(b"mailman_router"),
        ..Facts::default()
    };
    assert_eq!(rules.find(&facts).map(|found| rules.name(found.service)), Some("lists"));
}

#[test]
fn says_everything_that_is_wrong() {
    let bad = [
        (FactKey::Sender, "gerrit"),
        (FactKey::Sender, ""),
        (FactKey::SenderDomain, "a@b.org"),
        (FactKey::Client, "10.0.0.1"),
        (FactKey::Client, "gerrit[0-9"),
        (FactKey::User, "www data "),
        (FactKey::ClientIp, "10.0.0.300"),
        (FactKey::Network, "10.0.0.1/8"),
    ];
    let mut rules = vec![rule("empty", &[])];
    rules.extend(bad.iter().map(|condition| rule("bad", std::slice::from_ref(condition))));
    let problems = ServiceRules::compile(rules).unwrap_err();
    let texts: Vec<String> = problems.iter().map(|p| format!("{}.{} {p}", p.rule, p.entry)).collect();
    assert_eq!(
        texts,
        [
            "0.0 this entry has no condition; add at least one key: an empty entry would match every mail",
            "1.0 `sender = \"gerrit\"` is not a complete address; write `sender = \"gerrit@*\"`, or `sender_domain` for a domain",
            "2.0 `sender = \"\"` is empty; for bounces write `<>`",
            "3.0 `sender_domain = \"a@b.org\"` is an address, where a host name or domain is needed; use `sender` for \
             addresses",
            "4.0 `client = \"10.0.0.1\"` is not a host name; write `client_ip = \"10.0.0.1\"`",
            "5.0 `client = \"gerrit[0-9\"` is not a glob: unclosed character class; missing ']'; globs support `*`, `?`, \
             `[0-9]`, `{a,b}`, and `\\` before a character to mean itself",
            "6.0 `user = \"www data \"` contains blanks or control characters; remove them",
            "7.0 `10.0.0.300` is neither network nor address; write it as `10.64.32.0/24`, `2620:0:861::/48` or a \
             single address",
            "8.0 `10.0.0.1/8` has bits set beyond its prefix length; write `10.0.0.0/8`, or `10.0.0.1` for the one host",
        ]
    );
}

#[test]
fn auth_is_the_id_or_the_id_behind_its_authenticator() {
    let rule = |service: &str, pattern: &str| RuleInput {
        service: service.to_owned(),
        entries: vec![EntryInput {
            conditions: vec![(FactKey::Auth, pattern.to_owned())],
        }],
    };
    let named = |patterns: &[&str], auth: &str| {
        let rules = patterns.iter().map(|pattern| rule(pattern, pattern)).collect();
        let rules = ServiceRules::compile(rules).unwrap();
        let facts = Facts {
            auth: Some(auth.as_bytes()),
            ..Facts::default()
        };
        rules.find(&facts).map(|found| rules.name(found.service).to_owned())
    };
    for (patterns, auth, expected) in [
        // As people write what stands in the log, and as they write the id alone.
        (
            &["dovecot_plain*"][..],
            "dovecot_plain:shop@example.org",
            Some("dovecot_plain*"),
        ),
        (&["dovecot_plain:*"], "dovecot_plain:shop", Some("dovecot_plain:*")),
        (&["shop@*"], "dovecot_plain:shop@example.org", Some("shop@*")),
        (&["shop"], "login:Shop", Some("shop")),
        (&["shop"], "shop", Some("shop")),
        (&["login*"], "dovecot_plain:shop", None),
        (&["a:b"], "login:a:b", Some("a:b")),
        // The first in file order wins, whichever form it matches.
        (&["shop", "login*"], "login:shop", Some("shop")),
        (&["login*", "shop"], "login:shop", Some("login*")),
        // Without an id there is still the authenticator.
        (&["tls_cert*"], "tls_cert:", Some("tls_cert*")),
    ] {
        assert_eq!(named(patterns, auth).as_deref(), expected, "{patterns:?} on {auth}");
    }
}
