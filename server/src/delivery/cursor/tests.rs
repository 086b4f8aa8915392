//! Stories of a cursor, and one property: whatever the order of events, every message once and in order.

use super::*;
use proptest::prelude::*;

const EPOCH: Epoch = Epoch(7);

fn cursor(at: u32, head: u32) -> Cursor {
    Cursor::new(EPOCH, Offset(at), Offset(at), 0, Offset(head))
}

/// A page of everything from behind `after` up to `through`, each message of ten bytes.
fn page(after: u32, through: u32, head: u32) -> PageFacts {
    PageFacts {
        epoch: EPOCH,
        head: Offset(head),
        trimmed: Offset(0),
        through: Offset(through),
        last: (through > after).then_some(Offset(through)),
        messages: through - after,
        bytes: (through - after) as usize * 10,
    }
}

#[test]
fn who_has_everything_gets_the_next_one_at_once() {
    let mut cursor = cursor(4, 4);
    assert_eq!(cursor.next_read(), None);
    assert_eq!(cursor.live(EPOCH, Offset(5), 10), Live::Send);
    assert_eq!(cursor.live(EPOCH, Offset(5), 10), Live::Stale);
    assert_eq!(
        cursor.live(EPOCH, Offset(7), 10),
        Live::Later,
        "6 is not there yet"
    );
    assert_eq!(cursor.next_read().map(|(after, _)| after), Some(Offset(5)));
}

#[test]
fn what_is_published_while_a_page_is_read_comes_with_the_next() {
    let mut cursor = cursor(0, 3);
    assert!(cursor.next_read().is_some());
    assert_eq!(cursor.next_read(), None, "one page at a time");
    assert_eq!(cursor.live(EPOCH, Offset(4), 10), Live::Later);
    assert_eq!(cursor.page(&page(0, 3, 3)), Ok(None));
    assert_eq!(cursor.next_read().map(|(after, _)| after), Some(Offset(3)));
    assert_eq!(cursor.page(&page(3, 4, 4)), Ok(None));
    assert_eq!(cursor.next_read(), None);
    assert_eq!(cursor.live(EPOCH, Offset(5), 10), Live::Send);
}

#[test]
fn a_page_that_already_holds_what_is_published_makes_it_stale() {
    let mut cursor = cursor(0, 3);
    assert!(cursor.next_read().is_some());
    assert_eq!(cursor.page(&page(0, 5, 5)), Ok(None));
    assert_eq!(cursor.live(EPOCH, Offset(4), 10), Live::Stale);
    assert_eq!(cursor.live(EPOCH, Offset(5), 10), Live::Stale);
    assert_eq!(cursor.live(EPOCH, Offset(6), 10), Live::Send);
}

#[test]
fn what_retention_took_is_named() {
    let mut cursor = cursor(2, 9);
    assert!(cursor.next_read().is_some());
    let facts = PageFacts {
        trimmed: Offset(6),
        ..page(6, 9, 9)
    };
    let missing = Missing {
        from: Offset(3),
        to: Offset(6),
    };
    assert_eq!(cursor.page(&facts), Ok(Some(missing)));
    assert_eq!(cursor.sent(), Offset(9));
}

#[test]
fn a_device_that_acknowledges_nothing_gets_one_window() {
    let mut cursor = cursor(0, 0);
    for offset in 1..=WINDOW_MESSAGES {
        assert_eq!(cursor.live(EPOCH, Offset(offset), 10), Live::Send);
    }
    let next = Offset(WINDOW_MESSAGES + 1);
    assert_eq!(cursor.live(EPOCH, next, 10), Live::Later);
    assert_eq!(cursor.next_read(), None);
    assert_eq!(
        cursor.ack(Offset(WINDOW_MESSAGES)),
        Some(Offset(WINDOW_MESSAGES))
    );
    assert!(cursor.next_read().is_some());
}

#[test]
fn a_large_message_closes_the_window_and_its_acknowledgement_opens_it() {
    let mut cursor = cursor(0, 0);
    assert_eq!(cursor.live(EPOCH, Offset(1), WINDOW_BYTES), Live::Send);
    assert_eq!(cursor.live(EPOCH, Offset(2), 10), Live::Later);
    cursor.ack(Offset(1));
    assert!(cursor.next_read().is_some());
}

/// A page of messages up to `through`, of so many bytes together.
fn page_of(after: u32, through: u32, head: u32, bytes: usize) -> PageFacts {
    PageFacts {
        bytes,
        ..page(after, through, head)
    }
}

#[test]
fn the_bytes_of_pages_fill_the_window_and_what_is_left_bounds_the_next() {
    let mut cursor = cursor(0, 9);
    assert_eq!(cursor.next_read().unwrap().1.bytes, PAGE_BYTES);
    assert_eq!(cursor.page(&page_of(0, 2, 9, WINDOW_BYTES - 10)), Ok(None));
    assert_eq!(cursor.next_read().unwrap().1.bytes, 10);
    assert_eq!(cursor.page(&page_of(2, 3, 9, 9)), Ok(None));
    assert_eq!(cursor.next_read().unwrap().1.bytes, 1, "one byte is room");
    assert_eq!(cursor.page(&page_of(3, 4, 9, 1)), Ok(None));
    assert_eq!(cursor.next_read(), None, "the window is full to the byte");
}

#[test]
fn an_acknowledgement_gives_back_the_bytes_of_what_it_covers_and_no_more() {
    let mut cursor = cursor(0, 9);
    assert!(cursor.next_read().is_some());
    assert_eq!(cursor.page(&page_of(0, 2, 9, 50)), Ok(None));
    assert!(cursor.next_read().is_some());
    assert_eq!(cursor.page(&page_of(2, 5, 9, WINDOW_BYTES - 50)), Ok(None));
    cursor.ack(Offset(1));
    assert_eq!(
        cursor.next_read(),
        None,
        "part of a span gives nothing back"
    );
    cursor.ack(Offset(2));
    assert_eq!(cursor.in_flight(), 3);
    assert_eq!(cursor.next_read().unwrap().1.bytes, 50);
    assert_eq!(cursor.page(&page_of(5, 6, 9, 50)), Ok(None));
    assert_eq!(cursor.next_read(), None);
    cursor.ack(Offset(5));
    let room = PAGE_BYTES.min(WINDOW_BYTES - 50);
    assert_eq!(cursor.next_read().unwrap().1.bytes, room);
    assert_eq!(cursor.page(&page_of(6, 9, 9, WINDOW_BYTES - 50)), Ok(None));
    assert_eq!(cursor.live(EPOCH, Offset(10), 1), Live::Later, "full");
    cursor.ack(Offset(9));
    assert_eq!(cursor.in_flight(), 0);
}

#[test]
fn live_messages_fill_the_window_together_with_pages() {
    let mut cursor = cursor(0, 1);
    assert!(cursor.next_read().is_some());
    assert_eq!(cursor.page(&page_of(0, 1, 1, WINDOW_BYTES / 2)), Ok(None));
    let rest = WINDOW_BYTES / 2 - 1;
    assert_eq!(cursor.live(EPOCH, Offset(2), rest), Live::Send);
    assert_eq!(cursor.live(EPOCH, Offset(3), 500), Live::Send, "one more");
    assert_eq!(cursor.live(EPOCH, Offset(4), 1), Live::Later);
}

#[test]
fn a_gap_ends_at_the_last_that_was_removed() {
    for (trimmed, gap) in [(1, None), (2, None), (3, Some((3, 3))), (4, Some((3, 4)))] {
        let mut cursor = cursor(2, 9);
        assert!(cursor.next_read().is_some());
        let facts = PageFacts {
            trimmed: Offset(trimmed),
            ..page(4, 9, 9)
        };
        let missing = gap.map(|(from, to)| Missing {
            from: Offset(from),
            to: Offset(to),
        });
        assert_eq!(cursor.page(&facts), Ok(missing));
    }
}

#[test]
fn nobody_acknowledges_what_was_not_sent() {
    let mut cursor = cursor(5, 5);
    assert_eq!(cursor.ack(Offset(5)), None, "the beginning is no news");
    assert_eq!(cursor.ack(Offset(900)), None);
    assert_eq!(cursor.live(EPOCH, Offset(6), 1), Live::Send);
    assert_eq!(cursor.ack(Offset(900)), Some(Offset(6)));
    assert_eq!(cursor.ack(Offset(6)), None);
}

#[test]
fn what_a_device_holds_unhandled_counts_as_under_way() {
    let mut cursor = Cursor::new(
        EPOCH,
        Offset(300),
        Offset(300 - WINDOW_MESSAGES),
        WINDOW_MESSAGES,
        Offset(400),
    );
    assert_eq!(cursor.next_read(), None);
    assert_eq!(cursor.ack(Offset(300)), Some(Offset(300)));
    assert!(cursor.next_read().is_some());
}

#[test]
fn another_epoch_is_no_business_of_this_cursor() {
    let mut cursor = cursor(3, 5);
    assert_eq!(cursor.live(Epoch(8), Offset(1), 10), Live::Foreign);
    assert!(cursor.next_read().is_some());
    let other = PageFacts {
        epoch: Epoch(8),
        ..page(0, 1, 1)
    };
    assert_eq!(cursor.page(&other), Err(Foreign));
}

/// A store that holds every message, a device that acknowledges now and then, and a reader that is late.
#[derive(Clone, Debug)]
enum Step {
    Publish,
    /// The reader looks into the store.
    Look,
    /// What it saw arrives.
    Arrive,
    /// The device acknowledges so much of what it has.
    Ack(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Publish),
        2 => Just(Step::Look),
        2 => Just(Step::Arrive),
        2 => any::<u8>().prop_map(Step::Ack),
    ];
    proptest::collection::vec(step, 1..2_000)
}

proptest! {
    /// Whatever the order of events: every message once and in order, the window kept, and in the end everything.
    #[test]
    fn every_message_comes_once_and_in_order(begin in 0u32..40, held in 0u32..40, steps in steps()) {
        let mut head = begin + held;
        let mut cursor = Cursor::new(EPOCH, Offset(begin), Offset(begin), 0, Offset(head));
        let mut device = begin;
        let mut acked = begin;
        let mut asked: Option<(Offset, PageLimits)> = None;
        let mut seen: Option<PageFacts> = None;
        let mut carry_out = |step: Step, cursor: &mut Cursor| {
            match step {
                Step::Publish => {
                    head += 1;
                    if cursor.live(EPOCH, Offset(head), 10) == Live::Send {
                        assert_eq!(device + 1, head);
                        device = head;
                    }
                }
                Step::Look => if let Some((after, limits)) = asked.take() {
                    let through = head.min(after.0 + limits.messages);
                    seen = Some(page(after.0, through, head));
                },
                Step::Arrive => if let Some(facts) = seen.take() {
                    assert_eq!(cursor.page(&facts), Ok(None));
                    assert_eq!(facts.through.0 - facts.messages, device, "nothing twice, nothing left out");
                    device = facts.through.0;
                },
                Step::Ack(part) => {
                    acked += ((device - acked) * u32::from(part)).div_ceil(255);
                    cursor.ack(Offset(acked));
                }
            }
            if asked.is_none() && seen.is_none() {
                asked = cursor.next_read();
            }
            assert!(device - acked <= WINDOW_MESSAGES, "{device} {acked}");
            (device, head)
        };
        for step in steps {
            carry_out(step, &mut cursor);
        }
        for _ in 0..5_000 {
            for step in [Step::Look, Step::Arrive, Step::Ack(255)] {
                carry_out(step, &mut cursor);
            }
        }
        let (device, head) = carry_out(Step::Ack(255), &mut cursor);
        prop_assert_eq!(device, head);
    }
}
