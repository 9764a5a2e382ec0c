//! What must hold for any bytes and for any valid line.

use mailpulse_parsers::exim::record::{EximBody, Flag};
use mailpulse_parsers::{exim, reply, sniff, syslog};
use proptest::prelude::*;

const HANDMADE: &str = include_str!("../corpus/exim/handmade.log");

/// Body texts of the corpus, without their headers: what stands after the message ID.
fn bodies() -> Vec<&'static str> {
    HANDMADE
        .lines()
        .filter_map(|line| line.split_once("1fQdLN-0001Ab-Cd ").map(|(_, body)| body))
        .collect()
}

fn check_all(line: &[u8]) {
    let parsed = exim::parse(line);
    if let Err(reject) = &parsed {
        assert!(reject.offset <= line.len(), "{reject}");
        assert!(reject.picture(line).lines().count() == 3);
    }
    if let Ok(envelope) = syslog::envelope(line) {
        let _ = exim::parse_in_syslog(&envelope);
        let _ = syslog::split_marker(envelope.rest);
        let _ = syslog::Reassembler::default().push(&envelope, ());
    }
    let _ = reply::classify(line);
    let _ = sniff::sniff(line);
    let _ = exim::is_continuation(line);
}

#[test]
fn every_prefix_of_a_valid_line_is_survived() {
    for line in HANDMADE.lines() {
        for end in 0..=line.len() {
            check_all(&line.as_bytes()[..end]);
        }
    }
}

#[test]
fn the_header_does_not_change_the_body() {
    for body in bodies() {
        let plain = format!("2018-06-06 18:55:01 1fQdLN-0001Ab-Cd {body}");
        let want = exim::parse(plain.as_bytes()).unwrap();
        for header in [
            "2018-06-06 18:55:01.123",
            "2018-06-06 18:55:01 +0200",
            "2018-06-06 18:55:01 [4242]",
            "2018-06-06 18:55:01.123 +0200 [4242]",
        ] {
            let line = format!("{header} 1fQdLN-0001Ab-Cd {body}");
            let got = exim::parse(line.as_bytes()).unwrap();
            assert_eq!((got.body, got.id), (want.body.clone(), want.id), "{line}");
        }
        for inner in ["2018-06-06 18:55:01 ", "2018-06-06 18:55:01.123 +0200 [4242] ", ""] {
            for outer in ["Jun  6 18:55:01", "<22>2018-06-06T18:55:01.123456+00:00"] {
                let line = format!("{outer} mx1 exim[4242]: {inner}1fQdLN-0001Ab-Cd {body}");
                let got = exim::parse_in_syslog(&syslog::envelope(line.as_bytes()).unwrap()).unwrap();
                assert_eq!(
                    (got.body, got.id, got.pid),
                    (want.body.clone(), want.id, Some(4242)),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn broken_lines_say_where_and_why() {
    let mut texts = String::new();
    for line in [
        "",
        "2018-06-06",
        "2018-06-31 18:55:01 x",
        "2018-06-06 18:55:01",
        "Jun  6 18:55:01 mx1 x",
        "2018-06-06 18:55:01 => a@b R=r T=t",
        "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd-99 <= a@b P=local",
        "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd <=",
        "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd => ",
        "2018-06-06 18:55:01 Completed",
        "2018-06-06 18:55:01 +0x00 1fQdLN-0001Ab-Cd <= a@b P=local",
    ] {
        let reject = exim::parse(line.as_bytes()).expect_err(line);
        texts.push_str(&format!("{line}\n    {reject}\n"));
    }
    insta::assert_snapshot!("rejects", texts);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_all(&bytes);
        for flag in ["<=", "=>", "**", "==", "H=", "[1/2]"] {
            let mut line = format!("2018-06-06 18:55:01 1fQdLN-0001Ab-Cd {flag} ").into_bytes();
            line.extend_from_slice(&bytes);
            check_all(&line);
        }
    }

    #[test]
    fn a_mutated_line_is_survived(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let lines: Vec<&str> = HANDMADE.lines().collect();
        let mut line = at.get(&lines).as_bytes().to_vec();
        if !line.is_empty() {
            let place = cut.index(line.len());
            line[place] = byte;
            check_all(&line);
            line.remove(place);
            check_all(&line);
        }
    }

    #[test]
    fn an_arrival_reads_back(
        sender in "[a-z]{1,8}@[a-z]{1,8}\\.org", helo in "[!-'*-Z^-~]{1,12}", ip in any::<std::net::IpAddr>(), port in any::<u16>(),
        size in any::<u64>(), subject in "[ !#-\\[\\]-~]{0,30}", order in any::<bool>(),
    ) {
        let (a, b) = (format!("H=({helo}) [{ip}]:{port} P=esmtp"), format!("S={size} T=\"{subject}\""));
        let fields = if order { format!("{a} {b}") } else { format!("{b} {a}") };
        let line = format!("2018-06-06 18:55:01 1fQdLN-0001Ab-Cd <= {sender} {fields} for x@y z@y");
        let EximBody::Arrival(got) = exim::parse(line.as_bytes()).unwrap().body else { panic!("{line}") };
        prop_assert_eq!(got.sender, sender.as_bytes());
        prop_assert_eq!(got.host.helo, Some(helo.as_bytes()));
        prop_assert_eq!((got.host.ip, got.host.port, got.size), (Some(ip), Some(port), Some(size)));
        prop_assert_eq!(got.subject, Some(subject.as_bytes()));
        prop_assert_eq!(got.recipients, Some(&b"x@y z@y"[..]));
    }

    #[test]
    fn a_delivery_reads_back(
        local in "[a-z]{1,8}", quoted in any::<bool>(), parents in any::<bool>(), original in any::<bool>(),
        ip in any::<std::net::IpAddr>(), reply in "[ -!#-\\[\\]-~]{0,40}", ms in 0u64..60_000, deferred in any::<bool>(), errno in -60i32..200,
    ) {
        let address = if quoted { format!("\"{local} > x\"@example.org") } else { format!("{local}@example.org") };
        let parents = if parents { " (p@x, \"q r\"@x)" } else { "" };
        let original_part = if original || !parents.is_empty() { " <\"o > o\"@x>" } else { "" };
        let head = "2018-06-06 18:55:01 1fQdLN-0001Ab-Cd";
        let line = if deferred {
            format!("{head} == {address}{parents}{original_part} R=r T=t defer ({errno}) H=mx [{ip}]:25: text {reply}")
        } else {
            format!("{head} =>  {address}{parents}{original_part} R=r T=t H=mx [{ip}]:25* C=\"{reply}\" DT={}.{:03}s", ms / 1000, ms % 1000)
        };
        let EximBody::Delivery(got) = exim::parse(line.as_bytes()).unwrap().body else { panic!("{line}") };
        prop_assert_eq!(got.address, address.as_bytes());
        prop_assert_eq!(got.original.is_some(), !original_part.is_empty());
        prop_assert_eq!((got.router, got.transport, got.host.ip), (Some(&b"r"[..]), Some(&b"t"[..]), Some(ip)));
        if deferred {
            prop_assert_eq!((got.flag, got.errno), (Flag::Deferred, Some(errno)));
            let text = format!("text {reply}");
            prop_assert_eq!(got.text, Some(text.as_bytes()));
        } else {
            prop_assert_eq!(got.confirmation, Some(reply.as_bytes()));
            prop_assert_eq!((got.delivery_ms, got.host.continued), (Some(ms), true));
        }
    }
}

#[test]
fn what_only_begins_like_a_host_leaves_the_host_of_a_deferral_alone() {
    let line =
        b"2018-06-06 18:55:01 1fQdLN-0001Ab-Cd == a@example.org R=r T=t defer (-1) H=mx [192.0.2.1]:25 H=x [nonsense";
    let EximBody::Delivery(delivery) = exim::parse(line).unwrap().body else {
        panic!("not a delivery")
    };
    assert_eq!(delivery.host.name, Some(&b"mx"[..]));
    assert_eq!(delivery.host.ip, "192.0.2.1".parse().ok());
}
