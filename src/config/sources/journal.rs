//! A source that is a part of systemd's journal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::super::at::At;
use super::super::errors::shown;
use super::super::path_glob::plain;
use super::super::raw::RawSource;
use super::super::report::Report;

/// Which entries of a journal are a source's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalPart {
    /// Folder of journal files; by default this machine's journal.
    pub directory: Option<PathBuf>,
    /// Units; empty with `identifiers` empty too: all of syslog's facility mail.
    pub units: Vec<String>,
    /// Syslog identifiers.
    pub identifiers: Vec<String>,
}

/// What makes a journal one source: two readers of it would hide entries from each other.
pub(super) type Which = (Option<String>, Option<PathBuf>, Option<&'static str>);

/// Checks the keys of a source that are about the journal; None for a source of files.
pub(super) fn check(
    raw: &mut RawSource,
    folder: &Path,
    known: &mut HashMap<Which, String>,
    report: &mut Report<'_>,
) -> Option<JournalPart> {
    let wanted = raw.journal.as_ref().filter(|journal| *journal.get());
    let Some(at) = wanted.map(At::at) else {
        only_of_journals(raw, report);
        return None;
    };
    let kind = raw.kind.as_ref().map(|kind| kind.get().log_kind());
    if kind.is_some_and(|kind| !kind.is_mta) {
        let what = "`journal` at a source of an application, which writes files";
        report.add(&at, what, "remove it and name its files: `paths = […]`");
    }
    if let Some(path) = raw.paths.as_ref().and_then(|paths| paths.first()) {
        let hint = "remove `paths`, or write two [[source]]s";
        report.add(&path.at(), "`paths` at a source that reads the journal", hint);
    }
    if let Some(from) = &raw.host_from {
        let hint = "name its host: `host = \"…\"`";
        report.add(&from.at(), "`host_from` at a source that reads the journal", hint);
    }
    if let (Some(units), Some(_)) = (raw.units.as_ref().and_then(|units| units.first()), &raw.identifiers) {
        let hint = "keep one of them: an entry would have to match both";
        report.add(&units.at(), "both `units` and `identifiers` are given", hint);
    }
    // Files of these names are not read.
    (raw.paths, raw.host_from) = (None, None);
    let directory = raw.directory.as_ref().map(|directory| {
        if directory.get().trim().is_empty() {
            let hint = "remove it to read this machine's journal";
            report.add(&directory.at(), "`directory` is empty", hint);
        }
        plain(&folder.join(directory.get()))
    });
    let which = (
        raw.host.as_ref().map(|host| host.get().clone()),
        directory.clone(),
        // Any other is refused already.
        kind.filter(|kind| kind.is_mta).map(|kind| kind.name),
    );
    let place = report.place(&at);
    if let (Some(first), Some(_)) = (known.insert(which.clone(), place), which.2) {
        let what = format!("the source at {first} already reads this journal");
        report.add(&at, what, "merge them, with all `units` or all `identifiers`");
    }
    Some(JournalPart {
        directory,
        units: texts(raw.units.take(), "units", report),
        identifiers: texts(raw.identifiers.take(), "identifiers", report),
    })
}

fn only_of_journals(raw: &RawSource, report: &mut Report<'_>) {
    let first = |list: &Option<Vec<At<String>>>| list.as_ref().and_then(|list| list.first().map(At::at));
    let keys = [
        ("directory", raw.directory.as_ref().map(At::at)),
        ("units", first(&raw.units)),
        ("identifiers", first(&raw.identifiers)),
    ];
    for (key, at) in keys {
        if let Some(at) = at {
            let what = format!("`{key}` at a source that does not read the journal");
            report.add(&at, what, "add `journal = true`, or remove it");
        }
    }
}

fn texts(list: Option<Vec<At<String>>>, key: &str, report: &mut Report<'_>) -> Vec<String> {
    let mut good = Vec::new();
    for text in list.unwrap_or_default() {
        if text.get().trim().is_empty() || text.get().chars().any(char::is_control) {
            let what = format!("`{}` in `{key}` matches nothing", shown(text.get()));
            report.add(&text.at(), what, "write it as `journalctl` shows it");
            continue;
        }
        good.push(text.get().clone());
    }
    good
}
