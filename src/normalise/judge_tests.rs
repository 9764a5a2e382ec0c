//! What a row knows is judged as the mail was; what it does not know is told.

use super::super::attribution::SenderLine;
use super::super::attribution::{Attribution, Attributor};
use super::super::hosts::HostNumbers;
use super::super::ours::{Ours, OursInput};
use super::super::redact::Redactor;
use super::super::rules::{EntryInput, HostGroups, RuleInput, ServiceRules};
use super::*;
use crate::model::time::UtcMs;

fn with(rules: &[(&str, FactKey, &str)], derive: bool, mode: LocalParts) -> Attribution {
    let rules = rules.iter().map(|(service, key, pattern)| RuleInput {
        service: (*service).to_owned(),
        entries: vec![EntryInput {
            conditions: vec![(*key, (*pattern).to_owned())],
        }],
    });
    Attribution {
        services: ServiceRules::compile(rules.collect()).unwrap(),
        hostgroups: HostGroups::default(),
        redactor: Redactor::new(mode, [3; 32]),
        derive,
        services_max: 100,
        covered_hosts: HostNumbers::default(),
        ours: Ours::compile(&OursInput {
            networks: ["192.0.2.0/24", "198.51.100.0/24"].map(str::to_owned).to_vec(),
            ..OursInput::default()
        })
        .unwrap(),
        providers: Default::default(),
    }
}

/// Mail as its line tells it.
const MAILS: [(&str, &str, &str, &str); 9] = [
    // Sender, client, address, authenticated as.
    ("gerrit@gerrit.example.org", "gerrit1.example.org", "192.0.2.1", ""),
    ("jdoe@example.org", "phab1.example.org", "192.0.2.2", ""),
    ("jdoe@example.org", "home.example.net", "198.51.100.1", "plain:jdoe"),
    ("no-reply@example.org", "web7.example.org", "192.0.2.7", ""),
    ("", "mx9.example.org", "192.0.2.9", ""),
    ("root@mx1.example.org", "", "", ""),
    ("cron@db1.example.org", "db1.example.org", "192.0.2.3", ""),
    ("Lists+x@lists.example.org", "", "198.51.100.9", ""),
    ("x", "web7.example.org", "192.0.2.7", ""),
];

/// What is stored of a mail under one attribution, and what becomes of it under another.
fn judged(before: &Attribution, after: &Attribution, mail: usize, told: RowEvidence) -> (String, Judgement, String) {
    let (sender, client, ip, auth) = MAILS[mail];
    let bytes = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
    let facts = Facts {
        sender: Some(sender.as_bytes()),
        client_name: bytes(client),
        client_ip: ip.parse().ok(),
        user: (client.is_empty() && ip.is_empty()).then_some(b"root"),
        auth: bytes(auth),
        host: "mx1",
        ..Facts::default()
    };
    let mut attributor = Attributor::default();
    let origin = attributor
        .origin(before, &facts, UtcMs::new(0), SenderLine::Taken)
        .origin;
    let stored = attributor.origins.get(origin);
    let derived: Vec<String> = attributor
        .take_derived()
        .put
        .into_iter()
        .map(|state| state.name)
        .collect();
    let row = StoredFacts {
        told,
        service: &stored.service,
        client: &stored.client,
        client_ip: &stored.client_ip,
        sender_local: &stored.sender_local,
        sender_domain: &stored.sender_domain,
        origin: &stored.origin,
        host: "mx1",
    };
    let beside = Beside {
        is_derived: &|name| derived.iter().any(|known| known == name),
        of_logs: &[],
    };
    let mut anew = Attributor::default();
    let expected = anew.origin(after, &facts, UtcMs::new(0), SenderLine::Taken).origin;
    let expected = anew.origins.get(expected).service;
    let judged = judge(after, &row, &beside);
    (stored.service, judged, expected)
}

#[test]
fn what_is_judged_is_what_the_mail_would_get_and_little_is_not() {
    use LocalParts::{Drop, Hash, Keep};
    let rules: &[(&str, FactKey, &str)] = &[
        ("review", FactKey::Sender, "gerrit@*"),
        ("web", FactKey::Client, "web*"),
        ("lists", FactKey::SenderDomain, "lists.*"),
        ("bounced", FactKey::Sender, "<>"),
        ("office", FactKey::Auth, "plain:*"),
    ];
    for (mode, derive, unknown) in [
        (Keep, false, &[1_usize, 2, 6][..]),
        (Hash, false, &[1, 2, 6]),
        (Drop, false, &[0, 1, 2, 3, 5, 6, 7]),
        (Keep, true, &[1, 2, 6]),
        (Hash, true, &[1, 2, 6]),
    ] {
        let (before, after) = (with(&[], true, mode), with(rules, derive, mode));
        for mail in 0..MAILS.len() {
            let (_, judged, expected) = judged(&before, &after, mail, RowEvidence::Arrival);
            match judged {
                Judgement::Is(is) => assert!(
                    is == expected && !unknown.contains(&mail),
                    "{mode:?} {derive} {mail}: {is}"
                ),
                unsure => assert!(
                    unknown.contains(&mail) && unsure.may_be(&expected),
                    "{mode:?} {derive} {mail}: {unsure:?}, and it is {expected}"
                ),
            }
        }
    }
}

#[test]
fn names_that_were_derived_stay_where_names_are_derived_and_else_end() {
    let before = with(&[], true, LocalParts::Hash);
    let rule = &[("web", FactKey::Client, "web*")][..];
    let (derives, does_not) = (with(rule, true, LocalParts::Hash), with(rule, false, LocalParts::Hash));
    let (stored, is, _) = judged(&before, &derives, 1, RowEvidence::Arrival);
    assert_eq!((stored.as_str(), is), ("phab", Judgement::Is("phab".to_owned())));
    let (_, is, _) = judged(&before, &does_not, 1, RowEvidence::Arrival);
    assert_eq!(is, Judgement::Is(UNATTRIBUTED.to_owned()));
}

#[test]
fn a_name_that_is_derived_anew_rests_on_what_is_stored_alone() {
    let before = with(&[("none", FactKey::Host, "nosuch")], false, LocalParts::Keep);
    let after = with(&[], true, LocalParts::Keep);
    let is = |mail: usize| match judged(&before, &after, mail, RowEvidence::Arrival) {
        (_, Judgement::Is(is), expected) => {
            assert_eq!(is, expected);
            Ok(is)
        }
        (_, Judgement::Unknown { lacks, .. }, _) => Err(lacks),
    };
    assert_eq!(is(0), Ok("gerrit".to_owned()));
    assert_eq!(is(3), Err(Undecided::Auth));
    assert_eq!(is(4), Ok("bounces".to_owned()));
    assert_eq!(is(5), Err(Undecided::User));
    assert_eq!(is(6), Ok("cron".to_owned()));
}

#[test]
fn a_rule_on_routes_leaves_deliveries_open_and_arrivals_not() {
    let before = with(&[], true, LocalParts::Keep);
    let after = with(&[("lists", FactKey::Router, "mailman*")], false, LocalParts::Keep);
    let (_, arrival, _) = judged(&before, &after, 0, RowEvidence::Arrival);
    assert_eq!(arrival, Judgement::Is(UNATTRIBUTED.to_owned()));
    let (_, delivery, _) = judged(&before, &after, 0, RowEvidence::Delivery);
    assert!(
        matches!(
            delivery,
            Judgement::Unknown {
                lacks: Undecided::Route,
                ..
            }
        ),
        "{delivery:?}"
    );
}

#[test]
fn what_an_applications_log_names_itself_stays() {
    let row = |service| StoredFacts {
        told: RowEvidence::Application,
        service,
        client: "web1",
        client_ip: "",
        sender_local: "",
        origin: "",
        sender_domain: "",
        host: "web1",
    };
    let named = ["shop".to_owned()];
    let beside = Beside {
        is_derived: &|name| name == "channel" || name == "web",
        of_logs: &named,
    };
    for derive in [true, false] {
        let with = with(&[("all", FactKey::Host, "web*")], derive, LocalParts::Hash);
        let is = |service| judge(&with, &row(service), &beside);
        // The source names it; somebody said so when the log was read; a rule does.
        assert_eq!(is("shop"), Judgement::Is("shop".to_owned()));
        assert!(
            matches!(
                is("said"),
                Judgement::Unknown {
                    lacks: Undecided::Application,
                    ..
                }
            ) && is("said").may_be("said")
        );
        for service in ["channel", "all", UNATTRIBUTED] {
            assert_eq!(is(service), Judgement::Is("all".to_owned()));
        }
    }
    // Without a rule for it a channel names its mail, whatever the rules.
    let none = with(&[("none", FactKey::Host, "db*")], false, LocalParts::Hash);
    assert!(judge(&none, &row("channel"), &beside).may_be("channel"));
}

#[test]
fn rows_from_the_outside_stay_the_worlds_and_older_ones_may_be() {
    let with = with(&[("web", FactKey::Client, "web*")], true, LocalParts::Keep);
    let judged = |origin, client_ip, service| {
        let row = StoredFacts {
            told: RowEvidence::Arrival,
            service,
            client: "web1.example.net",
            client_ip,
            sender_local: "news",
            sender_domain: "example.net",
            origin,
            host: "mx1",
        };
        let beside = Beside {
            is_derived: &|name| name == "example",
            of_logs: &[],
        };
        judge(&with, &row, &beside)
    };
    let is = |name: &str| Judgement::Is(name.to_owned());
    assert_eq!(judged("outside", "8.8.8.8", INBOUND), is(INBOUND));
    assert_eq!(judged("outside", "192.0.2.7", INBOUND), is(INBOUND), "never changed");
    assert_eq!(
        judged("ours", "8.8.8.8", "example"),
        is("web"),
        "somebody was authenticated"
    );
    assert_eq!(judged("", "192.0.2.7", "example"), is("web"));
    let older = judged("", "8.8.8.8", "example");
    assert!(
        older.may_be("example") && older.may_be(INBOUND) && !older.may_be("web"),
        "{older:?}"
    );
}
