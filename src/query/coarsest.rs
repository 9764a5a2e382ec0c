//! Which rows of a segment are read for a question that only adds up: the coarsest roll-up that gives the same answer.

use super::columns::{RATE_COLUMNS, TABLES};
use super::window::Window;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};
use crate::store::catalogue::Segment;
use crate::store::columnar::{RollUp, ScanPart};
use crate::store::segments::{SegmentPart, Segments};
use std::ops::Range;

/// What a question of ours adds up, so that roll-ups may answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumsOf {
    /// Measures of `rates`. The time of a row tells its bucket, or the newest minute, and nothing else.
    Rates {
        /// Length of a bucket, milliseconds; none where there are no buckets.
        step_ms: Option<i64>,
    },
    /// The same without buckets, and the newest minute of what is added up.
    RatesAndNewest,
    /// Events that are deferred, bounced, expired, or handed to another relay; nothing is asked of their times but the window.
    Peers,
    /// Deliveries to the outside by their times in the queue and on the way, rounded; nothing is asked of when they were.
    Latencies,
    /// By minute, what one host's events tell of another; the window is of whole minutes.
    Witnesses,
}

impl SumsOf {
    fn is_of_rates(self) -> bool {
        matches!(self, SumsOf::Rates { .. } | SumsOf::RatesAndNewest)
    }
}

/// Rows of one file of a segment, and the times of those that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub file: SegmentPart,
    pub part: ScanPart,
    pub within: Range<UtcMs>,
}

impl Piece {
    fn rollup(which: RollUp, within: Range<UtcMs>) -> Piece {
        Piece {
            file: SegmentPart::Rates,
            part: ScanPart::RollUp(which),
            within,
        }
    }

    fn minutes(within: Range<UtcMs>) -> Piece {
        Piece {
            file: SegmentPart::Rates,
            part: ScanPart::Rows,
            within,
        }
    }
}

/// What is read of a segment for a table; `within` are the times that are asked for.
pub(super) fn pieces(
    segments: Segments<'_>,
    segment: &Segment,
    table: &str,
    sums: Option<SumsOf>,
    within: Range<UtcMs>,
) -> Vec<Piece> {
    debug_assert!(TABLES.contains(&table));
    let is_rates = table == "rates";
    let rows = Piece {
        file: if is_rates {
            SegmentPart::Rates
        } else {
            SegmentPart::Events
        },
        part: ScanPart::Rows,
        within: within.clone(),
    };
    let Some(sums) = sums.filter(|sums| sums.is_of_rates() == is_rates) else {
        return vec![rows];
    };
    if !segments.has_rollups(segment) {
        return vec![rows];
    }
    let span = segment.first_ms..segment.last_ms.saturating_add(1);
    let is_inside = within.start <= span.start && span.end <= within.end;
    match sums {
        SumsOf::Rates { step_ms } => rates(&span, step_ms, within),
        SumsOf::RatesAndNewest => rates(&span, None, within),
        SumsOf::Peers if is_inside => vec![Piece::rollup(RollUp::Peers, within)],
        SumsOf::Latencies if is_inside => vec![Piece::rollup(RollUp::Latencies, within)],
        SumsOf::Witnesses if is_inside || [within.start, within.end].iter().all(|at| is_minute(*at)) => {
            vec![Piece::rollup(RollUp::Witnesses, within)]
        }
        _ => vec![rows],
    }
}

fn is_minute(at: UtcMs) -> bool {
    at == UtcMs::MIN || at == UtcMs::MAX || at == at.floor_to(MINUTE_MS)
}

/// The tables of a server that together have the rates of a window, the coarsest for each stretch of it: a SELECT. None where
/// minutes alone do.
pub(super) fn on_server(sums: SumsOf, window: Window) -> Option<String> {
    let SumsOf::Rates { step_ms } = sums else { return None };
    let is_whole = |length_ms: i64| step_ms.is_none_or(|step_ms| step_ms % length_ms == 0);
    let inner = |length_ms: i64| -> Option<Range<UtcMs>> {
        let from = window.since_ms.saturating_add(length_ms - 1).floor_to(length_ms);
        let to = window.until_ms.floor_to(length_ms);
        (is_whole(length_ms) && from < to).then_some(from..to)
    };
    let hours = inner(HOUR_MS)?;
    let mut stretches = vec![("rates", window.since_ms..hours.start)];
    match inner(DAY_MS) {
        Some(days) => stretches.extend([
            ("rates_by_hour", hours.start..days.start),
            ("rates_by_day", days.clone()),
            ("rates_by_hour", days.end..hours.end),
        ]),
        None => stretches.push(("rates_by_hour", hours.clone())),
    }
    stretches.push(("rates", hours.end..window.until_ms));
    let selects = stretches.into_iter().filter(|(_, within)| !within.is_empty());
    let selects = selects.map(|(table, within)| {
        format!(
            "SELECT {} FROM {table} WHERE ts_ms >= {} AND ts_ms < {}",
            RATE_COLUMNS.join(", "),
            within.start.get(),
            within.end.get()
        )
    });
    Some(selects.collect::<Vec<_>>().join(" UNION ALL "))
}

/// Rates of events in `span`, as far as their minutes begin `within` the times that are asked for.
fn rates(span: &Range<UtcMs>, step_ms: Option<i64>, within: Range<UtcMs>) -> Vec<Piece> {
    let is_whole = |length_ms: i64| step_ms.is_none_or(|step_ms| step_ms % length_ms == 0);
    if !is_whole(HOUR_MS) {
        return vec![Piece::minutes(within)];
    }
    let minutes = span.start.floor_to(MINUTE_MS)..(span.end - 1).floor_to(MINUTE_MS) + 1;
    if within.start <= minutes.start && minutes.end <= within.end {
        let which = if is_whole(DAY_MS) { RollUp::Days } else { RollUp::Hours };
        return vec![Piece::rollup(which, within)];
    }
    // Hours that are asked for as a whole, and the minutes before and after them.
    let from = match within.start {
        start if start <= minutes.start => start,
        start => start.saturating_add(HOUR_MS - 1).floor_to(HOUR_MS),
    };
    let to = match within.end {
        end if end >= minutes.end => end,
        end => end.floor_to(HOUR_MS),
    };
    if from >= to {
        return vec![Piece::minutes(within)];
    }
    let all = [
        Piece::minutes(within.start..from),
        Piece::rollup(RollUp::Hours, from..to),
        Piece::minutes(to..within.end),
    ];
    let has_some = |piece: &Piece| piece.within.start < minutes.end && minutes.start < piece.within.end;
    all.into_iter()
        .filter(|piece| !piece.within.is_empty() && has_some(piece))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: UtcMs = UtcMs::new(17_000 * DAY_MS);

    fn read(step_ms: Option<i64>, from: i64, to: i64) -> Vec<(Option<RollUp>, i64, i64)> {
        let span = DAY + 5_000..DAY + 23 * HOUR_MS + 61_000;
        let pieces = rates(&span, step_ms, DAY + from..DAY + to);
        let short = |piece: Piece| {
            let which = match piece.part {
                ScanPart::Rows => None,
                ScanPart::RollUp(which) => Some(which),
            };
            (which, piece.within.start - DAY, piece.within.end - DAY)
        };
        pieces.into_iter().map(short).collect()
    }

    #[test]
    fn a_server_is_asked_for_the_coarsest_of_each_stretch() {
        let asked = |step_ms, since_ms, until_ms| -> Vec<String> {
            let window = Window { since_ms, until_ms };
            let text = on_server(SumsOf::Rates { step_ms }, window).unwrap_or_default();
            let words = text.split(" FROM ").skip(1);
            words
                .map(|part| part.split(' ').next().unwrap_or_default().to_owned())
                .collect()
        };
        let (rates, hours, days) = ("rates", "rates_by_hour", "rates_by_day");
        assert_eq!(asked(None, DAY, DAY + DAY_MS), [days]);
        assert_eq!(asked(Some(HOUR_MS), DAY, DAY + DAY_MS), [hours]);
        assert_eq!(asked(Some(MINUTE_MS), DAY, DAY + DAY_MS), [""; 0]);
        assert_eq!(asked(None, DAY + 1, DAY + HOUR_MS), [""; 0]);
        assert_eq!(asked(None, DAY - 1, DAY + HOUR_MS + 1), [rates, hours, rates]);
        assert_eq!(
            asked(None, DAY - HOUR_MS - 1, DAY + DAY_MS + HOUR_MS + 1),
            [rates, hours, days, hours, rates]
        );
        assert_eq!(on_server(SumsOf::RatesAndNewest, Window::ALL), None);
    }

    #[test]
    fn the_coarsest_that_is_exact_is_read() {
        let (day, hour) = (Some(RollUp::Days), Some(RollUp::Hours));
        assert_eq!(read(None, 0, DAY_MS), [(day, 0, DAY_MS)]);
        assert_eq!(read(Some(7 * DAY_MS), 0, DAY_MS), [(day, 0, DAY_MS)]);
        assert_eq!(read(Some(HOUR_MS), 0, DAY_MS), [(hour, 0, DAY_MS)]);
        assert_eq!(read(Some(6 * HOUR_MS), 0, DAY_MS), [(hour, 0, DAY_MS)]);
        assert_eq!(read(Some(90 * MINUTE_MS), 0, DAY_MS), [(None, 0, DAY_MS)]);
        // All its minutes are inside, though its day is not.
        let end = 23 * HOUR_MS + MINUTE_MS + 1;
        assert_eq!(read(None, 0, end), [(day, 0, end)]);
        // Its last minute begins before the end.
        assert_eq!(
            read(None, 0, end - 1),
            [(hour, 0, 23 * HOUR_MS), (None, 23 * HOUR_MS, end - 1)]
        );
        assert_eq!(
            read(None, 1, 5 * HOUR_MS + 7),
            [
                (None, 1, HOUR_MS),
                (hour, HOUR_MS, 5 * HOUR_MS),
                (None, 5 * HOUR_MS, 5 * HOUR_MS + 7)
            ]
        );
        assert_eq!(read(None, HOUR_MS, DAY_MS), [(hour, HOUR_MS, DAY_MS)]);
        assert_eq!(read(None, 10, 20), [(None, 10, 20)]);
    }
}
