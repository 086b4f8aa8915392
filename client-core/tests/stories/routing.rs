//! Who hears which push.

use crate::script::{check, check_with};
use expect_test::expect;
use heartline_client_core::Config;

#[test]
fn exact_prefix_and_catch_all_in_the_order_of_registration() {
    check(
        "on *; on chat1; on chat*; on chat; on tab; ready; push chat1; push interned chat1; push chat; push other",
        expect![[r#"
            on *
            on chat1
            on chat*
            on chat
            on tab
            push chat1
              deliver p2 to listener 1
              deliver p2 to listener 2
              deliver p2 to listener 3
              release p2
            push interned chat1
              deliver p3 to listener 1
              deliver p3 to listener 2
              deliver p3 to listener 3
              release p3
            push chat
              deliver p4 to listener 1
              deliver p4 to listener 3
              deliver p4 to listener 4
              release p4
            push other
              deliver p5 to listener 1
              release p5
        "#]],
    );
}

#[test]
fn a_listener_that_leaves_hears_no_more() {
    check(
        "on a; on a; ready; push interned a; off #1; push interned a; off #1; off #9; off a; push interned a",
        expect![[r#"
            on a
            on a
            push interned a
              deliver p2 to listener 1
              deliver p2 to listener 2
              release p2
            off #1
            push interned a
              deliver p3 to listener 2
              release p3
            off #1
            off #9
            off a
            push interned a
              release p4
        "#]],
    );
}

#[test]
fn a_listener_that_comes_is_heard_at_once() {
    check(
        "ready; push interned a; on a; push interned a",
        expect![[r#"
            push interned a
              release p2
            on a
            push interned a
              deliver p3 to listener 1
              release p3
        "#]],
    );
}

#[test]
fn the_classic_on_replaces_and_the_listener_moves_to_the_end() {
    check(
        "on! a; on *; on! a; on! a*; ready; push a",
        expect![[r#"
        on! a
        on *
        on! a
        on! a*
        push a
          deliver p2 to listener 2
          deliver p2 to listener 3
          deliver p2 to listener 4
          release p2
    "#]],
    );
}

#[test]
fn listeners_do_not_double_on_reconnect() {
    check(
        "on a; ready; closed; +2s; opened; creds; reply ok; push a",
        expect![[r#"
            on a
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            +2s
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
            push a
              deliver p3 to listener 1
              release p3
        "#]],
    );
}

#[test]
fn misuse_changes_nothing() {
    let config = Config {
        max_listeners: 1,
        ..Config::default()
    };
    check_with(
        config,
        "on a; on b; on! a; on! b; off a; on b",
        expect![[r#"
            on a
            on b
              misuse: TooManyListeners
            on! a
            on! b
              misuse: TooManyListeners
            off a
            on b
        "#]],
    );
}

/// Until the login of the new identity is answered, what arrives is for the one before.
#[test]
fn a_push_for_a_former_user_is_heard_by_nobody() {
    check(
        "on *; ready; push chat; identity; push chat; push interned chat; creds; push chat; reply ok; push chat; identity; closed; until open; opened; push chat",
        expect![[r#"
            on *
            push chat
              deliver p2 to listener 1
              release p2
            identity
              = LoggingIn
              credentials #2?
            push chat
              release p3
            push interned chat
              release p4
            creds
              send login #2
            push chat
              release p5
            reply ok
              = Ready
              logged in again p6
            push chat
              deliver p7 to listener 1
              release p7
            identity
              = LoggingIn
              credentials #3?
            closed
              disconnected: Remote { code: None }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #4?
            push chat
              deliver p8 to listener 1
              release p8
        "#]],
    );
}

#[test]
fn a_session_that_begins_anew_for_the_same_user_misses_no_push() {
    check(
        "on *; ready; +25s; reply error; push chat; creds; push chat; reply ok",
        expect![[r#"
            on *
            +25s
              +25000ms: send ping #2
            reply error
              release p2
              = LoggingIn
              credentials #3?
            push chat
              deliver p3 to listener 1
              release p3
            creds
              send login #3
            push chat
              deliver p4 to listener 1
              release p4
            reply ok
              = Ready
              logged in again p5
        "#]],
    );
}
