//! Late or lost: whether what is missing came after the recovery, by the counts alone.

/// Bins of the recovery, minutes since its beginning.
const BINS: [usize; 8] = [5, 15, 30, 45, 60, 90, 120, 240];
/// Mean delays of a backlog that are tried, minutes.
const DELAYS: [f64; 4] = [5.0, 15.0, 40.0, 100.0];
/// Part of what is missing that a backlog brings at least.
const PART: f64 = 0.7;
/// Counts vary by more than Poisson (squared).
const NOISE: f64 = 0.07;
/// What it says for a backlog that the application was seen to try again, in nats, and against it that it was not
/// although it logs its failures.
const TRIES: f64 = 1.5;

/// What the time after the recovery says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Catch {
    /// Log-odds of a backlog.
    pub odds: f64,
    /// Mails above the usual.
    pub late: f64,
    /// Minutes until the usual volume was back.
    pub drained: usize,
    /// Mails after the recovery and how many were usual, over the bins that count.
    pub seen: (f64, f64),
}

impl Catch {
    /// In words.
    pub fn say(&self) -> String {
        let (seen, usual) = self.seen;
        let word = if self.odds > 0.0 { "a backlog" } else { "no backlog" };
        format!("{word} after it: {seen:.0} mails in the first hour, where {usual:.1} are usual")
    }
}

/// Compares the recovery with and without a backlog of `missing` mails. `after` has expected and observed mails a
/// minute from the recovery on.
pub fn catch_up(missing: f64, retries: Option<bool>, after: &[(f64, u64)]) -> Catch {
    if missing <= 0.0 || after.is_empty() {
        return Catch::default();
    }
    let mut edges = vec![0];
    edges.extend(BINS.iter().copied().filter(|edge| *edge < after.len()));
    edges.push(after.len().min(BINS[BINS.len() - 1]));
    let bins: Vec<(usize, usize, f64, f64)> = edges
        .windows(2)
        .map(|pair| {
            let part = &after[pair[0]..pair[1]];
            let usual = part.iter().map(|minute| minute.0).sum::<f64>().max(1e-4);
            (pair[0], pair[1], usual, part.iter().map(|minute| minute.1 as f64).sum())
        })
        .collect();
    let plain: f64 = bins.iter().map(|(_, _, usual, seen)| likelihood(*seen, *usual)).sum();
    let with = DELAYS.iter().map(|delay| {
        let left = |minute: usize| (-(minute as f64) / delay).exp();
        let one = bins
            .iter()
            .map(|(from, to, usual, seen)| likelihood(*seen, usual + PART * missing * (left(*from) - left(*to))));
        one.sum::<f64>()
    });
    let best = with.fold(f64::NEG_INFINITY, f64::max);
    let hour = &after[..after.len().min(60)];
    let seen = hour
        .iter()
        .fold((0.0, 0.0), |sum, minute| (sum.0 + minute.1 as f64, sum.1 + minute.0));
    let (late, drained) = excess(missing, after);
    let mut gain = (0.0, 0.0_f64);
    for (_, _, usual, seen) in &bins {
        gain.0 += seen - usual;
        gain.1 = gain.1.max(gain.0);
    }
    // One mail out of three may be any mail.
    let most = if gain.1 < 0.5 * PART * missing { -20.0 } else { 0.0 };
    Catch {
        odds: most + best - plain - (DELAYS.len() as f64).ln() / 2.0
            + match retries {
                Some(true) => TRIES,
                Some(false) => -TRIES,
                None => 0.0,
            },
        late,
        drained,
        seen,
    }
}

/// Mails above the usual until two windows in a row are usual again, and the minute of that.
fn excess(missing: f64, after: &[(f64, u64)]) -> (f64, usize) {
    let (mut late, mut calm, mut drained) = (0.0, 0, after.len());
    for (n, window) in after.chunks(5).enumerate() {
        let (usual, seen) = window
            .iter()
            .fold((0.0, 0.0), |sum, m| (sum.0 + m.0, sum.1 + m.1 as f64));
        late += seen - usual;
        calm = if seen <= usual + 1.5 * usual.sqrt() + 0.5 {
            calm + 1
        } else {
            0
        };
        if calm == 2 {
            drained = (n - 1) * 5;
            break;
        }
    }
    (f64::clamp(late, 0.0, missing), drained)
}

/// Log of the negative binomial's probability, without the terms that do not depend on the mean.
fn likelihood(seen: f64, mean: f64) -> f64 {
    let v = NOISE;
    seen * (mean / (1.0 + v * mean)).ln() - (1.0 + v * mean).ln() / v
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rate: f64, extra: &[(usize, u64)]) -> Vec<(f64, u64)> {
        let mut minutes: Vec<(f64, u64)> = (0..240)
            .map(|n| (rate, ((n + 1) as f64 * rate) as u64 - (n as f64 * rate) as u64))
            .collect();
        extra.iter().for_each(|(minute, mails)| minutes[*minute].1 += mails);
        minutes
    }

    #[test]
    fn a_backlog_is_seen_and_its_absence_too() {
        let flood: Vec<(usize, u64)> = (0..20).map(|minute| (minute, 10)).collect();
        let catch = catch_up(200.0, None, &after(1.0, &flood));
        assert!(catch.odds > 10.0 && (catch.late - 200.0).abs() < 20.0, "{catch:?}");
        assert!((15..=35).contains(&catch.drained), "{catch:?}");
        assert!(catch_up(200.0, Some(true), &after(1.0, &[])).odds < -2.0);
    }

    #[test]
    fn few_mails_are_judged_by_when_they_come() {
        assert!(catch_up(2.0, None, &after(0.003, &[])).odds < 0.0);
        assert!(catch_up(2.0, Some(true), &after(0.003, &[(3, 1), (7, 1)])).odds > 0.0);
        assert_eq!(catch_up(0.0, Some(true), &after(1.0, &[])), Catch::default());
        assert_eq!(catch_up(5.0, None, &[]), Catch::default());
    }
}
