//! What becomes of the classic keys when Redis is away, hangs, comes back empty, is full, or when a server dies.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use heartline_server::presence::Presence;
use support::eventually;
use support::redis::Redis;
use support::stage::{Stage, assert_is_now, block_on, names, user};

#[test]
fn foreign_keys_are_never_touched() {
    let mut redis = Redis::start();
    let plant = |redis: &Redis| {
        redis.run::<()>("HSET user:profile:5 name five");
        redis.run::<()>("SET fd:999 theirs");
        redis.run::<()>("SADD user:1000 77");
        redis.run::<()>("SET online:user:1000 2020-01-01");
        redis.run::<()>("RPUSH fd:queue a b");
    };
    plant(&redis);
    let before = redis.classic_keys();
    let presence = Presence::start(Some(&redis.config(""))).expect("presence starts");
    let number = presence.next_number();
    presence.login(number, &user("user:6"));
    eventually(
        "logged in",
        Duration::from_secs(5),
        || redis.classic_keys(),
        |keys| keys.contains("user:6"),
    );
    // Through a loss and a return as well.
    redis.stop();
    redis.start_again();
    plant(&redis);
    eventually(
        "registered again",
        Duration::from_secs(8),
        || redis.classic_keys(),
        |keys| keys.contains("user:6"),
    );
    presence.closed(number);
    block_on(presence.shutdown());
    assert_eq!(redis.classic_keys(), before);
    assert_eq!(redis.run::<String>("HGET user:profile:5 name"), "five");
    assert_eq!(redis.run::<String>("GET online:user:1000"), "2020-01-01");
    assert_eq!(
        redis.run::<BTreeSet<String>>("SMEMBERS user:1000"),
        names(&["77"])
    );
}

#[test]
fn after_redis_was_gone_and_came_back_empty_live_connections_are_there_again() {
    let mut stage = Stage::new();
    let (stays, goes) = (stage.login("user:6"), stage.login("user:7"));
    stage.presence.ping(stays);
    stage.settle();
    stage.redis.stop();
    stage.presence.closed(goes);
    let comes = stage.login("user:8");
    let passes = stage.login("user:9");
    stage.presence.closed(passes);
    std::thread::sleep(Duration::from_millis(500));
    stage.redis.start_again();
    let fds = [stays, comes].map(|n| format!("fd:{}", n.0));
    stage.keys_become(&[
        &fds[0],
        &fds[1],
        "user:6",
        "user:8",
        "online:user:6",
        "online:user:8",
        "active:user:6",
    ]);
    assert_is_now(&stage.redis.run::<String>("GET active:user:6"));
    stage.presence.closed(stays);
    stage.presence.closed(comes);
    stage.keys_become(&["active:user:6"]);
}

#[test]
fn while_redis_hangs_nobody_waits_and_what_closed_meanwhile_is_removed_after() {
    let stage = Stage::new();
    let (stays, goes) = (stage.login("user:6"), stage.login("user:7"));
    stage.settle();
    stage.redis.pause();
    let started = Instant::now();
    stage.presence.closed(goes);
    let comes = stage.login("user:8");
    for _ in 0..10_000 {
        stage.presence.ping(stays);
    }
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "the caller was held up"
    );
    std::thread::sleep(Duration::from_secs(5)); // over the bound for an answer: the link is given up
    stage.redis.resume();
    let fds = [stays, comes].map(|n| format!("fd:{}", n.0));
    stage.keys_become(&[
        &fds[0],
        &fds[1],
        "user:6",
        "user:8",
        "online:user:6",
        "online:user:8",
        "active:user:6",
    ]);
}

#[test]
fn redis_may_come_later_than_the_server() {
    let mut redis = Redis::start();
    redis.stop();
    let presence = Presence::start(Some(&redis.config(""))).expect("presence starts");
    let number = presence.next_number();
    presence.login(number, &user("user:6"));
    std::thread::sleep(Duration::from_millis(300));
    redis.start_again();
    eventually(
        "there",
        Duration::from_secs(5),
        || redis.classic_keys(),
        |keys| keys.contains("online:user:6"),
    );
}

#[test]
fn a_flushed_redis_is_noticed_within_seconds() {
    let stage = Stage::new();
    let number = stage.login("user:6");
    stage.settle();
    stage.redis.run::<()>("FLUSHALL");
    stage.keys_become(&[&format!("fd:{}", number.0), "user:6", "online:user:6"]);
    stage.redis.run::<()>("SCRIPT FLUSH");
    stage.login("user:7");
    eventually(
        "told without its scripts",
        Duration::from_secs(5),
        || stage.redis.classic_keys(),
        |k| k.contains("user:7"),
    );
}

#[test]
fn what_a_crashed_server_left_is_swept_exactly() {
    let redis = Redis::start();
    // What a server 77 wrote and never removed: its lease is gone, its book is not.
    redis.run::<()>("SADD heartline:servers 77");
    redis.run::<()>("HSET heartline:server:77:book 1077 user:6 1078 user:7");
    redis.run::<()>("SET fd:1077 user:6");
    redis.run::<()>("SET fd:1078 user:7");
    redis.run::<()>("SADD user:6 1077 5");
    redis.run::<()>("SADD user:7 1078");
    redis.run::<()>("SET online:user:6 2026-01-01 EX 300");
    redis.run::<()>("SET online:user:7 2026-01-01 EX 300");
    // A living server's things stay.
    redis.run::<()>("SADD heartline:servers 78");
    redis.run::<()>("SET heartline:server:78 lives");
    redis.run::<()>("HSET heartline:server:78:book 5 user:6");
    redis.run::<()>("SET fd:5 user:6");
    let presence = Presence::start(Some(&redis.config(""))).expect("presence starts");
    let stage = Stage { redis, presence };
    stage.keys_become(&["fd:5", "user:6", "online:user:6"]);
    assert_eq!(
        stage.redis.run::<BTreeSet<String>>("SMEMBERS user:6"),
        names(&["5"])
    );
    stage.shut_down();
    assert_eq!(
        stage
            .redis
            .run::<BTreeSet<String>>("SMEMBERS heartline:servers"),
        names(&["78"])
    );
}

#[test]
fn a_number_that_somebody_else_took_is_given_up() {
    let stage = Stage::new();
    let number = stage.login("user:6");
    stage.settle();
    let old = stage.redis.run::<String>("SRANDMEMBER heartline:servers");
    // As after a long freeze: our lease ran out, was swept, and another server drew the same number.
    stage
        .redis
        .run::<()>(&format!("SET heartline:server:{old} somebody-else"));
    eventually(
        "another number",
        Duration::from_secs(5),
        || stage.redis.run::<i64>("SCARD heartline:servers"),
        |n| *n == 2,
    );
    stage
        .redis
        .run::<()>(&format!("DEL heartline:server:{old}"));
    eventually(
        "the old number is swept",
        Duration::from_secs(10),
        || stage.redis.run::<i64>("SCARD heartline:servers"),
        |n| *n == 1,
    );
    let members: BTreeSet<u64> = stage.redis.run("SMEMBERS user:6");
    assert_eq!(members.len(), 1);
    assert!(
        !members.contains(&number.0),
        "the connection has a number of the new kind"
    );
    stage.presence.closed(number);
    stage.keys_become(&[]);
}

#[test]
fn a_full_redis_is_an_outage_that_ends() {
    let stage = Stage::new();
    stage.settle();
    stage.redis.run::<()>("CONFIG SET maxmemory 1");
    let number = stage.login("user:6");
    std::thread::sleep(Duration::from_millis(500));
    stage.redis.run::<()>("CONFIG SET maxmemory 0");
    stage.keys_become(&[&format!("fd:{}", number.0), "user:6", "online:user:6"]);
}
