//! Dialling, losing, waiting, parking, closing.

use crate::script::{check, check_with};
use expect_test::expect;
use heartline_client_core::{Backoff, Config};

fn fixed() -> Config {
    Config {
        backoff: Backoff::Fixed { delay_ms: 5_000 },
        ..Config::default()
    }
}

#[test]
fn start_with_an_identity_dials_at_once_and_logs_in_on_open() {
    check(
        "start; identity; opened; creds; reply ok; +25s",
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
            reply ok
              = Ready
              logged in p1
            +25s
              +25000ms: send ping #2
        "#]],
    );
}

#[test]
fn nothing_is_tried_while_nobody_is_logged_in_to_the_app() {
    check(
        "start; +1h; online; show; identity",
        expect![[r#"
        start
        +1h
        online
        show
        identity
          open @1
          = Connecting
    "#]],
    );
}

#[test]
fn nothing_is_tried_while_offline() {
    check(
        "offline; start; identity; +1h; online",
        expect![[r#"
        offline
        start
        identity
          = waiting, attempt 1, Network
        +1h
        online
          open @1
          = Connecting
    "#]],
    );
}

#[test]
fn stop_stays_closed_and_start_works_again() {
    check(
        "ready; stop; +1h; show; online; identity; start; opened",
        expect![[r#"
            stop
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
            +1h
            show
            online
            identity
            start
              open @2
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
        "#]],
    );
}

#[test]
fn stop_while_dialling_closes_the_dial() {
    check(
        "start; identity; stop; opened; closed 1006",
        expect![[r#"
        start
        identity
          open @1
          = Connecting
        stop
          close @1 1000
          disconnected: Asked
          = Closed { reason: Asked }
        opened
        closed 1006
    "#]],
    );
}

#[test]
fn logging_out_closes_and_the_next_user_dials_at_once() {
    check(
        "ready; logout; +1h; identity",
        expect![[r#"
        logout
          close @1 1000
          disconnected: LoggedOut
          = Idle
        +1h
        identity
          open @2
          = Connecting
    "#]],
    );
}

#[test]
fn a_lost_line_waits_with_growing_jitter_until_it_was_stable() {
    check(
        "ready; +20s; closed 1006; until open; failed; until open; failed; until open; failed; until open; opened; creds; \
         reply ok; +9s; closed; until open; opened; creds; reply ok; +11s; closed",
        expect![[r#"
            +20s
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            failed
              close @2 1000
              disconnected: DialFailed
              = waiting 2415ms, attempt 2, Backoff
            until open
              +2415ms: open @3
              +2415ms: = Connecting
            failed
              close @3 1000
              disconnected: DialFailed
              = waiting 923ms, attempt 3, Backoff
            until open
              +923ms: open @4
              +923ms: = Connecting
            failed
              close @4 1000
              disconnected: DialFailed
              = waiting 2363ms, attempt 4, Backoff
            until open
              +2363ms: open @5
              +2363ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              send login #2
            reply ok
              = Ready
              logged in again p2
            +9s
            closed
              disconnected: Remote { code: None }
              = waiting 9653ms, attempt 5, Backoff
            until open
              +9653ms: open @6
              +9653ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in again p3
            +11s
            closed
              disconnected: Remote { code: None }
              = waiting 1121ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn the_classic_delay_is_fixed() {
    check_with(
        fixed(),
        "ready; closed; +5s; failed; +5s; failed",
        expect![[r#"
            closed
              disconnected: Remote { code: None }
              = waiting 5000ms, attempt 1, Backoff
            +5s
              +5000ms: open @2
              +5000ms: = Connecting
            failed
              close @2 1000
              disconnected: DialFailed
              = waiting 5000ms, attempt 2, Backoff
            +5s
              +5000ms: open @3
              +5000ms: = Connecting
            failed
              close @3 1000
              disconnected: DialFailed
              = waiting 5000ms, attempt 3, Backoff
        "#]],
    );
}

#[test]
fn a_dial_has_a_timeout_of_its_own() {
    check(
        "start; identity; +10s; opened; +2s",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            +10s
              +10000ms: close @1 1000
              +10000ms: disconnected: DialTimedOut
              +10000ms: = waiting 796ms, attempt 1, Backoff
            opened
            +2s
              +796ms: open @2
              +796ms: = Connecting
        "#]],
    );
}

#[test]
fn the_servers_advice_comes_first() {
    check(
        "ready; closed 4005 retry 7300; +7299ms; +1ms",
        expect![[r#"
            closed 4005 retry 7300
              disconnected: Remote { code: Some(4005) }
              = waiting 7300ms, attempt 1, Advised
            +7299ms
            +1ms
              +1ms: open @2
              +1ms: = Connecting
        "#]],
    );
}

#[test]
fn advice_is_bounded_at_both_ends() {
    check(
        "ready; closed 4005 retry 4000000000; show; until open; closed retry 0; +1s",
        expect![[r#"
            closed 4005 retry 4000000000
              disconnected: Remote { code: Some(4005) }
              = waiting 600000ms, attempt 1, Advised
            show
              = waiting 500ms, attempt 1, Backoff
            until open
              +500ms: open @2
              +500ms: = Connecting
            closed retry 0
              disconnected: DialFailed
              = waiting 500ms, attempt 1, Advised
            +1s
              +500ms: open @3
              +500ms: = Connecting
        "#]],
    );
}

#[test]
fn a_terminal_close_code_is_never_retried() {
    check(
        "ready; closed 4500; +24h; show; online; hide; show",
        expect![[r#"
            closed 4500
              disconnected: Remote { code: Some(4500) }
              = Closed { reason: Remote { code: Some(4500) } }
            +24h
            show
            online
            hide
            show
        "#]],
    );
}

#[test]
fn after_a_terminal_close_a_new_identity_or_start_dials_again() {
    check(
        "ready; closed 4500; start; closed 4999; identity",
        expect![[r#"
            closed 4500
              disconnected: Remote { code: Some(4500) }
              = Closed { reason: Remote { code: Some(4500) } }
            start
              open @2
              = Connecting
            closed 4999
              disconnected: Remote { code: Some(4999) }
              = Closed { reason: Remote { code: Some(4999) } }
            identity
              open @3
              = Connecting
        "#]],
    );
    check(
        "ready; closed 4500; logout; identity",
        expect![[r#"
        closed 4500
          disconnected: Remote { code: Some(4500) }
          = Closed { reason: Remote { code: Some(4500) } }
        logout
          = Idle
        identity
          open @2
          = Connecting
    "#]],
    );
}

#[test]
fn shown_again_it_dials_at_once_and_without_backoff() {
    check(
        "ready; hide; closed 1006; +1h; show; failed; +500ms; hide; show",
        expect![[r#"
            hide
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = Parked
            +1h
            show
              open @2
              = Connecting
            failed
              close @2 1000
              disconnected: DialFailed
              = waiting 509ms, attempt 1, Backoff
            +500ms
            hide
              = Parked
            show
              open @3
              = Connecting
        "#]],
    );
}

#[test]
fn hiding_while_waiting_parks() {
    check(
        "ready; +1s; closed; hide; +1h; offline; show; online",
        expect![[r#"
            +1s
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            hide
              = Parked
            +1h
            offline
            show
              = waiting, attempt 1, Network
            online
              open @2
              = Connecting
        "#]],
    );
}

#[test]
fn the_networks_return_dials_at_once() {
    check(
        "ready; +1s; closed; offline; +1h; online",
        expect![[r#"
            +1s
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            offline
              = waiting, attempt 1, Network
            +1h
            online
              open @2
              = Connecting
        "#]],
    );
}

#[test]
fn a_storm_of_signals_cannot_storm_the_server() {
    check(
        "ready; +1s; closed; online; failed; online; show; online; +499ms; +1ms; failed; show",
        expect![[r#"
            +1s
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            online
              open @2
              = Connecting
            failed
              close @2 1000
              disconnected: DialFailed
              = waiting 509ms, attempt 1, Backoff
            online
              = waiting 500ms, attempt 1, Backoff
            show
            online
            +499ms
            +1ms
              +1ms: open @3
              +1ms: = Connecting
            failed
              close @3 1000
              disconnected: DialFailed
              = waiting 765ms, attempt 1, Backoff
            show
              = waiting 500ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn the_network_going_while_dialling_ends_the_dial() {
    check(
        "start; identity; offline; opened; online",
        expect![[r#"
        start
        identity
          open @1
          = Connecting
        offline
          close @1 1000
          disconnected: Offline
          = waiting, attempt 1, Network
        opened
        online
          = waiting 500ms, attempt 1, Backoff
    "#]],
    );
}

#[test]
fn news_of_an_old_socket_is_dropped() {
    check(
        "ready; disconnect; +2s; opened; closed @1; failed @1; push a @1; ping @1; reply #2 ok @1; opened @1",
        expect![[r#"
            disconnect
              close @1 1000
              disconnected: Asked
              = waiting 796ms, attempt 1, Backoff
            +2s
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            closed @1
            failed @1
            push a @1
              release p2
            ping @1
              release p3
            reply #2 ok @1
              release p4
            opened @1
        "#]],
    );
}

#[test]
fn destroy_is_for_ever() {
    check(
        "ready; request; request queue; destroy; destroy; start; push a",
        expect![[r#"
            request
              send request #2
            request queue
              send request #3
            destroy
              settle #2: Cancelled { sent: true }
              settle #3: Cancelled { sent: true }
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
            destroy
            start
              misuse: Destroyed
            push a
              misuse: Destroyed
        "#]],
    );
}

#[test]
fn a_login_in_between_begins_the_stable_time_anew() {
    check(
        "ready; closed; until open; opened; creds; reply ok; +9s; identity; +2s; closed",
        expect![[r#"
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              send login #2
            reply ok
              = Ready
              logged in again p2
            +9s
            identity
              = LoggingIn
              credentials #3?
            +2s
            closed
              disconnected: Remote { code: None }
              = waiting 2415ms, attempt 2, Backoff
        "#]],
    );
}
