//! Axes: nice ticks for values and for UTC time, and how numbers and times are written.

use crate::model::time::{CivilDay, DAY_MS, HOUR_MS, SECOND_MS, UtcMs};
use crate::query::series::Stats;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// 1970-01-05 was a Monday: steps of weeks begin there.
const MONDAY: UtcMs = CivilDay::new(4).start();

/// Steps between time ticks up to two weeks, milliseconds; beyond that months are counted.
const TICK_STEPS_MS: [i64; 20] = [
    SECOND_MS,
    2 * SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    60 * SECOND_MS,
    120 * SECOND_MS,
    300 * SECOND_MS,
    600 * SECOND_MS,
    900 * SECOND_MS,
    1_800 * SECOND_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
];
const TICK_STEPS_MONTHS: [i64; 12] = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 6_000];
const MONTH_MS: i64 = 30 * DAY_MS;

/// A tick of the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeTick {
    pub at: UtcMs,
    /// `18:00`, at midnight `6 Jun`, at a new year `2018`.
    pub label: String,
    /// Midnight between hours, the first of a month between days, January between months.
    pub major: bool,
}

/// Ticks in `from_ms..=to_ms`, so far apart that `room` of them would fill the axis (one more may stand on its edges).
pub(super) fn time_ticks(from_ms: UtcMs, to_ms: UtcMs, room: f64) -> Vec<TimeTick> {
    let (span, room) = (to_ms.since(from_ms), room.max(1.0));
    if span <= 0 {
        return Vec::new();
    }
    match TICK_STEPS_MS
        .iter()
        .copied()
        .find(|step| span as f64 / *step as f64 <= room)
    {
        Some(step) => even_ticks(from_ms, to_ms, step),
        None => month_ticks(from_ms, to_ms, span, room),
    }
}

fn even_ticks(from_ms: UtcMs, to_ms: UtcMs, step: i64) -> Vec<TimeTick> {
    let origin = if step == 7 * DAY_MS { MONDAY } else { UtcMs::EPOCH };
    let first = from_ms - (from_ms - origin).rem_euclid(step);
    let first = if first < from_ms { first + step } else { first };
    let ticks = (0..).map(|i| first + i * step).take_while(|&at| at <= to_ms);
    let tick = |at: UtcMs| {
        let midnight = at == at.floor_to(DAY_MS);
        let (label, major) = if step >= DAY_MS {
            (stamp(at, "%-d %b"), step == DAY_MS && stamp(at, "%d") == "01")
        } else if midnight {
            (stamp(at, "%-d %b"), true)
        } else {
            (
                stamp(at, if step < 60 * SECOND_MS { "%H:%M:%S" } else { "%H:%M" }),
                false,
            )
        };
        TimeTick { at, label, major }
    };
    ticks.map(tick).collect()
}

fn month_ticks(from_ms: UtcMs, to_ms: UtcMs, span: i64, room: f64) -> Vec<TimeTick> {
    let fits = |months: &i64| span as f64 / ((months * MONTH_MS) as f64) <= room;
    let step = TICK_STEPS_MONTHS.iter().copied().find(fits).unwrap_or(60_000);
    let Ok(start) = from_ms.timestamp() else {
        return Vec::new();
    };
    let start = start.to_zoned(TimeZone::UTC).date();
    let month = i64::from(start.year()) * 12 + i64::from(start.month()) - 1;
    let first = month.div_euclid(step) * step;
    let date_of = |month: i64| {
        let year = i16::try_from(month.div_euclid(12)).ok()?;
        let date = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
        Some(UtcMs::from(date.to_zoned(TimeZone::UTC).ok()?.timestamp()))
    };
    let all = (0..)
        .map(|i| first + i * step)
        .map_while(|month| Some((month, date_of(month)?)));
    let inside = all
        .skip_while(|(_, at)| *at < from_ms)
        .take_while(|(_, at)| *at <= to_ms);
    let tick = |(month, at): (i64, UtcMs)| {
        let january = month.rem_euclid(12) == 0;
        TimeTick {
            at,
            label: stamp(at, if january { "%Y" } else { "%b" }),
            major: january,
        }
    };
    inside.map(tick).collect()
}

/// A time in UTC by a `strftime` format; `?` for what no calendar has.
pub(super) fn stamp(at: UtcMs, format: &str) -> String {
    match at.timestamp() {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(format).to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// `2018-06-06 18:00 – 2018-06-07 00:00`, with one date if both are of one day.
pub(super) fn span_text(from_ms: UtcMs, to_ms: UtcMs, dash: &str) -> String {
    let same = stamp(from_ms, "%F") == stamp(to_ms, "%F");
    let end = stamp(to_ms, if same { "%H:%M" } else { "%F %H:%M" });
    format!("{} {dash} {end}", stamp(from_ms, "%F %H:%M"))
}

/// A length of time: `30 s`, `5 min`, `6 h`, `2 d`.
pub(super) fn duration_text(ms: i64) -> String {
    for (unit_ms, unit) in [(DAY_MS, "d"), (HOUR_MS, "h"), (60 * SECOND_MS, "min"), (SECOND_MS, "s")] {
        if ms >= unit_ms && ms % unit_ms == 0 {
            return format!("{} {unit}", ms / unit_ms);
        }
    }
    if ms >= SECOND_MS {
        format!("{:.1} s", ms as f64 / 1_000.0)
    } else {
        format!("{ms} ms")
    }
}

/// Ticks from 0 to at most `max`, at most `count` above 0, at multiples of 1, 2, 2.5 or 5 times a power of ten.
pub(super) fn value_ticks(max: f64, count: usize) -> Vec<f64> {
    if !(max.is_finite() && max > 0.0) {
        return vec![0.0];
    }
    let step = value_step(max, count);
    (0..=count)
        .map(|i| i as f64 * step)
        .take_while(|v| *v <= max * 1.000_001)
        .collect()
}

/// The end of an axis that holds `max`: its last tick, so that the largest value never stands above the last number.
pub(super) fn axis_top(max: f64, count: usize) -> f64 {
    if !(max.is_finite() && max > 0.0) {
        return 1.0;
    }
    let step = value_step(max, count);
    (max / step - 1e-6).ceil() * step
}

/// The smallest nice step with which `count` steps reach `max`.
fn value_step(max: f64, count: usize) -> f64 {
    let rough = max / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power);
    steps
        .into_iter()
        .find(|s| *s >= rough * 0.999_999)
        .unwrap_or(power * 10.0)
}

/// Fewer values than this say nothing of what is usual.
const USUAL_MIN: usize = 20;
/// A value so many times what nineteen of twenty stay below is left out of the scale.
const BEYOND: f64 = 4.0;

/// The largest of the values that an axis should hold. One backlog that drains within minutes must not flatten all
/// else: values far beyond the others are cut at the upper edge, and marked there.
pub(super) fn largest_usual(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
    values.sort_by(f64::total_cmp);
    let max = values.last().copied().unwrap_or(0.0);
    let usual = values.get(values.len() * 19 / 20).copied().unwrap_or(0.0);
    match values.len() >= USUAL_MIN && max > BEYOND * usual {
        true => 1.5 * usual,
        false => max,
    }
}

/// A value with three significant digits and an SI prefix: `0`, `0.05`, `12.5`, `1.25k`, `3M`.
pub(super) fn si(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    let unit = 10_f64.powf(magnitude - 2.0);
    let rounded = (value / unit).round() * unit;
    if rounded.abs() < 0.000_5 {
        return format!("{rounded:.0e}");
    }
    let prefixes = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    let (scale, prefix) = prefixes
        .into_iter()
        .find(|(s, _)| rounded.abs() >= s * 0.999_999)
        .unwrap_or((1.0, ""));
    let scaled = rounded / scale;
    let decimals = (2.0 - scaled.abs().log10().floor()).clamp(0.0, 5.0) as usize;
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{prefix}")
}

/// `last 3, peak 1.2k, mean 310`, or that there is no data.
pub(super) fn stats_text(stats: &Stats) -> String {
    match (stats.last, stats.peak, stats.mean) {
        (Some(last), Some(peak), Some(mean)) => format!("last {}, peak {}, mean {}", si(last), si(peak), si(mean)),
        _ => "no data".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2018-06-06 00:00 UTC.
    const DAY: UtcMs = UtcMs::new(1_528_243_200_000);

    fn labels(from: UtcMs, to: UtcMs, max: f64) -> Vec<String> {
        time_ticks(from, to, max).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn hours_between_and_dates_at_midnight() {
        assert_eq!(
            labels(DAY, DAY + DAY_MS, 6.0),
            ["6 Jun", "06:00", "12:00", "18:00", "7 Jun"]
        );
        assert_eq!(labels(DAY + 1, DAY + HOUR_MS / 2, 4.0), ["00:10", "00:20", "00:30"]);
        assert_eq!(labels(DAY + 1, DAY + 4_000, 2.0), ["00:00:02", "00:00:04"]);
        let ticks = time_ticks(DAY, DAY + DAY_MS, 6.0);
        assert_eq!(
            ticks.iter().map(|t| t.major).collect::<Vec<_>>(),
            [true, false, false, false, true]
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        assert_eq!(labels(DAY, DAY + 21 * DAY_MS, 4.0), ["11 Jun", "18 Jun", "25 Jun"]);
        assert_eq!(
            labels(DAY, DAY + 270 * DAY_MS, 10.0),
            ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "2019", "Feb", "Mar"]
        );
        assert_eq!(labels(DAY, DAY, 4.0), Vec::<String>::new());
    }

    #[test]
    fn ticks_are_bounded_for_any_range() {
        for exponent in 0..62 {
            for from in [0, DAY.get(), i64::MIN / 4, i64::MAX / 2].map(UtcMs::new) {
                assert!(
                    time_ticks(from, from.saturating_add(1 << exponent), 8.0).len() <= 10,
                    "{from:?} + 2^{exponent}"
                );
            }
        }
    }

    #[test]
    fn values_have_si_prefixes() {
        let pairs = [
            (0.0, "0"),
            (0.05, "0.05"),
            (1.0, "1"),
            (12.5, "12.5"),
            (999.9, "1k"),
            (1_250.0, "1.25k"),
        ];
        for (value, text) in pairs
            .into_iter()
            .chain([(100.0, "100"), (2.5e6, "2.5M"), (1e12, "1T"), (1e-7, "1e-7")])
        {
            assert_eq!(si(value), text);
        }
    }

    #[test]
    fn value_ticks_are_nice() {
        assert_eq!(value_ticks(97.0, 4), [0.0, 25.0, 50.0, 75.0]);
        assert_eq!(value_ticks(100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(value_ticks(2.8, 3), [0.0, 1.0, 2.0]);
        assert_eq!(value_ticks(0.0, 5), [0.0]);
        assert_eq!(value_ticks(f64::NAN, 5), [0.0]);
    }

    #[test]
    fn an_axis_ends_at_a_tick_above_the_largest_value() {
        assert_eq!([axis_top(2.8, 3), axis_top(3.0, 3), axis_top(0.0, 3)], [3.0, 3.0, 1.0]);
        for max in (1..5_000).map(|i| f64::from(i) * 0.37) {
            for count in [3, 5, 14] {
                let (top, ticks) = (axis_top(max, count), value_ticks(axis_top(max, count), count));
                let last = ticks.last().copied().unwrap();
                assert!(
                    (last - top).abs() < 1e-6 * top && top >= max * 0.999_99,
                    "{max}: {ticks:?} of {top}"
                );
            }
        }
    }

    #[test]
    fn one_backlog_does_not_set_the_scale() {
        let day = |backlog: f64| (0..288).map(move |i| if i == 200 { backlog } else { 4.0 + f64::from(i % 3) });
        assert_eq!(largest_usual(day(2_000.0)), 9.0);
        assert_eq!(largest_usual(day(20.0)), 20.0, "a busy hour is no backlog");
        // Of few values none is usual.
        assert_eq!(largest_usual([1.0, 1.0, 0.0, 500.0].into_iter()), 500.0);
        assert_eq!(largest_usual(std::iter::empty()), 0.0);
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!([duration_text(300_000), duration_text(7_200_000)], ["5 min", "2 h"]);
        assert_eq!([duration_text(1_500), duration_text(20)], ["1.5 s", "20 ms"]);
        assert_eq!(span_text(DAY, DAY + HOUR_MS, "-"), "2018-06-06 00:00 - 01:00");
    }
}
