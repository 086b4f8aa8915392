//! A small seeded generator for jitter. Not for secrets: the driver makes those.

/// sfc32 (Doty-Humphrey, PractRand): a chaotic step and a counter, in 32-bit words, because 64-bit arithmetic is slow
/// and large in a core that was translated to JavaScript.
pub(crate) struct Rng {
    a: u32,
    b: u32,
    c: u32,
    counter: u32,
}

/// Steps after which the seed has reached every bit of the state.
const WARM_UP: usize = 15;

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Self {
            a: 0,
            b: seed as u32,
            c: (seed >> 32) as u32,
            counter: 1,
        };
        for _ in 0..WARM_UP {
            rng.next();
        }
        rng
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
        let out = self.a.wrapping_add(self.b).wrapping_add(self.counter);
        self.counter = self.counter.wrapping_add(1);
        self.a = self.b ^ (self.b >> 9);
        self.b = self.c.wrapping_add(self.c << 3);
        self.c = self.c.rotate_left(21).wrapping_add(out);
        out
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
