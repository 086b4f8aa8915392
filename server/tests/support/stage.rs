//! One presence room and one real Redis: the stage of the mirror's stories.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_protocol::User;
use heartline_server::presence::{ConnectionNumber, Presence};

use super::eventually;
use super::redis::Redis;

pub fn user(text: &str) -> User {
    User::parse(text).expect("a user")
}

pub fn names(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// A story about one server and one Redis.
pub struct Stage {
    pub redis: Redis,
    pub presence: Presence,
}

impl Stage {
    pub fn new() -> Self {
        Self::with_prefix("")
    }

    pub fn with_prefix(prefix: &str) -> Self {
        let redis = Redis::start();
        let presence = Presence::start(Some(&redis.config(prefix))).expect("presence starts");
        Self { redis, presence }
    }

    pub fn login(&self, as_user: &str) -> ConnectionNumber {
        let number = self.presence.next_number();
        self.presence.login(number, &user(as_user));
        number
    }

    #[track_caller]
    pub fn keys_become(&self, expected: &[&str]) {
        eventually(
            "the classic keys",
            Duration::from_secs(5),
            || self.redis.classic_keys(),
            |seen| *seen == names(expected),
        );
    }

    /// The last sign of life can't be seen in a key; wait until all that was said before is told.
    pub fn settle(&self) {
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

    pub fn shut_down(&self) {
        block_on(self.presence.shutdown());
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// `YYYY-MM-DD HH:MM:SS` of now, local, give or take the seconds of a test.
#[track_caller]
pub fn assert_is_now(text: &str) {
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text)
        .unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(text.len(), 19, "{text}");
    let off = (jiff::Zoned::now().datetime() - time)
        .total(jiff::Unit::Second)
        .expect("seconds")
        .abs();
    assert!(off < 10.0, "{text} is {off} s off");
}
