//! The defects of the classic client class, one story each: what it did, and what happens here.

use crate::script::check_with;
use expect_test::expect;
use heartline_client_core::{Backoff, Config};

/// The classic options: `reConnectTime = 5000, heartTime = 60000`.
fn classic() -> Config {
    Config {
        backoff: Backoff::Fixed { delay_ms: 5_000 },
        heartbeat_interval_ms: 60_000,
        ..Config::default()
    }
}

#[test]
fn ids_do_not_collide_within_one_millisecond() {
    check_with(
        classic(),
        "ready; request; request; reply #3 ok; reply #2 ok",
        expect![[r#"
            request
              send request #2
            request
              send request #3
            reply #3 ok
              settle #3: ok p2
            reply #2 ok
              settle #2: ok p3
        "#]],
    );
}

#[test]
fn promises_settle_on_close_on_failed_send_and_when_not_open() {
    check_with(
        classic(),
        "request early; ready; request early; send failed; request early; closed",
        expect![[r#"
            request early
              settle #1: NotSent(NotReady)
            request early
              send request #3
            send failed
              settle #3: NotSent(Socket)
              send ping #4
            request early
              send request #5
            closed
              settle #5: SentUnknown
              disconnected: Remote { code: None }
              = waiting 5000ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn a_second_connection_loop_starts_no_second_loop() {
    check_with(
        classic(),
        "start; identity; start; opened; start; creds; reply ok; start; closed; start; +5s; start",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            start
            opened
              = Open
              = LoggingIn
              credentials #1?
            start
            creds
              send login #1
            reply ok
              = Ready
              logged in p1
            start
            closed
              disconnected: Remote { code: None }
              = waiting 5000ms, attempt 1, Backoff
            start
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            start
        "#]],
    );
}

#[test]
fn the_flags_cannot_contradict_between_connect_and_open() {
    check_with(
        classic(),
        "start; identity; request early; opened; request early",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            request early
              settle #1: NotSent(NotReady)
            opened
              = Open
              = LoggingIn
              credentials #2?
            request early
              send request #3
        "#]],
    );
}

#[test]
fn one_login_in_flight() {
    check_with(
        classic(),
        "start; identity; opened; creds; +9s; creds; start; opened",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              send login #1
            +9s
            creds
            start
            opened
        "#]],
    );
}

#[test]
fn a_dead_sockets_late_close_does_not_close_the_new_one() {
    check_with(
        classic(),
        "ready; disconnect; +5s; opened; closed 1000 @1; creds; reply ok; closed 1006 @1",
        expect![[r#"
            disconnect
              close @1 1000
              disconnected: Asked
              = waiting 5000ms, attempt 1, Backoff
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            closed 1000 @1
            creds
              send login #2
            reply ok
              = Ready
              logged in again p2
            closed 1006 @1
        "#]],
    );
}

#[test]
fn a_user_switching_account_does_not_keep_the_old_identity() {
    check_with(
        classic(),
        "ready; identity; creds; reply ok",
        expect![[r#"
        identity
          = LoggingIn
          credentials #2?
        creds
          send login #2
        reply ok
          = Ready
          logged in again p2
    "#]],
    );
}

#[test]
fn logging_out_does_not_keep_the_session() {
    check_with(
        classic(),
        "ready; logout; push a; +1h",
        expect![[r#"
        logout
          close @1 1000
          disconnected: LoggedOut
          = Idle
        push a
          release p2
        +1h
    "#]],
    );
}

#[test]
fn a_half_open_link_is_noticed() {
    check_with(
        classic(),
        "ready; +69s; +1s",
        expect![[r#"
        +69s
          +60000ms: send ping #2
        +1s
          +1000ms: close @1 4000
          +1000ms: disconnected: Dead
          +1000ms: = waiting 5000ms, attempt 1, Backoff
    "#]],
    );
}

#[test]
fn slow_replies_cause_no_repeated_logins() {
    check_with(
        classic(),
        "start; identity; opened; creds; +9s; reply ok; +50s",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              send login #1
            +9s
            reply ok
              = Ready
              logged in p1
            +50s
        "#]],
    );
}

#[test]
fn a_refused_token_is_not_retried_at_full_pace() {
    check_with(
        classic(),
        "start; identity; opened; creds; reply error; until credentials; creds; reply error; until credentials; creds; reply error; until credentials; creds; reply error; until credentials; creds; reply error; until credentials",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              send login #1
            reply error
              login refused p1
              = Open
            until credentials
              +6232ms: = LoggingIn
              +6232ms: credentials #2?
            creds
              send login #2
            reply error
              login refused p2
              = Open
            until credentials
              +11490ms: = LoggingIn
              +11490ms: credentials #3?
            creds
              send login #3
            reply error
              login refused p3
              = Open
            until credentials
              +38268ms: = LoggingIn
              +38268ms: credentials #4?
            creds
              send login #4
            reply error
              login refused p4
              = Open
            until credentials
              +4010ms: send ping #5
              +53979ms: = LoggingIn
              +53979ms: credentials #6?
            creds
              send login #6
            reply error
              login refused p5
              = Open
            until credentials
              +10031ms: send ping #7
              +56262ms: = LoggingIn
              +56262ms: credentials #8?
        "#]],
    );
}

#[test]
fn the_network_is_signalled_and_leaves_no_ghost_sockets() {
    // The classic class asked for the network at each tick, and dialled once per answer.
    check_with(
        classic(),
        "start; identity; online; online; +3s; online; opened; online",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            online
            online
            +3s
            online
            opened
              = Open
              = LoggingIn
              credentials #1?
            online
              send ping #2
        "#]],
    );
}

#[test]
fn disconnect_revives_after_the_delay_but_destroy_does_not() {
    check_with(
        classic(),
        "ready; disconnect; disconnect; +5s; destroy; +1h; opened",
        expect![[r#"
            disconnect
              close @1 1000
              disconnected: Asked
              = waiting 5000ms, attempt 1, Backoff
            disconnect
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            destroy
              close @2 1000
              disconnected: Asked
              = Closed { reason: Asked }
            +1h
            opened
              misuse: Destroyed
        "#]],
    );
}

#[test]
fn an_error_overtaking_the_open_does_not_wedge() {
    check_with(
        classic(),
        "start; identity; failed; opened; closed 1006; +5s; opened",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            failed
              close @1 1000
              disconnected: DialFailed
              = waiting 5000ms, attempt 1, Backoff
            opened
            closed 1006
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
        "#]],
    );
}

#[test]
fn an_error_without_close_and_a_close_without_open_both_go_on() {
    check_with(
        classic(),
        "ready; failed; +5s; closed; +5s; opened",
        expect![[r#"
            failed
              close @1 1000
              disconnected: Error
              = waiting 5000ms, attempt 1, Backoff
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            closed
              disconnected: DialFailed
              = waiting 5000ms, attempt 2, Backoff
            +5s
              +5000ms: open @3
              +5000ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
        "#]],
    );
}

#[test]
fn the_networks_return_is_not_ignored() {
    check_with(
        classic(),
        "ready; +9s; offline; closed; +1min; online; opened; creds; reply ok",
        expect![[r#"
            +9s
            offline
              send ping #2
            closed
              disconnected: Remote { code: None }
              = waiting, attempt 1, Network
            +1min
            online
              open @2
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in again p2
        "#]],
    );
}
