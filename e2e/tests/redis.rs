//! The classic Redis keys (docs/protocol.md, §3) as a backend reads them, through the shipped binary and a real Redis.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_e2e::{Opcode, Peer, RedisServer, Seen, Server, Stage, eventually, free_port};
use redis::Connection;

/// The mirror runs beside the line, never on its path: a moment is allowed.
const SOON: Duration = Duration::from_secs(5);
/// A crashed server's lease must run out first.
const AFTER_LEASE: Duration = Duration::from_secs(40);

fn server(stage: &Stage, redis: &RedisServer, extra: &[&str]) -> Server {
    let url = redis.url();
    stage.server(&[&["--redis", url.as_str()], extra].concat())
}

fn ask<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
        .query(connection)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// All keys, but for the server's own beneath `heartline:`.
fn classic_keys(connection: &mut Connection) -> BTreeSet<String> {
    let keys: Vec<String> = ask(connection, &["KEYS", "*"]);
    keys.into_iter()
        .filter(|key| !key.contains("heartline:"))
        .collect()
}

fn members(connection: &mut Connection, key: &str) -> BTreeSet<u64> {
    ask::<Vec<u64>>(connection, &["SMEMBERS", key])
        .into_iter()
        .collect()
}

fn is_local_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    shape == "9999-99-99 99:99:99"
}

fn close(peer: &mut Peer) {
    peer.send_frame(true, Opcode::Close, &1000_u16.to_be_bytes());
    assert!(matches!(peer.see(), Seen::Close(1000, _)));
}

#[test]
fn login_writes_the_keys_and_the_last_close_removes_them() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let mut one = server.device("user:6");
    eventually("one connection", SOON, 1, || {
        members(&mut keys, "user:6").len()
    });
    let number = *members(&mut keys, "user:6").first().expect("one member");
    assert_eq!(
        ask::<String>(&mut keys, &["GET", &format!("fd:{number}")]),
        "user:6"
    );
    assert!(number < 1 << 53, "JavaScript reads {number} exactly");
    let online: String = ask(&mut keys, &["GET", "online:user:6"]);
    assert!(is_local_time(&online), "{online}");
    let life: i64 = ask(&mut keys, &["TTL", "online:user:6"]);
    assert!((290..=300).contains(&life), "online: lives {life} s");
    let fd_life: i64 = ask(&mut keys, &["TTL", &format!("fd:{number}")]);
    assert_eq!(fd_life, -1, "fd: lives until the close");

    let mut two = server.device("user:6");
    eventually("two connections", SOON, 2, || {
        members(&mut keys, "user:6").len()
    });
    close(&mut two);
    eventually("one is left", SOON, BTreeSet::from([number]), || {
        members(&mut keys, "user:6")
    });
    assert!(
        ask::<bool>(&mut keys, &["EXISTS", "online:user:6"]),
        "still online with one device"
    );
    close(&mut one);
    eventually("no fd, no set, not online", SOON, BTreeSet::new(), || {
        let mut left = classic_keys(&mut keys);
        // The time of the last ping outlives the connection; all else goes.
        left.remove("active:user:6");
        left
    });
}

#[test]
fn local_time_is_the_local_time() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let now = || {
        let output = std::process::Command::new("date")
            .arg("+%Y-%m-%d %H:%M:%S")
            .output()
            .expect("date");
        String::from_utf8(output.stdout)
            .expect("ASCII")
            .trim()
            .to_owned()
    };
    let before = now();
    let _device = server.device("user:6");
    eventually("online", SOON, true, || {
        ask(&mut keys, &["EXISTS", "online:user:6"])
    });
    let online: String = ask(&mut keys, &["GET", "online:user:6"]);
    assert!(before <= online && online <= now(), "{before} <= {online}");
}

#[test]
fn a_client_ping_renews_online_and_writes_active() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let mut device = server.device("user:6");
    eventually("online", SOON, true, || {
        ask(&mut keys, &["EXISTS", "online:user:6"])
    });
    let _: i64 = ask(&mut keys, &["EXPIRE", "online:user:6", "50"]);
    let _: () = ask(&mut keys, &["SET", "active:user:6", "long ago"]);
    assert!(device.ping());
    eventually("active is the time of the ping", SOON, true, || {
        is_local_time(&ask::<String>(&mut keys, &["GET", "active:user:6"]))
    });
    eventually("online is renewed", SOON, true, || {
        ask::<i64>(&mut keys, &["TTL", "online:user:6"]) > 290
    });
    // A ping of somebody who is not logged in renews nothing.
    let _: i64 = ask(&mut keys, &["EXPIRE", "online:user:6", "50"]);
    assert!(!server.peer().ping());
    std::thread::sleep(Duration::from_millis(300));
    assert!(ask::<i64>(&mut keys, &["TTL", "online:user:6"]) <= 50);
}

#[test]
fn a_user_switch_moves_the_connection() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let mut device = server.device("user:6");
    eventually("user 6", SOON, 1, || members(&mut keys, "user:6").len());
    let number = members(&mut keys, "user:6");
    device.login("xxx:7");
    eventually("now xxx 7", SOON, number.clone(), || {
        members(&mut keys, "xxx:7")
    });
    let fd = format!("fd:{}", number.first().expect("a number"));
    eventually("fd follows", SOON, "xxx:7".to_owned(), || {
        ask(&mut keys, &["GET", &fd])
    });
    eventually("6 is gone", SOON, (false, false), || {
        (
            ask(&mut keys, &["EXISTS", "user:6"]),
            ask(&mut keys, &["EXISTS", "online:user:6"]),
        )
    });
}

#[test]
fn a_refused_or_absent_login_writes_nothing() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let mut peer = server.peer();
    assert_eq!(peer.try_login("user:6", "\"wrong\"").0, 1);
    let _witness = server.device("user:7");
    eventually("the witness", SOON, true, || {
        ask(&mut keys, &["EXISTS", "user:7"])
    });
    assert!(
        !classic_keys(&mut keys)
            .iter()
            .any(|key| key.contains("user:6"))
    );
}

#[test]
fn a_connection_that_just_vanishes_is_cleaned_up() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let device = server.device("user:6");
    eventually("online", SOON, 1, || members(&mut keys, "user:6").len());
    drop(device);
    eventually("gone", SOON, false, || {
        ask(&mut keys, &["EXISTS", "user:6"])
    });
    eventually("offline", SOON, false, || {
        ask(&mut keys, &["EXISTS", "online:user:6"])
    });
}

/// Keys that somebody else wrote and that look like ours.
fn plant_foreign_keys(keys: &mut Connection) -> Vec<(String, Vec<u8>)> {
    let _: i64 = ask(keys, &["HSET", "user:profile:5", "name", "Li"]);
    let _: () = ask(keys, &["SET", "user:555", "a string of the backend"]);
    let _: () = ask(keys, &["SET", "fd:777", "user:6"]);
    let _: i64 = ask(keys, &["SADD", "user:777", "1", "2"]);
    let _: () = ask(keys, &["SET", "online:user:777", "2020-01-01 00:00:00"]);
    let _: () = ask(keys, &["SET", "fd:readme", "x"]);
    let _: i64 = ask(keys, &["RPUSH", "laravel_queue", "job"]);
    dump(keys)
}

fn dump(keys: &mut Connection) -> Vec<(String, Vec<u8>)> {
    let planted = [
        "user:profile:5",
        "user:555",
        "fd:777",
        "user:777",
        "online:user:777",
        "fd:readme",
        "laravel_queue",
    ];
    planted
        .iter()
        .map(|key| ((*key).to_owned(), ask(keys, &["DUMP", key])))
        .collect()
}

#[test]
fn sigterm_removes_all_that_is_ours_and_nothing_else() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let mut keys = redis.connection();
    let foreign = plant_foreign_keys(&mut keys);
    let before = classic_keys(&mut keys);
    let mut server = server(&stage, &redis, &[]);
    let devices: Vec<_> = (0..20)
        .map(|id| server.device(&format!("user:{}", id % 7)))
        .collect();
    eventually("all are registered", SOON, 20, || {
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:") && !before.contains(*key))
            .count()
    });
    server.terminate();
    assert!(
        server
            .wait_exit(Duration::from_secs(15))
            .is_some_and(|status| status.success())
    );
    let after: BTreeSet<_> = classic_keys(&mut keys)
        .into_iter()
        .filter(|key| !key.starts_with("active:"))
        .collect();
    assert_eq!(after, before);
    assert_eq!(dump(&mut keys), foreign);
    drop(devices);
}

#[test]
fn a_crash_is_cleaned_up_by_the_next_start_and_foreign_keys_stay() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let mut keys = redis.connection();
    let foreign = plant_foreign_keys(&mut keys);
    let before = classic_keys(&mut keys);
    let mut crashed = server(&stage, &redis, &[]);
    let devices: Vec<_> = (0..20)
        .map(|id| crashed.device(&format!("user:{}", id % 7)))
        .collect();
    eventually("all are registered", SOON, 20, || {
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:") && !before.contains(*key))
            .count()
    });
    crashed.kill_hard();
    drop(devices);

    let restarted = server(&stage, &redis, &[]);
    let _back = restarted.device("user:3");
    eventually(
        "only the one that came back",
        AFTER_LEASE,
        BTreeSet::from(["user:3".to_owned(), "online:user:3".to_owned()]),
        || {
            let keys = classic_keys(&mut keys);
            keys.into_iter()
                .filter(|key| {
                    !before.contains(key) && !key.starts_with("fd:") && !key.starts_with("active:")
                })
                .collect()
        },
    );
    assert_eq!(
        members(&mut keys, "user:3").len(),
        1,
        "not the numbers of the dead"
    );
    eventually("one fd", SOON, 1, || {
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:") && !before.contains(*key))
            .count()
    });
    assert_eq!(dump(&mut keys), foreign);
}

#[test]
fn an_emptied_redis_is_filled_again_within_seconds() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &[]);
    let mut keys = redis.connection();
    let mut devices: Vec<_> = (0..5)
        .map(|id| server.device(&format!("user:{id}")))
        .collect();
    eventually("registered", SOON, 5, || {
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:"))
            .count()
    });
    let numbers = members(&mut keys, "user:3");
    let _: () = ask(&mut keys, &["FLUSHALL"]);
    eventually("registered again", Duration::from_secs(10), 5, || {
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:"))
            .count()
    });
    eventually("as before", SOON, numbers, || members(&mut keys, "user:3"));
    assert!(ask::<bool>(&mut keys, &["EXISTS", "online:user:3"]));
    server.push_chat("user:3", "delivered all the while");
    assert_eq!(devices[3].push_msg(), "delivered all the while");
}

#[test]
fn the_server_serves_while_redis_is_away_and_repairs_the_keys_when_it_returns_empty() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let port = redis.port();
    let server = server(&stage, &redis, &[]);
    let mut before = server.device("user:1");
    let leaves = server.device("user:2");
    drop(redis);
    let mut during = server.device("user:3");
    drop(leaves);
    for (device, user) in [(&mut before, "user:1"), (&mut during, "user:3")] {
        assert!(
            device.ping_time() < Duration::from_secs(1),
            "a ping does not wait for Redis"
        );
        server.push_chat(user, "without Redis");
        assert_eq!(device.push_msg(), "without Redis");
    }
    let redis = RedisServer::start_on(port);
    let mut keys = redis.connection();
    eventually(
        "repaired",
        Duration::from_secs(15),
        BTreeSet::from(["user:1".to_owned(), "user:3".to_owned()]),
        || {
            classic_keys(&mut keys)
                .into_iter()
                .filter(|key| key.starts_with("user:"))
                .collect()
        },
    );
    eventually("online", SOON, true, || {
        ask(&mut keys, &["EXISTS", "online:user:1"])
    });
}

#[test]
fn a_redis_that_is_not_there_at_the_start_is_no_reason_not_to_serve() {
    let stage = Stage::shared();
    let port = free_port();
    let server = stage.server(&["--redis", &format!("redis://127.0.0.1:{port}/")]);
    let mut device = server.device("user:1");
    server.push_chat("user:1", "served");
    assert_eq!(device.push_msg(), "served");
    let redis = RedisServer::start_on(port);
    let mut keys = redis.connection();
    eventually(
        "registered when Redis came",
        Duration::from_secs(15),
        1,
        || members(&mut keys, "user:1").len(),
    );
}

#[test]
fn a_prefix_stands_before_every_key() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let server = server(&stage, &redis, &["--redis-prefix", "laravel_database_"]);
    let mut keys = redis.connection();
    let mut device = server.device("user:6");
    assert!(device.ping());
    eventually("registered", SOON, 1, || {
        members(&mut keys, "laravel_database_user:6").len()
    });
    eventually("active", SOON, true, || {
        ask(&mut keys, &["EXISTS", "laravel_database_active:user:6"])
    });
    let all: Vec<String> = ask(&mut keys, &["KEYS", "*"]);
    assert!(
        all.iter().all(|key| key.starts_with("laravel_database_")),
        "{all:?}"
    );
}

#[test]
fn two_servers_share_a_redis_without_a_common_number() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let mut keys = redis.connection();
    let mut one = server(&stage, &redis, &[]);
    let two = server(&stage, &redis, &[]);
    let devices: Vec<_> = (0..40)
        .map(|at| {
            if at % 2 == 0 {
                one.device("user:6")
            } else {
                two.device("user:6")
            }
        })
        .collect();
    eventually("all forty, each with a number of its own", SOON, 40, || {
        members(&mut keys, "user:6").len()
    });
    assert_eq!(
        classic_keys(&mut keys)
            .iter()
            .filter(|key| key.starts_with("fd:"))
            .count(),
        40
    );
    // One of them dies: the other cleans up after it, and its own stay.
    one.kill_hard();
    eventually("those of the living", AFTER_LEASE, 20, || {
        members(&mut keys, "user:6").len()
    });
    assert!(ask::<bool>(&mut keys, &["EXISTS", "online:user:6"]));
    drop(devices);
    eventually("none", SOON, false, || {
        ask(&mut keys, &["EXISTS", "user:6"])
    });
}

#[test]
fn the_server_never_uses_keys_or_flushes() {
    let stage = Stage::shared();
    let redis = RedisServer::start();
    let mut keys = redis.connection();
    let mut server = server(&stage, &redis, &[]);
    let mut device = server.device("user:6");
    assert!(device.ping());
    eventually("registered", SOON, 1, || members(&mut keys, "user:6").len());
    close(&mut device);
    server.terminate();
    server
        .wait_exit(Duration::from_secs(15))
        .expect("the server ends");
    let statistics: String = ask(&mut keys, &["INFO", "commandstats"]);
    for command in ["keys", "flushall", "flushdb", "scan"] {
        assert!(
            !statistics.contains(&format!("cmdstat_{command}:")),
            "{command} was used:\n{statistics}"
        );
    }
}
