//! Pings, dead lines, probes, sleeping processes and lying clocks.

use crate::script::check;
use expect_test::expect;

#[test]
fn a_server_ping_is_answered_at_once_in_every_open_phase() {
    check(
        "start; identity; ping; opened; ping; creds; ping; reply #1 ok; ping; stop; ping",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            ping
              release p1
            opened
              = Open
              = LoggingIn
              credentials #1?
            ping
              send pong p2
            creds
              send login #1
            ping
              send pong p3
            reply #1 ok
              = Ready
              logged in p4
            ping
              send pong p5
            stop
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
            ping
              release p6
        "#]],
    );
}

#[test]
fn an_unanswered_ping_means_a_dead_line() {
    check(
        "ready; +34s; +1s; +2s",
        expect![[r#"
            +34s
              +25000ms: send ping #2
            +1s
              +1000ms: close @1 4000
              +1000ms: disconnected: Dead
              +1000ms: = waiting 796ms, attempt 1, Backoff
            +2s
              +796ms: open @2
              +796ms: = Connecting
        "#]],
    );
}

#[test]
fn any_frame_is_a_sign_of_life() {
    check(
        "ready; +34s; garbage; +1s; +15s; +9s; push a; +1s",
        expect![[r#"
            +34s
              +25000ms: send ping #2
            garbage
            +1s
            +15s
              +15000ms: send ping #3
            +9s
            push a
              release p2
            +1s
        "#]],
    );
}

#[test]
fn a_refused_login_does_not_hide_a_dead_line() {
    check(
        "start; identity; opened; creds; reply error; hide; +70s",
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
            hide
            +70s
              +1296ms: = LoggingIn
              +1296ms: credentials #2?
              +11296ms: = Open
              +11296ms: send ping #3
              +14296ms: close @1 4000
              +14296ms: disconnected: Dead
              +14296ms: = Parked
        "#]],
    );
}

#[test]
fn an_error_in_reply_to_a_ping_logs_in_again() {
    check(
        "ready; +25s; reply error; creds; reply ok; +25s; reply ok",
        expect![[r#"
            +25s
              +25000ms: send ping #2
            reply error
              release p2
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in again p3
            +25s
              +25000ms: send ping #4
            reply ok
              release p4
        "#]],
    );
}

#[test]
fn a_show_probes_once_and_the_dead_line_is_left_soon() {
    check(
        "ready; hide; +20s; show; show; +3s",
        expect![[r#"
            hide
            +20s
            show
              send ping #2
            show
            +3s
              +3000ms: close @1 4000
              +3000ms: disconnected: Dead
              +3000ms: = waiting 796ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn a_show_on_a_living_line_changes_nothing() {
    check(
        "ready; hide; +1s; show; reply ok; +10s",
        expect![[r#"
        hide
        +1s
        show
          send ping #2
        reply ok
          release p2
        +10s
    "#]],
    );
}

#[test]
fn after_a_sleep_the_line_is_probed_before_it_is_trusted() {
    check(
        "ready; sleep 1h; +3s",
        expect![[r#"
            sleep 1h
              send ping #2
            +3s
              +3000ms: close @1 4000
              +3000ms: disconnected: Dead
              +3000ms: = waiting 796ms, attempt 1, Backoff
        "#]],
    );
    check(
        "ready; sleep 1h; reply ok; +25s",
        expect![[r#"
        sleep 1h
          send ping #2
        reply ok
          release p2
        +25s
          +25000ms: send ping #3
    "#]],
    );
}

#[test]
fn a_sleep_in_the_middle_of_a_ping_or_login_kills_nothing() {
    check(
        "ready; +25s; sleep 1h; reply ok",
        expect![[r#"
            +25s
              +25000ms: send ping #2
            sleep 1h
              send ping #3
            reply ok
              release p2
        "#]],
    );
    check(
        "start; identity; opened; creds; sleep 1h; reply #1 ok",
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
            sleep 1h
              send ping #2
            reply #1 ok
              = Ready
              logged in p1
        "#]],
    );
}

#[test]
fn a_clock_that_runs_backwards_is_survived() {
    check(
        "ready; +20s; clock back 500s; +5s; reply ok; clock back 1s; +25s",
        expect![[r#"
            +20s
            clock back 500s
            +5s
            reply ok
              release p2
            clock back 1s
            +25s
              +20000ms: send ping #2
        "#]],
    );
}

#[test]
fn the_network_is_reported_gone_but_the_line_lives() {
    check(
        "ready; offline; reply ok; +1s; closed",
        expect![[r#"
            offline
              send ping #2
            reply ok
              release p2
            +1s
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn the_network_is_reported_gone_and_the_line_is_dead() {
    check(
        "ready; offline; +3s; +1h; online",
        expect![[r#"
        offline
          send ping #2
        +3s
          +3000ms: close @1 4000
          +3000ms: disconnected: Dead
          +3000ms: = waiting, attempt 1, Network
        +1h
        online
          open @2
          = Connecting
    "#]],
    );
}

#[test]
fn a_late_reply_to_a_ping_of_the_former_line_or_session_means_nothing() {
    check(
        "ready; +25s; closed; until open; opened; creds; reply ok; send failed #2; reply #2 error",
        expect![[r#"
            +25s
              +25000ms: send ping #2
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in again p2
            send failed #2
            reply #2 error
              release p3
        "#]],
    );
    check(
        "ready; +25s; identity; creds; reply ok; reply #2 error",
        expect![[r#"
            +25s
              +25000ms: send ping #2
            identity
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in again p2
            reply #2 error
              release p3
        "#]],
    );
}
