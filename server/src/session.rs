//! One connection's side of the classic protocol, pure: frames and time in, what to do out. No sockets, no clock,
//! no registry: the caller carries each [`Step`] out and tells the session what came of a login.
//!
//! Rules: `docs/protocol.md`, the table of client events; server pings, idle close, login deadline, frame rate.

use crate::config::{ServerLimits, Timing};
use heartline_protocol::{
    ACK, CloseCode, ExtensionError, LoginExtension, PARK, SHOW, User, decode_ack, decode_client,
    login_extension,
};
use serde_json::value::RawValue;

/// What the server knows of one connection's conversation. Times are milliseconds on the caller's clock.
#[derive(Debug)]
pub struct Session {
    user: Option<User>,
    opened_ms: u64,
    heard_ms: u64,
    next_ping_ms: u64,
    /// Theoretical arrival time of the next frame, in microseconds (GCRA, the one-number token bucket).
    rate_us: u64,
}

/// The longest id of a request. Answers wait in the server for a peer that does not read, so that what it makes us say is bounded
/// by less than what it may say to us.
pub const MAX_UUID_BYTES: usize = 16 * 1024;

/// Logins for which the whole allowance of frames lasts. A login makes the hub, presence and the store work, and a client needs one for
/// each connection.
pub const LOGINS_PER_BURST: u64 = 256;

/// What a frame asks for.
#[derive(Debug)]
pub enum Step<'f> {
    /// Not a JSON object: count it.
    Ignored,
    /// Its id is over [`MAX_UUID_BYTES`], and would have to be echoed: end the conversation as too big.
    Oversized,
    /// Nothing is expected.
    Silent,
    /// Answer at once.
    Reply(Reply<'f>),
    /// A login with valid credentials: register the user, tell [`Session::logged_in`], and answer.
    Login {
        /// Who it is.
        user: User,
        /// The id of the answer.
        uuid: Option<&'f RawValue>,
        /// The device names itself, and wants what it missed.
        extension: Option<Result<LoginExtension, ExtensionError>>,
    },
    /// The device has handled all of these streams up to these offsets.
    Ack(Vec<(Box<str>, u32)>),
    /// The device's app is hidden (`true`), or seen again.
    Parked(bool),
    /// A client ping of a logged-in connection: renew its presence, and answer with this.
    Alive(Reply<'f>),
    /// An application's event. Without a handler the answer is [`Reply::unknown_event`].
    Ask {
        /// The event's name, if it is a text.
        event: Option<std::borrow::Cow<'f, str>>,
        /// Its payload.
        data: Option<&'f RawValue>,
        /// The id of the answer.
        uuid: Option<&'f RawValue>,
    },
}

/// An answer: `{"type":"respon","event":UUID,"data":{"error":ERROR,"body":BODY}}`.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'f> {
    /// The id of the request, as it was spelled.
    pub uuid: Option<&'f RawValue>,
    /// 0 or 1.
    pub error: u32,
    /// The sentence.
    pub body: &'static str,
}

/// What time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a server ping.
    Ping,
    /// Close the connection.
    Close(CloseCode),
}

impl Session {
    /// A connection that opened now.
    pub fn new(now_ms: u64, timing: &Timing) -> Self {
        Self {
            user: None,
            opened_ms: now_ms,
            heard_ms: now_ms,
            next_ping_ms: now_ms + timing.ping_interval_ms,
            rate_us: 0,
        }
    }

    /// Who is logged in.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// When the connection opened.
    pub fn opened_ms(&self) -> u64 {
        self.opened_ms
    }

    /// Something was received.
    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// Takes frames out of the allowance; `false` when the peer sends more than it may.
    pub fn may_send(&mut self, now_us: u64, frames: u64, limits: &ServerLimits) -> bool {
        let interval_us = 1_000_000 / u64::from(limits.frames_per_second.max(1));
        let allowance_us = interval_us * u64::from(limits.frame_burst.max(1));
        // One alone is never more than the whole allowance.
        let frames = frames.min(u64::from(limits.frame_burst.max(1)));
        self.rate_us = self.rate_us.max(now_us) + frames * interval_us;
        self.rate_us - now_us <= allowance_us
    }

    /// Takes a login, refused or not, out of the allowance, beyond the frame that it came in; `false` when the peer logs in more
    /// often than it may.
    pub fn may_log_in(&mut self, now_us: u64, limits: &ServerLimits) -> bool {
        let weight = u64::from(limits.frame_burst) / LOGINS_PER_BURST;
        self.may_send(now_us, weight.saturating_sub(1), limits)
    }

    /// Reads one frame. `authenticate` judges the data of a login.
    pub fn receive<'f, E>(
        &self,
        frame: &'f [u8],
        authenticate: impl FnOnce(Option<&RawValue>) -> Result<User, E>,
    ) -> Step<'f> {
        let Ok(frame) = decode_client(frame) else {
            return Step::Ignored;
        };
        let uuid = frame.uuid;
        if uuid.is_some_and(|uuid| uuid.get().len() > MAX_UUID_BYTES) {
            return Step::Oversized;
        }
        match frame.event.as_deref() {
            Some("login") => match authenticate(frame.data) {
                Ok(user) => Step::Login {
                    user,
                    uuid,
                    extension: frame.data.and_then(login_extension),
                },
                Err(_) => Step::Reply(Reply::login_refused(uuid)),
            },
            Some("ping") if self.user.is_some() => Step::Alive(Reply {
                uuid,
                error: 0,
                body: "PING检查连接可用",
            }),
            Some("ping") => Step::Reply(Reply {
                uuid,
                error: 1,
                body: "PING检查连接不可用",
            }),
            Some("response") => Step::Silent,
            Some(ACK) => frame
                .data
                .and_then(decode_ack)
                .map_or(Step::Ignored, Step::Ack),
            Some(PARK) => Step::Parked(true),
            Some(SHOW) => Step::Parked(false),
            _ => Step::Ask {
                event: frame.event,
                data: frame.data,
                uuid,
            },
        }
    }

    /// The login of `user` was registered: from now on this is their connection, and nobody else's.
    pub fn logged_in(&mut self, user: User) {
        self.user = Some(user);
    }

    /// The session is over; who was logged in.
    pub fn end(&mut self) -> Option<User> {
        self.user.take()
    }

    /// What time asks for now. After [`Due::Ping`] the next one is an interval away.
    pub fn due(&mut self, now_ms: u64, timing: &Timing) -> Option<Due> {
        if now_ms >= self.heard_ms + timing.idle_timeout_ms {
            return Some(Due::Close(CloseCode::Idle));
        }
        if self.user.is_none() && now_ms >= self.opened_ms + timing.login_deadline_ms {
            return Some(Due::Close(CloseCode::LoginDeadline));
        }
        if now_ms >= self.next_ping_ms {
            self.next_ping_ms = now_ms + timing.ping_interval_ms;
            return Some(Due::Ping);
        }
        None
    }
}

impl<'f> Reply<'f> {
    /// The answer to a login that was registered.
    pub fn login_accepted(uuid: Option<&'f RawValue>) -> Self {
        Self {
            uuid,
            error: 0,
            body: "登录成功",
        }
    }

    /// The answer to every login that was not: the reason is for the log alone.
    pub fn login_refused(uuid: Option<&'f RawValue>) -> Self {
        Self {
            uuid,
            error: 1,
            body: "出现错误,登录失败",
        }
    }

    /// The answer to an event that nobody handles.
    pub fn unknown_event(uuid: Option<&'f RawValue>) -> Self {
        Self {
            uuid,
            error: 1,
            body: "未知的事件,没有处理程序",
        }
    }
}

#[cfg(test)]
mod tests;
