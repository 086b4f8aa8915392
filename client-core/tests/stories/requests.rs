//! Requests and the outbox: every one settles exactly once.

use crate::script::{check, check_with, play};
use expect_test::expect;
use heartline_client_core::Config;

#[test]
fn a_reply_settles_once() {
    check(
        "ready; request; reply ok; reply #2 ok; request; reply error",
        expect![[r#"
            request
              send request #2
            reply ok
              settle #2: ok p2
            reply #2 ok
              release p3
            request
              send request #3
            reply error
              settle #3: refused p4
        "#]],
    );
}

#[test]
fn not_ready_is_told_at_once() {
    check(
        "request; start; identity; request early; opened; request; request early; reply ok",
        expect![[r#"
            request
              settle #1: NotSent(NotReady)
            start
            identity
              open @1
              = Connecting
            request early
              settle #2: NotSent(NotReady)
            opened
              = Open
              = LoggingIn
              credentials #3?
            request
              settle #4: NotSent(NotReady)
            request early
              send request #5
            reply ok
              settle #5: ok p1
        "#]],
    );
}

#[test]
fn a_request_times_out_and_its_late_reply_is_released() {
    check(
        "ready; request 500ms; request; +500ms; +15s; reply #2 ok",
        expect![[r#"
            request 500ms
              send request #2
            request
              send request #3
            +500ms
              +500ms: settle #2: TimedOut { sent: true }
            +15s
              +14500ms: settle #3: TimedOut { sent: true }
            reply #2 ok
              release p2
        "#]],
    );
}

#[test]
fn the_line_is_lost_and_the_fate_unknown() {
    check(
        "ready; request; request; closed",
        expect![[r#"
            request
              send request #2
            request
              send request #3
            closed
              settle #2: SentUnknown
              settle #3: SentUnknown
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
        "#]],
    );
    check(
        "ready; request; disconnect",
        expect![[r#"
            request
              send request #2
            disconnect
              close @1 1000
              settle #2: SentUnknown
              disconnected: Asked
              = waiting 796ms, attempt 1, Backoff
        "#]],
    );
    check(
        "ready; request; logout",
        expect![[r#"
        request
          send request #2
        logout
          close @1 1000
          settle #2: SentUnknown
          disconnected: LoggedOut
          = Idle
    "#]],
    );
}

#[test]
fn cancelled_sent_or_not() {
    check(
        "request queue; cancel #1; ready; request; cancel #3; cancel #3; cancel #99; reply #3 ok",
        expect![[r#"
            request queue
            cancel #1
              settle #1: Cancelled { sent: false }
            request
              send request #3
            cancel #3
              settle #3: Cancelled { sent: true }
            cancel #3
            cancel #99
            reply #3 ok
              release p2
        "#]],
    );
}

#[test]
fn a_failed_send_settles_and_casts_doubt_on_the_line() {
    check(
        "ready; request; send failed; request; send lost #4; send failed #99",
        expect![[r#"
            request
              send request #2
            send failed
              settle #2: NotSent(Socket)
              send ping #3
            request
              send request #4
            send lost #4
              settle #4: SentUnknown
            send failed #99
        "#]],
    );
}

#[test]
fn a_failed_login_or_ping_means_a_failed_line() {
    check(
        "start; identity; opened; creds; send failed",
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
            send failed
              close @1 1000
              disconnected: Error
              = waiting 796ms, attempt 1, Backoff
        "#]],
    );
    check(
        "ready; +25s; send lost",
        expect![[r#"
            +25s
              +25000ms: send ping #2
            send lost
              close @1 1000
              disconnected: Error
              = waiting 796ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn one_more_than_the_pool_holds_is_refused() {
    let config = Config {
        max_requests: 2,
        ..Config::default()
    };
    check_with(
        config,
        "ready; request; request queue; request; reply #2 ok; request",
        expect![[r#"
            request
              send request #2
            request queue
              send request #3
            request
              settle #4: NotSent(Full)
            reply #2 ok
              settle #2: ok p2
            request
              send request #5
        "#]],
    );
}

#[test]
fn stop_cancels_everything() {
    check(
        "ready; identity; request queue; request early; stop",
        expect![[r#"
            identity
              = LoggingIn
              credentials #2?
            request queue
            request early
              send request #4
            stop
              settle #3: Cancelled { sent: false }
              settle #4: Cancelled { sent: true }
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
        "#]],
    );
}

#[test]
fn the_outbox_is_sent_in_order_once_ready_and_before_newer_requests() {
    check(
        "start; request queue; request queue early; identity; request queue; opened; creds; reply ok; request",
        expect![[r#"
            start
            request queue
            request queue early
            identity
              open @1
              = Connecting
            request queue
            opened
              = Open
              send request #2
              = LoggingIn
              credentials #4?
            creds
              send login #4
            reply ok
              = Ready
              logged in p1
              send request #1
              send request #3
            request
              send request #5
        "#]],
    );
}

#[test]
fn what_waits_in_the_outbox_has_the_outboxs_time_and_then_its_own() {
    check(
        "request queue; +299s; ready; +15s",
        expect![[r#"
            request queue
            +299s
            +15s
              +15000ms: settle #1: TimedOut { sent: true }
        "#]],
    );
    check(
        "request queue; +5min; request queue 2s; +2s",
        expect![[r#"
        request queue
        +5min
          +300000ms: dropped #1: Expired
          +300000ms: settle #1: NotSent(Dropped(Expired))
        request queue 2s
        +2s
          +2000ms: settle #2: TimedOut { sent: false }
    "#]],
    );
}

#[test]
fn the_latest_of_a_key_is_kept() {
    check(
        "request key=7; request key=8; request key=7; request queue; request queue; start; identity; opened; creds; reply ok",
        expect![[r#"
            request key=7
            request key=8
            request key=7
              dropped #1: Superseded
              settle #1: NotSent(Dropped(Superseded))
            request queue
            request queue
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #6?
            creds
              send login #6
            reply ok
              = Ready
              logged in p1
              send request #2
              send request #3
              send request #4
              send request #5
        "#]],
    );
}

#[test]
fn a_full_outbox_drops_the_oldest() {
    let config = Config {
        outbox_max_entries: 2,
        outbox_max_bytes: 100,
        ..Config::default()
    };
    check_with(
        config,
        "request queue bytes=60; request queue bytes=40; request queue; request queue bytes=100; request queue bytes=101",
        expect![[r#"
            request queue bytes=60
            request queue bytes=40
            request queue
              dropped #1: Full
              settle #1: NotSent(Dropped(Full))
            request queue bytes=100
              dropped #2: Full
              settle #2: NotSent(Dropped(Full))
            request queue bytes=101
              settle #5: NotSent(Full)
        "#]],
    );
}

#[test]
fn what_one_user_queued_is_not_sent_as_the_next() {
    check(
        "start; identity; request queue; logout; identity; opened; creds; reply ok",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            request queue
            logout
              settle #1: Cancelled { sent: false }
              close @1 1000
              disconnected: LoggedOut
              = Idle
            identity
              open @2
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              send login #2
            reply ok
              = Ready
              logged in p1
        "#]],
    );
}

#[test]
fn a_queued_request_answered_by_a_lying_server_stays_queued() {
    check(
        "start; identity; request queue; opened; reply #1 ok; creds; reply ok",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            request queue
            opened
              = Open
              = LoggingIn
              credentials #2?
            reply #1 ok
              release p1
            creds
              send login #2
            reply ok
              = Ready
              logged in p2
              send request #1
        "#]],
    );
}

#[test]
fn ten_thousand_requests_in_one_millisecond_have_ten_thousand_ids() {
    let story = play(
        Config::default(),
        &format!("ready;{}closed", "request;".repeat(10_000)),
    );
    assert_eq!(story.matches("send request #").count(), 10_000);
    assert_eq!(story.matches(": SentUnknown").count(), 10_000);
    let mut ids: Vec<&str> = story
        .lines()
        .filter(|l| l.starts_with("  send request"))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
}

#[test]
fn what_may_be_done_twice_is_sent_again_on_the_next_line() {
    check(
        "ready; request again; request; closed 1006; until open; opened; creds; reply ok; reply #3 ok",
        expect![[r#"
            request again
              send request #2
            request
              send request #3
            closed 1006
              settle #3: SentUnknown
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #4?
            creds
              send login #4
            reply ok
              = Ready
              logged in again p2
              send request #2
            reply #3 ok
              release p3
        "#]],
    );
}

#[test]
fn what_is_sent_again_comes_before_what_waited_and_ends_as_unknown() {
    check(
        "ready; request again; request 20s again; identity; request queue; closed 1006; offline; cancel #3; +5min",
        expect![[r#"
            request again
              send request #2
            request 20s again
              send request #3
            identity
              = LoggingIn
              credentials #4?
            request queue
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            offline
              = waiting, attempt 1, Network
            cancel #3
              settle #3: Cancelled { sent: true }
            +5min
              +300000ms: dropped #2: Expired
              +300000ms: settle #2: SentUnknown
              +300000ms: dropped #5: Expired
              +300000ms: settle #5: NotSent(Dropped(Expired))
        "#]],
    );
}

#[test]
fn no_request_of_a_user_who_left_is_sent_again() {
    check(
        "ready; request again; logout; identity; opened; creds; reply ok",
        expect![[r#"
            request again
              send request #2
            logout
              close @1 1000
              disconnected: LoggedOut
              settle #2: Cancelled { sent: true }
              = Idle
            identity
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

/// The probe that the late clock brings about must not go out under the id that was promised to the request.
#[test]
fn the_first_request_after_a_sleep_has_an_id_of_its_own() {
    check(
        "ready; late 40s; request; reply #3 ok; reply #2 error",
        expect![[r#"
            late 40s
            request
              send ping #3
              send request #2
            reply #3 ok
              release p2
            reply #2 error
              settle #2: refused p3
        "#]],
    );
}

#[test]
fn what_is_sent_again_keeps_its_order_its_id_and_its_time() {
    check(
        "ready; request 60s again; request again; closed; request queue; until open; opened; creds; reply ok; reply #2 ok; reply #3 ok; reply #4 ok",
        expect![[r#"
            request 60s again
              send request #2
            request again
              send request #3
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            request queue
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #5?
            creds
              send login #5
            reply ok
              = Ready
              logged in again p2
              send request #2
              send request #3
              send request #4
            reply #2 ok
              settle #2: ok p3
            reply #3 ok
              settle #3: ok p4
            reply #4 ok
              settle #4: ok p5
        "#]],
    );
}

/// The server has forgotten the session: the line stays, and what is asked until the next login waits.
#[test]
fn what_is_sent_again_comes_before_what_waited_for_the_next_login() {
    check(
        "ready; request 60s again; +25s; reply #3 error; request queue; closed; until open; opened; creds; reply ok",
        expect![[r#"
            request 60s again
              send request #2
            +25s
              +25000ms: send ping #3
            reply #3 error
              release p2
              = LoggingIn
              credentials #4?
            request queue
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #6?
            creds
              send login #6
            reply ok
              = Ready
              logged in again p3
              send request #2
              send request #5
        "#]],
    );
}

/// It was sent, so it may have been carried out: what it is told says so.
#[test]
fn what_waits_to_be_sent_again_times_out_in_its_own_time() {
    check(
        "ready; request 20s again; +5s; offline; closed; +60s",
        expect![[r#"
            request 20s again
              send request #2
            +5s
            offline
              send ping #3
            closed
              disconnected: Remote { code: None }
              = waiting, attempt 1, Network
            +60s
              +15000ms: settle #2: TimedOut { sent: true }
        "#]],
    );
}
