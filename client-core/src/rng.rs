//! A small seeded generator for jitter. Not for secrets: the driver makes those.

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, every seed is a good seed.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `0..=limit`. Multiply-shift: its bias, below 2^-32 per value, is nothing to jitter.
    pub(crate) fn up_to(&mut self, limit: u32) -> u32 {
        ((self.next() >> 32).wrapping_mul(u64::from(limit) + 1) >> 32) as u32
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn matches_the_reference_sequence() {
        // First outputs of the reference C code for seed 1234567.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn stays_within_the_limit_and_reaches_both_ends() {
        let mut rng = Rng::new(7);
        let seen: Vec<u32> = (0..1_000).map(|_| rng.up_to(3)).collect();
        assert!(seen.iter().all(|&n| n <= 3));
        assert!((0..=3).all(|n| seen.contains(&n)));
        rng.up_to(u32::MAX);
        assert_eq!(rng.up_to(0), 0);
    }
}
