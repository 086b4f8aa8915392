//! The classic keys in a real Redis, by the real binary and real WebSockets: what a backend sees through logins,
//! closes, a crash and a restart.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use support::binary::Serving;
use support::eventually;
use support::redis::Redis;
use support::websocket::WebSocket;

fn serve(redis: &Redis, more: &[&str]) -> Serving {
    let url = redis.url();
    let mut arguments = vec!["--redis", &url];
    arguments.extend(more);
    Serving::classic(&arguments)
}

fn login(server: &Serving, user: &str) -> WebSocket {
    let mut socket = WebSocket::open(server.address);
    socket.login(user, if user.starts_with("user:") { "K" } else { "X" });
    socket
}

/// All classic keys, with the connection numbers written as `fd:*`: they are drawn anew in each run.
fn keys(redis: &Redis) -> Vec<String> {
    let mut keys: Vec<String> = redis
        .classic_keys()
        .into_iter()
        .map(|key| {
            key.split_once("fd:")
                .map_or(key.clone(), |(prefix, _)| format!("{prefix}fd:*"))
        })
        .collect();
    keys.sort();
    keys
}

#[track_caller]
fn keys_become(redis: &Redis, expected: &[&str]) {
    keys_become_within(redis, expected, Duration::from_secs(5));
}

#[track_caller]
fn keys_become_within(redis: &Redis, expected: &[&str], within: Duration) {
    eventually(
        "the classic keys",
        within,
        || keys(redis),
        |seen| *seen == expected,
    );
}

#[test]
fn a_life_as_a_backend_sees_it() {
    let redis = Redis::start();
    let server = serve(&redis, &[]);
    let stranger = WebSocket::open(server.address);
    let mut phone = login(&server, "user:6");
    keys_become(&redis, &["fd:*", "online:user:6", "user:6"]);
    let numbers: BTreeSet<u64> = redis.run("SMEMBERS user:6");
    let n = *numbers.first().expect("one");
    assert_eq!(redis.run::<String>(&format!("GET fd:{n}")), "user:6");
    assert!(redis.run::<bool>("EXISTS online:user:6"));

    phone.ping();
    keys_become(
        &redis,
        &["active:user:6", "fd:*", "online:user:6", "user:6"],
    );

    let tablet = login(&server, "user:6");
    keys_become(
        &redis,
        &["active:user:6", "fd:*", "fd:*", "online:user:6", "user:6"],
    );
    drop(tablet);
    keys_become(
        &redis,
        &["active:user:6", "fd:*", "online:user:6", "user:6"],
    );

    phone.login("xxx:7", "X");
    keys_become(&redis, &["active:user:6", "fd:*", "online:xxx:7", "xxx:7"]);
    assert_eq!(redis.run::<BTreeSet<u64>>("SMEMBERS xxx:7"), numbers);

    drop(phone);
    drop(stranger);
    keys_become(&redis, &["active:user:6"]);
}

#[test]
fn sigterm_takes_every_key_along() {
    let redis = Redis::start();
    let mut server = serve(
        &redis,
        &[
            "--redis-prefix",
            "laravel_database_",
            "--drain-window-ms",
            "300",
        ],
    );
    let _sockets = [login(&server, "user:6"), login(&server, "user:7")];
    keys_become(
        &redis,
        &[
            "laravel_database_fd:*",
            "laravel_database_fd:*",
            "laravel_database_online:user:6",
            "laravel_database_online:user:7",
            "laravel_database_user:6",
            "laravel_database_user:7",
        ],
    );
    server.signal(Signal::TERM);
    let (code, _) = server.wait(Duration::from_secs(10));
    assert_eq!(code, Some(0), "{}", server.stderr());
    keys_become(&redis, &[]);
    assert!(redis.own_keys().is_empty(), "{:?}", redis.own_keys());
}

#[test]
fn after_kill_9_the_restarted_server_sweeps_exactly_what_the_dead_one_wrote() {
    let redis = Redis::start();
    redis.run::<()>("HSET user:profile:5 name five");
    redis.run::<()>("SADD user:6 12345");
    let mut server = serve(&redis, &[]);
    let socket = login(&server, "user:6");
    let other = login(&server, "user:7");
    keys_become(
        &redis,
        &[
            "fd:*",
            "fd:*",
            "online:user:6",
            "online:user:7",
            "user:6",
            "user:7",
            "user:profile:5",
        ],
    );
    server.kill_9();
    drop((socket, other));
    keys_become(
        &redis,
        &[
            "fd:*",
            "fd:*",
            "online:user:6",
            "online:user:7",
            "user:6",
            "user:7",
            "user:profile:5",
        ],
    );

    let server = serve(&redis, &[]);
    let _back = login(&server, "user:8");
    // The dead server's lease must run out (10 s) before anybody may touch what it wrote.
    keys_become_within(
        &redis,
        // Somebody else's 12345 is still in the set of 6, so 6 still counts as online until that expires.
        &[
            "fd:*",
            "online:user:6",
            "online:user:8",
            "user:6",
            "user:8",
            "user:profile:5",
        ],
        Duration::from_secs(20),
    );
    assert_eq!(
        redis.run::<BTreeSet<u64>>("SMEMBERS user:6"),
        BTreeSet::from([12345])
    );
    assert!(redis.run::<i64>("TTL online:user:6") > 0);
    assert_eq!(redis.run::<i64>("SCARD heartline:servers"), 1);
}

#[test]
fn a_living_server_sweeps_after_a_dead_one_and_keeps_its_own() {
    let redis = Redis::start();
    let (stays, mut dies) = (serve(&redis, &[]), serve(&redis, &[]));
    let _here = login(&stays, "user:6");
    let _there = [login(&dies, "user:6"), login(&dies, "user:7")];
    keys_become(
        &redis,
        &[
            "fd:*",
            "fd:*",
            "fd:*",
            "online:user:6",
            "online:user:7",
            "user:6",
            "user:7",
        ],
    );
    dies.kill_9();
    keys_become_within(
        &redis,
        &["fd:*", "online:user:6", "user:6"],
        Duration::from_secs(20),
    );
    assert_eq!(redis.run::<i64>("SCARD user:6"), 1);
}

#[test]
fn with_redis_away_the_server_serves_and_says_so_once() {
    let mut redis = Redis::start();
    redis.stop();
    let server = serve(&redis, &[]);
    let mut phone = login(&server, "user:6");
    phone.ping();
    redis.start_again();
    keys_become(
        &redis,
        &["active:user:6", "fd:*", "online:user:6", "user:6"],
    );
    redis.stop();
    phone.ping();
    let mut tablet = login(&server, "user:7");
    tablet.ping();
    std::thread::sleep(Duration::from_secs(1));
    redis.start_again();
    keys_become(
        &redis,
        &[
            "active:user:6",
            "active:user:7",
            "fd:*",
            "fd:*",
            "online:user:6",
            "online:user:7",
            "user:6",
            "user:7",
        ],
    );
    let stderr = server.stderr();
    assert_eq!(stderr.matches("Redis is away").count(), 2, "{stderr}");
    eventually(
        "the return is logged",
        Duration::from_secs(2),
        || server.stderr(),
        |s| s.matches("Redis is back").count() == 2,
    );
}

#[test]
fn a_wrong_redis_password_is_logged_without_showing_it() {
    let redis = Redis::start();
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port);
    redis.run::<()>("CONFIG SET requirepass other");
    let server = Serving::classic(&["--redis", &url, "--log", "trace"]);
    login(&server, "user:6").ping();
    eventually(
        "logged",
        Duration::from_secs(5),
        || server.stderr(),
        |text| text.contains("Redis is away"),
    );
    assert!(!server.stderr().contains("hunter2"), "{}", server.stderr());
}

#[test]
fn a_second_server_on_the_same_redis_is_warned_of_on_both() {
    let redis = Redis::start();
    let count = |server: &Serving| {
        server
            .stderr()
            .matches("another server uses this Redis")
            .count()
    };
    let own_number = |server: &Serving| {
        let is_mirrored = |text: &String| text.contains("presence is mirrored to Redis");
        eventually(
            "mirrored",
            Duration::from_secs(5),
            || server.stderr(),
            is_mirrored,
        );
        let stderr = server.stderr();
        let line = stderr
            .lines()
            .find(|line| line.contains("presence is mirrored"))
            .expect("a line");
        let number = line.split("server=").nth(1).expect("a number");
        number.trim().to_owned()
    };
    let first = serve(&redis, &[]);
    let number = own_number(&first);
    assert_eq!(count(&first), 0, "{}", first.stderr());
    let second = serve(&redis, &[]);
    eventually(
        "the start warns",
        Duration::from_secs(5),
        || count(&second),
        |count| *count == 1,
    );
    let stderr = second.stderr();
    let line = stderr
        .lines()
        .find(|line| line.contains("another server uses"))
        .expect("a line");
    assert!(
        line.contains("WARN") && line.contains(&format!("heartline:server:{number}\"")),
        "{line}"
    );
    eventually(
        "so does the first",
        Duration::from_secs(15),
        || count(&first),
        |count| *count == 1,
    );
    // With a prefix of its own a server is alone, whoever else is there.
    let apart = serve(&redis, &["--redis-prefix", "apart:"]);
    own_number(&apart);
    let _phone = login(&apart, "user:9");
    keys_become(
        &redis,
        &["apart:fd:*", "apart:online:user:9", "apart:user:9"],
    );
    assert_eq!(count(&apart), 0, "{}", apart.stderr());
    assert_eq!(count(&second), 1, "once");
}
