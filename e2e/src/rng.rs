//! A seeded generator (xorshift64*): a printed seed replays a failure exactly, on any machine.

/// A small deterministic generator. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator from a seed.
    pub fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
        // On 0 the generator would stand still.
        Self(state.max(1))
    }

    /// A generator whose seed is `HEARTLINE_E2E_SEED`, or the given default; prints the seed for replay.
    pub fn announced(default_seed: u64) -> Self {
        let seed = std::env::var("HEARTLINE_E2E_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default_seed);
        println!("seed {seed} (replay with HEARTLINE_E2E_SEED={seed})");
        Self::new(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound` (which must not be 0).
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    /// True once in `n` times on average.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }
}
