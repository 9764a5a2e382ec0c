//! Who is ours, and what stays with us, as tables.

use super::*;

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn ours(networks: &[&str], outside: &[&str], hosts: &[&str], domains: &[&str]) -> Ours {
    let input = OursInput {
        networks: texts(networks),
        outside: texts(outside),
        hosts: texts(hosts),
        domains: texts(domains),
        members: texts(&["inv1.example.net", "198.51.100.200"]),
    };
    Ours::compile(&input).unwrap()
}

fn configured() -> Ours {
    let mut ours = ours(
        &["203.0.113.0/24", "2001:db8:1::/48"],
        &["10.9.9.1", "203.0.113.64/28"],
        &["*.wmnet"],
        &["example.org", "*.example.org"],
    );
    ours.add_host("mx1");
    ours.add_host("db1.example.com");
    ours.set_machine(ThisMachine {
        host: "mx1".to_owned(),
        addresses: vec!["192.0.2.9".parse().unwrap()],
    });
    ours
}

fn origin(ours: &Ours, (name, ip): (&str, &str), is_authenticated: bool, host: &str) -> MailOrigin {
    ours.origin(&HandedIn {
        client_name: Some(name.as_bytes()).filter(|name| !name.is_empty()),
        client_ip: ip.parse().ok(),
        is_authenticated,
        host,
    })
}

#[test]
fn who_hands_in_tells_whose_mail_it_is() {
    let ours = configured();
    for (name, ip, is_ours) in [
        // Nobody: handed in by a command.
        ("", "", true),
        // By default.
        ("", "127.0.0.1", true),
        ("", "::1", true),
        ("", "::ffff:127.0.0.1", true),
        ("web1", "10.0.0.7", true),
        ("", "172.31.0.1", true),
        ("", "192.168.3.4", true),
        ("", "100.100.0.1", true),
        ("", "fd00::7", true),
        ("", "fe80::1", true),
        // By the configuration.
        ("", "203.0.113.9", true),
        ("", "2001:db8:1::25", true),
        ("an-coord1001.eqiad.wmnet", "198.51.100.1", true),
        ("inv1.example.net", "198.51.100.2", true),
        ("", "198.51.100.200", true),
        // Exceptions go before networks and names.
        ("", "10.9.9.1", false),
        ("lb1.wmnet", "10.9.9.1", false),
        ("", "203.0.113.70", false),
        // Hosts of logs; a name without a domain is in a domain that is known.
        ("mx1", "198.51.100.3", true),
        ("mx1.example.org", "198.51.100.3", true),
        ("mx1.site.example.org", "198.51.100.3", true),
        ("mx1.example.com", "198.51.100.3", true),
        ("mx1.evil.example", "198.51.100.3", false),
        ("db1.example.com", "198.51.100.3", true),
        ("db1.evil.example", "198.51.100.3", false),
        // The world.
        ("mail.evil.example", "198.51.100.3", false),
        ("", "198.51.100.3", false),
        ("", "8.8.8.8", false),
    ] {
        let expected = if is_ours { MailOrigin::Ours } else { MailOrigin::Outside };
        assert_eq!(origin(&ours, (name, ip), false, "mx1"), expected, "{name} {ip}");
        assert_eq!(origin(&ours, (name, ip), true, "mx1"), MailOrigin::Ours, "{name} {ip}");
    }
    // This machine's addresses are ours in its own logs alone.
    assert_eq!(origin(&ours, ("", "192.0.2.9"), false, "mx1"), MailOrigin::Ours);
    assert_eq!(origin(&ours, ("", "192.0.2.9"), false, "mx2"), MailOrigin::Outside);
}

#[test]
fn a_host_of_logs_without_any_known_domain_is_known_by_its_first_label() {
    let mut ours = Ours::compile(&OursInput::default()).unwrap();
    ours.add_host("mx1");
    assert_eq!(
        origin(&ours, ("mx1.example.org", "8.8.8.8"), false, "mx2"),
        MailOrigin::Ours
    );
    assert_eq!(
        origin(&ours, ("mx3.example.org", "8.8.8.8"), false, "mx2"),
        MailOrigin::Outside
    );
    assert!(ours.digest().is_none() && configured().digest().is_some());
}

#[test]
fn the_next_hop_tells_what_stays() {
    let (with, without) = (configured(), ours(&["203.0.113.0/24"], &[], &[], &[]));
    let away = "mx.example.net";
    for (destination, name, ip, is_lmtp, domain, expected) in [
        (Some(Destination::Local), "", "", false, "gmail.com", [Reach::Inside; 2]),
        (Some(Destination::Pipe), "", "", false, "gmail.com", [Reach::Inside; 2]),
        (
            Some(Destination::Relay),
            "mx1",
            "8.8.8.8",
            false,
            "gmail.com",
            [Reach::Inside; 2],
        ),
        (
            Some(Destination::Remote),
            away,
            "8.8.8.8",
            false,
            "gmail.com",
            [Reach::Away; 2],
        ),
        (
            Some(Destination::Remote),
            away,
            "8.8.8.8",
            false,
            "example.org",
            [Reach::Away; 2],
        ),
        (
            Some(Destination::Remote),
            away,
            "",
            false,
            "example.org",
            [Reach::Away; 2],
        ),
        // A filter, a mailbox server.
        (
            Some(Destination::Remote),
            "127.0.0.1",
            "127.0.0.1",
            false,
            "gmail.com",
            [Reach::Inside; 2],
        ),
        (
            Some(Destination::Remote),
            "",
            "::1",
            false,
            "gmail.com",
            [Reach::Inside; 2],
        ),
        (
            Some(Destination::Remote),
            "imap",
            "8.8.8.8",
            true,
            "gmail.com",
            [Reach::Inside; 2],
        ),
        // Hosts of ours whose logs are not read.
        (
            Some(Destination::Remote),
            "smart",
            "10.0.0.5",
            false,
            "gmail.com",
            [Reach::Beyond, Reach::Onward],
        ),
        (
            Some(Destination::Remote),
            "smart",
            "10.0.0.5",
            false,
            "Lists.Example.ORG",
            [Reach::Inside, Reach::Onward],
        ),
        (
            Some(Destination::Remote),
            "",
            "203.0.113.7",
            false,
            "example.org",
            [Reach::Inside, Reach::Onward],
        ),
        // No hop at all.
        (
            Some(Destination::Remote),
            "",
            "",
            false,
            "gmail.com",
            [Reach::Beyond, Reach::Onward],
        ),
        (None, "", "", false, "example.org", [Reach::Inside, Reach::Onward]),
        (None, "", "", false, "", [Reach::Onward; 2]),
        (
            Some(Destination::Discard),
            "",
            "",
            false,
            "gmail.com",
            [Reach::Beyond, Reach::Onward],
        ),
    ] {
        let reach = |ours: &Ours| {
            ours.reach(&DeliveryHop {
                destination,
                name: name.as_bytes(),
                ip: ip.parse().ok(),
                is_lmtp,
                domain: domain.as_bytes(),
                host: "mx9",
            })
        };
        assert_eq!(
            [reach(&with), reach(&without)],
            expected,
            "{destination:?} {name} {ip} {domain}"
        );
    }
}

#[test]
fn networks_that_leave_nothing_outside_are_everything() {
    let nets = |all: &[&str]| is_everything(all.iter().map(|net| net.parse::<IpNet>().unwrap()));
    assert!(nets(&["0.0.0.0/0"]) && nets(&["::/0"]) && nets(&["0.0.0.0/1", "128.0.0.0/1"]));
    assert!(!nets(&["0.0.0.0/1", "10.0.0.0/8", "::/1"]) && !nets(&[]));
}
