//! Is the log's zone what was configured? The first six characters of a message ID are the arrival's time in UTC.

/// Clock differences that a mis-set zone would make are at least a quarter of an hour.
const ZONE_STEP_MS: i64 = 15 * 60_000;

/// So many arrivals are all looked at; of those after them one in [`ONE_IN`].
const ALL_OF: u32 = 1000;
const ONE_IN: u32 = 16;

/// Compares arrival times with the clock inside message IDs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ZoneCheck {
    seen: u32,
    checked: u32,
    off: u32,
    last_off_ms: i64,
}

impl ZoneCheck {
    /// Whether the next arrival is to be looked at.
    #[inline]
    pub(super) fn is_next_checked(&mut self) -> bool {
        self.seen = self.seen.wrapping_add(1);
        self.seen <= ALL_OF || self.seen.is_multiple_of(ONE_IN)
    }

    /// Takes one arrival: how far the log's clock is ahead of the ID.
    pub(super) fn check(&mut self, ahead_ms: i64) {
        self.checked += 1;
        // A message may be written some minutes after its ID was made; a zone is off by quarters of an hour.
        let rounded = (ahead_ms + ZONE_STEP_MS / 2).div_euclid(ZONE_STEP_MS) * ZONE_STEP_MS;
        if rounded != 0 && rounded.abs() <= 15 * 3_600_000 && (ahead_ms - rounded).abs() < 2 * 60_000 {
            self.off += 1;
            self.last_off_ms = rounded;
        }
    }

    /// By how much the log's clock is ahead, if most arrivals agree that it is.
    pub(super) fn error_ms(&self) -> Option<i64> {
        (self.checked >= 5 && self.off * 10 >= self.checked * 9).then_some(self.last_off_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_off_by_hours_and_a_slow_arrival_by_seconds() {
        let error = |ahead: &[i64]| {
            let mut zone = ZoneCheck::default();
            ahead.iter().for_each(|ms| zone.check(*ms));
            zone.error_ms()
        };
        assert_eq!(
            error(&[7_200_000, 7_201_000, 7_200_000, 7_230_000, 7_200_000]),
            Some(7_200_000)
        );
        assert_eq!(error(&[0, 1000, 30_000, 0, 400_000, 0]), None);
        assert_eq!(error(&[7_200_000; 4]), None);
    }
}
