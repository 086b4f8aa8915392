//! Who a delivery is for is fixed when it is accepted: it reaches that login of the connection, or nobody.

use super::*;

/// One of each kind for this user, accepted and not yet delivered.
fn pushes(story: &mut Story, name: &str) {
    story.publish(&[name], &format!("typing to {name}"));
    story.store(&[name], &format!("chat to {name}"));
}

#[test]
fn after_a_change_of_the_user_nothing_of_the_former_one_arrives() {
    // Each way from one form of login to another.
    for (is_attached, becomes_attached) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut story = Story::new();
        let slot = match is_attached {
            true => story.attached("user:1"),
            false => story.connect(),
        };
        if !is_attached {
            story.login(slot, "user:1");
            assert_eq!(story.hears(slot), [accepted("user:1")]);
        }
        pushes(&mut story, "user:1");
        if becomes_attached {
            story.attach(slot, "user:2");
            story.deliver();
            assert_eq!(story.hears(slot), [""; 0], "not answered yet");
            story.store_answers();
            assert_eq!(
                story.hears(slot),
                [accepted("user:2"), "at user:2:0".into()]
            );
        } else {
            story.login(slot, "user:2");
            story.deliver();
            assert_eq!(story.hears(slot), [accepted("user:2")]);
        }
        pushes(&mut story, "user:1");
        pushes(&mut story, "user:2");
        story.deliver();
        let chat = if becomes_attached {
            "chat to user:2@1"
        } else {
            "chat to user:2"
        };
        assert_eq!(story.hears(slot), ["typing to user:2", chat]);
    }
}

#[test]
fn what_was_delivered_before_the_login_comes_before_its_answer() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    pushes(&mut story, "user:1");
    story.deliver();
    story.login(slot, "user:2");
    let expected = [
        accepted("user:1"),
        "typing to user:1".into(),
        "chat to user:1".into(),
        accepted("user:2"),
    ];
    assert_eq!(story.hears(slot), expected);
}

#[test]
fn between_a_switch_and_its_answer_nothing_of_either_user_arrives() {
    let mut story = Story::new();
    let slot = story.attached("user:1");
    story.attach(slot, "user:2");
    pushes(&mut story, "user:2");
    story.deliver();
    assert_eq!(story.hears(slot), [""; 0]);
    // Logging in as the same user once more answers nothing earlier.
    let _ = story.answer();
    story.attach(slot, "user:2");
    story.publish(&["user:2"], "typing again");
    story.deliver();
    assert_eq!(story.hears(slot), [""; 0]);
    story.store_answers();
    let heard = story.hears(slot);
    assert_eq!(heard[0], accepted("user:2"));
    assert!(!heard.contains(&"typing again".to_owned()), "{heard:?}");
}

#[test]
fn who_logs_in_again_as_the_same_user_goes_on_receiving_and_once() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    pushes(&mut story, "user:1");
    story.login(slot, "user:1");
    pushes(&mut story, "user:1");
    story.deliver();
    let both = ["typing to user:1", "chat to user:1"];
    let mut expected = vec![accepted("user:1"), accepted("user:1")];
    expected.extend([both, both].concat().iter().map(ToString::to_string));
    assert_eq!(story.hears(slot), expected);

    let slot = story.attached("user:3");
    story.publish(&["user:3"], "before");
    story.attach(slot, "user:3");
    story.publish(&["user:3"], "meanwhile");
    story.deliver();
    assert_eq!(story.hears(slot), ["before", "meanwhile"]);
}

#[test]
fn a_push_to_both_users_of_a_connection_arrives_once() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    story.publish(&["user:1", "user:2"], "before");
    story.login(slot, "user:2");
    story.publish(&["user:1", "user:2"], "after");
    story.deliver();
    let expected = [accepted("user:1"), accepted("user:2"), "after".into()];
    assert_eq!(story.hears(slot), expected);
}

#[test]
fn frames_joined_for_many_leave_out_who_has_switched() {
    let mut story = Story::new();
    let slots = [0; 3].map(|_| {
        let slot = story.connect();
        story.login(slot, "user:1");
        slot
    });
    story.publish(&["user:1"], "one");
    story.publish(&["user:1"], "two");
    story.login(slots[1], "user:2");
    story.deliver();
    for slot in [slots[0], slots[2]] {
        assert_eq!(story.hears(slot), [&*accepted("user:1"), "one", "two"]);
    }
    assert_eq!(
        story.hears(slots[1]),
        [accepted("user:1"), accepted("user:2")]
    );
}

#[test]
fn a_switch_there_and_back_brings_nothing_of_the_time_before() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    story.publish(&["user:1"], "before");
    story.login(slot, "user:2");
    story.login(slot, "user:1");
    story.publish(&["user:1"], "after");
    story.deliver();
    let heard = story.hears(slot);
    assert_eq!(heard[2..], [accepted("user:1"), "after".into()]);
}

#[test]
fn nothing_for_a_former_tenant_of_a_slot_reaches_the_next() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    let attached = story.attached("user:2");
    pushes(&mut story, "user:1");
    pushes(&mut story, "user:2");
    for slot in [slot, attached] {
        story.shard.remove(slot);
    }
    let next = [story.connect(), story.connect()];
    assert_eq!(next, [attached, slot], "the slots are used again");
    for slot in next {
        story.login(slot, "user:3");
    }
    story.deliver();
    for slot in next {
        assert_eq!(story.hears(slot), [accepted("user:3")]);
    }
}

#[test]
fn who_leaves_after_a_switch_is_forgotten_under_every_name() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    story.login(slot, "user:2");
    story.attach(slot, "user:2");
    assert_eq!(story.shard.world.hub.users(), 1);
    story.shard.remove(slot);
    assert_eq!(story.shard.world.hub.users(), 0);
}
