//! Ten thousand connections that never log in.

use std::time::{Duration, Instant};

use heartline_e2e::{Stage, allow_many_files};

use crate::witness::{Before, Witness};

const CROWD: usize = 10_000;

#[test]
fn ten_thousand_that_never_log_in_are_closed_with_4001() {
    let stage = Stage::alone();
    allow_many_files(20_000);
    // Long enough for the whole crowd to be there at once.
    let server = stage.server(&["--login-deadline-ms", "8000"]);
    let before = Before::of(&server);
    let resting = server.rss_bytes();
    let witness = Witness::start(&server);
    let start = Instant::now();
    let mut crowd: Vec<_> = (0..CROWD).map(|_| server.peer()).collect();
    let arrived = start.elapsed();
    let peak = server.rss_bytes() - resting;
    println!(
        "{CROWD} connected in {arrived:?}; {} bytes of memory each",
        peak / CROWD as u64
    );
    assert!(
        arrived < Duration::from_secs(8),
        "the machine is too slow to have them all at once: {arrived:?}"
    );
    assert!(
        peak < 64 << 20,
        "{} MiB for {CROWD} silent connections",
        peak >> 20
    );
    for peer in &mut crowd {
        peer.expect_close_within(4001, Duration::from_secs(30));
    }
    println!("all were told after {:?}", start.elapsed());
    drop(crowd);
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(15));
}
