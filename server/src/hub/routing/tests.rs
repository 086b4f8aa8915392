//! The way of a push to the shards, told by what waits for them.

use super::*;
use crate::net::frame::{Deflater, Inflater};
use mio::{Poll, Token, Waker};

/// A hub over two mailboxes that nobody empties but the test.
fn hub() -> (Hub, Vec<Poll>) {
    let polls: Vec<_> = (0..2).map(|_| Poll::new().unwrap()).collect();
    let mailbox =
        |poll: &Poll| Arc::new(Mailbox::new(Waker::new(poll.registry(), Token(0)).unwrap()));
    let mailboxes = polls.iter().map(mailbox).collect();
    (Hub::new(10, mailboxes, Arc::default()), polls)
}

fn user(text: &str) -> User {
    User::parse(text).unwrap()
}

/// What waits for a shard, as `frame:slots`.
fn waiting(hub: &Hub, shard: usize) -> Vec<String> {
    let told = |command: Command| match command {
        Command::Deliver(delivery) => {
            let slots: Vec<_> = delivery
                .targets
                .iter()
                .map(|target| target.slot())
                .collect();
            let frame = delivery.frame.whole().unwrap();
            let frame = match frame[0] {
                0xc1 => "packed".into(),
                _ => String::from_utf8_lossy(frame),
            };
            format!("{frame}:{slots:?}")
        }
        other => format!("{other:?}"),
    };
    hub.shard(shard).take().into_iter().map(told).collect()
}

#[test]
fn a_push_goes_once_to_each_shard_that_has_a_recipient() {
    let (hub, _polls) = hub();
    for (shard, slot, name) in [
        (0, 5, "user:1"),
        (0, 3, "user:2"),
        (1, 7, "user:1"),
        (1, 8, "user:3"),
    ] {
        hub.log_in(ConnectionRef::new(shard, slot, 1), None, user(name))
            .unwrap();
    }
    let both = [user("user:1"), user("user:2"), user("user:404")];
    assert_eq!(hub.publish(&both, &Bytes::from_static(b"a"), None), Ok(3));
    assert_eq!(
        hub.publish(&[user("user:3")], &Bytes::from_static(b"b"), None),
        Ok(1)
    );
    assert_eq!(
        hub.publish(&[user("user:404")], &Bytes::from_static(b"c"), None),
        Ok(0)
    );
    assert_eq!(
        hub.backlog(),
        (4, 3),
        "four deliveries of three one-byte frames"
    );
    assert_eq!(waiting(&hub, 0), ["a:[3, 5]"]);
    assert_eq!(waiting(&hub, 1), ["a:[7]", "b:[8]"]);
    assert_eq!(hub.backlog(), (0, 0), "made, or dropped");
}

#[test]
fn what_piles_up_is_refused_until_the_shards_have_caught_up() {
    let (hub, _polls) = hub();
    hub.log_in(ConnectionRef::new(0, 1, 1), None, user("user:1"))
        .unwrap();
    let big = Bytes::from(vec![b'x'; 64 * 1024 * 1024]);
    let mut accepted = 0;
    while hub.publish(&[user("user:1")], &big, None).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 4, "256 MB of frames");
    assert_eq!(hub.publish(&[user("user:1")], &big, None), Err(Overloaded));
    drop(hub.shard(0).take());
    assert_eq!(hub.publish(&[user("user:1")], &big, None), Ok(1));
}

#[test]
fn who_takes_compressed_messages_gets_the_compressed_copy() {
    let (hub, _polls) = hub();
    for (slot, deflates) in [(1, true), (2, false), (3, true)] {
        let at = ConnectionRef::new(0, slot, 1).deflating(deflates);
        hub.log_in(at, None, user("user:1")).unwrap();
    }
    let text = [br#"{"msg":""#, &[b'a'; 300][..], b"\"}"].concat();
    let text = Bytes::from(text);
    let deflated = Deflater::default().shared(&text).unwrap();
    let plain = Bytes::from_static(b"plain");
    let to = [user("user:1")];
    assert_eq!(hub.publish(&to, &plain, Some(&deflated)), Ok(3));
    assert_eq!(waiting(&hub, 0), ["packed:[1, 3]", "plain:[2]"]);
    assert_eq!(hub.publish(&to, &plain, None), Ok(3));
    assert_eq!(waiting(&hub, 0), ["plain:[1, 2, 3]"]);

    // Those who are attached as well, each stream with its own place.
    for (slot, deflates, name) in [
        (4, true, "user:1"),
        (5, false, "user:1"),
        (6, true, "user:2"),
    ] {
        let at = ConnectionRef::new(0, slot, 1).deflating(deflates);
        hub.log_in(at.reliable(true), None, user(name)).unwrap();
    }
    let place = |name: &str, offset| Place {
        stream: user(name),
        epoch: Epoch(1),
        offset: Offset(offset),
    };
    let places = [place("user:1", 7), place("user:2", 8)];
    let count = hub.publish_durable(&places, &text, &plain, Some(&deflated));
    assert_eq!(count, 6);
    let Some(Command::Deliver(packed)) = hub.shard(0).take().into_iter().next() else {
        panic!("nothing is delivered");
    };
    let packed_frame = packed.frame.whole().unwrap();
    let (message, end) = (&packed_frame[2..], br#","$hl":["user:1",7]}"#);
    let mut inflater = Inflater::default();
    let message = inflater.message(message, 1_000).unwrap();
    assert_eq!(message, [&text[..text.len() - 1], end].concat());
    assert_eq!(packed.targets.len(), 1);
    assert!(packed_frame.len() < 100, "{} bytes", packed_frame.len());

    hub.publish_durable(&places, &text, &plain, Some(&deflated));
    let kinds = waiting(&hub, 0);
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert_eq!([&kinds[0], &kinds[2]], ["packed:[4]", "packed:[6]"]);
    assert!(kinds[1].ends_with(r#"["user:1",7]}:[5]"#), "{}", kinds[1]);
    assert_eq!(kinds[3..], ["packed:[1, 3]", "plain:[2]"]);
}

/// A push of 600 MB to attached devices held every other push for as long as its frames were encoded.
#[test]
fn found_frames_of_attached_devices_are_encoded_while_other_pushes_go_on() {
    let (hub, _polls) = hub();
    let at = ConnectionRef::new(0, 1, 1).reliable(true);
    let stream = hub.log_in(at, None, user("user:1")).unwrap();
    let place = Place {
        stream,
        epoch: Epoch(1),
        offset: Offset(1),
    };
    let (done, encoded) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let hub = &hub;
        // Another push has its turn.
        let order = hub.order.lock().unwrap();
        scope.spawn(move || {
            let text = Bytes::from_static(br#"{"event":"chat1"}"#);
            hub.remind(&[place], &text, None);
            done.send(()).unwrap();
        });
        let waited = encoded.recv_timeout(std::time::Duration::from_secs(10));
        drop(order);
        waited.expect("it waits for no other push");
    });
    assert_eq!(waiting(&hub, 0).len(), 1);
}

/// Each recipient had a copy of its own: pushes to others were refused for memory that nobody needs.
#[test]
fn found_a_large_stored_push_is_one_copy_for_all_who_are_attached() {
    let (hub, _polls) = hub();
    let text = [
        br#"{"event":"chat1","msg":""#,
        &[b'x'; 1_000_000][..],
        b"\"}",
    ]
    .concat();
    let text = Bytes::from(text);
    let places: Vec<_> = (1..=300)
        .map(|n| {
            let at = ConnectionRef::new(0, n, 1).reliable(true);
            let stream = hub.log_in(at, None, user(&format!("user:{n}"))).unwrap();
            Place {
                stream,
                epoch: Epoch(1),
                offset: Offset(n as u32),
            }
        })
        .collect();
    hub.remind(&places, &text, None);
    let (deliveries, bytes) = hub.backlog();
    assert_eq!(deliveries, 300);
    assert!(bytes < 1_100_000, "{bytes} bytes wait");
    let ordinary = Bytes::from_static(b"other");
    assert!(hub.publish(&[user("user:301")], &ordinary, None).is_ok());

    let mut commands = hub.shard(0).take();
    let Some(Command::Deliver(last)) = commands.pop() else {
        panic!("nothing is delivered");
    };
    drop(commands);
    let pieces: Vec<u8> = last
        .frame
        .pieces()
        .flat_map(|piece| piece.bytes.to_vec())
        .collect();
    let whole =
        heartline_protocol::append_place(std::str::from_utf8(&text).unwrap(), "user:300", 300);
    assert!(pieces == crate::net::frame::text(whole.as_bytes()));
    let (deliveries, bytes) = hub.backlog();
    assert_eq!(
        (deliveries, bytes > 1_000_000),
        (1, true),
        "{bytes} bytes wait"
    );
    drop(last);
    assert_eq!(hub.backlog(), (0, 0));
}
