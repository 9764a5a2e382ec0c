//! `mailpulse graph`: rates over time, to SVG, PNG or the terminal.

use super::output;
use crate::analysis::backlog::{BACKLOG, BacklogQuestion, backlog, queue_levels};
use crate::analysis::expected;
use crate::analysis::expected::Picture;
use crate::analysis::planned_work::graph_marks;
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::graph::terminal::Screen;
use crate::graph::{self, GraphKind, Style, Theme};
use crate::model::direction::DirectionView;
use crate::model::event::Kind;
use crate::model::time::{HOUR_MS, MINUTE_MS, UtcMs, parse_duration_ms};
use crate::query::Window;
use crate::query::history::MailHistory;
pub(super) use crate::query::rates::bucket_ms;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{GraphMark, SeriesSet};
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept, options};
use crate::setup::known_names;
use crate::setup::planned::planned;
use anyhow::{Context as _, Result, anyhow, bail};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `graph`.
#[derive(Debug, clap::Args)]
pub(super) struct GraphArgs {
    /// What a series stands for
    #[arg(long, value_enum, default_value = "service")]
    by: ByArg,
    /// Draw only these series, separated by commas, including those that sent nothing
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Draw only this service's mail; with --by kind: submitted, accepted, delivered
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Kind of event to count: accepted, delivered, deferred, bounced, … [default: accepted; all with --by kind]
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// What to count; backlog: the messages in the queues at the end of each bucket, by service or relay
    #[arg(long, value_parser = ["messages", "recipients", "attempts", "bytes", BACKLOG], default_value = "messages")]
    measure: String,
    #[command(flatten)]
    direction: DirectionArgs,
    #[command(flatten)]
    window: WindowArgs,
    /// Length of a bucket: 1m, 5m, 1h [default: depends on the width]
    #[arg(long, value_name = "DURATION")]
    bucket: Option<String>,
    /// File to write, .svg or .png [default: draw in the terminal]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Form of a graph in a file; kinds are not stacked, because they are not parts of a sum
    #[arg(long, value_enum, default_value = "multiples")]
    shape: ShapeArg,
    /// Color theme
    #[arg(long, value_enum, default_value = "light")]
    theme: ThemeArg,
    /// Omit the expected range and the alarms, which require a replay of the detection
    #[arg(long)]
    plain: bool,
    /// Width in pixels, 320 to 4000
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u32).range(320..=4000))]
    width: u32,
    /// Height in pixels, 200 to 4000; more if multiples would otherwise become illegible
    #[arg(long, default_value_t = 720, value_parser = clap::value_parser!(u32).range(200..=4000))]
    height: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ByArg {
    Service,
    Hostgroup,
    Relay,
    Kind,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ShapeArg {
    Stacked,
    Multiples,
    Lines,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ThemeArg {
    Light,
    Dark,
}

/// Draws.
pub(super) fn run(setup: &Setup, args: &GraphArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let window = args.window.resolve(store)?;
    let question = question(args, window)?;
    known_names::check(store, &config, question.by, "--only", &question.only)?;
    known_names::check(store, &config, By::Service, "--service", args.service.as_slice())?;
    let mut set = match question.measure {
        BACKLOG => backlog_of(store, &question)?,
        _ => store.rates(&question)?,
    };
    if set.series.iter().all(|series| series.volume() <= 0.0) {
        output::talk("no mail in this window; `mailpulse status` shows what has been read");
    }
    let mut marks = if args.plain {
        Vec::new()
    } else {
        let picture = Picture {
            question: &question,
            set: &mut set,
        };
        expected::draw(
            store,
            &kept(&config),
            options(&config, &Overrides::default()),
            picture,
            now_ms(),
        )?
    };
    let drawn: Vec<&str> = set.series.iter().map(|series| series.name.as_str()).collect();
    marks.extend(graph_marks(&planned(&config)?, &question, &drawn));
    for series in &mut set.series {
        if series.name.is_empty() {
            series.name = format!("(no {})", question.by.column());
        }
    }
    match &args.out {
        Some(path) => write(path, &set, &marks, &style(args, question.by))?,
        None => terminal(&set, &marks)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in the queues over the time of a question: counted at its end, and from there by rates.
fn backlog_of(store: &dyn MailHistory, question: &RateQuestion) -> Result<SeriesSet> {
    let at_ms = question.window.until_ms - 1;
    let counted = backlog(store, BacklogQuestion::at(at_ms))?;
    Ok(queue_levels(store, &counted.levels, question)?)
}

/// What a backlog is told apart by, and that it is of all mail.
fn refuse_options_of_rates(args: &GraphArgs) -> Result<()> {
    if !matches!(args.by, ByArg::Service | ByArg::Relay) {
        bail!("--measure backlog: the queues are known by service and by relay; use --by service or --by relay");
    }
    if args.kind.is_some() || args.service.is_some() || args.direction.view != DirectionView::Outbound {
        bail!("--measure backlog shows all mail in the queues; leave out --kind, --service, and --direction");
    }
    Ok(())
}

fn question(args: &GraphArgs, window: Window) -> Result<RateQuestion> {
    if args.measure == BACKLOG {
        refuse_options_of_rates(args)?;
    }
    let by = match args.by {
        ByArg::Service => By::Service,
        ByArg::Hostgroup => By::Hostgroup,
        ByArg::Relay => By::Relay,
        ByArg::Kind => By::Kind,
    };
    let kind = match (&args.kind, by) {
        (Some(kind), _) => {
            let kind = Kind::named(kind).map_err(|why| anyhow!("--kind: {why}"))?;
            Some(kind.as_str().to_owned())
        }
        (None, By::Kind) => None,
        (None, _) => Some("accepted".to_owned()),
    };
    let step_ms = match &args.bucket {
        Some(text) => parse_duration_ms(text).map_err(|why| anyhow!("--bucket: {why}"))?,
        None => bucket_ms(window),
    };
    if step_ms < MINUTE_MS || step_ms % MINUTE_MS != 0 {
        bail!("--bucket: rates are kept per minute; write a whole number of minutes");
    }
    let measure = match args.measure.as_str() {
        "recipients" => "recipients",
        "attempts" => "attempts",
        "bytes" => "bytes",
        BACKLOG => BACKLOG,
        _ => "messages",
    };
    let question = RateQuestion {
        window,
        step_ms,
        origin_ms: UtcMs::EPOCH,
        by,
        kind,
        destination: None,
        direction: args.direction.view,
        service: args.service.clone(),
        only: args.only.clone(),
        measure,
    };
    // A part of a long bucket looks like a drop.
    Ok(match measure != BACKLOG && step_ms >= HOUR_MS {
        true => question.from_whole_bucket(),
        false => question,
    })
}

fn style(args: &GraphArgs, by: By) -> Style {
    let kind = match args.shape {
        // One mail is accepted, delivered and completed: three kinds, and no sum of anything.
        ShapeArg::Stacked if matches!(by, By::Kind) => {
            output::talk("--shape stacked adds values up, but one mail has events of several kinds: lines are drawn");
            GraphKind::Lines
        }
        ShapeArg::Stacked => {
            if matches!(by, By::Relay) {
                output::talk("a mail that passes two relays counts at both, and twice in their sum");
            }
            GraphKind::Stacked
        }
        ShapeArg::Multiples => GraphKind::Multiples,
        ShapeArg::Lines => GraphKind::Lines,
    };
    Style {
        theme: match args.theme {
            ThemeArg::Light => Theme::Light,
            ThemeArg::Dark => Theme::Dark,
        },
        kind,
        width: args.width,
        height: args.height,
        ..Style::default()
    }
}

/// Writes a picture in the form that the file's name asks for.
pub(super) fn write(path: &Path, set: &SeriesSet, marks: &[GraphMark], style: &Style) -> Result<()> {
    let bytes = match path.extension().and_then(|end| end.to_str()) {
        Some("svg") => graph::svg::render(set, marks, style).into_bytes(),
        Some("png") => graph::png::render(set, marks, style)?,
        _ => bail!("--out {}: the name must end in .svg or .png", path.display()),
    };
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Draws in the terminal, or in ASCII 100 columns wide when stdout is none.
pub(super) fn terminal(set: &SeriesSet, marks: &[GraphMark]) -> Result<()> {
    let is_terminal = std::io::stdout().is_terminal();
    let color = is_terminal && std::env::var_os("NO_COLOR").is_none();
    let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let unicode = utf8.is_some_and(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    let columns = if is_terminal { columns() } else { 100 };
    let text = graph::terminal::render(
        set,
        marks,
        Screen {
            width_cols: columns,
            height_rows: 0,
            color,
            unicode,
        },
    );
    output::verbatim(text.trim_end_matches('\n'))?;
    Ok(())
}

/// Width of the terminal.
fn columns() -> usize {
    usize::from(console::Term::stdout().size().1)
}
