//! Durable delivery of the shipped binary on a real disk: the server is killed under load, again and again, and every push that was
//! answered reaches every reliable device once and in order; devices are killed as well, and lose nothing.
//!
//! `HEARTLINE_CRASH_ROUNDS` says how often the server is killed (20 unless it is set).

mod reliable;

use heartline_e2e::{ROLE_KEY_USER, Rng, Server, free_port, server_binary};
use reliable::{Device, Login, Publisher, classic_device, try_push};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The server on this folder, with further arguments.
fn serve(address: SocketAddr, folder: &Path, extra: &[&str]) -> Server {
    let mut command = Command::new(server_binary());
    command
        .args(["serve", "--listen", &address.to_string()])
        .args([
            "--role-key",
            &format!("user={ROLE_KEY_USER}"),
            "--loopback-push",
        ])
        .args(["--durable-event", "chat*"])
        .arg("--store-path")
        .arg(folder)
        .args(extra);
    Server::spawn(command)
}

fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Waits for something to be so.
fn until(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const USERS: [&str; 3] = ["user:1", "user:2", "user:3"];

#[test]
fn kill_minus_nine_under_load_loses_nothing_that_was_answered() {
    let rounds: u32 =
        std::env::var("HEARTLINE_CRASH_ROUNDS").map_or(20, |text| text.parse().expect("a number"));
    println!("{rounds} rounds");
    let mut rng = Rng::announced(20_261_126);
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let mut server = serve(address, folder.path(), &[]);

    let steady = USERS.map(|user| Device::start(address, Login::new(user, "steady"), None));
    let restless = USERS
        .map(|user| Device::start(address, Login::new(user, "restless"), Some(rng.next_u64())));
    for device in steady.iter().chain(&restless) {
        until("a device to be attached", Duration::from_secs(20), || {
            device.is_attached()
        });
    }
    let classic = classic_device(address, USERS[0]);
    let stop = Arc::new(AtomicBool::new(false));
    let publishers: Vec<_> = (0..4)
        .map(|number| Publisher::start(address, number, &USERS, stop.clone()))
        .collect();

    let mut kills = Vec::new();
    for round in 0..rounds {
        // Now and then the server lives long enough for what a classic device must have got by then.
        let pause = if round % 5 == 4 {
            1_500
        } else {
            30 + rng.below(150) as u64
        };
        std::thread::sleep(Duration::from_millis(pause));
        kills.push(Instant::now());
        server.kill_hard();
        server = serve(address, folder.path(), &[]);
    }
    stop.store(true, Relaxed);
    let answered: Vec<_> = publishers.into_iter().flat_map(Publisher::join).collect();
    assert!(
        answered.len() as u32 > rounds,
        "{} pushes are no load",
        answered.len()
    );

    // By recipient: the offset that was answered, and the message.
    let mut expected: BTreeMap<&str, BTreeMap<u32, String>> = BTreeMap::new();
    for push in &answered {
        for (user, offset) in &push.places {
            let user = USERS
                .iter()
                .find(|known| *known == user)
                .expect("one of ours");
            let former = expected
                .entry(user)
                .or_default()
                .insert(*offset, push.msg.clone());
            assert_eq!(former, None, "offset {offset} of {user} was given twice");
        }
    }
    for device in steady.into_iter().chain(restless) {
        let user = &device.user().to_owned()[..];
        let wanted = &expected[user];
        let last = *wanted.keys().last().expect("some pushes");
        until("the last push", Duration::from_secs(60), || {
            device.handled() >= last
        });
        let record = device.stop();
        assert_eq!(
            record.epochs.len(),
            1,
            "{user} {}: the stream began anew",
            record.device
        );
        assert_eq!(record.gaps, Vec::<Value>::new(), "{user} {}", record.device);
        assert!(
            record.callbacks.is_sorted_by(|a, b| a.0 < b.0),
            "{user} {}: twice, or out of order",
            record.device
        );
        let got: BTreeMap<u32, String> = record.callbacks.into_iter().collect();
        assert_eq!(got.len() as u32, last, "{user}: every offset, and no other");
        for (offset, msg) in wanted {
            assert_eq!(
                got.get(offset),
                Some(msg),
                "{user} {}: offset {offset}",
                record.device
            );
        }
    }

    // A classic device that is connected gets what is answered while it is.
    let sessions = classic.stop();
    let (mut checked, calm) = (0, Duration::from_millis(600));
    for session in &sessions {
        let end = kills.iter().find(|kill| **kill > session.since).copied();
        for push in answered
            .iter()
            .filter(|push| push.places.iter().any(|(user, _)| user == USERS[0]))
        {
            let is_within = push.asked_at > session.since
                && end.is_none_or(|end| push.answered_at + calm < end);
            if is_within && push.answered_at.elapsed() > calm {
                checked += 1;
                assert!(
                    session.heard.contains(&push.msg),
                    "the classic device did not get {}",
                    push.msg
                );
            }
        }
    }
    println!(
        "{} pushes answered, {checked} held against {} classic sessions",
        answered.len(),
        sessions.len()
    );
    assert!(
        rounds < 5 || checked > 0,
        "no push was held against a classic session"
    );
}

#[test]
fn a_device_that_dies_at_any_point_gets_at_most_the_message_in_hand_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let _server = serve(address, folder.path(), &[]);
    let mut login = Login::new("user:1", "mortal");
    let mut callbacks = Vec::new();
    // Attached once, so that everything from here on is owed to it.
    reliable::session(address, &mut login, |_, _| reliable::Fate::Live, 0);
    for n in 1..=30 {
        let (status, _) = try_push(
            address,
            &json!({"to":"user:1","event":"chat1","msg":n.to_string()}),
        )
        .expect("an answer");
        assert_eq!(status, 200);
    }
    let deaths = [
        reliable::Fate::BeforeCallback,
        reliable::Fate::InCallback,
        reliable::Fate::BeforeSaving,
    ];
    for death in deaths.iter().cycle().take(12) {
        // Each life dies at its second message, in one of three ways.
        let (mut seen, before) = (0, callbacks.len());
        reliable::session(
            address,
            &mut login,
            |offset, msg| {
                seen += 1;
                let dies = seen == 2;
                if !dies || *death != reliable::Fate::BeforeCallback {
                    callbacks.push((offset, msg.to_owned()));
                }
                if dies { *death } else { reliable::Fate::Live }
            },
            u32::MAX,
        );
        let repeated: BTreeSet<_> = callbacks[before..]
            .iter()
            .map(|(offset, _)| offset)
            .collect();
        assert_eq!(
            repeated.len(),
            callbacks.len() - before,
            "one life hears nothing twice"
        );
    }
    reliable::session(
        address,
        &mut login,
        |offset, msg| {
            callbacks.push((offset, msg.to_owned()));
            reliable::Fate::Live
        },
        30,
    );
    let distinct: BTreeSet<u32> = callbacks.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(distinct, (1..=30).collect(), "nothing is lost");
    // In hand when it died: two deaths in three leave a message whose callback began and was not saved.
    let again = callbacks.len() - distinct.len();
    assert_eq!(again, 8, "only the message in hand comes again");
}

#[test]
fn what_is_gone_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let mut server = serve(address, folder.path(), &["--store-max-messages", "10"]);
    let mut login = Login::new("user:1", "late");
    reliable::session(address, &mut login, |_, _| reliable::Fate::Live, 0);
    for n in 1..=25 {
        try_push(
            address,
            &json!({"to":"user:1","event":"chat1","msg":n.to_string()}),
        )
        .expect("an answer");
    }
    let mut heard = Vec::new();
    let mut hear = |login: &mut Login, last| {
        reliable::session(
            address,
            login,
            |offset, _| {
                heard.push(offset);
                reliable::Fate::Live
            },
            last,
        )
    };
    let gaps = hear(&mut login, 25);
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (&gaps[0][2], &gaps[0][3], &gaps[0][4]),
        (&json!(1), &json!(15), &json!("retention"))
    );

    server.kill_hard();
    std::fs::remove_dir_all(folder.path()).expect("the folder is deleted");
    let _server = serve(address, folder.path(), &[]);
    try_push(address, &json!({"to":"user:1","event":"chat1","msg":"new"})).expect("an answer");
    let gaps = hear(&mut login, 1);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0][4], json!("epoch"));
    assert_eq!(heard, (16..=25).chain([1]).collect::<Vec<_>>());
}
