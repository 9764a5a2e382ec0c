//! Rates of the mail that relays took, that applications handed in or could not, and of which it was decided: what an outage is
//! judged by.

use super::ColumnarError;
use super::read::{FlowBlock, SegmentReader};
use super::rollups::{RollUp, RollUps};
use super::write::{DIRECTION, ORIGIN};
use std::io::{Read, Seek};
use std::path::Path;

/// How fine rates are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowGrain {
    /// By minute.
    Minutes,
    /// By day, where a segment has such a roll-up.
    Days,
}

/// Of which mail rates are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKinds {
    /// What was accepted, handed in, or not handed in: destinations, directions, attempts and recipients are left out.
    Taken,
    /// And copies of which it was decided, with all counts.
    TakenAndDone,
}

impl MailKinds {
    /// Kinds of events.
    pub fn names(self) -> &'static [&'static str] {
        let all = &[
            "accepted",
            "submitted",
            "submit_failed",
            "delivered",
            "bounced",
            "expired",
            "discarded",
        ];
        match self {
            MailKinds::Taken => &all[..3],
            MailKinds::TakenAndDone => all,
        }
    }
}

/// Rates of mail; all of them are left out where a segment has no such mail.
pub(crate) fn read_mail_flows(path: &Path, grain: FlowGrain, kinds: MailKinds) -> Result<FlowBlock, ColumnarError> {
    if grain == FlowGrain::Days
        && let Some(mut rollups) = RollUps::open(path)?
    {
        let days = rollups.reader(path, RollUp::Days)?;
        return days.map_or(Ok(FlowBlock::default()), |mut days| mail_flows(&mut days, kinds));
    }
    mail_flows(&mut SegmentReader::open(path)?, kinds)
}

fn mail_flows<F: Read + Seek>(reader: &mut SegmentReader<'_, F>, kinds: MailKinds) -> Result<FlowBlock, ColumnarError> {
    let kind = reader.texts("kind")?;
    let is_wanted = |name: &String| kinds.names().contains(&name.as_str());
    let wanted: Vec<bool> = kind.values.iter().map(is_wanted).collect();
    if !kind.codes.iter().any(|code| wanted[*code as usize]) {
        return Ok(FlowBlock::default());
    }
    let more = match kinds {
        MailKinds::Taken => FlowBlock::default(),
        MailKinds::TakenAndDone => FlowBlock {
            destination: reader.texts("destination")?,
            direction: reader.texts(DIRECTION)?,
            attempts: reader.numbers("attempts")?,
            recipients: reader.numbers("recipients")?,
            ..FlowBlock::default()
        },
    };
    Ok(FlowBlock {
        ts_ms: reader.numbers("ts_ms")?,
        service: reader.texts("service")?,
        hostgroup: reader.texts("hostgroup")?,
        relay: reader.texts("relay")?,
        kind,
        origin: reader.texts(ORIGIN)?,
        first_hop: reader.flags("first_hop")?,
        messages: reader.numbers("messages")?,
        ..more
    })
}
