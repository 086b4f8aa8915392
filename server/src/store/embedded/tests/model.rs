//! The store against the simplest thing that keeps the same promise: random operations by a seed, with ends of every kind in between.
//! `HEARTLINE_STORE_SEED` runs one seed, `HEARTLINE_STORE_SEEDS` so many.

use super::*;
use simple::{Model, Wanted};

mod simple;

const SMALL: Retention = Retention {
    max_age_ms: 500,
    max_messages: 6,
    max_bytes: 120,
};

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn check_answer(answer: &Result<Outcome, WriteError>, wanted: &Wanted) {
    match (answer, wanted) {
        (Ok(Outcome::Pushed { repeated, places }), Wanted::Pushed(again, offsets)) => {
            let told: Vec<u32> = places.iter().map(|(_, offset)| offset.0).collect();
            assert_eq!((repeated, &told), (again, offsets));
        }
        (Ok(Outcome::Registered { stream, device }), Wanted::Registered(head, state)) => {
            assert_eq!((stream.head.0, device), (*head, state));
        }
        (Err(WriteError::Conflict), Wanted::Conflict) | (Ok(Outcome::Done), Wanted::Done) => {}
        other => panic!("{other:?}"),
    }
}

/// One life of a store, by a seed.
fn live(seed: u64) {
    // Xorshift would stay at nought.
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let disk = CrashDisk::default();
    let next = Arc::new(AtomicU64::new(100));
    let open = || {
        let next = next.clone();
        let entropy = Box::new(move || next.fetch_add(1, Relaxed));
        EmbeddedStore::on_crash_disk(disk.clone(), Options::new(SMALL, entropy)).unwrap()
    };
    let (mut store, mut model, mut now_ms) = (open(), Model::default(), 1_000);
    for _ in 0..40 {
        match random.below(10) {
            0 => {
                store.trim(now_ms, 1_000).unwrap();
                model.trim(now_ms);
            }
            1 => {
                drop(store);
                store = open();
            }
            2 => {
                disk.freeze();
                drop(store);
                match random.below(2) {
                    0 => disk.thaw(),
                    _ => disk.crash(random.below(u64::MAX)),
                }
                store = open();
            }
            3 => now_ms += random.below(400),
            _ => {
                let (batch, wanted): (Vec<_>, Vec<_>) = (0..=random.below(6))
                    .map(|_| model.write(&mut random, now_ms))
                    .unzip();
                let answers = store.commit(now_ms, &batch).unwrap();
                assert_eq!(answers.len(), wanted.len());
                for (answer, wanted) in answers.iter().zip(&wanted) {
                    check_answer(answer, wanted);
                }
            }
        }
        model.check(&mut random, &store, now_ms);
    }
}

#[test]
fn the_store_is_what_a_simple_one_would_be() {
    let number = |name| std::env::var(name).map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("HEARTLINE_STORE_SEED") {
        Ok(seed) => seed..seed + 1,
        Err(_) => 0..number("HEARTLINE_STORE_SEEDS").unwrap_or(40),
    };
    for seed in seeds {
        println!("HEARTLINE_STORE_SEED={seed}");
        live(seed);
    }
}
