//! What is wrong with a configuration beyond its text: do its paths, its logs, its files and its store fit?

mod named_files;
mod outside;
mod schedules;
mod survey;
mod warning;

pub(crate) use schedules::past_schedules;
pub(crate) use warning::{ConfigWarning, WarningTopic};

use super::Setup;
use super::plan::{Plan, PlanProblem};
use super::redundancy::{WEEK_MS, short};
use crate::analysis::blindness::shortest_outages;
use crate::analysis::routes::{Route, routes};
use crate::clock::now_ms;
use crate::config::{Config, Source};
use crate::model::human::{counted, duration};
use crate::model::time::{DAY_MIN, DAY_MS, MINUTE_MS, UtcMs};
use crate::query::Window;
use crate::query::history::{MailHistory, present};
use crate::source::Limits;
use crate::store::Store;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// How far back volumes are looked at.
const MONTH_MS: i64 = 30 * DAY_MS;

/// What is wrong.
#[derive(Debug, Default)]
pub(crate) struct ConfigProblems {
    /// What may be meant.
    pub warnings: Vec<ConfigWarning>,
    /// What will not work.
    pub errors: Vec<String>,
}

/// All that is wrong with a configuration and with what it names.
pub(crate) fn problems(setup: &Setup, config: &Config, plan: &Plan, limits: &Limits) -> ConfigProblems {
    let of_text = config.warnings.iter();
    let mut warnings: Vec<ConfigWarning> = of_text.map(|warning| WarningTopic::Text.says(warning)).collect();
    if config.sources.is_empty() && config.store.remote.is_none() {
        warnings.push(WarningTopic::Text.says(
            "no [[source]] is configured: `tail` has nothing to follow, and `backfill` reads only the files that you \
             name; `mailpulse init` writes the sources of this machine",
        ));
    }
    // What is wrong with a path is told once, with the place where it is written.
    let mut of_paths = plan.problems.clone();
    for source in &config.sources {
        warnings.extend(unmatched(source, plan, &mut of_paths));
        let files = plan
            .files()
            .map(|file| file.path.as_path())
            // Of two sources that name a file, the first reads it.
            .filter(|path| config.source_of(path).is_some_and(|owner| std::ptr::eq(owner, source)));
        warnings.extend(survey::of(source, files, limits));
    }
    warnings.extend(of_paths.iter().map(|problem| match problem.is_refused {
        true => WarningTopic::RefusedLog.says(&problem.words),
        false => WarningTopic::Paths.says(&problem.words),
    }));
    // Without a store nothing is known yet; one that does not open is told by the commands that need it.
    if let Some((store, week)) = newest(setup, config, WEEK_MS) {
        let short = redundancy(&store, config, week);
        warnings.extend(short.iter().map(|what| WarningTopic::Redundancy.says(what)));
        let outside = outside::of(&store, config, week);
        warnings.extend(outside.iter().map(|what| WarningTopic::Ours.says(what)));
    }
    let of_files = named_files::check(setup, config);
    let of_named = of_files.warnings.iter();
    warnings.extend(of_named.map(|what| WarningTopic::NamedFile.says(what)));
    let mut errors: Vec<String> = config.faults.iter().map(ToString::to_string).collect();
    errors.extend(of_files.errors);
    ConfigProblems { warnings, errors }
}

/// The store, and the last so many milliseconds that are stored; none without a store.
fn newest(setup: &Setup, config: &Config, back_ms: i64) -> Option<(Store, Window)> {
    let store = setup.open_store(config).ok()?;
    let present = present(&store, now_ms()).unwrap_or(UtcMs::MAX);
    let (_, newest) = store.coverage().span_until(present).ok()??;
    let window = Window {
        since_ms: newest - back_ms,
        until_ms: newest + 1,
    };
    Some((store, window))
}

/// Paths of a source that no file matches, each with the reason if it is among the problems, which then loses it.
fn unmatched(source: &Source, plan: &Plan, problems: &mut Vec<PlanProblem>) -> Vec<ConfigWarning> {
    let mut warnings = Vec::new();
    for glob in &source.paths {
        let is_there = |path: &PathBuf| glob.matches(path);
        if plan.files().any(|file| is_there(&file.path)) || plan.refused().any(is_there) {
            continue;
        }
        let why = problems
            .iter()
            .position(|problem| problem.path == Path::new(glob.as_str()));
        let words = match why.map(|at| problems.remove(at)) {
            Some(why) => format!("{}: {}", source.place, why.words),
            None => format!("{}: no file matches {}", source.place, glob.as_str()),
        };
        let closed = closed_folder(glob.as_str());
        if closed
            .as_ref()
            .is_some_and(|(topic, _)| *topic == WarningTopic::ClosedFolder)
        {
            // It is said of the path already.
            let folder = folder_of(glob.as_str()).unwrap_or_default();
            problems.retain(|problem| problem.path != folder);
        }
        warnings.push(match closed {
            // A plain path's reason says it already.
            Some((topic, why)) if glob.as_str().contains(['*', '?', '[', '{']) => topic.says(format!("{words}; {why}")),
            Some((topic, _)) => topic.says(words),
            None => WarningTopic::Paths.says(words),
        });
    }
    warnings
}

/// The folder that a glob names.
fn folder_of(glob: &str) -> Option<PathBuf> {
    let is_plain = |part: &Component| {
        !part
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .any(|byte| b"*?[{".contains(byte))
    };
    let parent = Path::new(glob).parent()?;
    Some(parent.components().take_while(is_plain).collect())
}

/// Why nothing can be found in the folder that a glob names, if that is so.
fn closed_folder(glob: &str) -> Option<(WarningTopic, String)> {
    let folder = folder_of(glob)?;
    let error = std::fs::read_dir(&folder).err()?;
    Some(match error.kind() {
        ErrorKind::NotFound => (
            WarningTopic::Folder,
            format!("the folder {} does not exist", folder.display()),
        ),
        ErrorKind::PermissionDenied => (
            WarningTopic::ClosedFolder,
            format!("the folder {}: {error}", folder.display()),
        ),
        _ => (
            WarningTopic::Folder,
            format!("the folder {}: {error}", folder.display()),
        ),
    })
}

/// Services that are named.
const NAMED: usize = 5;

/// Which services send so little that their volume does not show an outage of a day, by the last month that is stored.
pub(crate) fn blind(setup: &Setup, config: &Config) -> Option<String> {
    let (store, window) = newest(setup, config, MONTH_MS)?;
    let budget = config.detect.false_alarms_per_service_per_90_days;
    let outages = shortest_outages(&store, window, ("service", Default::default()), budget).ok()?;
    let mut blind: Vec<(&String, &i64)> = outages.iter().filter(|(_, minutes)| **minutes > DAY_MIN).collect();
    blind.sort_by_key(|(name, minutes)| (std::cmp::Reverse(**minutes), *name));
    let named = blind.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|(name, minutes)| format!("{name} ({})", duration(**minutes * MINUTE_MS)))
        .collect();
    let more = if blind.len() > NAMED { ", …" } else { "" };
    (!blind.is_empty()).then(|| {
        format!(
            "{} of {} send so little that their volume shows no outage of a day, only a longer one: {}{more}. Failures that \
             applications report, silent relays, and set times show earlier ones",
            blind.len(),
            counted(outages.len() as u64, "service"),
            named.join(", ")
        )
    })
}

/// Services that have fewer relays than somebody wrote they should, by the last week that is stored.
fn redundancy(store: &dyn MailHistory, config: &Config, week: Window) -> Vec<String> {
    let written = |route: &Route| config.redundancy.of_service(&route.service).place.is_some();
    let routes: Vec<Route> = routes(store, week, Default::default())
        .unwrap_or_default()
        .into_iter()
        .filter(written)
        .collect();
    short(&routes, &config.redundancy)
}
