//! The borders of where a device begins: what it says against what there is, one offset below, at and above.

use super::*;

const EPOCH: Epoch = Epoch(7);

/// Where a device begins on a stream of 9 pushes of which retention has taken the first 4: the cursor's place, the position that
/// is told, and the gap.
fn begins(
    acked: u32,
    said: Option<(u64, u32)>,
) -> (u32, Option<u32>, Option<(u32, u32, GapReason)>) {
    let stream = StreamState {
        epoch: EPOCH,
        head: Offset(9),
        trimmed: Offset(4),
        messages: 5,
        bytes: 50,
    };
    let said = said.map(|(epoch, received)| Position {
        epoch,
        handled: received,
        received,
    });
    let start = start(&stream, Offset(acked), said.as_ref());
    assert_eq!(start.cursor.head(), Offset(9));
    let gap = start.gap;
    (
        start.cursor.sent().0,
        start.at.map(|at| at.0),
        gap.map(|(missing, reason)| (missing.from.0, missing.to.0, reason)),
    )
}

#[test]
fn a_gap_of_retention_ends_with_the_last_that_was_removed() {
    let retention = |from| Some((from, 4, GapReason::Retention));
    for (received, gap) in [
        (0, retention(1)),
        (3, retention(4)),
        (4, None),
        (5, None),
        (9, None),
    ] {
        let expected = (received.max(4), Some(received), gap);
        assert_eq!(begins(0, Some((7, received))), expected);
        assert_eq!(begins(received, None), expected, "by what it acknowledged");
    }
}

#[test]
fn a_store_that_was_set_back_begins_behind_its_head_with_an_empty_gap() {
    // `to` below `from`: nothing is missing, but what comes next will be numbered from 10 again.
    let expected = (9, None, Some((10, 9, GapReason::Epoch)));
    assert_eq!(begins(2, Some((7, 10))), expected);
    assert_eq!(begins(9, Some((7, u32::MAX))), expected);
    // What the store remembers may be beyond its head as well, and is no more than that.
    assert_eq!(begins(10, None), (9, Some(9), None));
}

#[test]
fn another_epoch_begins_with_the_oldest_there_is() {
    for received in [0, 4, 9, 10] {
        let expected = (4, None, Some((1, 4, GapReason::Epoch)));
        assert_eq!(begins(9, Some((8, received))), expected);
    }
}
