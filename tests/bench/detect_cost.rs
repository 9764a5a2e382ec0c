//! What detection costs: `cargo run --release --example detect_cost`. A minute of 10 000 series, the state they hold,
//! and the replay of 60 days of 200 services. Volumes are mixed as in a fleet: most services send little.

use jiff::tz::TimeZone;
use mailpulse::detect::detector::{Detector, DetectorConfig, Sample};
use std::time::Instant;

/// Mails a day of every tenth service.
const PER_DAY: [f64; 10] = [2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0, 200.0, 1_000.0, 20_000.0];
const MONDAY: i64 = 1_388_966_400;

fn count(seed: &mut u64, minute: i64, per_day: f64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let hour = (minute / 60) % 24;
    let mean = per_day / 1_440.0 * if (8..18).contains(&hour) { 1.8 } else { 0.43 };
    let unit = (*seed >> 11) as f64 / (1_u64 << 53) as f64;
    mean as u64 + u64::from(unit < mean.fract())
}

fn fleet(services: usize) -> (Detector, Vec<u64>) {
    let mut detector = Detector::new(DetectorConfig::default());
    for _ in 0..services {
        detector.add(TimeZone::UTC, 60).expect("a minute is a grain");
    }
    (detector, (0..services as u64).collect())
}

fn run(detector: &mut Detector, seeds: &mut [u64], minutes: std::ops::Range<i64>) -> usize {
    let mut told = 0;
    let ids = detector.ids();
    for minute in minutes {
        for (index, (&id, seed)) in ids.iter().zip(seeds.iter_mut()).enumerate() {
            let sample = Sample::Count(count(seed, minute, PER_DAY[index % PER_DAY.len()]));
            let observed = detector.observe(id, MONDAY + minute * 60, sample, &mut |_, _| told += 1);
            observed.expect("minutes come in order");
        }
    }
    told
}

fn main() {
    let (mut detector, mut seeds) = fleet(200);
    let start = Instant::now();
    let told = run(&mut detector, &mut seeds, 0..60 * 1_440);
    eprintln!(
        "replay of 60 days of 200 services: {:.2} s, {told} changes",
        start.elapsed().as_secs_f64()
    );

    let (mut detector, mut seeds) = fleet(10_000);
    run(&mut detector, &mut seeds, 0..5 * 1_440 - 90);
    let (mut all, mut worst) = (0.0_f64, 0.0_f64);
    for minute in 5 * 1_440 - 90..5 * 1_440 + 30 {
        let start = Instant::now();
        run(&mut detector, &mut seeds, minute..minute + 1);
        all += start.elapsed().as_secs_f64();
        worst = worst.max(start.elapsed().as_secs_f64());
    }
    eprintln!(
        "a minute of 10 000 series: {:.1} ms on average, {:.1} ms at worst",
        1e3 * all / 120.0,
        1e3 * worst
    );

    let (mut detector, mut seeds) = fleet(100);
    run(&mut detector, &mut seeds, 0..125 * 1_440);
    let bytes = detector.bytes() as f64 / 100.0;
    eprintln!(
        "state after 125 days: {:.1} KB a series, {:.0} MB for 10 000",
        bytes / 1e3,
        bytes / 100.0
    );
}
