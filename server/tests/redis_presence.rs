//! The classic keys in a real Redis, by the presence room alone: each row of `docs/redis.md`, and what may not be touched.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use heartline_server::presence::{ConnectionNumber, Presence};
use support::eventually;
use support::redis::Redis;
use support::stage::{Stage, assert_is_now, block_on, names, user};

#[test]
fn login_writes_the_keys_and_close_removes_them() {
    let stage = Stage::new();
    let n = stage.login("user:6").0;
    stage.keys_become(&[&format!("fd:{n}"), "user:6", "online:user:6"]);
    assert_eq!(stage.redis.run::<String>(&format!("GET fd:{n}")), "user:6");
    assert_eq!(stage.redis.run::<i64>(&format!("TTL fd:{n}")), -1);
    assert_eq!(
        stage.redis.run::<BTreeSet<String>>("SMEMBERS user:6"),
        names(&[&n.to_string()])
    );
    assert_is_now(&stage.redis.run::<String>("GET online:user:6"));
    let life: i64 = stage.redis.run("TTL online:user:6");
    assert!((295..=300).contains(&life), "{life}");
    stage.presence.closed(ConnectionNumber(n));
    stage.keys_become(&[]);
}

#[test]
fn a_client_ping_renews_online_and_writes_active() {
    let stage = Stage::new();
    let number = stage.login("user:6");
    stage.settle();
    stage
        .redis
        .run::<()>("SET online:user:6 2000-01-01.00:00:00 EX 20");
    stage.presence.ping(number);
    stage.settle();
    assert!(stage.redis.run::<i64>("TTL online:user:6") > 290);
    assert_is_now(&stage.redis.run::<String>("GET online:user:6"));
    assert_is_now(&stage.redis.run::<String>("GET active:user:6"));
    assert_eq!(stage.redis.run::<i64>("TTL active:user:6"), -1);
    stage.presence.closed(number);
    stage.keys_become(&["active:user:6"]);
}

#[test]
fn a_connection_that_never_logged_in_leaves_no_trace() {
    let stage = Stage::new();
    let number = stage.presence.next_number();
    stage.presence.ping(number);
    stage.presence.closed(number);
    stage.settle();
    stage.keys_become(&[]);
}

#[test]
fn two_connections_of_one_user_and_online_goes_with_the_last() {
    let stage = Stage::new();
    let (a, b) = (stage.login("user:6"), stage.login("user:6"));
    stage.keys_become(&[
        &format!("fd:{}", a.0),
        &format!("fd:{}", b.0),
        "user:6",
        "online:user:6",
    ]);
    assert_eq!(stage.redis.run::<i64>("SCARD user:6"), 2);
    stage.presence.closed(a);
    stage.keys_become(&[&format!("fd:{}", b.0), "user:6", "online:user:6"]);
    stage.presence.closed(b);
    stage.keys_become(&[]);
}

#[test]
fn a_connection_that_switches_user_belongs_to_the_new_one_only() {
    let stage = Stage::new();
    let number = stage.login("user:6");
    stage.settle();
    stage.presence.login(number, &user("xxx:7"));
    stage.keys_become(&[&format!("fd:{}", number.0), "xxx:7", "online:xxx:7"]);
    assert_eq!(
        stage.redis.run::<String>(&format!("GET fd:{}", number.0)),
        "xxx:7"
    );
    stage.presence.closed(number);
    stage.keys_become(&[]);
}

#[test]
fn two_servers_number_their_connections_apart_and_share_a_user() {
    let stage = Stage::new();
    let other = Presence::start(Some(&stage.redis.config(""))).expect("presence starts");
    eventually(
        "two leases",
        Duration::from_secs(5),
        || stage.redis.run::<i64>("SCARD heartline:servers"),
        |n| *n == 2,
    );
    let mine = stage.login("user:6");
    let theirs = other.next_number();
    assert_ne!(mine, theirs);
    other.login(theirs, &user("user:6"));
    stage.keys_become(&[
        &format!("fd:{}", mine.0),
        &format!("fd:{}", theirs.0),
        "user:6",
        "online:user:6",
    ]);
    stage.presence.closed(mine);
    stage.keys_become(&[&format!("fd:{}", theirs.0), "user:6", "online:user:6"]);
    block_on(other.shutdown());
    stage.keys_become(&[]);
}

#[test]
fn shutdown_removes_all_that_was_written_and_the_lease() {
    let stage = Stage::new();
    for id in 0..1_200 {
        stage.login(&format!("user:{id}"));
    }
    stage.shut_down();
    stage.keys_become(&[]);
    assert_eq!(stage.redis.own_keys(), names(&[]));
}

#[test]
fn every_key_carries_the_prefix() {
    let stage = Stage::with_prefix("laravel_database_");
    let number = stage.login("user:6");
    stage.presence.ping(number);
    let fd = format!("laravel_database_fd:{}", number.0);
    let prefixed = |key: &str| format!("laravel_database_{key}");
    stage.keys_become(&[
        &fd,
        &prefixed("user:6"),
        &prefixed("online:user:6"),
        &prefixed("active:user:6"),
    ]);
    assert!(
        stage
            .redis
            .own_keys()
            .iter()
            .all(|key| key.starts_with("laravel_database_heartline:"))
    );
    stage.presence.login(number, &user("user:7"));
    stage.keys_become(&[
        &fd,
        &prefixed("user:7"),
        &prefixed("online:user:7"),
        &prefixed("active:user:6"),
    ]);
    stage.shut_down();
    stage.keys_become(&[&prefixed("active:user:6")]);
}

#[test]
fn a_key_of_a_foreign_type_is_left_alone_and_harms_nobody_else() {
    let redis = Redis::start();
    redis.run::<()>("HSET user:5 name five");
    redis.run::<()>("HSET online:user:6 is theirs");
    redis.run::<()>("RPUSH active:user:6 theirs");
    let presence = Presence::start(Some(&redis.config(""))).expect("presence starts");
    let stage = Stage { redis, presence };
    let (five, six, seven) = (
        stage.login("user:5"),
        stage.login("user:6"),
        stage.login("user:7"),
    );
    stage.presence.ping(six);
    stage.settle();
    let fds = [five, six, seven].map(|n| format!("fd:{}", n.0));
    stage.keys_become(&[
        &fds[0],
        &fds[1],
        &fds[2],
        "user:5",
        "user:6",
        "user:7",
        "online:user:5",
        "online:user:6",
        "online:user:7",
        "active:user:6",
    ]);
    stage.shut_down();
    // online:user:5 lives out its time: without the set nobody can tell whether it was the last.
    stage.keys_become(&["user:5", "online:user:5", "online:user:6", "active:user:6"]);
    assert!(stage.redis.run::<i64>("TTL online:user:5") > 0);
    assert_eq!(stage.redis.run::<String>("HGET user:5 name"), "five");
    assert_eq!(stage.redis.run::<String>("HGET online:user:6 is"), "theirs");
    assert_eq!(stage.redis.run::<i64>("LLEN active:user:6"), 1);
}

#[test]
fn a_user_with_only_the_documented_rights_suffices() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/redis.md");
    let page = std::fs::read_to_string(page).expect("docs/redis.md");
    let commands = page
        .rsplit_once("`GET SET")
        .and_then(|(_, rest)| rest.split_once('`'))
        .expect("a list")
        .0;
    let rights: String = commands
        .split_whitespace()
        .map(|command| format!(" +{}", command.to_lowercase()))
        .collect();
    let redis = Redis::start();
    redis.run::<()>(&format!(
        "ACL SETUSER heart on >beat -@all +evalsha +script|load +ping +get +set{rights} ~p_fd:* ~p_user:* ~p_probe:* \
         ~p_online:* ~p_active:* ~p_heartline:*"
    ));
    let mut config = redis.config("p_");
    config.url = heartline_server::config::Secret::new(format!(
        "redis://heart:beat@127.0.0.1:{}",
        redis.port
    ));
    let presence = Presence::start(Some(&config)).expect("presence starts");
    let number = presence.next_number();
    presence.login(number, &user("user:6"));
    presence.ping(number);
    eventually(
        "told",
        Duration::from_secs(5),
        || redis.classic_keys().len(),
        |n| *n == 4,
    );
    // Sweeping too: a dead server's book.
    redis.run::<()>("SADD p_heartline:servers 77");
    redis.run::<()>("HSET p_heartline:server:77:book 1077 user:7");
    eventually(
        "swept",
        Duration::from_secs(8),
        || redis.run::<i64>("SCARD p_heartline:servers"),
        |n| *n == 1,
    );
    block_on(presence.shutdown());
    assert_eq!(redis.classic_keys(), names(&["p_active:user:6"]));
    assert_eq!(redis.own_keys(), names(&[]));
}

#[test]
fn a_login_storm_of_ten_thousand_is_told_within_seconds() {
    let stage = Stage::new();
    stage.settle();
    let started = Instant::now();
    let numbers: Vec<_> = (0..10_000)
        .map(|id| stage.login(&format!("user:{id}")))
        .collect();
    let handed_over = started.elapsed();
    assert!(
        handed_over < Duration::from_secs(1),
        "the caller was held up for {handed_over:?}"
    );
    eventually(
        "all told",
        Duration::from_secs(20),
        || stage.redis.run::<i64>("DBSIZE"),
        |n| *n >= 30_000,
    );
    println!(
        "10,000 logins: handed over in {handed_over:?}, in Redis after {:?}",
        started.elapsed()
    );
    let closing = Instant::now();
    numbers
        .iter()
        .for_each(|&number| stage.presence.closed(number));
    eventually(
        "all gone",
        Duration::from_secs(20),
        || stage.redis.classic_keys().len(),
        |n| *n == 0,
    );
    println!("10,000 closes: out of Redis after {:?}", closing.elapsed());
}
