//! A small seeded generator for jitter. Not for secrets: the driver makes those.

/// splitmix32: a counter in steps of the golden ratio, stirred by the "lowbias32" mix of C. Wellons. In 32-bit words, because
/// 64-bit arithmetic is slow and large in a core that was translated to JavaScript, and good from any seed without a
/// warm-up.
pub(crate) struct Rng {
    counter: u32,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            // Either half alone tells seeds apart.
            counter: seed as u32 ^ (seed >> 32) as u32,
        }
    }

    /// A number in `0..=limit`. The bias of the remainder is below one in a hundred thousand for delays up to half a
    /// minute, which is nothing to jitter.
    pub(crate) fn up_to(&mut self, limit: u32) -> u32 {
        let random = self.next();
        match limit.checked_add(1) {
            Some(count) => random % count,
            None => random,
        }
    }

    fn next(&mut self) -> u32 {
        self.counter = self.counter.wrapping_add(0x9e37_79b9);
        let mut out = self.counter;
        out = (out ^ (out >> 16)).wrapping_mul(0x21f0_aaad);
        out = (out ^ (out >> 15)).wrapping_mul(0xd35a_2d97);
        out ^ (out >> 15)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn every_value_comes_about_equally_often_whatever_the_seed() {
        for seed in [0, 1, u64::MAX, 1 << 32, 42] {
            let mut rng = Rng::new(seed);
            let mut seen = [0u32; 10];
            for _ in 0..100_000 {
                seen[rng.up_to(9) as usize] += 1;
            }
            assert!(
                seen.iter().all(|&n| (9_600..10_400).contains(&n)),
                "{seed}: {seen:?}"
            );
        }
    }

    #[test]
    fn seeds_that_differ_in_one_bit_give_unlike_sequences() {
        let sequence = |seed| {
            let mut rng = Rng::new(seed);
            std::array::from_fn::<u32, 8, _>(|_| rng.next())
        };
        for bit in 0..64 {
            let (one, other) = (sequence(7), sequence(7 ^ (1 << bit)));
            assert!(one.iter().zip(&other).all(|(a, b)| a != b), "bit {bit}");
        }
        assert_eq!(sequence(7), sequence(7));
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
