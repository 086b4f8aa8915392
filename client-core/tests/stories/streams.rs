//! Durable streams: whose turn it is, where the position stands, and what is said of it.

use crate::script::{check, play};
use expect_test::expect;
use heartline_client_core::Config;

#[test]
fn a_new_device_begins_where_the_server_says_and_remembers_it() {
    check(
        "ready; at 0 7 40; durable 0 41; handled; +200ms",
        expect![[r#"
            at 0 7 40
              persist stream 0 at 40 of epoch 7
            durable 0 41
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 41 of epoch 7
              release p2
            +200ms
              +200ms: send ack of stream 0 to 41
        "#]],
    );
}

#[test]
fn one_message_is_in_hand_at_a_time_and_the_position_follows_the_app() {
    check(
        "position 0 7 3; start; identity; opened; creds; reply ok; at 0 7 3; durable 0 4; durable 0 5; durable 0 7; handled; handled; handled; +200ms",
        expect![[r#"
            position 0 7 3
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              stand on stream 0 at 3/3 of epoch 7
              send login #1
            reply ok
              = Ready
              logged in p1
            at 0 7 3
            durable 0 4
              turn 1 of stream 0: p2
            durable 0 5
            durable 0 7
            handled
              persist stream 0 at 4 of epoch 7
              release p2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 5 of epoch 7
              release p3
              turn 3 of stream 0: p4
            handled
              persist stream 0 at 7 of epoch 7
              release p4
            +200ms
              +200ms: send ack of stream 0 to 7
        "#]],
    );
}

#[test]
fn what_was_held_before_is_dropped_when_it_comes_again() {
    check(
        "ready; at 0 7 3; durable 0 4; durable 0 4; durable 0 3; handled",
        expect![[r#"
            at 0 7 3
              persist stream 0 at 3 of epoch 7
            durable 0 4
              turn 1 of stream 0: p2
            durable 0 4
              release p3
            durable 0 3
              release p4
            handled
              persist stream 0 at 4 of epoch 7
              release p2
        "#]],
    );
}

#[test]
fn a_lost_line_keeps_what_waits_and_the_next_login_says_so() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; durable 0 3; closed 1006; handled; until open; opened; creds; reply ok; at 0 7 3; durable 0 4; destroy",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            durable 0 3
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            handled
              persist stream 0 at 1 of epoch 7
              release p2
              turn 2 of stream 0: p3
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 3/1 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p5
            at 0 7 3
            durable 0 4
            destroy
              release p6
              release p4
              close @2 1000
              disconnected: Asked
              = Closed { reason: Asked }
              release p3
        "#]],
    );
}

#[test]
fn acknowledgements_go_together_and_at_once_when_they_are_many() {
    check(
        "ready; at 0 7 0; durable 0 1; handled; +100ms; durable 0 2; handled; +100ms; +1s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            +100ms
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            +100ms
              +100ms: send ack of stream 0 to 2
            +1s
        "#]],
    );
}

#[test]
fn a_failure_is_redelivered_with_patience_and_then_poisonous() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; failed handling; +500ms; failed handling; +1s; failed handling; +2s; failed handling; +4s; failed handling; handled; +200ms",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            failed handling
            +500ms
              +500ms: turn 2 of stream 0: p2
            failed handling
            +1s
              +1000ms: turn 3 of stream 0: p2
            failed handling
            +2s
              +2000ms: turn 4 of stream 0: p2
            failed handling
            +4s
              +4000ms: turn 5 of stream 0: p2
            failed handling
              poisoned: 1 of stream 0
              persist stream 0 at 1 of epoch 7
              release p2
              turn 6 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            +200ms
              +200ms: send ack of stream 0 to 2
        "#]],
    );
}

#[test]
fn a_gap_has_its_turn_like_a_message() {
    check(
        "ready; at 0 7 5; durable 0 6; gap 0 7 7 9; durable 0 10; handled; +300ms; handled; handled; +200ms",
        expect![[r#"
            at 0 7 5
              persist stream 0 at 5 of epoch 7
            durable 0 6
              turn 1 of stream 0: p2
            gap 0 7 7 9
            durable 0 10
            handled
              persist stream 0 at 6 of epoch 7
              release p2
              gap in stream 0, epoch 7: 7 to 9, Retention
              turn 2 of stream 0: the gap
            +300ms
            handled
              persist stream 0 at 9 of epoch 7
              turn 3 of stream 0: p3
            handled
              persist stream 0 at 10 of epoch 7
              release p3
            +200ms
              +200ms: send ack of stream 0 to 10
        "#]],
    );
}

#[test]
fn another_epoch_is_a_gap_and_offsets_begin_anew() {
    check(
        "position 0 7 50; start; identity; opened; creds; reply ok; gap 0 8 1 0 epoch; durable 0 1; handled; handled; +200ms",
        expect![[r#"
            position 0 7 50
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              stand on stream 0 at 50/50 of epoch 7
              send login #1
            reply ok
              = Ready
              logged in p1
            gap 0 8 1 0 epoch
              gap in stream 0, epoch 8: 1 to 0, Epoch
              turn 1 of stream 0: the gap
            durable 0 1
            handled
              persist stream 0 at 0 of epoch 8
              turn 2 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 8
              release p2
            +200ms
              +200ms: send ack of stream 0 to 1
        "#]],
    );
}

#[test]
fn a_store_that_was_set_back_is_a_gap_that_goes_back() {
    check(
        "ready; at 0 7 9; durable 0 10; handled; closed 1006; until open; opened; creds; reply ok; gap 0 7 5 4 epoch; durable 0 5; handled; handled; +200ms",
        expect![[r#"
            at 0 7 9
              persist stream 0 at 9 of epoch 7
            durable 0 10
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 10 of epoch 7
              release p2
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 10/10 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p3
            gap 0 7 5 4 epoch
              gap in stream 0, epoch 7: 5 to 4, Epoch
              turn 2 of stream 0: the gap
            durable 0 5
            handled
              persist stream 0 at 4 of epoch 7
              turn 3 of stream 0: p4
            handled
              persist stream 0 at 5 of epoch 7
              release p4
            +200ms
              +200ms: send ack of stream 0 to 5
        "#]],
    );
}

#[test]
fn a_gap_that_waits_is_asked_for_again_by_the_next_login() {
    check(
        "ready; at 0 7 5; durable 0 6; gap 0 7 7 9; durable 0 10; closed 1006; until open; opened; creds; reply ok; at 0 7 6; gap 0 7 7 9; durable 0 10; handled; handled; handled",
        expect![[r#"
            at 0 7 5
              persist stream 0 at 5 of epoch 7
            durable 0 6
              turn 1 of stream 0: p2
            gap 0 7 7 9
            durable 0 10
            closed 1006
              release p3
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 6/5 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p4
            at 0 7 6
            gap 0 7 7 9
            durable 0 10
            handled
              persist stream 0 at 6 of epoch 7
              release p2
              gap in stream 0, epoch 7: 7 to 9, Retention
              turn 2 of stream 0: the gap
            handled
              persist stream 0 at 9 of epoch 7
              turn 3 of stream 0: p5
            handled
              persist stream 0 at 10 of epoch 7
              release p5
        "#]],
    );
}

#[test]
fn a_gap_in_hand_while_the_line_is_lost_is_passed_once() {
    check(
        "ready; at 0 7 5; gap 0 7 6 9; closed 1006; until open; opened; creds; reply ok; at 0 7 5; gap 0 7 6 9; durable 0 10; handled; handled",
        expect![[r#"
            at 0 7 5
              persist stream 0 at 5 of epoch 7
            gap 0 7 6 9
              gap in stream 0, epoch 7: 6 to 9, Retention
              turn 1 of stream 0: the gap
            closed 1006
              disconnected: Remote { code: Some(1006) }
              = waiting 796ms, attempt 1, Backoff
            until open
              +796ms: open @2
              +796ms: = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 5/5 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p2
            at 0 7 5
            gap 0 7 6 9
            durable 0 10
            handled
              persist stream 0 at 9 of epoch 7
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 10 of epoch 7
              release p3
        "#]],
    );
}

#[test]
fn where_the_server_stands_elsewhere_it_is_heard_and_nothing_is_silent() {
    check(
        "position 0 7 5; position 1 3 9; start; identity; opened; creds; reply ok; at 0 7 8; handled; at 1 4 2; handled; +200ms",
        expect![[r#"
            position 0 7 5
            position 1 3 9
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            creds
              stand on stream 0 at 5/5 of epoch 7
              stand on stream 1 at 9/9 of epoch 3
              send login #1
            reply ok
              = Ready
              logged in p1
            at 0 7 8
              gap in stream 0, epoch 7: 6 to 8, Retention
              turn 1 of stream 0: the gap
            handled
              persist stream 0 at 8 of epoch 7
            at 1 4 2
              gap in stream 1, epoch 4: 1 to 2, Epoch
              turn 2 of stream 1: the gap
            handled
              persist stream 1 at 2 of epoch 4
            +200ms
              +200ms: send ack of stream 0 to 8
              +200ms: send ack of stream 1 to 2
        "#]],
    );
}

#[test]
fn another_user_is_handed_nothing_of_the_former_one() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; identity; durable 0 3; failed handling; +10s; creds; reply ok; at 1 7 0; durable 1 1; handled; destroy",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            identity
              release p3
              = LoggingIn
              credentials #2?
            durable 0 3
              release p4
            failed handling
            +10s
              +10000ms: = Open
              +10000ms: send ping #3
            creds
              = LoggingIn
              stand on stream 0 at 1/0 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p5
            at 1 7 0
              persist stream 1 at 0 of epoch 7
            durable 1 1
              turn 2 of stream 1: p6
            handled
              persist stream 1 at 1 of epoch 7
              release p6
            destroy
              release p2
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
        "#]],
    );
}

#[test]
fn the_same_user_again_gets_what_he_failed_with() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; identity; creds; reply ok; failed handling; +10s; at 0 7 1; +500ms; handled; durable 0 2; handled",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            identity
              release p3
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 1/0 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p4
            failed handling
            +10s
            at 0 7 1
            +500ms
              +500ms: turn 2 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            durable 0 2
              turn 3 of stream 0: p5
            handled
              persist stream 0 at 2 of epoch 7
              release p5
        "#]],
    );
}

#[test]
fn what_is_handled_while_the_login_is_under_way_is_acknowledged_after_it() {
    check(
        "ready; at 0 7 0; durable 0 1; identity; creds; handled; reply ok; at 0 7 1; +200ms",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            identity
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 1/0 of epoch 7
              send login #2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            reply ok
              = Ready
              logged in again p3
            at 0 7 1
            +200ms
              +200ms: send ack of stream 0 to 1
        "#]],
    );
}

#[test]
fn a_message_of_no_session_is_not_kept() {
    check(
        "start; identity; opened; durable 0 1; creds; reply ok; durable 0 1; at 0 7 0; durable 0 1; handled",
        expect![[r#"
            start
            identity
              open @1
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #1?
            durable 0 1
              release p1
            creds
              send login #1
            reply ok
              = Ready
              logged in p2
            durable 0 1
              release p3
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p4
            handled
              persist stream 0 at 1 of epoch 7
              release p4
        "#]],
    );
}

#[test]
fn a_hidden_app_says_so_to_a_server_that_knows_streams() {
    check(
        "ready; hide; show; at 0 7 0; hide; hide; show; +5s",
        expect![[r#"
            hide
            show
              send ping #2
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            hide
              send park
            hide
            show
              send show
              send ping #3
            +5s
              +3000ms: close @1 4000
              +3000ms: disconnected: Dead
              +3000ms: = waiting 796ms, attempt 1, Backoff
              +3796ms: open @2
              +3796ms: = Connecting
        "#]],
    );
}

#[test]
fn an_app_that_was_hidden_before_the_login_says_so_after_it() {
    check(
        "ready; hide; at 0 7 0; at 1 7 0",
        expect![[r#"
        hide
        at 0 7 0
          send park
          persist stream 0 at 0 of epoch 7
        at 1 7 0
          persist stream 1 at 0 of epoch 7
    "#]],
    );
}

#[test]
fn the_end_lets_everything_go() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; destroy; handled",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            destroy
              release p3
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
              release p2
            handled
              misuse: Destroyed
        "#]],
    );
}

#[test]
fn stop_keeps_only_what_is_in_hand() {
    check(
        "ready; at 0 7 0; durable 0 1; durable 0 2; stop; handled; start; opened; creds; reply ok; at 0 7 1; durable 0 2; handled",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            durable 0 2
            stop
              release p3
              close @1 1000
              disconnected: Asked
              = Closed { reason: Asked }
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            start
              open @2
              = Connecting
            opened
              = Open
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 1/1 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p4
            at 0 7 1
            durable 0 2
              turn 2 of stream 0: p5
            handled
              persist stream 0 at 2 of epoch 7
              release p5
        "#]],
    );
}

#[test]
fn numbers_of_streams_have_a_bound() {
    check(
        "ready; at 64 1 1; durable 64 1; position 64 1 1",
        expect![[r#"
            at 64 1 1
              misuse: NoSuchStream
            durable 64 1
              misuse: NoSuchStream
            position 64 1 1
              misuse: NoSuchStream
        "#]],
    );
}

#[test]
fn thirty_two_acknowledgements_wait_for_no_timer() {
    let messages = |range: std::ops::RangeInclusive<u32>| {
        let each = range.map(|offset| format!("durable 0 {offset}; handled; "));
        each.collect::<String>()
    };
    let acks = |story: &str| story.matches("send ack").count();
    let before = play(
        Config::default(),
        &format!("ready; at 0 7 0; {}", messages(1..=31)),
    );
    assert_eq!(acks(&before), 0);
    let after = play(
        Config::default(),
        &format!("ready; at 0 7 0; {}", messages(1..=33)),
    );
    assert_eq!(acks(&after), 1);
    assert!(after.contains("send ack of stream 0 to 32"));
}

#[test]
fn a_server_that_ignores_its_window_loses_the_line_and_nothing_else() {
    let flood: String = (1..=1_025)
        .map(|offset| format!("durable 0 {offset}; "))
        .collect();
    let story = play(
        Config::default(),
        &format!("ready; at 0 7 0; {flood} until open; opened; creds; destroy"),
    );
    assert!(story.contains("disconnected: Error"), "{story}");
    assert!(
        story.contains("stand on stream 0 at 1024/0 of epoch 7"),
        "{story}"
    );
}

#[test]
fn a_word_on_another_turn_is_ignored() {
    check(
        "ready; at 0 7 0; durable 0 1; handled #9; handled; handled",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            handled #9
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            handled
        "#]],
    );
}

#[test]
fn a_session_that_the_server_forgot_is_asked_where_it_stands() {
    check(
        "ready; at 0 7 0; durable 0 1; +25s; reply error; durable 0 2; creds; reply ok; durable 0 2; at 0 7 1; durable 0 2; handled; handled",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            +25s
              +25000ms: send ping #2
            reply error
              release p3
              = LoggingIn
              credentials #3?
            durable 0 2
              release p4
            creds
              stand on stream 0 at 1/0 of epoch 7
              send login #3
            reply ok
              = Ready
              logged in again p5
            durable 0 2
              release p6
            at 0 7 1
            durable 0 2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
              turn 2 of stream 0: p7
            handled
              persist stream 0 at 2 of epoch 7
              release p7
        "#]],
    );
}
