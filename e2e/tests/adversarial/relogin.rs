//! One user who makes the store work: logins without end, each as a new device. The user is closed with the documented
//! code, and another user's pushes and new devices notice nothing.

use std::io::Write as _;
use std::time::{Duration, Instant};

use heartline_e2e::{Opcode, Peer, Seen, Server, Stage, frame_bytes, token_for};

use crate::witness::{Before, Witness};

/// Far fewer than the frames that a connection may send at once, far more than it may log in.
const LOGINS: usize = 20_000;
const CONNECTIONS: usize = 4;
/// What a new device of another user may wait for its answer, on a machine that is busy with the flood.
const SANE: Duration = Duration::from_secs(2);

fn login(user: &str, device: &str) -> String {
    let token = token_for(user);
    format!(
        r#"{{"event":"login","data":{{"u":"{user}","token":"{token}","$hl":{{"v":1,"device":"{device}"}}}},"uuid":"L"}}"#
    )
}

/// Logs in as ever new devices until the server has had enough; the code with which it closes.
fn flood(server: &Server, connection: usize) -> Option<u16> {
    let mut peer = server.peer();
    let mut writer = peer.stream().try_clone().expect("a second handle");
    let sending = std::thread::spawn(move || {
        for start in (0..LOGINS).step_by(100) {
            let burst: Vec<u8> = (start..start + 100)
                .flat_map(|at| {
                    let text = login("user:evil", &format!("d{connection}-{at}"));
                    frame_bytes(true, 1, Some([1, 2, 3, 4]), text.as_bytes())
                })
                .collect();
            // The server may have had enough: then the reader sees its close.
            if writer.write_all(&burst).is_err() {
                return;
            }
        }
    });
    let code = loop {
        match peer.see_within(Duration::from_secs(5)) {
            Seen::Close(code, _) => break Some(code),
            Seen::Text(_) => {}
            _ => break None,
        }
    };
    sending.join().expect("the sender");
    code
}

/// Logs in as a device that the server has never seen, and waits for its place in the stream.
fn attach(server: &Server, user: &str, device: &str) -> Duration {
    let mut peer: Peer = server.peer();
    let start = Instant::now();
    peer.send_frame(true, Opcode::Text, login(user, device).as_bytes());
    loop {
        match peer.see() {
            Seen::Text(text) if text.contains(r#""error":0"#) => return start.elapsed(),
            Seen::Text(_) => {}
            other => panic!("{user} {device}: {other:?}"),
        }
    }
}

#[test]
fn found_a_user_who_logs_in_without_end_stops_nobody_elses_delivery() {
    let stage = Stage::alone();
    let server = stage.server(&["--durable-event", "chat*"]);
    attach(&server, "user:other", "before");
    let before = Before::of(&server);
    // Its pushes are stored.
    let witness = Witness::start(&server);
    let slowest = std::thread::scope(|scope| {
        let server = &server;
        let floods: Vec<_> = (0..CONNECTIONS)
            .map(|connection| scope.spawn(move || flood(server, connection)))
            .collect();
        let mut slowest = Duration::ZERO;
        let mut device = 0;
        loop {
            slowest = slowest.max(attach(server, "user:other", &format!("new{device}")));
            device += 1;
            if device >= 20
                && floods
                    .iter()
                    .all(std::thread::ScopedJoinHandle::is_finished)
            {
                break;
            }
        }
        for flood in floods {
            assert_eq!(flood.join().expect("a flood"), Some(4003));
        }
        slowest
    });
    println!("a new device of another user waited for {slowest:?} at most");
    assert!(slowest < SANE, "{slowest:?}");
    witness.finish();
    let lines = server.stderr().lines().count();
    assert!(lines < 100, "{lines} lines in the log");
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn found_a_user_of_ever_new_connections_registers_a_bounded_number_of_devices() {
    const REGISTERED: usize = 2_000;
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let start = Instant::now();
    let mut registered = 0;
    let code = 'flood: loop {
        // Fewer logins than one connection may have, and a new connection each time.
        let mut peer = server.peer();
        for at in 0..100 {
            peer.send(&login("user:evil", &format!("r{registered}-{at}")));
            loop {
                match peer.see() {
                    Seen::Text(text) if text.contains(r#""error":0"#) => break,
                    Seen::Text(_) => {}
                    Seen::Close(code, _) => break 'flood code,
                    other => panic!("after {registered}: {other:?}"),
                }
            }
            registered += 1;
            assert!(registered < 2 * REGISTERED, "nobody minds");
        }
    };
    let refilled = start.elapsed().as_millis() as usize / 250 + 1;
    println!("{registered} devices in {:?}, then {code}", start.elapsed());
    assert_eq!(code, 4003);
    assert!(
        (REGISTERED..=REGISTERED + refilled).contains(&registered),
        "{registered}"
    );
    // Others register as before, and so does a device of the user that is known.
    attach(&server, "user:other", "new");
    attach(
        &server,
        "user:evil",
        &format!("r{}-{}", registered - 1, (registered - 1) % 100),
    );
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}
