//! One login in flight, refusals, user switch.

use crate::script::{check, check_with};
use expect_test::expect;
use heartline_client_core::{Backoff, Config};

#[test]
fn a_refused_login_is_retried_ever_more_slowly() {
    check(
        "start; identity; opened; creds; reply error; +3s; creds; reply error; +5s; creds; reply error; +9s; creds; reply ok",
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
            +3s
              +1296ms: = LoggingIn
              +1296ms: credentials #2?
            creds
              send login #2
            reply error
              login refused p2
              = Open
            +5s
              +3915ms: = LoggingIn
              +3915ms: credentials #3?
            creds
              send login #3
            reply error
              login refused p3
              = Open
            +9s
              +4423ms: = LoggingIn
              +4423ms: credentials #4?
            creds
              send login #4
            reply ok
              = Ready
              logged in p4
        "#]],
    );
}

#[test]
fn refusals_are_remembered_when_the_server_closes_after_each() {
    let config = Config {
        backoff: Backoff::Fixed { delay_ms: 1_000 },
        ..Config::default()
    };
    check_with(
        config,
        "start; identity; opened; creds; reply error; closed; +3s; opened; creds; reply error; closed; +5s; opened; creds; reply error; closed",
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
            closed
              disconnected: Remote { code: None }
              = waiting 1296ms, attempt 1, Backoff
            +3s
              +1296ms: open @2
              +1296ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              send login #2
            reply error
              login refused p2
              = Open
            closed
              disconnected: Remote { code: None }
              = waiting 3915ms, attempt 2, Backoff
            +5s
              +3915ms: open @3
              +3915ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #3?
            creds
              send login #3
            reply error
              login refused p3
              = Open
            closed
              disconnected: Remote { code: None }
              = waiting 4423ms, attempt 3, Backoff
        "#]],
    );
}

#[test]
fn a_new_identity_after_a_refusal_logs_in_at_once() {
    check(
        "start; identity; opened; creds; reply error; identity; creds; +9s; reply ok; +9s",
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
            identity
              = LoggingIn
              credentials #2?
            creds
              send login #2
            +9s
            reply ok
              = Ready
              logged in p2
            +9s
        "#]],
    );
}

#[test]
fn another_user_logs_in_on_the_same_socket() {
    check(
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
fn the_reply_to_a_former_users_login_is_ignored() {
    check(
        "start; identity; opened; creds; identity; reply #1 ok; creds #1; creds; reply #1 ok; reply ok",
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
            identity
              credentials #2?
            reply #1 ok
              release p1
            creds #1
            creds
              send login #2
            reply #1 ok
              release p2
            reply ok
              = Ready
              logged in p3
        "#]],
    );
}

#[test]
fn a_provider_that_fails_is_asked_again_later() {
    check(
        "start; identity; opened; no creds; +3s; creds; reply ok",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            no creds
              = Open
            +3s
              +1296ms: = LoggingIn
              +1296ms: credentials #2?
            creds
              send login #2
            reply ok
              = Ready
              logged in p1
        "#]],
    );
}

#[test]
fn a_provider_that_never_answers_is_asked_again_and_the_line_is_probed() {
    check(
        "start; identity; opened; +10s; reply error; +3s; creds #1; creds; reply ok",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            +10s
              +10000ms: = Open
              +10000ms: send ping #2
            reply error
              release p1
            +3s
              +1296ms: = LoggingIn
              +1296ms: credentials #3?
            creds #1
            creds
              send login #3
            reply ok
              = Ready
              logged in p2
        "#]],
    );
}

#[test]
fn an_unanswered_login_finds_the_dead_line() {
    check(
        "start; identity; opened; creds; +13s",
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
            +13s
              +10000ms: = Open
              +10000ms: send ping #2
              +11296ms: = LoggingIn
              +11296ms: credentials #3?
              +13000ms: close @1 4000
              +13000ms: disconnected: Dead
              +13000ms: = waiting 509ms, attempt 1, Backoff
        "#]],
    );
}

#[test]
fn a_late_ok_is_welcome_and_no_second_login_follows() {
    check(
        "start; identity; opened; creds; +10s; reply #1 ok; +20s",
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
            +10s
              +10000ms: = Open
              +10000ms: send ping #2
            reply #1 ok
              = Ready
              logged in p1
            +20s
        "#]],
    );
}

#[test]
fn a_slow_provider_is_not_asked_twice() {
    check(
        "start; identity; opened; +11s; creds #1; reply #1 ok",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            +11s
              +10000ms: = Open
              +10000ms: send ping #2
            creds #1
              = LoggingIn
              send login #1
            reply #1 ok
              = Ready
              logged in p1
        "#]],
    );
}

#[test]
fn a_success_wipes_the_refusals_out() {
    check(
        "start; identity; opened; creds; reply error; until credentials; creds; reply error; until credentials; creds; reply ok; \
         +25s; reply error; creds; reply error; closed; until open; opened",
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
              +1296ms: = LoggingIn
              +1296ms: credentials #2?
            creds
              send login #2
            reply error
              login refused p2
              = Open
            until credentials
              +3915ms: = LoggingIn
              +3915ms: credentials #3?
            creds
              send login #3
            reply ok
              = Ready
              logged in p3
            +25s
              +25000ms: send ping #4
            reply error
              release p4
              = LoggingIn
              credentials #5?
            creds
              send login #5
            reply error
              login refused p5
              = Open
            closed
              disconnected: Remote { code: None }
              = waiting 1265ms, attempt 1, Backoff
            until open
              +1265ms: open @2
              +1265ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #6?
        "#]],
    );
}
