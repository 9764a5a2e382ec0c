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
