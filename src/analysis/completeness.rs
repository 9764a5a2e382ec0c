//! From when on volume alarms are complete: two weeks of history make no week, and whoever reads "no alarm" has to know.

use crate::analysis::alarms::minute;
use crate::detect::engine::Engine;
use crate::detect::volume::Complete;

/// From when on volume alarms are complete, as every command that tells alarms says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completeness(Option<Complete>);

impl Completeness {
    /// Of a replay.
    pub fn of(engine: &Engine) -> Completeness {
        Completeness(engine.complete())
    }

    /// Of what is known otherwise.
    pub fn new(complete: Option<Complete>) -> Completeness {
        Completeness(complete)
    }

    /// The minute, seconds since 1970; `None` before the first mail.
    pub fn seconds(self) -> Option<i64> {
        self.0.map(|complete| complete.from * 60)
    }

    /// RFC 3339, for JSON.
    pub fn time(self) -> Option<String> {
        self.0.map(|complete| minute(complete.from))
    }

    /// One sentence.
    pub fn words(self) -> String {
        let Some(Complete { from, series, young }) = self.0 else {
            return "volume alarms are complete after 14 days of history; there is no mail yet".to_owned();
        };
        let from = minute(from);
        match young {
            0 => {
                format!("volume alarms are complete from {from} on (14 days of history); before, they are provisional")
            }
            _ => format!(
                "volume alarms are complete from {from} on (14 days of history); until then those of {young} of {series} series \
                 are provisional"
            ),
        }
    }
}
