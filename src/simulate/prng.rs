//! A small seeded generator (xoshiro256++) and the draws that traffic needs.
//!
//! Not `rand`: the same seed must give byte-identical logs for as long as the project lives, whatever a
//! dependency does with its streams.

/// One stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng([u64; 4]);

/// One step of splitmix64: spreads a seed over a state, and mixes keys into one.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| splitmix(&mut state)))
    }

    /// The stream of a seed and a path of keys: streams of different keys do not disturb one another.
    pub(super) fn stream(seed: u64, keys: &[u64]) -> Self {
        let mixed = keys.iter().fold(seed, |acc, key| {
            let mut state = acc ^ key.wrapping_mul(0xd6e8_feb8_6659_fd93);
            splitmix(&mut state)
        });
        Self::new(mixed)
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0..n.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in 0..n seconds.
    pub(super) fn secs(&mut self, n: i64) -> i64 {
        self.below(n.max(1) as u64) as i64
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of `items`.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// An index, with probability proportional to its weight.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut x = self.below(weights.clone().map(u64::from).sum());
        for (index, weight) in weights.enumerate() {
            if x < u64::from(weight) {
                return index;
            }
            x -= u64::from(weight);
        }
        unreachable!("x is below the sum of the weights")
    }

    /// Exponential with the given mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Standard normal (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Lognormal with the parameters of its logarithm.
    pub(super) fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        (mu + sigma * self.normal()).exp()
    }

    /// Poisson; above a mean of 60 its normal approximation.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (floor, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > floor {
            product *= self.unit();
            n += 1;
        }
        n
    }
}
