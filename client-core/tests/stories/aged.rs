//! A client's own time starts again from zero after days: wherever within a story that falls, the story stays the same.

use super::script::{play, play_aged};
use heartline_client_core::Config;

/// Plays the story to clients whose time starts again at its beginning, 250 ms later, and so on until its end, `secs` later.
#[track_caller]
fn stays_the_same(script: &str, secs: u64) {
    let expected = play(Config::default(), script);
    for left_ms in (0..=secs * 1_000).step_by(250) {
        let aged = play_aged(Config::default(), script, (1 << 30) - left_ms);
        assert_eq!(aged, expected, "it starts again {left_ms} ms into it");
    }
}

#[test]
fn a_request_that_was_queued_keeps_its_own_timeout_once_it_is_sent() {
    stays_the_same(
        "start; identity; request 20s queue; request 60s queue; request queue; +4s; opened; creds; reply ok; +30s",
        34,
    );
}

#[test]
fn a_request_that_is_sent_again_keeps_its_own_timeout() {
    stays_the_same(
        "ready; request 20s again; request again; +2s; closed; until open; opened; creds; reply ok; +20s",
        24,
    );
}

#[test]
fn a_request_that_waits_is_too_old_in_its_time() {
    stays_the_same(
        "start; identity; request queue; offline; failed; +310s",
        310,
    );
}

#[test]
fn a_refused_login_and_an_early_dial_are_tried_again_in_their_time() {
    stays_the_same(
        "start; identity; opened; creds; reply error; +300ms; closed; offline; online; until open; opened; until credentials; creds; reply ok; +12s",
        16,
    );
}

#[test]
fn what_streams_wait_for_comes_in_its_time() {
    stays_the_same(
        "ready; at 0 7 0; durable 0 1; failed handling; +500ms; storage fails; handled; +4s; storage works; closed; until open; opened; creds; reply ok; at 0 7 1; +5s",
        12,
    );
}
