//! The detection over a stored history: the same steps as live, told as the list of what would have alarmed.

use super::detector::{BadSeries, Config, Detector, Sample};
use super::episode::{Change, Drop};
use jiff::tz::TimeZone;

/// Drops of one series, oldest first. Samples are (start of the grain in seconds, what was seen), in order; those that
/// come out of order are left out.
pub fn replay(
    config: &Config,
    zone: TimeZone,
    grain_s: i64,
    samples: impl IntoIterator<Item = (i64, Sample)>,
) -> Result<Vec<Drop>, BadSeries> {
    let mut detector = Detector::new(config.clone());
    let id = detector.add(zone, grain_s)?;
    let mut drops: Vec<Drop> = Vec::new();
    for (ts, sample) in samples {
        let told = detector.observe(id, ts, sample, &mut |_, change| match (change, drops.last_mut()) {
            (Change::Opened(drop), _) => drops.push(drop),
            (Change::Reopened { whole: drop, .. } | Change::Closed(drop), Some(last)) => *last = drop,
            (Change::Reopened { whole: drop, .. } | Change::Closed(drop), None) => drops.push(drop),
        });
        // A sample that was refused changes nothing; whoever has an order to defend checks it before.
        let _ = told;
    }
    // What goes on is told as it stands now.
    if let (Some(ongoing), Some(last)) = (detector.ongoing(id), drops.last_mut()) {
        *last = *ongoing;
    }
    Ok(drops)
}
