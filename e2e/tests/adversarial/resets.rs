//! Connections that are torn away, at every stage of their life, by the thousand.

use std::time::Duration;

use heartline_e2e::{Peer, Rng, Stage, frame_bytes};

use crate::witness::{Before, Witness};

const STORM: usize = 4_000;

/// Ends a connection with a RST, as a crashed phone's network does.
fn reset(peer: Peer) {
    socket2::SockRef::from(peer.stream())
        .set_linger(Some(Duration::ZERO))
        .expect("SO_LINGER");
}

#[test]
fn a_storm_of_resets_leaves_nothing_behind() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let mut rng = Rng::announced(11);
    let upgrade = Peer::upgrade_request("/", "");
    for at in 0..STORM {
        let user = format!("user:{}", at % 50);
        match at % 6 {
            0 => reset(Peer::half_open(server.address())),
            1 => {
                let mut peer = Peer::half_open(server.address());
                peer.send_raw(&upgrade.as_bytes()[..rng.below(upgrade.len())]);
                reset(peer);
            }
            2 => {
                let mut peer = Peer::half_open(server.address());
                peer.send_raw(&upgrade);
                reset(peer);
            }
            3 => reset(server.device(&user)),
            4 => {
                let mut peer = server.device(&user);
                let frame = frame_bytes(true, 1, Some([1; 4]), br#"{"event":"ping","uuid":1}"#);
                peer.send_raw(&frame[..rng.below(frame.len())]);
                reset(peer);
            }
            _ => {
                // Torn away while a push and a reply are under way.
                let mut peer = server.device(&user);
                server.push_chat(&user, "too late");
                peer.send(r#"{"event":"ping","uuid":1}"#);
                reset(peer);
            }
        }
    }
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
    for id in 0..50 {
        let user = format!("user:{id}");
        let mut device = server.device(&user);
        server.push_chat(&user, "back");
        assert_eq!(device.push_msg(), "back");
    }
}
