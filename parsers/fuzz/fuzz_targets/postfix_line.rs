//! Any bytes as a Postfix text: no panic; what comes back lies inside the text; another envelope, the same record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailpulse_parsers::postfix::{self, record::PostfixBody};

fn inside(text: &[u8], piece: &[u8]) {
    let (text, piece) = (text.as_ptr_range(), piece.as_ptr_range());
    assert!(piece.is_empty() || (text.start <= piece.start && piece.end <= text.end));
}

fn pieces<'a>(body: &PostfixBody<'a>) -> Vec<Option<&'a [u8]>> {
    match body {
        PostfixBody::Client(c) => vec![
            c.host.name,
            c.sasl_method,
            c.sasl_username,
            c.sasl_sender,
            c.orig_queue_id,
        ],
        PostfixBody::Pickup(p) => vec![Some(p.sender), p.orig_id],
        PostfixBody::Cleanup(c) => vec![Some(c.message_id)],
        PostfixBody::QueueActive(q) => vec![Some(q.sender)],
        PostfixBody::Expired(e) => vec![Some(e.sender)],
        PostfixBody::Delivery(d) => vec![
            Some(d.recipient),
            d.orig_to,
            d.relay.name,
            Some(d.text),
            d.next_queue_id,
        ],
        PostfixBody::Notification(n) => vec![Some(n.notification_id)],
        PostfixBody::Rejection(r) => vec![
            Some(r.word),
            Some(r.stage),
            r.content,
            Some(r.text),
            r.sender,
            r.recipient,
            r.protocol,
            r.helo,
            r.sasl_username,
            r.host.name,
        ],
        PostfixBody::Problem(p) => vec![Some(p.text)],
        PostfixBody::Daemon(d) => vec![Some(d.text)],
        PostfixBody::Notice(n) => vec![Some(n.text), Some(n.reason), n.host.name],
        PostfixBody::Unqueued(u) => vec![u.sender, Some(u.reason)],
        PostfixBody::Removed { .. } => vec![],
        PostfixBody::Requeued { next } => vec![Some(*next)],
    }
}

fuzz_target!(|data: &[u8]| {
    for tag in ["smtp", "smtpd", "cleanup", "local", "postscreen", "master", "policy-x"] {
        let tag = format!("postfix/{tag}");
        let parsed = postfix::parse(tag.as_bytes(), data);
        match &parsed {
            Ok(record) => {
                pieces(&record.body)
                    .into_iter()
                    .flatten()
                    .for_each(|piece| inside(data, piece));
                record.queue_id.into_iter().for_each(|id| inside(data, id));
            }
            Err(reject) => {
                assert!(reject.offset <= data.len());
                assert_eq!(reject.picture(data).lines().count(), 3);
            }
        }
        for head in ["Jun  6 18:55:01 mx1", "<22>2018-06-06T18:55:01.123456+00:00 mx1"] {
            let line = [format!("{head} {tag}[4242]: ").as_bytes(), data].concat();
            match (&parsed, postfix::parse_line(&line)) {
                (Ok(a), Ok((_, b))) => assert_eq!(*a, b),
                (Err(a), Err(b)) => {
                    assert_eq!((data.len() - a.offset, a.expected), (line.len() - b.offset, b.expected));
                }
                _ => panic!("the envelope changed the verdict"),
            }
        }
    }
    let _ = postfix::is_postfix(data);
    let _ = postfix::arrival_epoch(data);
});
