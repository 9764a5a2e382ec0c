//! How strongly a window's count speaks for a drop, in nats.

/// Evidence of `n` mails where `mu` were expected, with relative noise variance `v` of the expectation and a deadband:
/// the log-likelihood ratio of the count's own rate against `deadband·mu` under a negative binomial with variance μ + v·μ².
pub fn evidence(n: f64, mu: f64, v: f64, deadband: f64) -> f64 {
    let mu = deadband * mu;
    if n >= mu {
        return 0.0;
    }
    let own = if n > 0.0 { n * (n / mu).ln() } else { 0.0 };
    if v < 1e-9 {
        return own - (n - mu);
    }
    own - (n + 1.0 / v) * ((v * (n - mu)) / (1.0 + v * mu)).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn silence_weighs_its_expectation_less_with_noise() {
        assert!((evidence(0.0, 10.0, 0.0, 1.0) - 10.0).abs() < 1e-9);
        assert!((evidence(0.0, 10.0, 0.1, 1.0) - 2.0_f64.ln() / 0.1).abs() < 1e-9);
        assert_eq!(evidence(9.0, 10.0, 0.1, 0.9), 0.0);
    }

    proptest! {
        #[test]
        fn evidence_is_finite_not_negative_and_falls_with_the_count(
            n in 0.0..1e9_f64, mu in 0.0..1e9_f64, v in 0.0..4.0_f64,
        ) {
            let s = evidence(n, mu, v, 0.9);
            prop_assert!(s.is_finite() && s >= -1e-3 * (1.0 + n), "{s}");
            prop_assert!(evidence(n + 1.0, mu, v, 0.9) <= s + 1e-3 * (1.0 + n));
        }
    }
}
