//! Close codes: one table for server and clients.

/// Why a connection is closed, as the close frame tells it.
///
/// Codes below 4500 may be retried; from 4500 to 4999 they are terminal: a client never comes back by itself.
/// A server may append advice to the close reason, as `retry=MILLISECONDS` (see [`CloseCode::reason`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The work is done.
    Normal = 1000,
    /// The server is going away (restart, drain).
    GoingAway = 1001,
    /// A frame broke RFC 6455.
    ProtocolError = 1002,
    /// A text frame was not UTF-8.
    InvalidPayload = 1007,
    /// A frame or message is over the limit.
    TooBig = 1009,
    /// The server failed.
    InternalError = 1011,
    /// Nothing was received within the idle window.
    Idle = 4000,
    /// No login within the login deadline.
    LoginDeadline = 4001,
    /// The outbound queue is over its bound: the peer reads too slowly.
    SlowConsumer = 4002,
    /// More frames than the rate limit allows.
    RateLimited = 4003,
    /// The server, the address or the user has too many connections.
    TooManyConnections = 4004,
    /// The server drains: come back after the advised delay.
    Drain = 4005,
    /// The user was kicked. Terminal.
    Kicked = 4500,
}

impl CloseCode {
    /// Every code of the table.
    pub const ALL: [Self; 13] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::InvalidPayload,
        Self::TooBig,
        Self::InternalError,
        Self::Idle,
        Self::LoginDeadline,
        Self::SlowConsumer,
        Self::RateLimited,
        Self::TooManyConnections,
        Self::Drain,
        Self::Kicked,
    ];

    /// The longest advice that is given or believed: one hour.
    pub const MAX_ADVICE_MS: u32 = 3_600_000;

    /// The number in the close frame.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The entry of the table with this number.
    pub fn from_u16(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.code() == code)
    }

    /// Does this number tell a client never to come back by itself? True for 4500 to 4999, known or not.
    pub fn is_terminal(code: u16) -> bool {
        (4500..=4999).contains(&code)
    }

    /// The word of this entry, as it stands in the close reason, in logs and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "done",
            Self::GoingAway => "going away",
            Self::ProtocolError => "protocol error",
            Self::InvalidPayload => "not utf-8",
            Self::TooBig => "too big",
            Self::InternalError => "internal error",
            Self::Idle => "idle",
            Self::LoginDeadline => "login deadline",
            Self::SlowConsumer => "slow consumer",
            Self::RateLimited => "rate limited",
            Self::TooManyConnections => "too many connections",
            Self::Drain => "draining",
            Self::Kicked => "kicked",
        }
    }

    /// The close reason: the word, and the advice if there is any: `idle`, `draining; retry=1500`.
    /// Always within the 123 bytes that a close frame has room for.
    pub fn reason(self, advice_ms: Option<u32>) -> String {
        match advice_ms {
            Some(ms) => format!("{}; retry={}", self.word(), ms.min(Self::MAX_ADVICE_MS)),
            None => self.word().to_owned(),
        }
    }

    /// The advice in a close reason, in milliseconds, at most [`Self::MAX_ADVICE_MS`].
    ///
    /// ```
    /// use heartline_protocol::CloseCode;
    /// assert_eq!(CloseCode::parse_retry("draining; retry=1500"), Some(1500));
    /// assert_eq!(CloseCode::parse_retry("idle"), None);
    /// ```
    pub fn parse_retry(reason: &str) -> Option<u32> {
        let digits = reason
            .split(';')
            .find_map(|part| part.trim().strip_prefix("retry="))?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit are simply a very long wait.
        is_number.then(|| digits.parse().unwrap_or(u32::MAX).min(Self::MAX_ADVICE_MS))
    }
}
