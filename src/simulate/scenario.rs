//! What is chosen of an outage: its seed, its days, its mails.

/// How to tell the story of the outage.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage2018 {
    /// Equal seeds write equal bytes.
    pub seed: u64,
    /// Days of history before the night.
    pub history_days: u32,
    /// 1.0: twenty mails a minute from the wikis at their busiest hour, eight from Phabricator, four from Gerrit.
    /// Services with a few mails a day are not scaled.
    pub mails_per_day_scale: f64,
}

impl Outage2018 {
    /// Three weeks in some 800 thousand lines: what `demo` shows.
    pub fn demo(seed: u64) -> Self {
        Self {
            seed,
            history_days: 21,
            mails_per_day_scale: 0.22,
        }
    }

    /// Two days and the night in less than sixty thousand lines: the same story, for tests without optimisation.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            history_days: 2,
            mails_per_day_scale: 0.04,
        }
    }
}
