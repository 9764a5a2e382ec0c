//! Prints what a line says, as a tree; or where it cannot be read.
//!
//! `cargo run -p mailpulse-parsers --example line_tree -- LINE`, or lines on standard input.
//!
//! The line may be Exim's or Postfix's, with the envelope of syslog and the wrapper of a container's runtime around it.

use mailpulse_parsers::exim::record::{EximBody, EximRecord};
use mailpulse_parsers::harmless::safe_text;
use mailpulse_parsers::layers::{Mta, Outer, Peeled};
use mailpulse_parsers::postfix::record::{PostfixBody, PostfixRecord};
use mailpulse_parsers::wrap::{DEPTH_MAX, unwrap};
use mailpulse_parsers::{Reject, exim, postfix, reply};
use std::borrow::Cow;
use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if !given.is_empty() {
        return given.iter().try_for_each(|line| show(line.as_bytes()));
    }
    io::stdin().lock().split(b'\n').try_for_each(|line| show(&line?))
}

fn show(line: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut text = Cow::Borrowed(line);
    let mut outer = None;
    for _ in 0..DEPTH_MAX {
        let Some(inner) = unwrap(&text) else { break };
        writeln!(out, "in {}", inner.runtime.as_str())?;
        outer = inner.stamp.or(outer);
        text = Cow::Owned(inner.text.into_owned());
    }
    match tree(
        &text,
        &Outer {
            stamp: outer,
            name: None,
        },
    ) {
        Ok(rows) => rows
            .iter()
            .try_for_each(|(name, value)| writeln!(out, "{name:>14}: {value}")),
        Err(reject) => writeln!(out, "{}", reject.picture(&text)),
    }
}

type Row = (&'static str, String);

/// Whose line it is decides how it is read: a tag such as `postfix/smtp`, or the head of a main log.
fn tree(line: &[u8], outer: &Outer<'_>) -> Result<Vec<Row>, Reject> {
    let nobody_else = |_: &[u8]| false;
    if let Peeled::Own(envelope) = Mta::Postfix.peel(line, outer, &nobody_else) {
        let mut rows = vec![
            ("written by", safe_text(envelope.tag)),
            ("on host", safe_text(envelope.host)),
        ];
        rows.extend(of_postfix(&postfix::parse(envelope.tag, envelope.rest)?));
        return Ok(rows);
    }
    match Mta::Exim.peel(line, outer, &nobody_else) {
        Peeled::Own(envelope) => Ok(of_exim(&exim::parse_in_syslog(&envelope)?)),
        _ => exim::parse(line).map(|record| of_exim(&record)),
    }
}

fn of_exim(record: &EximRecord<'_>) -> Vec<Row> {
    let mut rows = vec![("time", record.stamp.to_string())];
    rows.extend(record.id.map(|id| ("message", safe_text(id.0))));
    match &record.body {
        EximBody::Arrival(arrival) => {
            rows.push(("arrived from", safe_text(arrival.sender)));
            rows.extend(arrival.host.ip.map(|ip| ("client", ip.to_string())));
            rows.extend(arrival.size.map(|bytes| ("bytes", bytes.to_string())));
        }
        EximBody::Delivery(delivery) => {
            rows.push(("attempt", format!("{:?}", delivery.flag)));
            rows.push(("recipient", safe_text(delivery.address)));
            rows.extend(delivery.host.name.map(|name| ("next hop", safe_text(name))));
            rows.extend(delivery.text.into_iter().flat_map(of_reason));
        }
        EximBody::Completed { queue_ms } => {
            let time = queue_ms.map_or("unknown".to_owned(), |ms| format!("{ms} ms"));
            rows.push(("time in queue", time));
        }
        EximBody::Notice(notice) => {
            rows.push(("notice", format!("{:?}", notice.kind)));
            rows.extend(of_reason(notice.reason));
        }
    }
    rows
}

fn of_postfix(record: &PostfixRecord<'_>) -> Vec<Row> {
    let mut rows = vec![("program", record.program.as_str().to_owned())];
    rows.extend(record.queue_id.map(|id| ("queue ID", safe_text(id))));
    match &record.body {
        PostfixBody::Delivery(delivery) => {
            rows.push(("attempt", format!("{:?}", delivery.status)));
            rows.push(("recipient", safe_text(delivery.recipient)));
            rows.extend(delivery.relay.name.map(|name| ("next hop", safe_text(name))));
            rows.extend(of_reason(delivery.text));
        }
        PostfixBody::QueueActive(active) => rows.push(("sender", safe_text(active.sender))),
        PostfixBody::Rejection(rejection) => {
            rows.push(("decision", format!("{:?}", rejection.action)));
            rows.extend(of_reason(rejection.text));
        }
        PostfixBody::Client(client) => rows.extend(client.host.ip.map(|ip| ("client", ip.to_string()))),
        PostfixBody::Notice(notice) => {
            rows.push(("notice", format!("{:?}", notice.kind)));
            rows.push(("text", safe_text(notice.text)));
        }
        PostfixBody::Removed { .. } => rows.push(("removed", "from the queue".to_owned())),
        PostfixBody::Requeued { next } => rows.push(("requeued as", safe_text(next))),
        // Pickup, cleanup, notifications, problems, the daemon itself.
        _ => {}
    }
    rows
}

fn of_reason(text: &[u8]) -> [Row; 2] {
    let class = reply::classify(text).reason.as_str().to_owned();
    [("text", safe_text(text)), ("reason", class)]
}
