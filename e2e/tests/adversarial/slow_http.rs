//! Those who never finish what they began: headers and bodies a byte at a time, upgrades half sent.

use std::time::{Duration, Instant};

use heartline_e2e::{HttpConnection, Peer, Stage, allow_many_files, eventually, open_files};

use crate::witness::{Before, Witness};

const HALF_SENT: usize = 5_000;
const SLOW: usize = 200;
/// What one connection may cost in user space before it has said what it wants.
const REQUEST_COST: u64 = 24 << 10;
/// From the last connection made to the last one given up by the server, header and body alike.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(45);

#[test]
fn half_sent_upgrades_and_slow_requests_are_given_up() {
    let stage = Stage::alone();
    allow_many_files(20_000);
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let upgrade = Peer::upgrade_request("/", "");
    let half_sent: Vec<_> = (0..HALF_SENT)
        .map(|at| {
            let mut peer = Peer::half_open(server.address());
            // Cut at every place in turn, but never whole; some say nothing at all.
            peer.send_raw(&upgrade.as_bytes()[..at % (upgrade.len() - 1)]);
            peer
        })
        .collect();
    let mut slow: Vec<_> = (0..SLOW).map(|_| server.http()).collect();
    for (at, http) in slow.iter_mut().enumerate() {
        http.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        );
        match at % 4 {
            0 => {}
            1 => http.send("Content-Length: 1000\r\n\r\n"),
            2 => http.send("Transfer-Encoding: chunked\r\n\r\n"),
            _ => http.send("Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"),
        }
    }
    eventually("all are accepted", Duration::from_secs(10), true, || {
        open_files(server.pid()) > HALF_SENT + SLOW
    });
    let each = before.growth(&server) / (HALF_SENT + SLOW) as u64;
    println!("each costs {each} bytes");
    assert!(
        each < REQUEST_COST,
        "{each} bytes for a request that is none yet"
    );

    let start = Instant::now();
    while open_files(server.pid()) > 100 {
        assert!(
            start.elapsed() < GIVEN_UP_WITHIN,
            "{} are still open",
            open_files(server.pid())
        );
        for (at, http) in slow.iter_mut().enumerate() {
            http.send(match at % 4 {
                0 => "X", // a header name without end
                2 => "1\r\nx\r\n",
                _ => "x",
            });
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    println!("all were given up after {:?}", start.elapsed());
    drop((half_sent, slow));
    witness.finish();
}

#[test]
fn crowds_that_come_and_go_use_the_same_memory_again() {
    const CROWD: usize = 2_000;
    let stage = Stage::alone();
    allow_many_files(20_000);
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let upgrade = Peer::upgrade_request("/", "");
    for round in 0..6 {
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let mut peer = Peer::half_open(server.address());
                peer.send_raw(&upgrade.as_bytes()[..30]);
                peer
            })
            .collect();
        eventually("all are accepted", Duration::from_secs(10), true, || {
            open_files(server.pid()) > CROWD
        });
        drop(crowd);
        eventually("all are gone", Duration::from_secs(10), true, || {
            open_files(server.pid()) < 100
        });
        println!("after round {round}: {} KiB", before.growth(&server) >> 10);
    }
    // Twice one crowd: what one thread's allocator keeps, another's may have to ask for again.
    let bound = 2 * CROWD as u64 * REQUEST_COST;
    let growth = before.growth(&server);
    assert!(
        growth < bound,
        "{} MiB after six crowds of {CROWD}",
        growth >> 20
    );
}

#[test]
fn bodies_of_those_who_may_not_push_are_not_kept() {
    let stage = Stage::alone();
    let server = stage.server(&[
        "--push-key",
        "a-long-push-key-0123456789",
        "--no-loopback-push",
    ]);
    let before = Before::of(&server);
    let witness = Witness::start_with_key(&server, "a-long-push-key-0123456789");
    let body = vec![b'x'; 1_900_000];
    let mut stalled: Vec<_> = (0..100).map(|_| server.http()).collect();
    for http in &mut stalled {
        http.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1900001\r\n\r\n");
        // The server may refuse before it has read all this.
        http.send(&body);
    }
    let growth = before.growth(&server);
    assert!(
        growth < 32 << 20,
        "{} MiB of bodies that nobody asked for",
        growth >> 20
    );
    for http in &mut stalled {
        assert_eq!(http.response().status, 401);
    }
    drop(stalled);
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn an_endless_header_is_refused() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let resting = server.rss_bytes();
    let mut http = HttpConnection::connect(server.address());
    http.send("GET / HTTP/1.1\r\nHost: x\r\n");
    let header = format!("X-Long: {}\r\n", "x".repeat(8_000));
    let mut taken = 0;
    while taken < 64 << 20 && http.try_send(&header).is_ok() {
        taken += header.len();
    }
    assert!(
        taken < 16 << 20,
        "{} MiB of headers were taken",
        taken >> 20
    );
    assert!(server.rss_bytes().saturating_sub(resting) < 16 << 20);
    assert!(http.ends_within(Duration::from_secs(10)));
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn bodies_that_stall_cost_a_bounded_sum() {
    /// All request bodies together (128 MiB), and as much again for vectors that grow by doubling.
    const BODIES: u64 = 256 << 20;
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let body = vec![b'x'; 1_900_000];
    let mut stalled: Vec<_> = (0..200).map(|_| server.http()).collect();
    for http in &mut stalled {
        http.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1900001\r\n\r\n");
        http.send(&body);
    }
    let growth = before.growth(&server);
    println!("200 stalled bodies of 1.9 MB cost {} MiB", growth >> 20);
    assert!(growth < BODIES, "{} MiB", growth >> 20);
    let refused = stalled.iter_mut().rev().find_map(|http| {
        let answer = http.response_within(Duration::from_millis(100)).ok()?;
        Some((answer.status, answer.text()))
    });
    let (status, reason) = refused.expect("some found no room");
    assert!(status == 503 && !reason.is_empty(), "{status} {reason}");
    drop(stalled);
    let mut device = server.device("user:1");
    eventually("there is room again", Duration::from_secs(5), 200, || {
        server
            .push(&[
                ("event", "chat1"),
                ("msg", "m"),
                ("to", "user:1"),
                ("type", "app"),
            ])
            .status
    });
    assert_eq!(device.push_msg(), "m");
}
