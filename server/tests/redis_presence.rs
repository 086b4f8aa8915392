//! The classic keys in a real Redis, by the presence room alone: `legacy-protocol.md` §3, row by row.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use heartline_protocol::User;
use heartline_server::presence::{ConnectionNumber, Presence};
use support::eventually;
use support::redis::Redis;

fn user(text: &str) -> User {
    User::parse(text).expect("a user")
}

fn names(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// A story about one server and one Redis.
struct Stage {
    redis: Redis,
    presence: Presence,
}

impl Stage {
    fn new() -> Self {
        Self::with_prefix("")
    }

    fn with_prefix(prefix: &str) -> Self {
        let redis = Redis::start();
        let presence = Presence::start(Some(&redis.config(prefix))).expect("presence starts");
        Self { redis, presence }
    }

    fn login(&self, as_user: &str) -> ConnectionNumber {
        let number = self.presence.next_number();
        self.presence.login(number, &user(as_user));
        number
    }

    #[track_caller]
    fn keys_become(&self, expected: &[&str]) {
        eventually(
            "the classic keys",
            Duration::from_secs(5),
            || self.redis.classic_keys(),
            |seen| *seen == names(expected),
        );
    }

    /// The last sign of life can't be seen in a key; wait until all that was said before is told.
    fn settle(&self) {
        let probe = self.login("probe:1");
        eventually(
            "told",
            Duration::from_secs(5),
            || self.redis.classic_keys(),
            |k| k.contains("probe:1"),
        );
        self.presence.closed(probe);
        eventually(
            "told",
            Duration::from_secs(5),
            || self.redis.classic_keys(),
            |k| !k.contains("probe:1"),
        );
    }

    fn shut_down(&self) {
        block_on(self.presence.shutdown());
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// `YYYY-MM-DD HH:MM:SS` of now, local, give or take the seconds of a test.
#[track_caller]
fn assert_is_now(text: &str) {
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text)
        .unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(text.len(), 19, "{text}");
    let off = (jiff::Zoned::now().datetime() - time)
        .total(jiff::Unit::Second)
        .expect("seconds")
        .abs();
    assert!(off < 10.0, "{text} is {off} s off");
}

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
fn a_full_redis_is_an_outage_that_ends() {
    let stage = Stage::new();
    stage.settle();
    stage.redis.run::<()>("CONFIG SET maxmemory 1");
    let number = stage.login("user:6");
    std::thread::sleep(Duration::from_millis(500));
    stage.redis.run::<()>("CONFIG SET maxmemory 0");
    stage.keys_become(&[&format!("fd:{}", number.0), "user:6", "online:user:6"]);
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
