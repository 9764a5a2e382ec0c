//! The command line: one file a command. Data goes to stdout, talk to stderr.

mod alarms;
mod alert;
mod allocator;
mod backfill;
mod check;
mod demo;
mod detect;
mod direction;
mod doctor;
mod forget;
mod graph;
mod html_file;
mod incident;
mod init;
mod limited;
mod lost_found;
mod manual;
mod mark;
mod next;
mod output;
mod parse;
mod progress;
mod providers;
mod query;
mod queue;
mod reclassify;
mod report;
mod retention;
mod routes;
mod run;
mod serve;
mod services;
mod silence;
mod simulate;
mod status;
mod store;
mod tail;
mod top;
mod trace;
mod watch;
mod window;
mod written_twice;

use crate::analysis::incomplete::lines;
use crate::setup::Setup;
use crate::store::segments::Incomplete;
use crate::terminal::LogOutput;
use clap::{CommandFactory as _, Parser, Subcommand};
use mailpulse_parsers::harmless::safe_lines;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format;

/// Shows which services send mail through your relays, and detects when one of them stops
#[derive(Debug, Parser)]
#[command(
    name = "mailpulse",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 success, 1 the command found something, 2 error, 3 incomplete answer.\n\
Start with: mailpulse demo"
)]
pub struct Args {
    /// Configuration file [default: /etc/mailpulse/mailpulse.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Store: a path, file:///path, or clickhouse://USER@HOST:PORT/DATABASE for reading [default: from the configuration,
    /// otherwise /var/lib/mailpulse or the user's state folder]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// Print more details on standard error; repeat for all details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate the outage of 2018-06-06, read its logs, and show the result
    Demo(demo::DemoArgs),
    /// Write a commented mailpulse.toml for this machine
    Init(init::InitArgs),
    /// Validate the configuration: all errors at once, each with file, line, and hint
    Check(check::CheckArgs),
    /// Parse log lines: one JSON object per line, with all fields, or where and why it does not parse
    Parse(parse::ParseArgs),
    /// Read logs and their archives into the store; a second run adds nothing
    Backfill(backfill::BackfillArgs),
    /// Follow the configured logs, as a daemon
    Tail(tail::TailArgs),
    /// Follow logs, send, watch, and serve pages in one process, as configured: the daemon of most hosts
    Run(run::RunArgs),
    /// Run a named query or your own SQL
    Query(query::QueryArgs),
    /// Draw mail rates over time, as SVG, PNG, or in the terminal
    Graph(graph::GraphArgs),
    /// Replay the detection over the stored history
    Detect(detect::DetectArgs),
    /// List recent alarms with their IDs, for `incident --alarm`
    Alarms(alarms::AlarmsArgs),
    /// Show the impact of an outage on each service: lost, delayed, or rerouted mail
    Incident(incident::IncidentArgs),
    /// Write what a day was like into one file: volume, alarms and their cost, providers, reasons, and what changed
    Report(report::ReportArgs),
    /// List services or hostgroups with their volume
    Services(services::ServicesArgs),
    /// Test the channels that alarms are sent to
    Alert(alert::AlertArgs),
    /// Declare planned work: alarms that are not reported for a time
    Silence(silence::SilenceArgs),
    /// Mark a deployment or another change, for graphs and incident timelines
    Mark(mark::MarkArgs),
    /// Run the detection live and send alarms, as a daemon
    Watch(watch::WatchArgs),
    /// Serve web pages, a JSON API, and metrics
    Serve(serve::ServeArgs),
    /// Follow one mail over all hosts and hops, by its queue ID, Message-ID, or an address
    Trace(trace::TraceArgs),
    /// Show what waits in the mail queues, and when it will be gone
    Queue(queue::QueueArgs),
    /// Show what providers do with our mail, against what is usual
    Providers(providers::ProvidersArgs),
    /// Show which services depend on a single relay
    Routes(routes::RoutesArgs),
    /// Show the board in the terminal, live: how the mail stands, services, relays, providers, and queues
    Top(top::TopArgs),
    /// Show alarms, sources, unparsed lines, and the size of the store
    Status(status::StatusArgs),
    /// Look for what is wrong with this installation, and say what to do first
    Doctor(doctor::DoctorArgs),
    /// Maintain the store: compact, verify, repair, export, ship
    Store(store::StoreArgs),
    /// Write simulated logs of any size
    #[command(hide = true)]
    Simulate(simulate::SimulateArgs),
    /// Print the JSON schema of the configuration
    #[command(hide = true)]
    Schema,
    /// Write the manual pages
    #[command(hide = true)]
    Manual(manual::ManualArgs),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions(manual::CompletionsArgs),
}

impl Command {
    /// Whether it works by a configuration.
    fn reads_configuration(&self) -> bool {
        use Command::{Completions, Demo, Init, Manual, Schema, Simulate};
        !matches!(
            self,
            Demo(_) | Init(_) | Simulate(_) | Schema | Manual(_) | Completions(_)
        )
    }
}

impl Args {
    /// Sends the program's own words to stderr. Whatever they quote is harmless in a terminal and in the journal.
    pub fn start_logging(&self) {
        // What a daemon does with its configuration is said always.
        let level = match self.verbose {
            0 => "mailpulse=warn,mailpulse::announce=info",
            1 => "mailpulse=info",
            _ => "mailpulse=trace",
        };
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(level))
            .with_writer(LogOutput::default)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .fmt_fields(format::debug_fn(field).delimited(" "))
            .init();
    }
}

/// Runs a command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let setup = Setup {
        config: args.config.clone(),
        store: args.store.clone(),
        incomplete: Incomplete::default(),
    };
    let begin = Instant::now();
    if args.verbose > 0 && args.command.reads_configuration() {
        setup.describe();
    }
    let code = run_command(&setup, args)?;
    tracing::info!("done in {:.2} s", begin.elapsed().as_secs_f64());
    let slow = setup.incomplete.without_rollups();
    if slow > 0 {
        output::talk(&format!(
            "{slow} segments have no roll-ups, because an older version wrote them: their minutes and events were read \
             instead, which takes longer. `mailpulse store compact` adds the roll-ups"
        ));
    }
    Ok(match lines(&setup.incomplete) {
        None => code,
        // It goes before 1: what was found in a part says nothing of the rest.
        Some(lines) => {
            lines.iter().for_each(|line| output::talk(line));
            ExitCode::from(3)
        }
    })
}

fn run_command(setup: &Setup, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Demo(command) => demo::run(setup, command),
        Command::Init(command) => init::run(setup, command),
        Command::Check(command) => check::run(setup, command),
        Command::Parse(command) => parse::run(setup, command),
        Command::Backfill(command) => backfill::run(setup, command),
        Command::Tail(command) => tail::run(setup, command),
        Command::Run(command) => {
            allocator::give_back_at_once();
            run::run(setup, command)
        }
        Command::Query(command) => query::run(setup, command),
        Command::Graph(command) => graph::run(setup, command),
        Command::Detect(command) => detect::run(setup, command),
        Command::Alarms(command) => alarms::run(setup, command),
        Command::Incident(command) => incident::run(setup, command),
        Command::Report(command) => report::run(setup, command),
        Command::Services(command) => services::run(setup, command),
        Command::Alert(command) => alert::run(setup, command),
        Command::Silence(command) => silence::run(setup, command),
        Command::Mark(command) => mark::run(setup, command),
        Command::Watch(command) => watch::run(setup, command),
        Command::Serve(command) => {
            allocator::give_back_at_once();
            serve::run(setup, command)
        }
        Command::Providers(command) => providers::run(setup, command),
        Command::Routes(command) => routes::run(setup, command),
        Command::Queue(command) => queue::run(setup, command),
        Command::Trace(command) => trace::run(setup, command),
        Command::Top(command) => top::run(setup, command),
        Command::Status(command) => status::run(setup, command),
        Command::Doctor(command) => doctor::run(setup, command),
        Command::Store(command) => store::run(setup, command),
        Command::Simulate(command) => simulate::run(command),
        Command::Schema => {
            output::verbatim(&crate::config::json_schema())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Manual(command) => manual::manual(command, &Args::command()),
        Command::Completions(command) => manual::completions(command, &Args::command()),
    }
}

/// One field of the log: `message`, or `name=value`.
fn field(out: &mut format::Writer<'_>, field: &tracing::field::Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    let value = safe_lines(&format!("{value:?}"));
    match field.name() {
        "message" => write!(out, "{value}"),
        name => write!(out, "{name}={value}"),
    }
}
