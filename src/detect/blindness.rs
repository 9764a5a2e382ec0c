//! How long an outage must last before a volume shows it: the bound of what any watcher of counts can know.
//!
//! A Poisson stream of λ mails a day, watched with one false alarm in D days, shows its full stop after `ln(1 + D·λ)/λ` days on
//! average at best. Mail that comes in clusters says less: of a series whose counts have the variance φ·mean, only λ/φ mails
//! are news.

/// Days of the budget.
const BUDGET_D: f64 = 90.0;

/// The days that the shortest full outage lasts which a volume of so many mails a day can show, with `dispersion` as
/// the variance of its counts over their mean and `budget` false alarms in 90 days; `None` without mail.
pub fn shortest_outage_d(per_day: f64, dispersion: f64, budget: f64) -> Option<f64> {
    let news = per_day / dispersion.max(1.0);
    (news > 0.0).then(|| (BUDGET_D / budget * news).ln_1p() / news)
}

/// The variance over the mean of counts of `days` days, from sums of counts and of their squares over the same hours of all
/// days; chance alone is 1, and so is what one day tells.
pub fn dispersion(hours: impl Iterator<Item = (f64, f64)>, days: f64) -> f64 {
    if days < 2.0 {
        return 1.0;
    }
    let sums = hours.fold((0.0, 0.0), |(variance, mean), (sum, squares)| {
        (
            variance + (squares - sum * sum / days) / (days - 1.0),
            mean + sum / days,
        )
    });
    if sums.1 > 0.0 { (sums.0 / sums.1).max(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_a_poisson_stream_and_longer_for_clusters() {
        let hours = |per_day| 24.0 * shortest_outage_d(per_day, 1.0, 1.0).unwrap();
        assert!((hours(3.0) - 44.8).abs() < 0.2, "{}", hours(3.0));
        assert!((hours(100.0) - 2.19).abs() < 0.02, "{}", hours(100.0));
        assert!(
            (hours(14_400.0) * 3_600.0 - 84.4).abs() < 1.0,
            "{}",
            hours(14_400.0) * 3_600.0
        );
        assert!(shortest_outage_d(100.0, 20.0, 1.0) > shortest_outage_d(100.0, 1.0, 1.0));
        assert!(
            shortest_outage_d(100.0, 1.0, 0.1) > shortest_outage_d(100.0, 1.0, 1.0),
            "a smaller budget waits longer"
        );
        assert_eq!(shortest_outage_d(0.0, 1.0, 1.0), None);
    }

    #[test]
    fn a_rhythm_is_no_noise_and_a_batch_is() {
        // Ten mails at nine and none at night, every day.
        let office = |day: usize| [10.0, 0.0, day as f64 * 0.0];
        let sums = |of: &dyn Fn(usize) -> [f64; 3]| -> Vec<(f64, f64)> {
            let column = |hour: usize| (0..7).map(move |day| (day, hour));
            (0..3)
                .map(|hour| {
                    column(hour).fold((0.0, 0.0), |(sum, squares), (day, hour)| {
                        let count = of(day)[hour];
                        (sum + count, squares + count * count)
                    })
                })
                .collect()
        };
        assert_eq!(dispersion(sums(&office).into_iter(), 7.0), 1.0);
        let batch = |day: usize| [0.0, if day == 3 { 700.0 } else { 0.0 }, 0.0];
        assert!((dispersion(sums(&batch).into_iter(), 7.0) - 700.0).abs() < 1.0);
        assert_eq!(dispersion(sums(&batch).into_iter(), 1.0), 1.0);
    }
}
