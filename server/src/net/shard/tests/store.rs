//! What the store answers, and what comes meanwhile.

use super::*;
use crate::delivery::Answer;
use crate::hub::Place;
use crate::store::{Epoch, Offset};

#[test]
fn the_answer_to_an_earlier_login_is_not_taken_for_the_later_ones() {
    let mut story = Story::new();
    let slot = story.connect();
    story.store(&["user:1"], "one");
    story.attach(slot, "user:1");
    let early = story.answer();
    story.attach(slot, "user:2");
    let late = story.answer();
    story.shard.ready(early);
    assert_eq!(story.hears(slot), [""; 0]);
    story.shard.ready(late);
    assert_eq!(
        story.hears(slot),
        [accepted("user:2"), "at user:2:0".into()]
    );
}

#[test]
fn of_two_logins_as_the_same_user_only_the_later_ones_answer_counts() {
    let mut story = Story::new();
    let slot = story.connect();
    story.attach(slot, "user:1");
    let early = story.answer();
    story.attach(slot, "user:1");
    let late = story.answer();
    story.shard.ready(early);
    assert_eq!(story.hears(slot), [""; 0]);
    story.shard.ready(late);
    assert_eq!(
        story.hears(slot),
        [accepted("user:1"), "at user:1:0".into()]
    );
}

#[test]
fn a_push_that_never_came_live_comes_with_a_page_once_the_next_shows_it() {
    let mut story = Story::new();
    let slot = story.attached("user:1");
    // As when its commit was said to have failed.
    story.store(&["user:1"], "one");
    drop(story.shard.mailbox.take());
    story.store(&["user:1"], "two");
    story.deliver();
    story.store_answers();
    assert_eq!(story.hears(slot), ["one@1", "two@2"]);
}

#[test]
fn a_stream_that_begins_anew_is_attached_anew() {
    // A page says so.
    let mut story = Story::new();
    let slot = story.connect();
    story.attach(slot, "user:1");
    let begin = story.answer();
    story.store(&["user:1"], "one");
    story.deliver();
    story.shard.ready(begin);
    let mut page = story.answer();
    let Answer::Page(facts, _) = &mut page.answer else {
        panic!("no page: {page:?}");
    };
    facts.epoch.0 += 1;
    story.shard.ready(page);
    let at = "at user:1:0".to_owned();
    assert_eq!(story.hears(slot), [accepted("user:1"), at.clone()]);
    story.store_answers();
    assert_eq!(story.hears(slot), [at]);
    story.store_answers();
    assert_eq!(story.hears(slot), ["one@1"]);

    // What comes live says so.
    let place = Place {
        stream: user("user:1"),
        epoch: Epoch(1),
        offset: Offset(2),
    };
    let frame = frame::text(text("two").as_bytes());
    let hub = story.shard.world.hub.clone();
    hub.publish_durable(&[place], &text("two").into(), &frame, None);
    story.deliver();
    assert_eq!(story.hears(slot), [""; 0]);
    story.store_answers();
    assert_eq!(story.hears(slot), ["at user:1:1"]);
}

#[test]
fn a_page_that_was_read_for_an_earlier_login_is_dropped() {
    let mut story = Story::new();
    let slot = story.connect();
    story.attach(slot, "user:1");
    let begin = story.answer();
    // Noted while it is being attached: it comes with a page.
    story.store(&["user:1"], "one");
    story.deliver();
    story.shard.ready(begin);
    let page = story.answer();
    assert_eq!(
        story.hears(slot),
        [accepted("user:1"), "at user:1:0".into()]
    );
    story.login(slot, "user:2");
    story.shard.ready(page);
    assert_eq!(story.hears(slot), [accepted("user:2")]);
}

#[test]
fn while_a_first_login_waits_transients_come_and_what_is_stored_comes_after_its_answer() {
    let mut story = Story::new();
    let slot = story.connect();
    story.attach(slot, "user:1");
    let begin = story.answer();
    story.publish(&["user:1"], "typing");
    story.store(&["user:1"], "one");
    story.deliver();
    assert_eq!(story.hears(slot), ["typing"]);
    story.shard.ready(begin);
    assert_eq!(
        story.hears(slot),
        [accepted("user:1"), "at user:1:0".into()]
    );
    story.store_answers();
    assert_eq!(story.hears(slot), ["one@1"]);
}

#[test]
fn an_attached_device_gets_stored_and_transient_pushes_in_the_order_of_their_acceptance() {
    let mut story = Story::new();
    let slot = story.attached("user:1");
    let other = story.connect();
    story.login(other, "user:1");
    for n in 1..=3 {
        story.publish(&["user:1"], &format!("t{n}"));
        story.store(&["user:1"], &format!("s{n}"));
    }
    story.deliver();
    assert_eq!(
        story.hears(slot),
        ["t1", "s1@1", "t2", "s2@2", "t3", "s3@3"]
    );
    assert_eq!(
        story.hears(other),
        [&*accepted("user:1"), "t1", "s1", "t2", "s2", "t3", "s3"]
    );
}

#[test]
fn the_copy_for_classic_devices_is_not_sent_to_who_gets_it_with_its_place() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    story.store(&["user:1"], "before");
    story.attach(slot, "user:1");
    story.deliver();
    story.store_answers();
    story.store(&["user:1"], "after");
    story.deliver();
    let expected = [
        accepted("user:1"),
        accepted("user:1"),
        "at user:1:1".into(),
        "after@2".into(),
    ];
    assert_eq!(story.hears(slot), expected);
}
