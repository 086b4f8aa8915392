//! One connection to Redis, with its scripts loaded: every call is bounded in time, and an error
//! means that the link is to be given up and opened anew.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Script,
};

use super::names::{Names, connection};
use super::picture::Change;

/// An open link.
pub(super) struct Link {
    connection: MultiplexedConnection,
    scripts: Scripts,
}

struct Scripts {
    put: Script,
    drop: Script,
    acquire: Script,
    renew: Script,
    retire: Script,
}

/// Keys of a foreign type that a batch ran into and left alone.
pub(super) type LeftAlone = Vec<String>;

impl Link {
    pub(super) async fn open(client: &Client) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        // The bound again, because name look-up and the handshake are not all covered by the
        // client's own.
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = tokio::time::timeout(2 * CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| RedisError::from((ErrorKind::Io, "no answer while connecting")))?
            .map_err(without_password)?;
        let scripts = Scripts::new();
        for script in [
            &scripts.put,
            &scripts.drop,
            &scripts.acquire,
            &scripts.renew,
            &scripts.retire,
        ] {
            script.load_async(&mut connection).await?;
        }
        Ok(Self {
            connection,
            scripts,
        })
    }

    /// Tells a batch of changes of server `server` in one round trip.
    pub(super) async fn tell(
        &mut self,
        names: &Names,
        server: u64,
        batch: &[Change],
    ) -> RedisResult<LeftAlone> {
        let clock = Clock::now();
        let book = names.book(server);
        let mut pipeline = Pipeline::with_capacity(batch.len());
        for change in batch {
            match change {
                Change::Put {
                    number,
                    user,
                    signed,
                    pinged,
                    repair,
                } => {
                    let n = connection(server, *number);
                    let life_s = ONLINE_LIFE_S.saturating_sub(clock.age_s(*signed));
                    let sign = if life_s == 0 {
                        String::new()
                    } else {
                        clock.text(*signed)
                    };
                    let ping = pinged.map_or(String::new(), |at| clock.text(at));
                    let keys = [
                        &book,
                        &names.fd(n),
                        &names.connections(user),
                        &names.online(user),
                        &names.active(user),
                    ];
                    let mut call = call(&self.scripts.put, &keys);
                    call.arg(&names.prefix)
                        .arg(n)
                        .arg(user.as_str())
                        .arg(sign)
                        .arg(life_s)
                        .arg(ping);
                    call.arg(u8::from(*repair));
                    pipeline.add_command(call);
                }
                Change::Drop {
                    number,
                    user,
                    pinged,
                } => {
                    let (active, ping) = pinged
                        .map_or_else(Default::default, |at| (names.active(user), clock.text(at)));
                    let mut call = call(&self.scripts.drop, &[&book]);
                    call.arg(&names.prefix)
                        .arg(connection(server, *number))
                        .arg(active)
                        .arg(ping);
                    pipeline.add_command(call);
                }
            }
        }
        self.run(&pipeline).await
    }

    /// Removes connections that a book names: our own (`lease` is `None`), or those of a server
    /// whose lease ended.
    pub(super) async fn remove(
        &mut self,
        names: &Names,
        book: &str,
        lease: Option<&str>,
        connections: &[String],
    ) -> RedisResult<LeftAlone> {
        let mut pipeline = Pipeline::with_capacity(connections.len());
        let keys: Vec<&str> = [Some(book), lease].into_iter().flatten().collect();
        for n in connections {
            let mut call = call(&self.scripts.drop, &keys);
            call.arg(&names.prefix).arg(n).arg("").arg("");
            pipeline.add_command(call);
        }
        self.run(&pipeline).await
    }

    /// A page of a book: connection numbers, and where to go on (0: that was the last).
    pub(super) async fn page(
        &mut self,
        book: &str,
        cursor: u64,
    ) -> RedisResult<(u64, Vec<String>)> {
        let (next, flat): (u64, Vec<String>) = redis::cmd("HSCAN")
            .arg(book)
            .arg(cursor)
            .arg("COUNT")
            .arg(PAGE)
            .query_async(&mut self.connection)
            .await?;
        Ok((next, flat.into_iter().step_by(2).collect()))
    }

    pub(super) async fn acquire(
        &mut self,
        names: &Names,
        server: u64,
        token: &str,
        fresh: bool,
    ) -> RedisResult<bool> {
        let mut call = call(
            &self.scripts.acquire,
            &[&names.lease(server), &names.book(server), &names.servers()],
        );
        call.arg(token)
            .arg(millis(LEASE_LIFE))
            .arg(server)
            .arg(u8::from(fresh));
        call.query_async(&mut self.connection).await
    }

    /// How many connections our book holds; `None` if the lease is not ours any more.
    pub(super) async fn renew(
        &mut self,
        names: &Names,
        server: u64,
        token: &str,
    ) -> RedisResult<Option<usize>> {
        let mut call = call(
            &self.scripts.renew,
            &[&names.lease(server), &names.book(server)],
        );
        call.arg(token).arg(millis(LEASE_LIFE));
        let held: i64 = call.query_async(&mut self.connection).await?;
        Ok(usize::try_from(held).ok())
    }

    /// Ends a lease: our own with its token, another's (once it ran out) with none.
    pub(super) async fn retire(
        &mut self,
        names: &Names,
        server: u64,
        token: &str,
    ) -> RedisResult<()> {
        let mut call = call(
            &self.scripts.retire,
            &[&names.lease(server), &names.book(server), &names.servers()],
        );
        call.arg(token).arg(server);
        call.query_async(&mut self.connection).await
    }

    /// Every server number on the list, and whether its lease lives.
    pub(super) async fn servers(&mut self, names: &Names) -> RedisResult<Vec<(u64, bool)>> {
        let listed: Vec<String> = redis::cmd("SMEMBERS")
            .arg(names.servers())
            .query_async(&mut self.connection)
            .await?;
        let listed: Vec<u64> = listed.iter().filter_map(|text| text.parse().ok()).collect();
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(listed.len());
        for server in &listed {
            pipeline.cmd("EXISTS").arg(names.lease(*server));
        }
        let alive: Vec<bool> = pipeline.query_async(&mut self.connection).await?;
        Ok(listed.into_iter().zip(alive).collect())
    }

    async fn run(&mut self, pipeline: &Pipeline) -> RedisResult<LeftAlone> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let replies: Vec<String> = pipeline.query_async(&mut self.connection).await?;
        Ok(replies
            .iter()
            .flat_map(|reply| reply.lines())
            .map(str::to_owned)
            .collect())
    }
}

impl Scripts {
    fn new() -> Self {
        let with_common =
            |own: &str| Script::new(&format!("{}\n{own}", include_str!("scripts/common.lua")));
        Self {
            put: with_common(include_str!("scripts/put.lua")),
            drop: with_common(include_str!("scripts/drop.lua")),
            acquire: Script::new(include_str!("scripts/acquire.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            retire: Script::new(include_str!("scripts/retire.lua")),
        }
    }
}

/// An error of the log-in, without the server's words: a Redis that does not know `AUTH` repeats
/// its arguments, and they are the password.
fn without_password(error: RedisError) -> RedisError {
    match (error.kind(), error.code()) {
        (ErrorKind::Io, _) => error,
        (_, Some("WRONGPASS" | "NOAUTH")) | (ErrorKind::AuthenticationFailed, _) => {
            RedisError::from((
                ErrorKind::AuthenticationFailed,
                "Redis refuses the user or the password of redis.url",
            ))
        }
        (kind, _) => RedisError::from((
            kind,
            "Redis refuses the log-in; look at the user, the password and the number of the database in redis.url",
        )),
    }
}

/// Past moments as the classic keys spell them: local time, `YYYY-MM-DD HH:MM:SS`.
struct Clock {
    instant: Instant,
    local: jiff::Zoned,
}

impl Clock {
    fn now() -> Self {
        Self {
            instant: Instant::now(),
            local: jiff::Zoned::now(),
        }
    }

    fn age_s(&self, at: Instant) -> u64 {
        self.instant.saturating_duration_since(at).as_secs()
    }

    fn text(&self, at: Instant) -> String {
        let age = self.instant.saturating_duration_since(at);
        self.local
            .saturating_sub(age)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}

fn call(script: &Script, keys: &[impl AsRef<str>]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(keys.len());
    for key in keys {
        call.arg(key.as_ref());
    }
    call
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `online:` keys live this long after a login or a client ping.
const ONLINE_LIFE_S: u64 = 300;
/// A server that has not renewed for this long is taken for dead.
pub(super) const LEASE_LIFE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Entries of a book that are read at once, roughly.
const PAGE: usize = 500;
