//! The numbers of the method in one place. None belongs to a series; all hold for every volume.

/// Constants of the method. `Default` is what ships; a measurement may vary them.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// False alarms allowed per service and 90 days.
    pub budget: f64,
    /// Decades by which the joint score must pass its threshold: what calibration on the past costs on the future.
    pub margin: f64,
    /// Decades more where many mails leave nothing to chance: the noise of days and people is no exponential law's.
    pub margin_busy: f64,
    /// Decades more while a tail holds twenty days or less, where hours are without noise; it falls with the square of the days.
    pub margin_young: f64,
    /// Decades more for each alarm of the last 30 days beyond `weary_free`.
    pub weary: f64,
    /// Alarms of 30 days that are taken for drops.
    pub weary_free: usize,
    /// Minutes by which mail may be early or late: a deploy, a queue. Bounds the noise of short windows from below.
    pub jitter_min: f64,
    /// What a week's weight in the profile is worth one week later.
    pub week_decay: f64,
    /// Half-life of the slow level, days.
    pub slow_half_life_d: f64,
    /// Expected mails that the slow level's prior is worth.
    pub slow_prior: f64,
    /// Expected mails that a fast level's prior is worth.
    pub fast_prior: f64,
    /// Standard deviations that a block may lie off a level before it is clipped for it.
    pub huber: f64,
    /// Share of the expectation below which a window counts as low.
    pub deadband: f64,
    /// Noise before anything is learned.
    pub v_prior: f64,
    /// Days that the prior of the noise is worth.
    pub v_prior_d: f64,
    /// Days that the noise remembers.
    pub v_memory_d: f64,
    /// Least noise.
    pub v_min: f64,
    /// Days over which a CUSUM forgets.
    pub cusum_memory_d: f64,
    /// Days that the prior of a tail's slope is worth.
    pub slope_prior_d: f64,
    /// Invented days that a tail begins with.
    pub pseudo_d: f64,
    /// Prior location of the daily maximum of the joint score, decades.
    pub joint_location: f64,
    /// Prior slope of the joint score, decades per e-fold.
    pub joint_slope: f64,
    /// Days that the joint slope's prior is worth.
    pub joint_prior_d: f64,
    /// A drop that is over this soon was a deploy: it teaches its whole evidence, seconds.
    pub short_s: i64,
    /// A longer one teaches at most these decades beyond the budget: at none it is a day that just keeps it.
    pub clip_long: f64,
    /// Decades beyond the budget from which a drop is none of chance: its days teach nothing.
    pub strong: f64,
    /// In the first days, while the usual nights are not known, any teaches up to these decades beyond it.
    pub clip_young: f64,
    /// Days for which that is so: four of each weekday.
    pub clip_young_d: u32,
    /// A drop that comes back this soon is the same one, seconds.
    pub flap_s: i64,
    /// Evidence in nats that closes an episode.
    pub close: f64,
    /// Days before noise is measured and maxima are kept: the first profile is no measure.
    pub learn_d: u32,
    /// Days before findings are more than provisional.
    pub provisional_d: u32,
    /// Days before a drop is kept out of what is learned: until then it may be the usual weekend.
    pub mask_d: u32,
    /// Days after which a partial drop is the new level.
    pub accept_d: u32,
    /// Days after which a silent series is retired.
    pub retire_d: u32,
    /// Share of the expectation that a holiday keeps, for the gap only.
    pub holiday_share: f64,
    /// Share of the expectation that is sure next to a holiday.
    pub near_share: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            budget: 1.0,
            margin: 0.05,
            margin_busy: 0.38,
            margin_young: 0.6,
            weary: 0.3,
            weary_free: 8,
            jitter_min: 1.5,
            week_decay: 0.85,
            slow_half_life_d: 20.0,
            slow_prior: 20.0,
            fast_prior: 30.0,
            huber: 2.0,
            deadband: 0.9,
            v_prior: 0.05,
            v_prior_d: 3.0,
            v_memory_d: 56.0,
            v_min: 4e-4,
            cusum_memory_d: 3.0,
            slope_prior_d: 60.0,
            pseudo_d: 8.0,
            joint_location: -0.8,
            joint_slope: 0.43,
            joint_prior_d: 60.0,
            short_s: 1_800,
            clip_long: 0.0,
            strong: 0.7,
            clip_young: 1.5,
            clip_young_d: 28,
            flap_s: 86_400,
            close: 3.0,
            learn_d: 9,
            provisional_d: 14,
            mask_d: 21,
            accept_d: 5,
            retire_d: 28,
            holiday_share: 0.25,
            near_share: 0.4,
        }
    }
}
