//! One host: whether its log arrives and is understood, whether it takes mail, and whether mail leaves it.

use super::alarm::{Layer, LayerFinding, Turn};
use super::burst::Burst;
use super::civil::LocalMinute;
use super::queue::{Queue, QueueMinute};
use super::silence::{self, Silence};
use super::visibility::{Arrival, ArrivalMinute, Understanding};
use serde::{Deserialize, Serialize};

/// A host that others hand mail to, and that writes nothing for so many minutes, writes somewhere else.
const HIDDEN: i64 = 3;

/// What a minute tells of a host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    /// Its log could not be read.
    pub unreadable: bool,
    /// Lines.
    pub lines: u32,
    /// Lines that did not parse.
    pub unparsed: u32,
    /// Messages that it took.
    pub accepted: u32,
    /// Its queue.
    pub queued: QueueMinute,
    /// Copies that others say they gave it.
    pub handed: u32,
    /// Attempts of others that found nobody.
    pub refused: u32,
}

/// What is remembered of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostState {
    arrival: Arrival,
    understanding: Understanding,
    silence: Silence,
    refused: Burst,
    queue: Queue,
    /// It has passed mail on.
    is_relay: bool,
    /// It writes, as others say, and nothing of it arrives.
    hidden: bool,
    last_line: Option<i64>,
    lines_since: f64,
    handed_since: f64,
    seen: bool,
}

/// What a minute says of a host elsewhere than in its log.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// Failures that services which hang on it report.
    pub failing: f64,
    /// The part of its mail that no service's own alarm explains.
    pub unexplained: silence::Others,
    /// Others find nobody here for a reason of their own.
    pub refusals_explained: bool,
}

impl HostState {
    /// Whether its counts mean something.
    pub fn is_seen(&self) -> bool {
        self.seen || !self.is_relay
    }

    /// Whether it has taken no mail for some time.
    pub fn is_quiet(&self) -> bool {
        self.is_relay && self.silence.gap() > 1.0
    }

    /// Expected mails since its last one.
    pub fn gap(&self) -> f64 {
        self.silence.gap()
    }

    /// First minute after its last mail.
    pub fn since(&self) -> Option<i64> {
        self.silence.since()
    }

    /// Takes a minute.
    pub fn step(&mut self, at: i64, day: LocalMinute, heard: Heard, around: Around) -> Vec<(Layer, Turn)> {
        let mut turns = Vec::new();
        let mut push = |layer, turn: Option<Turn>| turns.extend(turn.map(|turn| (layer, turn)));
        self.is_relay |= heard.accepted > 0;
        if heard.lines > 0 {
            (self.last_line, self.hidden) = (Some(at), false);
        }
        if heard.accepted > 0 {
            (self.lines_since, self.handed_since) = (0.0, 0.0);
        } else if self.silence.since().is_some_and(|since| at >= since + 2) {
            // The last deliveries take their time.
            self.lines_since += f64::from(heard.lines);
        }
        // What was handed over with the last mails may be told a little later than they are.
        if heard.accepted == 0 && self.silence.since().is_none_or(|since| at > since) {
            self.handed_since += f64::from(heard.handed);
        }
        let quiet_for = self.last_line.map_or(0, |last| at - last);
        self.hidden |= self.handed_since >= 2.0 && quiet_for >= HIDDEN;
        let readable = !heard.unreadable && !self.hidden;
        let arrived = ArrivalMinute {
            readable,
            certain: self.hidden,
            lines: heard.lines,
        };
        push(Layer::Sight, self.arrival.step(at, day.wall, arrived));
        push(Layer::Parse, self.understanding.step(at, heard.lines, heard.unparsed));
        self.seen = readable && !self.understanding.is_doubtful();
        let refused = self.refused.step(at, heard.refused, heard.refused + heard.handed);
        if !self.is_relay {
            return turns;
        }
        push(Layer::Witness, refused);
        let heard_silence = silence::RelayMinute {
            count: heard.accepted,
            seen: self.seen && self.handed_since < 1.0,
            day,
            witnessed: around.failing >= 2.0 || !around.refusals_explained && self.refused.within(at, 10) >= 2.0,
            others: around.unexplained,
        };
        push(Layer::Silence, self.silence.step(at, heard_silence));
        if self.seen {
            push(Layer::Queue, self.queue.step(at, heard.queued));
        }
        turns
    }

    /// What speaks for a finding, in sentences.
    pub fn evidence(&self, layer: Layer, found: LayerFinding, others: f64, name: &str) -> Vec<String> {
        let number = |n: f64| format!("{n:.0}");
        match layer {
            Layer::Sight if self.hidden => vec![format!(
                "nothing of {name}'s log arrives ({} minutes with lines were due), while other hosts hand mail to it",
                number(found.expected)
            )],
            Layer::Sight => vec![format!(
                "nothing of {name}'s log arrives: {} minutes with lines were due",
                number(found.expected)
            )],
            Layer::Parse => vec![format!(
                "{} of {name}'s last lines did not parse",
                number(found.observed)
            )],
            Layer::Queue => vec![format!(
                "{name} took mail and passed on {} copies where {} were due",
                number(found.observed),
                number(found.expected)
            )],
            Layer::Witness => vec![format!(
                "{} attempts to reach {name} found nobody",
                number(found.observed)
            )],
            _ => self.silent(found, others, name),
        }
    }

    fn silent(&self, found: LayerFinding, others: f64, name: &str) -> Vec<String> {
        let mut said = vec![format!("{name} took no mail where {:.0} were due", found.expected)];
        let refused = self.refused.recent();
        if self.lines_since > 0.0 {
            said.push(format!(
                "its log goes on: {:.0} lines since its last mail",
                self.lines_since
            ));
        }
        if others > 0.0 {
            said.push(format!(
                "services that use only {name} failed to hand in {others:.0} mails"
            ));
        }
        if refused > 0.0 {
            said.push(format!("other hosts found nobody there {refused:.0} times"));
        }
        if self.lines_since == 0.0 && others == 0.0 && refused == 0.0 {
            said.push(format!(
                "no witness: from {name}'s log alone, a silent relay and a log that stopped look alike"
            ));
        }
        said
    }
}
