//! Any bytes as a main-log line: no panic; what comes back lies inside the line; another header, the same body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailpulse_parsers::exim::{self, record::EximBody};

fn inside(line: &[u8], piece: &[u8]) {
    let (line, piece) = (line.as_ptr_range(), piece.as_ptr_range());
    assert!(piece.is_empty() || (line.start <= piece.start && piece.end <= line.end));
}

fuzz_target!(|body: &[u8]| {
    if let Err(reject) = exim::parse(body) {
        assert!(reject.offset <= body.len());
        assert_eq!(reject.picture(body).lines().count(), 3);
    }
    let with = |header: &str| [header.as_bytes(), body].concat();
    let plain = with("2018-06-06 18:55:01 1fQdLN-0001Ab-Cd ");
    let full = with("2018-06-06 18:55:01.123 +0200 [42] 1rTQGH-00000005x3P-2b9N ");
    let (plain_record, full_record) = (exim::parse(&plain), exim::parse(&full));
    match (&plain_record, &full_record) {
        (Ok(a), Ok(b)) => assert_eq!(a.body, b.body),
        (Err(a), Err(b)) => assert_eq!(
            (plain.len() - a.offset, a.expected),
            (full.len() - b.offset, b.expected)
        ),
        _ => panic!("the header changed the verdict"),
    }
    match plain_record.map(|record| record.body) {
        Ok(EximBody::Arrival(a)) => {
            let kept = [
                a.host.name,
                a.host.helo,
                a.user,
                a.protocol,
                a.message_id,
                a.subject,
                a.recipients,
            ];
            kept.into_iter()
                .flatten()
                .chain([a.sender])
                .for_each(|piece| inside(&plain, piece));
        }
        Ok(EximBody::Delivery(d)) => {
            let kept = [
                d.original,
                d.router,
                d.transport,
                d.confirmation,
                d.text,
                d.host.name,
                d.host.helo,
            ];
            kept.into_iter()
                .flatten()
                .chain([d.address])
                .for_each(|piece| inside(&plain, piece));
        }
        Ok(EximBody::Notice(n)) => {
            [n.sender, n.recipient]
                .into_iter()
                .flatten()
                .chain([n.text, n.reason])
                .for_each(|p| inside(&plain, p));
        }
        _ => {}
    }
});
