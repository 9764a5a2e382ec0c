//! What must hold for any bytes and for any valid line of Postfix.

use mailpulse_parsers::postfix::record::{PostfixBody, Status};
use mailpulse_parsers::postfix::{self, arrival_epoch, is_postfix};
use mailpulse_parsers::{reply, sniff, syslog};
use proptest::prelude::*;

const HANDMADE: &str = include_str!("../corpus/postfix/handmade.log");
const HEADER: &str = "Jun  6 18:55:01 mx1 postfix/smtp[4242]: ";
const ID: &str = "4F1A23B5C7";

fn check_all(line: &[u8]) {
    if let Err(reject) = postfix::parse_line(line) {
        assert!(reject.offset <= line.len(), "{reject}");
        assert!(reject.picture(line).lines().count() == 3);
    }
    for tag in ["postfix/smtp", "postfix/cleanup", "postfix/postscreen", "x", ""] {
        if let Err(reject) = postfix::parse(tag.as_bytes(), line) {
            assert!(reject.offset <= line.len(), "{reject}");
        }
    }
    let _ = is_postfix(line);
    let _ = arrival_epoch(line);
    let _ = reply::classify(line);
    let _ = sniff::sniff(line);
}

#[test]
fn every_prefix_of_a_valid_line_is_survived() {
    for line in HANDMADE.lines() {
        // Hundreds of NUL bytes are the same place a hundred times.
        let from = line.bytes().take_while(|byte| *byte == 0).count().saturating_sub(3);
        for end in from..=line.len() {
            check_all(&line.as_bytes()[..end]);
        }
    }
}

#[test]
fn the_envelope_does_not_change_the_record() {
    for line in HANDMADE.lines() {
        let (envelope, want) = postfix::parse_line(line.as_bytes()).unwrap();
        assert_eq!(postfix::parse(envelope.tag, envelope.rest), Ok(want.clone()), "{line}");
        let (tag, rest) = (
            envelope.tag.escape_ascii(),
            String::from_utf8(envelope.rest.to_vec()).unwrap(),
        );
        for outer in [
            "Jun  6 18:55:01 mx1",
            "<22>Dec 31 23:59:59 mx1",
            "2018-06-06T18:55:01.123456+02:00 mx1",
            "\0\0\0Jan  1 00:00:00 mx1",
        ] {
            for pid in ["[1]", ""] {
                let line = format!("{outer} {tag}{pid}: {rest}");
                let (_, got) = postfix::parse_line(line.as_bytes()).unwrap_or_else(|reject| panic!("{line}: {reject}"));
                assert_eq!(got, want, "{line}");
            }
        }
    }
}

#[test]
fn a_long_queue_id_is_as_good_as_a_short_one() {
    for line in HANDMADE.lines().filter(|line| line.contains(ID)) {
        let long = line.replace(ID, "4WkVnc6sMSz9rtKh");
        let (_, short_record) = postfix::parse_line(line.as_bytes()).unwrap();
        let (_, long_record) = postfix::parse_line(long.as_bytes()).unwrap_or_else(|reject| panic!("{long}: {reject}"));
        let text = |record| format!("{record:?}");
        assert_eq!(
            short_record.queue_id.is_some(),
            long_record.queue_id.is_some(),
            "{line}"
        );
        assert_eq!(
            std::mem::discriminant(&short_record.body),
            std::mem::discriminant(&long_record.body),
            "{} {}",
            text(short_record),
            text(long_record)
        );
    }
}

#[test]
fn broken_lines_say_where_and_why() {
    let mut texts = String::new();
    for line in [
        "",
        "Jun  6 18:55:01",
        "Jun  6 18:55:01 mx1 cron[1]: x",
        "Jun  6 18:55:01 mx1 postfix/smtp[x]: y",
        "to=<a@b>, relay=none, delay=1, status=sent (ok)",
        "4f1a23b5c7: to=<a@b>, relay=none, delay=1, status=sent (ok)",
        "4F1A23B5C7: to=<a@b>, relay=none, delay=1",
        "4F1A23B5C7: to=<a@b>, relay=none, delay=1, status=teleported (ok)",
        "4F1A23B5C7: to=, relay=none, delay=1, status=sent (ok)",
        "4F1A23B5C7: from=<a@b>",
        "4F1A23B5C7: from=<a@b>, status=lost",
        "4F1A23B5C7: uid=0 sender=root",
        "client=mx[1.2.3.4]",
        "reject: RCPT from mx[1.2.3.4]: 554 no; from=<> to=<a@b>",
        "NOQUEUE: to=<a@b>, relay=none, delay=1, status=sent (ok)",
        "4F1A23B5C7: sender delay notification: ",
        "removed",
    ] {
        let whole = match line.strip_prefix("Jun") {
            Some(_) => line.to_owned(),
            None if line.is_empty() => String::new(),
            None => format!("{HEADER}{line}"),
        };
        let reject = postfix::parse_line(whole.as_bytes()).expect_err(line);
        texts.push_str(&format!("{line}\n    {reject}\n"));
    }
    insta::assert_snapshot!("postfix_rejects", texts);
}

/// Text that would be quadratic for a careless parser.
#[test]
fn hostile_text_is_read_in_linear_time() {
    let time = |unit: &str, head: &str, count: usize| {
        let line = format!("{HEADER}{ID}: {head}{}", unit.repeat(count));
        let start = std::time::Instant::now();
        for tag in ["postfix/smtp", "postfix/cleanup"] {
            let _ = postfix::parse(tag.as_bytes(), &line.as_bytes()[HEADER.len()..]);
        }
        start.elapsed()
    };
    for (head, unit) in [
        ("to=<", "> "),
        ("to=<\"", "\\\"> "),
        ("reject: header x", " from x[1"),
        ("reject: header x", " from x[1.2.3.4]"),
        ("reject: RCPT from x[1.2.3.4]: 554 ", "; from="),
        ("reject: RCPT from x[1.2.3.4]: 554; helo=<x> ", "x>"),
        ("client=x[1.2.3.4], sasl_username=", ", sasl_x"),
        ("from=<", ">, a"),
    ] {
        // A megabyte: milliseconds, or hours.
        let took = time(unit, head, 1 << 17);
        assert!(took.as_secs() < 5, "{head}{unit}…: {took:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_all(&bytes);
        for head in ["", "to=<", "from=<", "client=", "uid=", "message-id=", "reject: RCPT from ", "reject: header ", "host "] {
            for id in ["", "4F1A23B5C7: ", "NOQUEUE: ", "warning: "] {
                let mut line = format!("{HEADER}{id}{head}").into_bytes();
                line.extend_from_slice(&bytes);
                check_all(&line);
            }
        }
    }

    #[test]
    fn a_mutated_line_is_survived(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let lines: Vec<&str> = HANDMADE.lines().collect();
        let mut line = at.get(&lines).as_bytes().to_vec();
        let place = cut.index(line.len());
        line[place] = byte;
        check_all(&line);
        line.remove(place);
        check_all(&line);
    }

    #[test]
    fn a_delivery_reads_back(
        local in "[a-z]{1,8}", quoted in any::<bool>(), orig in any::<bool>(), ip in any::<std::net::IpAddr>(), port in any::<u16>(),
        delays in proptest::array::uniform4(0u64..10_000_000), text in "[ -~]{0,60}", at in 0usize..7, conn_use in proptest::option::of(2u64..99),
    ) {
        let (word, status) = [
            ("sent", Status::Sent), ("deferred", Status::Deferred), ("bounced", Status::Bounced), ("SOFTBOUNCE", Status::SoftBounce),
            ("expired", Status::Expired), ("deliverable", Status::Deliverable), ("undeliverable", Status::Undeliverable),
        ][at];
        let address = if quoted { format!("\"{local}>, relay=none, \"@example.org") } else { format!("{local}@example.org") };
        let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let orig_to = if orig { "orig_to=<\"o>, x=\"@example.org>, " } else { "" };
        let uses = conn_use.map_or(String::new(), |uses| format!("conn_use={uses}, "));
        let line = format!(
            "{HEADER}{ID}: to=<{address}>, {orig_to}relay=mx.example.org[{ip}]:{port}, {uses}delay={}, delays={}/{}/{}/{}, dsn=4.7.26, status={word} ({text})",
            seconds(delays[0]), seconds(delays[0]), seconds(delays[1]), seconds(delays[2]), seconds(delays[3]),
        );
        let PostfixBody::Delivery(got) = postfix::parse_line(line.as_bytes()).unwrap().1.body else { panic!("{line}") };
        prop_assert_eq!(got.recipient, address.as_bytes());
        prop_assert_eq!(got.orig_to.is_some(), orig);
        prop_assert_eq!((got.relay.name, got.relay.ip, got.relay.port), (Some(&b"mx.example.org"[..]), Some(ip), Some(port)));
        prop_assert_eq!((got.delay_ms, got.delays_ms), (Some(delays[0]), Some(delays)));
        prop_assert_eq!((got.status, got.conn_use, got.text), (status, conn_use, text.as_bytes()));
    }

    #[test]
    fn a_rejection_reads_back(
        sender in "[a-z]{0,8}", rcpt in "[a-z]{1,8}", quoted in any::<bool>(), ip in any::<std::net::IpAddr>(), reason in "[a-zA-Z; ]{0,40}", helo in "[!-=?-~]{1,12}",
    ) {
        let rcpt = if quoted { format!("\"{rcpt}; from=<x> \"@example.net") } else { format!("{rcpt}@example.net") };
        let line = format!("{HEADER}NOQUEUE: reject: RCPT from unknown[{ip}]: 554 5.7.1 <{rcpt}>: {reason}; from=<{sender}> to=<{rcpt}> proto=ESMTP helo=<{helo}>");
        let PostfixBody::Rejection(got) = postfix::parse_line(line.as_bytes()).unwrap().1.body else { panic!("{line}") };
        let text = format!("554 5.7.1 <{rcpt}>: {reason}");
        prop_assert_eq!(got.text, text.as_bytes());
        prop_assert_eq!((got.sender, got.recipient), (Some(sender.as_bytes()), Some(rcpt.as_bytes())));
        prop_assert_eq!((got.host.ip, got.helo, got.temporary()), (Some(ip), Some(helo.as_bytes()), false));
        prop_assert_eq!(got.enhanced(), Some(reply::Enhanced { class: 5, subject: 7, detail: 1 }));
    }
}

#[test]
fn every_tag_of_the_corpus_is_known_as_postfix() {
    for line in HANDMADE.lines() {
        let envelope = syslog::envelope(line.as_bytes()).unwrap();
        assert!(is_postfix(envelope.tag), "{line}");
        assert_eq!(sniff::sniff(line.as_bytes()), Some(sniff::Kind::Postfix), "{line}");
    }
}
