//! What came of relays and hostgroups in trouble since it began, against what was expected of that time when it began. For services
//! the incident says it.

use crate::analysis::board::{BoardRow, Boards, MailSince, RowState};
use crate::analysis::expected::id_of;
use crate::analysis::kept::Kept;
use crate::analysis::present::Replay;
use crate::detect::alarm::{Scope, State};
use crate::detect::engine::Options;
use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MIN, HOUR_MIN, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use anyhow::Result;

/// A trouble that is older is not compared: what was expected before it would be replayed again and again.
const AGE_MAX: i64 = DAY_MIN;

/// A row in trouble.
struct Short<'b> {
    by: By,
    onset: Minute,
    row: &'b mut BoardRow,
    /// Mails that were expected since, as known at the onset.
    expected: Option<f64>,
}

/// Tells the rows of relays and hostgroups what came since their trouble began, up to the last minute that was judged.
///
/// # Errors
/// The history cannot be read.
pub(super) fn tell_since(
    store: &dyn MailHistory,
    (kept, options): (&Kept, Options),
    boards: &mut Boards,
    (until, now_ms): (Minute, UtcMs),
) -> Result<()> {
    let relays = boards.relays.iter_mut().map(|row| (By::Relay, row));
    let groups = boards.hostgroups.iter_mut().map(|row| (By::Hostgroup, row));
    let mut short: Vec<Short<'_>> = relays
        .chain(groups)
        .filter_map(|(by, row)| short(by, row, until))
        .collect();
    let Some(first) = short.iter().map(|one| one.onset).min() else {
        return Ok(());
    };
    let last = short.iter().map(|one| one.onset).max().unwrap_or(first);
    let span = (first.start(), last.start());
    let mut history = Replay::begin(store, kept, options, span, now_ms)?;
    while let Some(minutes) = history.next_part()? {
        for minute in &minutes {
            expect(&mut history, (minute.at, until), &mut short);
            history.step(minute);
        }
    }
    expect(&mut history, (last, until), &mut short);
    for by in [By::Relay, By::Hostgroup] {
        count(store, by, &mut short, until)?;
    }
    Ok(())
}

/// A row whose trouble is that mail does not come, and has begun of late.
fn short(by: By, row: &mut BoardRow, until: Minute) -> Option<Short<'_>> {
    let is_less = matches!(row.state, RowState::Alarm(State::Dropped | State::Refused));
    let (_, onset) = row.alarm.as_ref().filter(|_| is_less)?;
    let onset = *onset;
    (onset < until && until - onset <= AGE_MAX).then_some(Short {
        by,
        onset,
        row,
        expected: None,
    })
}

/// What is expected from here on of rows whose trouble begins in this minute.
fn expect(history: &mut Replay<'_>, (at, until): (Minute, Minute), short: &mut [Short<'_>]) {
    for one in short.iter_mut().filter(|one| one.onset == at && one.expected.is_none()) {
        let names = history.names();
        let found = match one.by {
            By::Relay => id_of(&names.hosts, &one.row.name).map(Scope::Relay),
            _ => id_of(&names.hostgroups, &one.row.name).map(Scope::Hostgroup),
        };
        let Some(scope) = found else { continue };
        let minutes = (at.get()..until.get()).map(Minute::new);
        let rates: Option<Vec<f64>> = minutes
            .map(|minute| Some(history.engine.forecast(minute, scope, HOUR_MIN)?.rate))
            .collect();
        one.expected = rates.map(|rates| rates.iter().sum());
    }
}

/// Counts what came.
fn count(store: &dyn MailHistory, by: By, short: &mut [Short<'_>], until: Minute) -> Result<()> {
    let mut own: Vec<&mut Short<'_>> = short.iter_mut().filter(|one| one.by == by).collect();
    let Some(since) = own.iter().map(|one| one.onset).min() else {
        return Ok(());
    };
    let window = Window {
        since_ms: since.start(),
        until_ms: until.start(),
    };
    let question = RateQuestion {
        only: own.iter().map(|one| one.row.name.clone()).collect(),
        ..RateQuestion::accepted(window, MINUTE_MS, by, DirectionView::default())
    };
    let rates = store.rates(&question)?;
    for one in &mut own {
        let series = rates.series.iter().find(|series| series.name == one.row.name);
        let skipped = usize::try_from(one.onset - since).unwrap_or(0);
        let points = series.map(|series| series.points.get(skipped..).unwrap_or_default());
        let came: f64 = points.into_iter().flatten().flatten().sum();
        one.row.since = one.expected.map(|expected| MailSince {
            came: came.round() as u64,
            expected,
        });
    }
    Ok(())
}
