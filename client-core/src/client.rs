//! The machine itself: under construction.

use crate::{ApiMisuse, Config, EventId, Input, ListenerId, Millis, Output, Phase, RequestId};

/// The client as a value. See the crate's page for how to drive it.
pub struct Client {
    _config: Config,
}

impl Client {
    /// A client that has not started. `seed` feeds the jitter; `now` is the present.
    pub fn new(config: Config, _seed: u64, _now: Millis) -> Self {
        Self { _config: config }
    }

    /// Feeds one input at time `now`.
    ///
    /// # Errors
    /// [`ApiMisuse`] when the caller broke a rule; the client is then unchanged.
    pub fn handle(&mut self, _now: Millis, _input: Input<'_>) -> Result<(), ApiMisuse> {
        unimplemented!("under construction")
    }

    /// The next decision, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// The one next deadline.
    pub fn poll_timeout(&self) -> Option<Millis> {
        None
    }

    /// The name of the timer behind [`Self::poll_timeout`].
    pub fn next_timeout_reason(&self) -> Option<&'static str> {
        None
    }

    /// Where the line stands.
    pub fn phase(&self) -> Phase {
        Phase::Idle
    }

    /// The id that the next `Input::Request` must carry.
    pub fn next_request_id(&self) -> RequestId {
        RequestId(1)
    }

    /// The id that the next `Input::Listen` must carry.
    pub fn next_listener_id(&self) -> ListenerId {
        ListenerId(1)
    }

    /// A number for an event name, so that pushes need no string. The same name gets the same number.
    /// `None` when the table is full: use `Incoming::NamedPush`.
    pub fn intern(&mut self, _name: &str) -> Option<EventId> {
        None
    }
}
