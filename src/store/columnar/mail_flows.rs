//! Rates of the mail that relays took, and that applications handed in or could not: what an outage is judged by.

use super::ColumnarError;
use super::read::{FlowBlock, SegmentReader};
use super::rollups::{RollUp, RollUps};
use super::write::ORIGIN;
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

/// Kinds of [`read_mail_flows`].
const OF_MAIL: [&str; 3] = ["accepted", "submitted", "submit_failed"];

/// Rates of mail that was accepted, handed in or not handed in: attempts and recipients are left out, and all of it where a
/// segment has no such mail.
pub fn read_mail_flows(path: &Path, grain: FlowGrain) -> Result<FlowBlock, ColumnarError> {
    if grain == FlowGrain::Days
        && let Some(mut rollups) = RollUps::open(path)?
    {
        let days = rollups.reader(path, RollUp::Days)?;
        return days.map_or(Ok(FlowBlock::default()), |mut days| mail_flows(&mut days));
    }
    mail_flows(&mut SegmentReader::open(path)?)
}

fn mail_flows<F: Read + Seek>(reader: &mut SegmentReader<'_, F>) -> Result<FlowBlock, ColumnarError> {
    let kind = reader.texts("kind")?;
    let wanted: Vec<bool> = kind
        .values
        .iter()
        .map(|name| OF_MAIL.contains(&name.as_str()))
        .collect();
    if !kind.codes.iter().any(|code| wanted[*code as usize]) {
        return Ok(FlowBlock::default());
    }
    Ok(FlowBlock {
        ts_ms: reader.numbers("ts_ms")?,
        service: reader.texts("service")?,
        hostgroup: reader.texts("hostgroup")?,
        relay: reader.texts("relay")?,
        kind,
        origin: reader.texts(ORIGIN)?,
        first_hop: reader.flags("first_hop")?,
        messages: reader.numbers("messages")?,
        ..FlowBlock::default()
    })
}
