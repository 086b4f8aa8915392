//! Sockets that take no more, and connections that are about to end.

use super::*;

/// More than the buffers of two sockets hold.
const FLOOD: usize = 12 * 1024 * 1024;

/// Fills a device's socket.
fn flood(story: &mut Story, slot: usize, name: &str) {
    story.publish(&[name], &"x".repeat(FLOOD));
    story.deliver();
    assert!(story.shard.connections[slot].is_blocked());
}

/// The device reads the flood; the shard goes on whenever the socket takes more. What comes behind the flood stays unread.
fn read_flood(story: &mut Story, slot: usize) {
    let mut device = story.devices[slot].take().unwrap();
    let reader = std::thread::spawn(move || {
        let text = read_frame(&mut device);
        (in_short(&text), device)
    });
    let mut events = Events::with_capacity(4);
    let deadline = Instant::now() + Duration::from_secs(10);
    while story.shard.connections[slot].is_blocked() {
        assert!(Instant::now() < deadline, "nobody reads");
        let wait = Some(Duration::from_secs(1));
        story.shard.poll.poll(&mut events, wait).unwrap();
        let mut writable = events.iter().filter(|event| event.is_writable());
        if writable.any(|event| event.token() == Token(slot)) {
            story.shard.writable(slot);
        }
    }
    let (text, device) = reader.join().unwrap();
    assert_eq!(text, "x".repeat(20));
    story.devices[slot] = Some(device);
}

#[test]
fn a_device_whose_socket_was_full_goes_on_with_its_stream_once_it_reads() {
    let mut story = Story::new();
    let slot = story.connect();
    story.attach(slot, "user:1");
    let begin = story.answer();
    // It comes with a page; but a page is asked for only when the socket takes more.
    story.store(&["user:1"], "one");
    story.deliver();
    flood(&mut story, slot, "user:1");
    story.shard.ready(begin);
    // Whatever was asked before is answered before.
    let other = story.connect();
    story.attach(other, "user:2");
    assert_eq!(story.answer().subject.at.slot(), other);
    read_flood(&mut story, slot);
    story.store_answers();
    assert_eq!(
        story.hears(slot),
        [accepted("user:1"), "at user:1:0".into(), "one@1".into()]
    );
}

#[test]
fn what_was_not_read_while_the_socket_was_full_is_read_afterwards() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    assert_eq!(story.hears(slot), [accepted("user:1")]);
    flood(&mut story, slot, "user:1");
    let ping = masked(r#"{"event":"ping","uuid":"user:1"}"#);
    story.devices[slot]
        .as_mut()
        .unwrap()
        .write_all(&ping)
        .unwrap();
    story.shard.readable(slot, false);
    assert!(
        story.shard.unread.is_empty(),
        "who does not read is not read from"
    );
    read_flood(&mut story, slot);
    // No event of the poll speaks of it again.
    assert_eq!(story.shard.unread, [slot]);
    story.shard.connections[slot].is_queued = false;
    story.shard.readable(slot, true);
    assert_eq!(
        story.hears(slot),
        [accepted("user:1")],
        "the answer to the ping"
    );
}

#[test]
fn nothing_is_delivered_behind_a_close_frame() {
    let mut story = Story::new();
    let slot = story.connect();
    story.login(slot, "user:1");
    assert_eq!(story.hears(slot), [accepted("user:1")]);
    flood(&mut story, slot, "user:1");
    story.publish(&["user:1"], "too late");
    story.shard.farewell(slot, 0);
    story.deliver();
    assert_eq!(story.shard.world.hub.users(), 0);
    read_flood(&mut story, slot);
    let device = story.devices[slot].as_mut().unwrap();
    assert_eq!(read_frame(device), "opcode 88");
    let mut rest = Vec::new();
    device.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes behind the end", rest.len());
}
