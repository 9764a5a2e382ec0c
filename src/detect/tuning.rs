//! The numbers of the method in one place. None belongs to a series; all hold for every volume.

/// Constants of the method. `Default` is what ships; a measurement may vary them.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// False alarms allowed per service and 90 days.
    pub budget: f64,
    /// What a week's weight in the profile is worth one week later.
    pub week_decay: f64,
    /// Half-life of the slow level, days.
    pub slow_half_life_d: f64,
    /// Expected mails that the slow level's prior is worth.
    pub slow_prior: f64,
    /// Expected mails that a fast level's prior is worth.
    pub fast_prior: f64,
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
    /// Days that the prior of a tail's slope is worth.
    pub slope_prior_d: f64,
    /// Invented days that a tail begins with.
    pub pseudo_d: f64,
    /// Daily maxima are clipped this many decades beyond the alarm.
    pub clip: f64,
    /// Prior location of the daily maximum of the joint score, decades.
    pub joint_location: f64,
    /// Prior slope of the joint score, decades per e-fold.
    pub joint_slope: f64,
    /// Days that the joint slope's prior is worth.
    pub joint_prior_d: f64,
    /// Decades added to the joint threshold.
    pub margin: f64,
    /// Days after which a partial drop is the new level.
    pub accept_d: f64,
    /// Days after which a silent series is retired.
    pub retire_d: f64,
    /// Evidence in nats that closes an episode.
    pub close: f64,
    /// Share of the expectation that a holiday keeps, for the gap only.
    pub holiday_share: f64,
    /// Share of a window that must have been seen.
    pub least_share: f64,
    /// Episodes shorter than this teach their whole evidence, seconds.
    pub short_s: f64,
    /// Clip for longer episodes, decades.
    pub clip_long: f64,
    /// Rank of the highest value that may not alarm.
    pub again: f64,
    /// Share of the expectation that is sure next to a holiday.
    pub near_share: f64,
    /// Days before maxima are kept.
    pub learn_d: f64,
    /// Days before a drop is kept out of what is learned.
    pub mask_d: f64,
    /// A drop that comes back this soon is the same one, seconds.
    pub flap_s: f64,
    /// Standard deviations that a block may lie off before it is clipped for a level.
    pub huber: f64,
    /// Mails added to that.
    pub huber_add: f64,
    /// Days before noise is measured.
    pub noise_d: f64,
    /// Days over which a CUSUM forgets.
    pub cusum_memory_d: f64,
    /// Noise of the gap.
    pub gap_v: f64,
    /// Exponent of the fusion.
    pub fuse: f64,
    /// Decades that each further alarm of 30 days raises the bar.
    pub guard_step: f64,
    /// Alarms of 30 days that do not.
    pub guard_free: f64,
    /// Switches for measurements: channels left out, as a bit set.
    pub without: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            budget: 1.0,
            week_decay: 0.85,
            slow_half_life_d: 10.0,
            slow_prior: 20.0,
            fast_prior: 30.0,
            deadband: 0.8,
            v_prior: 0.05,
            v_prior_d: 3.0,
            v_memory_d: 28.0,
            v_min: 4e-4,
            slope_prior_d: 30.0,
            pseudo_d: 8.0,
            clip: 1.5,
            joint_location: -0.8,
            joint_slope: 0.43,
            joint_prior_d: 30.0,
            margin: 0.0,
            accept_d: 5.0,
            retire_d: 14.0,
            close: 3.0,
            holiday_share: 0.25,
            least_share: 0.5,
            short_s: 1800.0,
            clip_long: 1.5,
            again: 2.0,
            near_share: 0.5,
            learn_d: 9.0,
            mask_d: 21.0,
            flap_s: 21600.0,
            huber: 2.0,
            huber_add: 2.0,
            noise_d: 9.0,
            cusum_memory_d: 3.0,
            gap_v: 0.005,
            fuse: 0.0,
            guard_step: 0.0,
            guard_free: 4.0,
            without: 0,
        }
    }
}

impl Tuning {
    /// Sets one constant by name, for measurements.
    pub fn set(&mut self, name: &str, value: f64) {
        match name {
            "budget" => self.budget = value,
            "week_decay" => self.week_decay = value,
            "slow_half_life_d" => self.slow_half_life_d = value,
            "slow_prior" => self.slow_prior = value,
            "fast_prior" => self.fast_prior = value,
            "deadband" => self.deadband = value,
            "v_prior" => self.v_prior = value,
            "v_prior_d" => self.v_prior_d = value,
            "v_memory_d" => self.v_memory_d = value,
            "v_min" => self.v_min = value,
            "slope_prior_d" => self.slope_prior_d = value,
            "pseudo_d" => self.pseudo_d = value,
            "clip" => self.clip = value,
            "joint_location" => self.joint_location = value,
            "joint_slope" => self.joint_slope = value,
            "joint_prior_d" => self.joint_prior_d = value,
            "margin" => self.margin = value,
            "accept_d" => self.accept_d = value,
            "retire_d" => self.retire_d = value,
            "close" => self.close = value,
            "holiday_share" => self.holiday_share = value,
            "least_share" => self.least_share = value,
            "short_s" => self.short_s = value,
            "clip_long" => self.clip_long = value,
            "again" => self.again = value,
            "near_share" => self.near_share = value,
            "learn_d" => self.learn_d = value,
            "mask_d" => self.mask_d = value,
            "flap_s" => self.flap_s = value,
            "huber" => self.huber = value,
            "huber_add" => self.huber_add = value,
            "noise_d" => self.noise_d = value,
            "cusum_memory_d" => self.cusum_memory_d = value,
            "gap_v" => self.gap_v = value,
            "fuse" => self.fuse = value,
            "guard_step" => self.guard_step = value,
            "guard_free" => self.guard_free = value,
            "without" => self.without = value as u64,
            _ => panic!("{name}"),
        }
    }
}
