//! `mailpulse alert test`: one notice through every channel, and what became of it.

use super::output::{self, Format};
use crate::alert::state::shown_channel;
use crate::alert::{AlertChannel, Notice};
use crate::cli::next::next_command;
use crate::clock::now_ms;
use crate::config::this_host;
use crate::model::time::UtcS;
use crate::setup::Setup;
use crate::setup::alerts::channels;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `alert`.
#[derive(Debug, clap::Args)]
pub(super) struct AlertArgs {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AlertCommand {
    /// Send a test notification through every channel, and show what happened
    #[command(after_help = "Exit code 2 if a channel did not accept the notification.")]
    Test(TestArgs),
}

/// Arguments of `alert test`.
#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Send the end of the test, so that a receiver closes what the test opened
    #[arg(long)]
    end: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tries the channels out.
pub(super) fn run(setup: &Setup, args: &AlertArgs) -> Result<ExitCode> {
    let AlertCommand::Test(args) = &args.command;
    let config = setup.config()?;
    let channels = channels(setup, &config)?;
    if channels.is_empty() {
        bail!("no [[alert]] is configured: there is no channel to test");
    }
    let now = now_ms().second();
    let notice = Notice::test(&this_host(), now, args.end);
    let results: Vec<Option<String>> = std::thread::scope(|scope| {
        let send = |channel: &'_ dyn AlertChannel| failure(channel, &notice, now);
        let threads: Vec<_> = channels
            .iter()
            .map(|channel| {
                let channel: &dyn AlertChannel = channel.as_ref();
                scope.spawn(move || send(channel))
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|ended| ended.unwrap_or_else(|_| Some("the channel failed".to_owned())))
            .collect()
    });
    print(&channels, &results, args.format)?;
    if results.iter().any(Option::is_some) {
        return Ok(ExitCode::from(2));
    }
    if !args.end {
        output::talk(&format!(
            "`{}` ends the test, for receivers that keep it open",
            next_command(setup, "alert test --end")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a channel did not take it.
fn failure(channel: &dyn AlertChannel, notice: &Notice, now: UtcS) -> Option<String> {
    let results = channel.deliver(std::slice::from_ref(notice), now);
    match results.into_iter().next().flatten() {
        Some(Ok(())) => None,
        Some(Err(why)) => Some(why.why),
        None => Some("it was not tried".to_owned()),
    }
}

fn print(channels: &[Box<dyn AlertChannel>], results: &[Option<String>], format: Format) -> Result<()> {
    let names = channels.iter().map(|channel| Some(shown_channel(&channel.name())));
    let outcome = results.iter().map(|why| match why {
        None => Some("delivered".to_owned()),
        Some(_) => Some("failed".to_owned()),
    });
    let table = Table::of([
        ("channel", Values::Text(names.collect())),
        ("result", Values::Text(outcome.collect())),
        (
            "why",
            Values::Text(
                results
                    .iter()
                    .map(|why| Some(why.clone().unwrap_or_default()))
                    .collect(),
            ),
        ),
    ]);
    output::table(&table, &[], format)?;
    Ok(())
}
