//! `mailpulse demo`: the main job on a fresh machine, on the logs of the outage of 2018-06-06.

mod night;
mod sides;

use crate::analysis::expected;
use crate::analysis::expected::Picture;
use crate::cli::{backfill, graph, output, serve};
use crate::clock::now_ms;
use crate::graph::{GraphKind, Style, Theme};
use crate::model::direction::DirectionView;
use crate::model::time::{HOUR_MS, MINUTE_MS, UtcMs, rfc3339};
use crate::query::rates::{By, RateQuestion, rates};
use crate::query::{self, Window};
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept, options};
use crate::setup::plan::{UnnamedArgs, plan};
use crate::simulate::{Outage2018, Truth, outage_2018};
use crate::store::Store;
use crate::store::columnar::{Table, Values};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Folder for logs, store, and graphs; the output of an earlier demo is replaced
    #[arg(default_value = "mailpulse-demo")]
    dir: PathBuf,
    /// Seed; another seed simulates the same outage with other mails
    #[arg(long, default_value_t = 20180606)]
    seed: u64,
    /// Serve the night as web pages when the demo is done
    #[arg(long)]
    serve: bool,
    /// With --serve, stop the clock at this time
    #[arg(long, value_name = "TIME", requires = "serve", default_value = "2018-06-06T19:05Z")]
    at: String,
    /// Nine days with little mail, for tests without optimization
    #[arg(long, hide = true)]
    small: bool,
}

/// Says that a folder is a demo's, and may be replaced.
const MARKER: &str = ".mailpulse-demo";
/// Runs.
pub(super) fn run(_setup: &Setup, args: &DemoArgs) -> Result<ExitCode> {
    prepare(&args.dir)?;
    output::line(
        "1. The logs: two relays, three weeks, and the night of 2018-06-06, when mx1001 was down for seven hours.",
    )?;
    let spec = if args.small {
        // The week before is part of the story.
        Outage2018 {
            history_days: 8,
            ..Outage2018::small(args.seed)
        }
    } else {
        Outage2018::demo(args.seed)
    };
    let truth = outage_2018(&args.dir.join("logs"), &spec).context("writing the logs")?;
    output::line(&format!(
        "   {} lines of the relays and {} of eight applications in {} files below {}",
        truth.lines,
        truth.apps.all_lines(),
        truth.files.len() + truth.apps.files.len(),
        args.dir.join("logs").display()
    ))?;
    output::line("\n2. Backfill: parse, join, attribute, store.")?;
    let setup = Setup {
        config: Some(args.dir.join("logs/mailpulse.toml")),
        store: Some(args.dir.join("store").display().to_string()),
        ..Setup::default()
    };
    let store = read(&setup)?;
    output::line(
        "\n3. Messages per hour by service, at the same hours of the week before, in the outage, and after it.",
    )?;
    compare(&store, &truth)?;
    output::line(
        "\n4. Both sides during the outage: what the services tried by their own logs, and what the relays accepted and delivered.",
    )?;
    sides::print(&store, outage(&truth), &args.dir.join("both-sides.csv"))?;
    output::line("\n5. Services that depend on a single relay. `mailpulse routes` shows them before an outage.")?;
    routes(&store, &truth)?;
    output::line("\n6. Graphs")?;
    draw(&setup, &store, &truth, &args.dir)?;
    output::line("\n7. The detection, replayed: the alarms that it would have raised, and the impact of the outage.")?;
    night::print(&setup, &store, &truth, &args.dir)?;
    next(&setup, &truth)?;
    if args.serve {
        drop(store);
        return serve::run(&setup, &serve::ServeArgs::of_a_moment(&args.at));
    }
    Ok(ExitCode::SUCCESS)
}

fn prepare(dir: &Path) -> Result<()> {
    let marker = dir.join(MARKER);
    let is_empty = std::fs::read_dir(dir)
        .map(|mut entries| entries.next().is_none())
        .unwrap_or(true);
    if !is_empty && !marker.exists() {
        bail!(
            "{}: not empty, and not the folder of an earlier demo; name another one: mailpulse demo DIR",
            dir.display()
        );
    }
    for old in ["logs", "store"] {
        match std::fs::remove_dir_all(dir.join(old)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| dir.join(old).display().to_string());
            }
            _ => {}
        }
    }
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    std::fs::write(&marker, "").with_context(|| marker.display().to_string())
}

fn read(setup: &Setup) -> Result<Store> {
    let config = setup.config()?;
    let plan = plan(&config, &[], &UnnamedArgs::default(), &setup.limits(&config).source)?;
    Ok(backfill::read(setup, config, &plan, false, false)?.0)
}

fn outage(truth: &Truth) -> Window {
    Window {
        since_ms: UtcMs::new(truth.stopped * 1000),
        until_ms: UtcMs::new(truth.restarted * 1000),
    }
}

/// Messages of one service in three windows of equal length.
#[derive(Debug, Default, Clone, Copy)]
struct Row {
    before: i64,
    outage: i64,
    after: i64,
}

fn compare(store: &Store, truth: &Truth) -> Result<()> {
    let (from, to) = (truth.stopped * 1000, truth.restarted * 1000);
    let week = 7 * 24 * HOUR_MS;
    let after_to = (truth.until * 1000).min(to + 4 * HOUR_MS);
    let windows = [(from - week, to - week), (from, to), (to, after_to)];
    // Services with a few mails a week may have none in any of the windows, and belong into the picture all the same.
    let history = Window {
        since_ms: UtcMs::new(from - 2 * week),
        until_ms: UtcMs::new(from),
    };
    let mut rows: BTreeMap<String, Row> = accepted(store, history)?
        .into_iter()
        .map(|(service, _)| (service, Row::default()))
        .collect();
    for (at, (since_ms, until_ms)) in windows.into_iter().enumerate() {
        for (service, count) in accepted(
            store,
            Window {
                since_ms: UtcMs::new(since_ms),
                until_ms: UtcMs::new(until_ms),
            },
        )? {
            let row = rows.entry(service).or_default();
            *[&mut row.before, &mut row.outage, &mut row.after][at] = count;
        }
    }
    let hours = |at: usize| (windows[at].1 - windows[at].0) as f64 / HOUR_MS as f64;
    let mut rows: Vec<(String, Row)> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.before.cmp(&a.1.before).then_with(|| a.0.cmp(&b.0)));
    output::line(&format!(
        "   outage: {} to {}",
        rfc3339(UtcMs::new(from)),
        rfc3339(UtcMs::new(to))
    ))?;
    output::line(&format!(
        "   {:<24}{:>10}{:>10}{:>10}   ",
        "service", "week ago", "outage", "after"
    ))?;
    for (service, row) in rows {
        let per_hour = [
            row.before as f64 / hours(0),
            row.outage as f64 / hours(1),
            row.after as f64 / hours(2),
        ];
        let [before, outage, after] = per_hour.map(|rate| format!("{rate:.1}"));
        output::line(&format!(
            "   {service:<24}{before:>10}{outage:>10}{after:>10}   {}",
            verdict(&row)
        ))?;
    }
    Ok(())
}

/// What the three counts say by themselves; the detection proper weighs hours, weeks and evidence.
fn verdict(row: &Row) -> &'static str {
    match row {
        Row { before: 0..3, .. } => "too little mail to say by its counts alone",
        Row { outage: 0, .. } => "silent",
        Row { before, outage, .. } if outage * 5 < *before => "far below",
        Row { before, outage, .. } if outage * 10 < before * 7 => "below",
        _ => "",
    }
}

fn accepted(store: &Store, window: Window) -> Result<Vec<(String, i64)>> {
    let sql =
        "SELECT service, SUM(messages) AS messages FROM rates WHERE kind = 'accepted' AND first_hop GROUP BY service";
    let table: Table = query::select(store, sql, window)?;
    let [services, counts] = table.columns.as_slice() else {
        return Ok(Vec::new());
    };
    let (Values::Text(services), Values::Int(counts)) = (&services.values, &counts.values) else {
        return Ok(Vec::new());
    };
    Ok(services
        .iter()
        .zip(counts)
        .map(|(s, n)| (s.clone().unwrap_or_default(), n.unwrap_or(0)))
        .collect())
}

fn routes(store: &Store, truth: &Truth) -> Result<()> {
    let until_ms = truth.stopped * 1000;
    let window = Window {
        since_ms: UtcMs::new(until_ms - 7 * 24 * HOUR_MS),
        until_ms: UtcMs::new(until_ms),
    };
    for route in crate::analysis::routes::routes(store, window, Default::default())? {
        let shares: Vec<String> = route
            .last_hops
            .iter()
            .map(|(relay, n)| format!("{relay} {:.0} %", 100.0 * *n as f64 / route.messages as f64))
            .collect();
        let warning = if route.is_single() {
            "   single point of failure"
        } else {
            ""
        };
        output::line(&format!("   {:<24}{}{warning}", route.service, shares.join(", ")))?;
    }
    Ok(())
}

/// A picture: its file, what it asks, and how it looks.
type DemoPicture = (&'static str, RateQuestion, GraphKind, Theme);

/// What is drawn of the outage.
fn pictures(truth: &Truth) -> [DemoPicture; 5] {
    let question = |by, hours: i64, step_min: i64| {
        let window = Window {
            since_ms: UtcMs::new(truth.stopped * 1000 - hours * HOUR_MS),
            until_ms: UtcMs::new(truth.until * 1000),
        };
        RateQuestion::accepted(window, step_min * MINUTE_MS, by, DirectionView::default())
    };
    // Every kind of event of one service: its own failures beside what the relays took.
    let both_sides = RateQuestion {
        kind: None,
        service: Some("phabricator".to_owned()),
        ..question(By::Kind, 24, 15)
    };
    let day = || question(By::Service, 24, 15);
    let weeks = question(By::Service, 21 * 24, 120);
    let (multiples, stacked) = (GraphKind::Multiples, GraphKind::Stacked);
    [
        ("services.png", day(), multiples, Theme::Light),
        ("services.svg", day(), multiples, Theme::Light),
        ("relays.png", question(By::Relay, 24, 10), stacked, Theme::Light),
        ("phabricator-both-sides.png", both_sides, multiples, Theme::Light),
        ("three-weeks-dark.png", weeks, multiples, Theme::Dark),
    ]
}

fn draw(setup: &Setup, store: &Store, truth: &Truth, dir: &Path) -> Result<()> {
    let pictures = pictures(truth);
    let sets: Result<Vec<_>, _> = pictures
        .iter()
        .map(|(_, question, ..)| rates(store, question))
        .collect();
    let mut sets = sets?;
    let with = pictures.iter().zip(&mut sets);
    let mut with: Vec<Picture<'_>> = with.map(|((_, question, ..), set)| Picture { question, set }).collect();
    let config = setup.config()?;
    let options = options(&config, &Overrides::default());
    let marks = expected::draw_in(store, &kept(&config), options, &mut with, now_ms())?;
    for (((name, _, kind, theme), set), marks) in pictures.into_iter().zip(&sets).zip(&marks) {
        let path = dir.join(name);
        let style = Style {
            kind,
            theme,
            ..Style::default()
        };
        graph::write(&path, set, marks, &style)?;
        output::line(&format!("   {}", path.display()))?;
    }
    Ok(())
}

fn next(setup: &Setup, truth: &Truth) -> Result<()> {
    let store = setup.store.as_deref().unwrap_or_default();
    let (from, to) = (
        rfc3339(UtcMs::new(truth.stopped * 1000 - 6 * HOUR_MS)),
        rfc3339(UtcMs::new(truth.until * 1000)),
    );
    output::line("\nNext:")?;
    let paged = rfc3339(UtcMs::new((truth.stopped + 600) * 1000));
    output::line(&format!(
        "   mailpulse --store {store} serve --at {paged}   # open http://127.0.0.1:8425/: ten minutes into the outage"
    ))?;
    output::line(&format!(
        "   mailpulse --store {store} graph --since {from} --until {to}"
    ))?;
    output::line(&format!(
        "   mailpulse --store {store} incident --since {} --until {}",
        rfc3339(UtcMs::new(truth.stopped * 1000)),
        rfc3339(UtcMs::new(truth.restarted * 1000))
    ))?;
    output::line(&format!("   mailpulse --store {store} detect"))?;
    output::line(&format!(
        "   mailpulse --store {store} query outcome_per_service --since {from} --until {to}"
    ))?;
    output::line(&format!(
        "   mailpulse --store {store} query --sql \"SELECT relay, kind, SUM(messages) AS messages FROM rates GROUP BY relay, kind ORDER BY relay, kind\""
    ))?;
    output::line(&format!(
        "   mailpulse --store {store} query tried_accepted_delivered --since {from} --until {to}"
    ))?;
    output::line(&format!("   mailpulse --store {store} status"))?;
    output::line("   mailpulse init          # a configuration for this machine")?;
    output::line("   mailpulse backfill /var/log/exim4")?;
    Ok(())
}
