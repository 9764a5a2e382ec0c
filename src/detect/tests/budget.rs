//! The budget: at most one false alarm per service and 90 quiet days, at every volume. A small fleet by default;
//! `MAILPULSE_FLEET=N` takes N services a volume.

use super::fleet::{DAY_S, MONDAY, Random, Service};
use super::found;

/// Days in which a series learns.
const LEARN_D: i64 = 60;
/// Days in which it is judged.
const JUDGED_D: i64 = 90;

#[test]
fn quiet_weeks_keep_the_budget() {
    let services: u64 = std::env::var("MAILPULSE_FLEET")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2);
    let (mut all, mut judged) = (0, 0.0);
    for per_day in [2.0, 8.0, 30.0, 100.0, 400.0, 4_000.0, 40_000.0, 400_000.0] {
        let mut false_alarms = 0;
        for seed in 0..services {
            let mut random = Random::new(1_000 + seed);
            let service = Service {
                seed: seed * 977 + per_day as u64,
                per_day,
                weekend: 0.2 + 0.8 * random.unit(),
                noise: 0.02 + 0.1 * random.unit(),
                events: if seed % 2 == 0 { 0.0 } else { 0.3 },
            };
            let drops = found(service.grain_s(), &service.samples(LEARN_D + JUDGED_D));
            false_alarms += drops
                .iter()
                .filter(|drop| drop.detected - MONDAY >= LEARN_D * DAY_S)
                .count();
        }
        all += false_alarms;
        judged += services as f64;
        if services >= 10 {
            eprintln!(
                "{per_day} a day: {:.2} false alarms a service and 90 days",
                false_alarms as f64 / services as f64
            );
            assert!(
                false_alarms as f64 <= services as f64,
                "{per_day} a day: {false_alarms} in {services} services"
            );
        }
    }
    // Few services scatter: two standard deviations of their sum.
    let most = judged + 2.0 * f64::sqrt(judged);
    assert!(
        f64::from(all as u32) <= most,
        "{all} false alarms in {judged} services and 90 days"
    );
}
