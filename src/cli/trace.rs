//! `mailpulse trace`: one mail's story over all hosts and hops.

use super::output::{self, Format};
use crate::analysis::trace::{Trace, TraceEvent, TraceQuestion, TracedMail, mail_json, trace};
use crate::cli::window::{EVERYTHING, WindowArgs};
use crate::config::Config;
use crate::model::human;
use crate::model::time::rfc3339;
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow, bail};
use std::process::ExitCode;

/// Arguments of `trace`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A queue ID is found on every host; a Message-ID at every hop; an address as sender or recipient.\n\
                  Addresses are looked up by the store's pseudonyms, so that the key file must be readable."
)]
pub(super) struct TraceArgs {
    /// Queue ID, Message-ID, or address
    #[arg(value_name = "QUEUE_ID|MESSAGE_ID|ADDRESS")]
    what: String,
    #[command(flatten)]
    window: WindowArgs<EVERYTHING>,
    /// Show at most this many mails, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Looks up and tells; what is unknown is an error that says what was searched.
pub(super) fn run(setup: &Setup, args: &TraceArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let redactor = setup.redactor(&config)?;
    let question = TraceQuestion::of(&args.what, redactor.as_ref()).map_err(|why| anyhow!(why))?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let window = args.window.resolve(store)?;
    let found = trace(store, &question, window, usize::from(args.limit))?;
    if found.mails.is_empty() {
        bail!("{}", unknown(&args.what, &question, &found, &config));
    }
    match args.format {
        Format::Json => output::json(&found.mails.iter().map(mail_json).collect())?,
        Format::Csv => output::table(&table(&found.mails, true), &TIMES, Format::Csv)?,
        Format::Table => {
            for (number, mail) in found.mails.iter().enumerate() {
                let space = if number == 0 { "" } else { "\n" };
                output::line(&format!("{space}{}", headline(mail)))?;
                output::table(&table(std::slice::from_ref(mail), false), &TIMES, Format::Table)?;
                mail.next
                    .iter()
                    .try_for_each(|line| output::line(&format!("next: {line}")))?;
            }
        }
    }
    if found.is_cut {
        output::talk("there are older ones: --until, or a larger --limit, shows them");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was searched in vain, and why that may be.
fn unknown(what: &str, question: &TraceQuestion, found: &Trace, config: &Config) -> String {
    let what = what.escape_debug();
    let Some((since_ms, until_ms)) = found.searched else {
        return format!("`{what}` is unknown: the store has no events in this time");
    };
    let mut words = format!(
        "`{what}` is unknown: searched as {} in all events from {} to {}",
        question.words(),
        rfc3339(since_ms),
        rfc3339(until_ms)
    );
    if question.message_key.is_some() && question.address.is_none() {
        words.push_str(&match config.key_path().exists() {
            false if config.privacy.local_parts == crate::normalise::redact::LocalParts::Hash => format!(
                "; as an address it cannot be looked up without the key {}",
                config.key_path().display()
            ),
            _ => "; as an address it cannot be looked up: [privacy] local_parts = \"drop\" stores none".to_owned(),
        });
    }
    words
}

fn headline(mail: &TracedMail) -> String {
    let recipients: Vec<String> = mail
        .recipients
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let recipients = match recipients.is_empty() {
        true => String::new(),
        false => format!(" (recipients: {})", recipients.join(", ")),
    };
    format!(
        "{}: {}{recipients}, {} over {}",
        mail.service,
        mail.state.replace('_', " "),
        human::duration(mail.took_ms()),
        mail.hosts().join(" > ")
    )
}

const TIMES: [&str; 1] = ["ts"];

/// A line a row; with all mails in one table, each has a number.
fn table(mails: &[TracedMail], is_numbered: bool) -> Table {
    let rows = || {
        (1..)
            .zip(mails)
            .flat_map(|(mail, one)| one.events.iter().map(move |event| (mail, event)))
    };
    let text = |cell: fn(&TraceEvent) -> String| Values::Text(rows().map(|(_, event)| Some(cell(event))).collect());
    let mut columns = vec![
        (
            "ts",
            Values::Int(rows().map(|(_, event)| Some(event.ts_ms.get())).collect()),
        ),
        ("host", text(|event| event.host.clone())),
        ("queue_id", text(|event| event.queue_id.clone())),
        ("kind", text(|event| event.kind.clone())),
        ("from_or_to", text(party)),
        ("next_hop", text(TraceEvent::next_hop)),
        ("reply", text(reply)),
        (
            "queue_ms",
            Values::Int(rows().map(|(_, event)| event.queue_ms).collect()),
        ),
    ];
    if is_numbered {
        columns.insert(0, ("mail", Values::Int(rows().map(|(mail, _)| Some(mail)).collect())));
    }
    Table::of(columns)
}

/// The recipient; of what is about none, the sender.
fn party(event: &TraceEvent) -> String {
    match event.recipient.is_empty() && event.kind != "completed" {
        true if event.sender.is_empty() && event.kind == "accepted" => "<>".to_owned(),
        true => event.sender.clone(),
        false => event.recipient.clone(),
    }
}

fn reply(event: &TraceEvent) -> String {
    let codes = event.reply_codes();
    match event.reply.as_str() {
        "" => codes,
        words => format!("{codes}: {words}"),
    }
}
