//! `status --nagios`: one line and an exit code.

use super::kept_alerts::alerts_said;
use crate::alert::Notice;
use crate::alert::state::{AlertState, ChannelState};
use crate::analysis::planned_work::reason_in;
use crate::analysis::severity::{Concern, Severity, Surroundings, concerns, quiet_since, severity};
use crate::analysis::sources::{SourceStatus, SourceVerdict, statuses};
use crate::cli::output;
use crate::model::text::safe_error;
use crate::model::time::{DAY_MS, UtcMs, rfc3339};
use crate::query::history::Backend;
use crate::setup::Setup;
use crate::store::catalogue::Counts;
use anyhow::Result;
use std::process::ExitCode;

/// Sources that are named for one reason.
const SOURCES_SHOWN: usize = 5;

/// Says it in one line.
pub(super) fn run(setup: &Setup, now: UtcMs, stale_ms: Option<i64>) -> Result<ExitCode> {
    let facts = match NagiosFacts::read(setup, now, stale_ms) {
        Ok(facts) => facts,
        Err(error) => {
            output::line(&format!("MAILPULSE UNKNOWN - {}", safe_error(&error)))?;
            return Ok(ExitCode::from(3));
        }
    };
    let concerns = concerns(&facts.rows, &facts.around);
    let (word, code) = match severity(&concerns) {
        Severity::Good => ("OK", 0),
        Severity::Warning => ("WARNING", 1),
        Severity::Critical => ("CRITICAL", 2),
        Severity::Unknown => ("UNKNOWN", 3),
    };
    output::line(&format!("MAILPULSE {word} - {}", facts.line(&concerns)))?;
    Ok(ExitCode::from(code))
}

/// What the line is made of.
struct NagiosFacts {
    rows: Vec<SourceStatus>,
    alerts: AlertState,
    /// Channels that do not take alarms.
    failing: Vec<ChannelState>,
    around: Surroundings,
}

impl NagiosFacts {
    fn read(setup: &Setup, now: UtcMs, stale_ms: Option<i64>) -> Result<NagiosFacts> {
        let config = setup.config()?;
        let store = setup.engine(&config)?;
        let mut around = Surroundings::default();
        if let Backend::Embedded(store) = &store {
            around.refused = store.outbox().waiting()?.map_or(0, |waiting| waiting.refused);
            around.undecided = store.outbox().is_undecided()?;
            around.troubles = store.troubles().all()?;
        }
        let rows = statuses(store.history(), now, stale_ms.unwrap_or(i64::MAX))?;
        let heartbeat_ms = store.history().heartbeat_ms(UtcMs::MIN, now)?;
        around.silent_since_ms = quiet_since(&rows, heartbeat_ms, now, stale_ms.unwrap_or(DAY_MS));
        let alerts = alerts_said(&config)?;
        let failing: Vec<ChannelState> = alerts.channels().into_iter().filter(ChannelState::is_failing).collect();
        around.alarms = alerts.firing.len();
        around.undelivered = failing.len();
        Ok(NagiosFacts {
            rows,
            alerts,
            failing,
            around,
        })
    }

    /// What is wrong, what is not sent, and the numbers.
    fn line(&self, concerns: &[Concern]) -> String {
        let mut parts: Vec<String> = concerns.iter().map(|concern| self.words(concern)).collect();
        for (word, alarms) in [
            ("silenced", &self.alerts.silenced),
            ("provisional", &self.alerts.provisional),
        ] {
            if !alarms.is_empty() {
                parts.push(format!("{word}: {}", joined(alarms.iter().map(held_back))));
            }
        }
        parts.push(self.numbers());
        parts.join(", ")
    }

    fn words(&self, concern: &Concern) -> String {
        match concern {
            Concern::Alarms => joined(self.alerts.firing.iter().map(alarm_words)),
            Concern::Unreadable => format!("unreadable: {}", self.named(SourceVerdict::Unreadable)),
            Concern::Refused(payloads) => format!("{payloads} payloads refused by the ClickHouse"),
            Concern::Undecided => "nothing is sent: the catalogue was rebuilt".to_owned(),
            Concern::Troubles(topics) => format!("trouble: {}", plain(&topics.join(", "))),
            Concern::Undelivered => format!("alarms not delivered: {}", joined(self.failing.iter().map(undelivered))),
            Concern::Silent(since) => format!("no line since {}: no verdict on any mail", rfc3339(*since)),
            Concern::Stale => format!("stale: {}", self.named(SourceVerdict::Stale)),
            Concern::Unparsed => "many lines do not parse".to_owned(),
            Concern::Damaged => "a log is damaged".to_owned(),
            Concern::NothingRead => "nothing has been read yet".to_owned(),
        }
    }

    /// The sources of a state, a few.
    fn named(&self, state: SourceVerdict) -> String {
        let rows = self.rows.iter().filter(|row| row.state == state);
        let names = rows.map(|row| {
            let clock = match row.reason() {
                Some("clock") => ", the clock is in doubt",
                _ => "",
            };
            format!("{} ({}{clock})", row.source.host, row.source.kind)
        });
        joined(names.take(SOURCES_SHOWN)).replace('|', "/")
    }

    /// Numbers for people and, behind the bar, for the monitoring system.
    fn numbers(&self) -> String {
        let mut sum = Counts::default();
        self.rows.iter().for_each(|row| sum.add(&row.source.counts));
        let count = |state: SourceVerdict| self.rows.iter().filter(|row| row.state == state).count();
        let damaged: u64 = self.rows.iter().map(|row| row.damaged().len() as u64).sum();
        format!(
            "{} sources, {} lines, {} unparsed | lines={1}c unparsed={2}c damaged={damaged} unreadable={} stale={} alarms={} \
             silenced={} undelivered={} provisional={}",
            self.rows.len(),
            sum.lines,
            sum.unparsed,
            count(SourceVerdict::Unreadable),
            count(SourceVerdict::Stale),
            self.alerts.firing.len(),
            self.alerts.silenced.len(),
            self.failing.len(),
            self.alerts.provisional.len()
        )
    }
}

/// An alarm in a few words that do not upset Nagios.
fn alarm_words(alarm: &Notice) -> String {
    let about = alarm.about();
    plain(&format!("{} {} {}", about.kind, about.name, about.state))
}

/// The same with why it is held back.
fn held_back(alarm: &Notice) -> String {
    match reason_in(&alarm.alarm) {
        Some(why) => format!("{} ({})", alarm_words(alarm), plain(why)),
        None => alarm_words(alarm),
    }
}

fn undelivered(channel: &ChannelState) -> String {
    let ChannelState {
        name, waiting, refused, ..
    } = channel;
    plain(&format!("{name} ({waiting} wait, {refused} refused)"))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Text on one line, without what begins the numbers.
fn plain(text: &str) -> String {
    text.replace(['|', '\n'], "/")
}
