//! The report as tables: what both forms for people show.

use crate::analysis::alarms::minute;
use crate::analysis::report::{MailReport, ReasonCount, ReportedAlarm, ServiceVolume};
use crate::detect::alarm::Alarm;
use crate::detect::fleet::Names;
use crate::detect::impact::ServiceImpact;
use crate::model::human;
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs, rfc3339};
use crate::query::Window;

/// Rows of a table; more are counted.
const ROWS: usize = 50;
/// Alarms that the summary names.
const NAMED: usize = 5;

/// A table below a heading.
pub(super) struct Section {
    /// The heading.
    pub title: &'static str,
    /// Column names; the first two columns are text.
    pub columns: &'static [&'static str],
    /// Cells: text of logs among them, not escaped.
    pub rows: Vec<Vec<String>>,
    /// What is said where there is no row.
    pub empty: &'static str,
    /// What is said below the table.
    pub note: Option<String>,
}

/// `Mail of 2018-06-06`, or `Mail from … to …`.
pub(super) fn title(window: Window) -> String {
    let day = |at: UtcMs| rfc3339(at).chars().take(10).collect::<String>();
    let is_midnight = |at: UtcMs| at == at.floor_to(DAY_MS);
    let Window { since_ms, until_ms } = window;
    match is_midnight(since_ms) && is_midnight(until_ms) {
        true if until_ms - since_ms == DAY_MS => format!("Mail of {}", day(since_ms)),
        true => format!("Mail from {} to {}", day(since_ms), day(until_ms - 1)),
        false => format!("Mail from {} to {}", rfc3339(since_ms), rfc3339(until_ms)),
    }
}

/// What the time was like, in a few sentences.
pub(super) fn summary(report: &MailReport) -> String {
    let senders = report.services.iter().filter(|one| one.messages > 0).count();
    let mut said = format!(
        "{} of {}.",
        human::counted(report.total.messages, "message"),
        human::counted(senders as u64, "service")
    );
    if let Some(sentence) = &report.sentence {
        said += &format!(" {sentence}");
    }
    said += &match report.alarms.len() {
        0 => " No alarm.".to_owned(),
        all => {
            let named = report.alarms.iter().take(NAMED).map(|one| cost(one, &report.names));
            let more = if all > NAMED { "; …" } else { "" };
            let named = named.collect::<Vec<_>>().join("; ");
            format!(" {}: {named}{more}.", human::counted(all as u64, "alarm"))
        }
    };
    let blind: i64 = report.blind.iter().map(|one| one.to_ms - one.from_ms).sum();
    if blind > 0 {
        said += &format!(" Logs were missing for {}.", human::duration(blind));
    }
    if let Some((messages @ 1.., _)) = report.waiting {
        said += &format!(" {} waited at the end.", human::counted(messages, "message"));
    }
    said
}

/// `relay mx1001 dropped (863 messages of 8 services lost, late, or waiting)`.
fn cost(one: &ReportedAlarm, names: &Names) -> String {
    let about = about(&one.alarm, names);
    let missing: u64 = one.hurt.iter().map(|service| service.missing).sum();
    if one.hurt.is_empty() {
        return about;
    }
    let (messages, services) = (
        human::counted(missing, "message"),
        human::counted(one.hurt.len() as u64, "service"),
    );
    format!("{about} ({messages} of {services} lost, late, or waiting)")
}

fn about(alarm: &Alarm, names: &Names) -> String {
    let (kind, name) = alarm.scope.named(names);
    format!("{kind} {name} {}", alarm.state.as_str())
}

/// All tables, in their order.
pub(super) fn sections(report: &MailReport) -> Vec<Section> {
    vec![
        alarms(report),
        impacts(report),
        services(&report.services),
        changes(report),
        providers(report),
        reasons(&report.reasons),
        blind(report),
    ]
}

/// The first rows, and what is said of the others.
fn cut(mut rows: Vec<Vec<String>>) -> (Vec<Vec<String>>, Option<String>) {
    let more = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    (rows, (more > 0).then(|| format!("{more} more.")))
}

fn alarms(report: &MailReport) -> Section {
    let names = &report.names;
    let row = |one: &ReportedAlarm| {
        let alarm = &one.alarm;
        let (kind, name) = alarm.scope.named(names);
        let ended = alarm.ended.map_or("lasts".to_owned(), minute);
        let lasted = alarm
            .ended
            .map(|ended| human::duration((ended - alarm.onset) * MINUTE_MS));
        vec![
            format!("{kind} {name}"),
            alarm.state.as_str().to_owned(),
            minute(alarm.onset),
            ended,
            lasted.unwrap_or_default(),
            alarm.evidence.first().cloned().unwrap_or_default(),
        ]
    };
    let (rows, note) = cut(report.alarms.iter().map(row).collect());
    Section {
        title: "Alarms",
        columns: &["about", "state", "from", "to", "lasted", "evidence"],
        rows,
        empty: "None.",
        note,
    }
}

fn impacts(report: &MailReport) -> Section {
    let count = |number: u64| human::count(i64::try_from(number).unwrap_or(i64::MAX));
    let row = |alarm: &Alarm, one: &ServiceImpact| {
        vec![
            report.names.service(one.service).to_owned(),
            one.impact.as_str().to_owned(),
            about(alarm, &report.names),
            human::decimal(one.expected),
            count(one.observed),
            count(one.missing),
            count(one.delivered_late),
            count(one.submit_failed),
        ]
    };
    let rows = report.alarms.iter();
    let rows = rows.flat_map(|reported| reported.hurt.iter().map(|one| row(&reported.alarm, one)));
    let (rows, note) = cut(rows.collect());
    Section {
        title: "What the alarms cost",
        columns: &[
            "service",
            "impact",
            "alarm",
            "expected",
            "came",
            "missing",
            "late",
            "failed to hand in",
        ],
        rows,
        empty: "No mail was lost or late.",
        note,
    }
}

/// `+4 %`; nothing is neither more nor less.
fn percent(change: f64) -> String {
    match change.round() {
        0.0 => "0 %".to_owned(),
        change => format!("{change:+} %"),
    }
}

fn services(all: &[ServiceVolume]) -> Section {
    let row = |one: &ServiceVolume| {
        vec![
            one.service.clone(),
            human::count(i64::try_from(one.messages).unwrap_or(i64::MAX)),
            one.usual().map(human::decimal).unwrap_or_default(),
            one.change().map(percent).unwrap_or_default(),
        ]
    };
    let (rows, note) = cut(all.iter().filter(|one| !one.is_gone()).map(row).collect());
    Section {
        title: "Mail by service",
        columns: &["service", "messages", "average of the weeks before", "change"],
        rows,
        empty: "No service sent mail.",
        note,
    }
}

fn changes(report: &MailReport) -> Section {
    let service = |one: &ServiceVolume, words: String| vec![one.service.clone(), words];
    let new = report.services.iter().filter(|one| one.is_new()).map(|one| {
        let mails = human::counted(one.messages, "message");
        service(one, format!("new: {mails}, none in the weeks before"))
    });
    let gone = report.services.iter().filter(|one| one.is_gone()).map(|one| {
        let usual = human::decimal(one.usual().unwrap_or_default());
        service(one, format!("no mail any more; {usual} before"))
    });
    let marks = report.marks.iter().map(|mark| {
        let about = mark.service.clone().unwrap_or_else(|| "all".to_owned());
        vec![about, format!("{} {}", rfc3339(mark.at_ms), mark.text)]
    });
    let (rows, note) = cut(marks.chain(new).chain(gone).collect());
    Section {
        title: "What changed",
        columns: &["service", "change"],
        rows,
        empty: "Nothing that was noted, no service that is new, and none that is gone.",
        note,
    }
}

fn providers(report: &MailReport) -> Section {
    let percent = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1} %"));
    let rows = report.providers.iter().map(|one| {
        let (now, usual) = (one.attempts.percents(), one.usual.percents());
        vec![
            one.provider.clone(),
            one.reason.as_ref().map_or(String::new(), |(reason, _)| reason.clone()),
            human::count(one.attempts.all),
            percent(now.map(|(deferred, _)| deferred)),
            percent(usual.map(|(deferred, _)| deferred)),
            percent(now.map(|(_, bounced)| bounced)),
            percent(usual.map(|(_, bounced)| bounced)),
        ]
    });
    let (rows, note) = cut(rows.collect());
    Section {
        title: "Providers",
        columns: &[
            "provider",
            "main reason",
            "attempts",
            "deferred",
            "usually",
            "bounced",
            "usually",
        ],
        rows,
        empty: "No mail was handed to the outside.",
        note,
    }
}

fn reasons(all: &[ReasonCount]) -> Section {
    let row = |one: &ReasonCount| vec![one.reason.clone(), human::count(one.failed), human::count(one.deferred)];
    let (rows, note) = cut(all.iter().map(row).collect());
    Section {
        title: "Reasons",
        columns: &["reason", "failed", "deferred"],
        rows,
        empty: "No mail was put off or failed.",
        note,
    }
}

fn blind(report: &MailReport) -> Section {
    let rows = report.blind.iter().map(|one| {
        vec![
            one.host.clone(),
            rfc3339(one.from_ms),
            rfc3339(one.to_ms),
            human::duration(one.to_ms - one.from_ms),
        ]
    });
    let (rows, note) = cut(rows.collect());
    Section {
        title: "Times without logs",
        columns: &["host", "from", "to", "length"],
        rows,
        empty: "None.",
        note,
    }
}
