//! `mailpulse parse`: what a line says, or where and why it does not parse; with `--explain`, who gets it.

use super::context::Context;
use crate::normalise::attribution::Attribution;
use crate::normalise::redact::text;
use crate::normalise::rules::{Facts, derive};
use crate::query::time::rfc3339;
use crate::source::{Chunks, Content, Limits, Pool};
use anyhow::{Context as _, Result, bail};
use mailpulse_parsers::exim::{
    self,
    record::{Arrival, Body, Delivery, Host, Notice, NoticeKind, Record},
};
use mailpulse_parsers::{reply, syslog};
use serde_json::{Map, Value, json};
use std::io::{BufRead as _, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `parse`.
#[derive(Debug, clap::Args)]
pub struct ParseArgs {
    /// Log or archive; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Kind of log
    #[arg(long, default_value = "exim", value_parser = ["exim"])]
    source: String,
    /// Show which service rules and hostgroups match; for people, a caret under what did not parse
    #[arg(long)]
    explain: bool,
}

/// A longer line of standard input is cut, as it is in files.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Parses.
pub fn run(context: &Context, args: &ParseArgs) -> Result<ExitCode> {
    let attribution = match args.explain {
        true => {
            let config = context.config()?;
            let folder = std::env::temp_dir();
            // Nothing is stored, so no key is needed.
            let keep = crate::config::Config {
                privacy: crate::config::Privacy {
                    local_parts: crate::normalise::redact::LocalParts::Keep,
                    ..config.privacy
                },
                ..config
            };
            Some(context.attribution(keep, &folder)?)
        }
        false => None,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut number = 0u64;
    let mut each = |line: &[u8]| -> Result<()> {
        number += 1;
        let object = object(number, line, attribution.as_ref());
        writeln!(out, "{object}")?;
        Ok(())
    };
    if args.file == Path::new("-") {
        stdin(&mut each)?;
    } else {
        file(&args.file, &mut each)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn stdin(each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    use std::io::Read as _;
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .context("standard input")?
            == 0
        {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            input.skip_until(b'\n').context("standard input")?;
        }
        each(&line)?;
    }
}

fn file(path: &Path, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let limits = Limits::default();
    let content = Content::open(path, &limits)?;
    let mut chunks = Chunks::new(content, &limits, &Pool::new(&limits, 2));
    chunks.flush_partial(true);
    while let Some(chunk) = chunks.next_chunk()? {
        for (_, line) in chunk.lines() {
            each(line)?;
        }
    }
    if chunks.content().at() == 0 {
        bail!("{}: empty", path.display());
    }
    Ok(())
}

fn object(number: u64, line: &[u8], attribution: Option<&Attribution>) -> Value {
    let mut map = Map::new();
    map.insert("line".into(), number.into());
    let envelope = syslog::envelope(line)
        .ok()
        .filter(|envelope| envelope.tag.starts_with(b"exim"));
    let parsed = match &envelope {
        Some(envelope) if exim::parse(line).is_err() => exim::parse_in_syslog(envelope),
        _ => exim::parse(line),
    };
    match parsed {
        Ok(record) => {
            map.insert(
                "status".into(),
                if is_event(&record) { "event" } else { "ignored" }.into(),
            );
            fields(&mut map, &record);
            if let Some(attribution) = attribution {
                map.insert("explain".into(), explain(&record, attribution));
            }
        }
        Err(_) if exim::is_continuation(line) => {
            map.insert("status".into(), "ignored".into());
            map.insert("why".into(), "continues the line before, or is empty".into());
        }
        Err(reject) => {
            map.insert("status".into(), "unparsed".into());
            map.insert("offset".into(), reject.offset.into());
            map.insert("expected".into(), reject.expected.into());
            map.insert("why".into(), reject.to_string().into());
            if attribution.is_some() {
                map.insert("picture".into(), reject.picture(line).into());
            }
        }
    }
    Value::Object(map)
}

fn is_event(record: &Record<'_>) -> bool {
    use NoticeKind::{Frozen, RejectedConnection, RejectedMessage, RejectedRcpt, Removed};
    match &record.body {
        Body::Notice(notice) => match notice.kind {
            RejectedRcpt | RejectedMessage | RejectedConnection => true,
            Frozen => record.id.is_some(),
            Removed => record.id.is_some() && notice.text.starts_with(b"removed"),
            _ => false,
        },
        _ => record.id.is_some(),
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), text(value).into());
    }
}

fn put_number(map: &mut Map<String, Value>, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}

fn fields(map: &mut Map<String, Value>, record: &Record<'_>) {
    let time = rfc3339(record.stamp.utc_ms());
    // Without an offset in the line, the zone is the source's: the time is civil.
    let time = if record.stamp.offset_seconds.is_some() {
        time
    } else {
        time.trim_end_matches('Z').to_owned()
    };
    map.insert("time".into(), time.into());
    put_number(map, "pid", record.pid.map(u64::from));
    put(map, "id", record.id.map(|id| id.0));
    match &record.body {
        Body::Arrival(arrival) => arrival_fields(map, arrival),
        Body::Delivery(delivery) => delivery_fields(map, delivery),
        Body::Completed { queue_ms } => {
            map.insert("what".into(), "completed".into());
            put_number(map, "queue_ms", *queue_ms);
        }
        Body::Notice(notice) => notice_fields(map, notice),
    }
}

fn host(map: &mut Map<String, Value>, host: &Host<'_>) {
    put(map, "host", host.name);
    put(map, "helo", host.helo);
    if let Some(ip) = host.ip {
        map.insert("ip".into(), ip.to_string().into());
    }
    put_number(map, "port", host.port.map(u64::from));
    if host.continued {
        map.insert("continued".into(), true.into());
    }
}

fn arrival_fields(map: &mut Map<String, Value>, arrival: &Arrival<'_>) {
    map.insert(
        "what".into(),
        if arrival.fakereject { "fakereject" } else { "arrival" }.into(),
    );
    put(map, "sender", Some(arrival.sender));
    host(map, &arrival.host);
    put(map, "user", arrival.user);
    put(map, "protocol", arrival.protocol);
    put(map, "authenticator", arrival.authenticator);
    put(map, "authenticated_id", arrival.authenticated_id);
    put(map, "bounced", arrival.bounced.map(|id| id.0));
    put(map, "message_id", arrival.message_id);
    put_number(map, "bytes", arrival.size);
    put_number(map, "receive_ms", arrival.receive_ms);
    put(map, "tls", arrival.tls);
    put(map, "subject", arrival.subject);
    put(map, "original_sender", arrival.original_sender);
    put(map, "recipients", arrival.recipients);
}

fn delivery_fields(map: &mut Map<String, Value>, delivery: &Delivery<'_>) {
    map.insert("what".into(), snake(&format!("{:?}", delivery.flag)).into());
    map.insert("target".into(), format!("{:?}", delivery.target).to_lowercase().into());
    put(map, "recipient", Some(delivery.address));
    put(map, "original_recipient", delivery.original);
    put(map, "sender", delivery.sender);
    put(map, "return_path", delivery.return_path);
    put(map, "router", delivery.router);
    put(map, "transport", delivery.transport);
    host(map, &delivery.host);
    put_number(map, "bytes", delivery.size);
    put(map, "confirmation", delivery.confirmation);
    put_number(map, "queue_ms", delivery.queue_ms);
    put_number(map, "delivery_ms", delivery.delivery_ms);
    put(map, "tls", delivery.tls);
    if let Some(errno) = delivery.errno {
        map.insert("errno".into(), errno.into());
    }
    put(map, "text", delivery.text);
    if delivery.text.is_some() || delivery.errno.is_some() {
        let reply = reply::classify_with_errno(delivery.text.unwrap_or_default(), delivery.errno);
        put_number(map, "smtp_code", reply.smtp_code.map(u64::from));
        if let Some(code) = reply.enhanced {
            map.insert(
                "enhanced_code".into(),
                format!("{}.{}.{}", code.class, code.subject, code.detail).into(),
            );
        }
        map.insert("reason".into(), reply.reason.as_str().into());
    }
}

/// `RejectedRcpt` → `rejected_rcpt`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn notice_fields(map: &mut Map<String, Value>, notice: &Notice<'_>) {
    map.insert("what".into(), snake(&format!("{:?}", notice.kind)).into());
    host(map, &notice.host);
    put(map, "sender", notice.sender);
    put(map, "recipient", notice.recipient);
    put(map, "text", Some(notice.text));
    put(map, "reason", (!notice.reason.is_empty()).then_some(notice.reason));
}

/// No rule asks for router or transport.
const FOLLOWS: &str = "carries the service of its message: see its arrival";

fn explain(record: &Record<'_>, attribution: &Attribution) -> Value {
    let (host, facts) = match &record.body {
        Body::Arrival(arrival) => (&arrival.host, arrival_facts(arrival)),
        Body::Delivery(delivery) => (
            &delivery.host,
            Facts {
                sender: delivery.sender.unwrap_or_default(),
                router: delivery.router,
                transport: delivery.transport,
                ..Facts::default()
            },
        ),
        Body::Notice(notice) => (
            &notice.host,
            Facts {
                sender: notice.sender.unwrap_or_default(),
                client_name: notice.host.name,
                client_ip: notice.host.ip,
                ..Facts::default()
            },
        ),
        Body::Completed { .. } => return json!(FOLLOWS),
    };
    let rules = &attribution.services;
    if matches!(record.body, Body::Delivery(_)) && !rules.needs_delivery() {
        return json!(FOLLOWS);
    }
    let service = rules.find(&facts).map(
        |found| json!({"service": rules.name(found.service), "rule": found.service + 1, "entry": found.entry + 1}),
    );
    let traces: Vec<Value> = rules
        .explain(&facts)
        .iter()
        .map(|entry| {
            let conditions: Vec<Value> = entry
                .conditions
                .iter()
                .map(|c| json!({"key": c.key.name(), "pattern": c.pattern, "held": c.held}))
                .collect();
            json!({"service": rules.name(entry.at.service), "entry": entry.at.entry + 1, "conditions": conditions})
        })
        .collect();
    let group = attribution
        .hostgroups
        .explain(host.name, host.ip)
        .map(|(group, why)| json!({"hostgroup": group, "why": why}));
    json!({
        "service": service,
        "derived": rules.is_empty().then(|| derive(&facts)),
        "tried": traces,
        "hostgroup": group,
    })
}

fn arrival_facts<'a>(arrival: &Arrival<'a>) -> Facts<'a> {
    Facts {
        sender: arrival.sender,
        client_name: arrival.host.name,
        client_ip: arrival.host.ip,
        user: if arrival.host == Host::default() {
            arrival.user
        } else {
            None
        },
        auth: arrival.authenticated_id,
        message_id_host: arrival
            .message_id
            .map(|id| crate::normalise::redact::split_address(id).1),
        ..Facts::default()
    }
}
