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
