//! What the driver's storage says of positions: only what is stored is acknowledged, and what could not be stored is tried again.

use crate::script::check;
use expect_test::expect;

#[test]
fn what_is_not_stored_is_not_acknowledged() {
    check(
        "ready; at 0 7 0; storage fails; durable 0 1; handled; durable 0 2; handled; +10s; storage works; +10s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            storage fails
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            +10s
              +1000ms: persist stream 0 at 2 of epoch 7
              +3000ms: persist stream 0 at 2 of epoch 7
              +7000ms: persist stream 0 at 2 of epoch 7
            storage works
            +10s
              +5000ms: persist stream 0 at 2 of epoch 7
              +5200ms: send ack of stream 0 to 2
        "#]],
    );
}

#[test]
fn a_login_acknowledges_what_is_stored_and_no_more() {
    check(
        "ready; at 0 7 0; durable 0 1; handled; storage fails; durable 0 2; handled; durable 0 3; closed; until open; opened; creds; reply ok; at 0 7 3; storage works; +20s; destroy",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            storage fails
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            durable 0 3
              turn 3 of stream 0: p4
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
              stand on stream 0 at 3/1 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p5
            at 0 7 3
            storage works
            +20s
              +204ms: persist stream 0 at 2 of epoch 7
              +404ms: send ack of stream 0 to 2
            destroy
              close @2 1000
              disconnected: Asked
              = Closed { reason: Asked }
              release p4
        "#]],
    );
}

#[test]
fn of_an_epoch_that_is_not_stored_nothing_is_acknowledged() {
    check(
        "ready; at 0 7 0; durable 0 1; handled; storage fails; gap 0 8 1 4 epoch; handled; closed; until open; opened; creds; storage works; reply ok; at 0 8 4; +20s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            storage fails
            gap 0 8 1 4 epoch
              gap in stream 0, epoch 8: 1 to 4, Epoch
              turn 2 of stream 0: the gap
            handled
              persist stream 0 at 4 of epoch 8
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
              stand on stream 0 at 4/0 of epoch 8
              send login #2
            storage works
            reply ok
              = Ready
              logged in again p3
            at 0 8 4
            +20s
              +204ms: persist stream 0 at 4 of epoch 8
              +404ms: send ack of stream 0 to 4
        "#]],
    );
}

#[test]
fn a_stream_that_is_not_in_use_makes_room_for_another() {
    check(
        "position 0 7 5; ready; at 0 7 5; forget 0; identity; creds; reply ok; forget 0; position 0 9 2; identity; creds",
        expect![[r#"
            position 0 7 5
            at 0 7 5
            forget 0
              misuse: StreamInUse
            identity
              = LoggingIn
              credentials #2?
            creds
              stand on stream 0 at 5/5 of epoch 7
              send login #2
            reply ok
              = Ready
              logged in again p2
            forget 0
            position 0 9 2
            identity
              = LoggingIn
              credentials #3?
            creds
              stand on stream 0 at 2/2 of epoch 9
              send login #3
        "#]],
    );
}

/// Of two that were handled the first is stored.
#[test]
fn what_is_acknowledged_is_what_is_stored_however_much_was_handled() {
    check(
        "ready; at 0 7 0; durable 0 1; handled; storage fails; durable 0 2; handled; +300ms; storage works; +2s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            storage fails
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            +300ms
              +200ms: send ack of stream 0 to 1
            storage works
            +2s
              +700ms: persist stream 0 at 2 of epoch 7
              +900ms: send ack of stream 0 to 2
        "#]],
    );
}

/// The line is lost, and no line comes back: what could not be stored is stored all the same.
#[test]
fn what_could_not_be_stored_is_tried_again_without_a_line() {
    check(
        "ready; at 0 7 0; storage fails; durable 0 1; handled; offline; closed; storage works; +2s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            storage fails
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            offline
              send ping #2
            closed
              disconnected: Remote { code: None }
              = waiting, attempt 1, Network
            storage works
            +2s
              +1000ms: persist stream 0 at 1 of epoch 7
        "#]],
    );
}

/// A storage that takes its time answers for the former position first: that is no answer for the latter.
#[test]
fn a_late_answer_of_the_storage_speaks_of_what_it_was_asked() {
    check(
        "ready; at 0 7 0; storage lags; durable 0 1; handled; durable 0 2; handled; stored; not stored; +1s; stored; +200ms",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            storage lags
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            stored
            not stored
            +1s
              +200ms: send ack of stream 0 to 1
              +1000ms: persist stream 0 at 2 of epoch 7
            stored
            +200ms
              +200ms: send ack of stream 0 to 2
        "#]],
    );
}

/// It failed, then worked: the next failure begins with the shortest wait again.
#[test]
fn the_first_failure_after_a_success_waits_the_shortest_time_again() {
    check(
        "ready; at 0 7 0; storage fails; durable 0 1; handled; +4s; storage works; +4s; storage fails; durable 0 2; handled; +2s; storage works; +2s",
        expect![[r#"
            at 0 7 0
              persist stream 0 at 0 of epoch 7
            storage fails
            durable 0 1
              turn 1 of stream 0: p2
            handled
              persist stream 0 at 1 of epoch 7
              release p2
            +4s
              +1000ms: persist stream 0 at 1 of epoch 7
              +3000ms: persist stream 0 at 1 of epoch 7
            storage works
            +4s
              +3000ms: persist stream 0 at 1 of epoch 7
              +3200ms: send ack of stream 0 to 1
            storage fails
            durable 0 2
              turn 2 of stream 0: p3
            handled
              persist stream 0 at 2 of epoch 7
              release p3
            +2s
              +1000ms: persist stream 0 at 2 of epoch 7
            storage works
            +2s
              +1000ms: persist stream 0 at 2 of epoch 7
              +1200ms: send ack of stream 0 to 2
        "#]],
    );
}
