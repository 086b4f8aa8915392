//! How a connection leaves a shard: a close frame, a while for the peer to do the same, then the slot is free. Hub and
//! presence hear of it at the first of these.

use super::Shard;
use crate::metrics::Happening;
use crate::net::connection::Connection;
use crate::net::connection_log::{ConnectionLabel, EndReason};
use crate::net::fanout::FanOut;
use crate::net::frame;
use crate::net::outbound::Sent;
use bytes::Bytes;
use heartline_protocol::CloseCode;

/// The farewell, in progress.
#[derive(Debug)]
pub(super) struct Drain {
    pub cursor: usize,
    pub spread_ms: u64,
}

/// Connections that are told to leave in one turn.
const DRAIN_SLICE: usize = 128;
/// How long a closing connection may take to close its side.
const LINGER_MS: u64 = 2_000;
/// The same for one that reads too slowly: what is in the socket's own buffer comes before the close frame.
const SLOW_LINGER_MS: u64 = 30_000;
/// The least advice of a drain: a moment for the successor to start.
pub(super) const DRAIN_ADVICE_MS: u64 = 200;

impl Shard {
    pub(super) fn close(&mut self, slot: usize, code: CloseCode) {
        let what = match code {
            CloseCode::ProtocolError | CloseCode::InvalidPayload => Some(Happening::ProtocolError),
            CloseCode::TooBig => Some(Happening::TooBig),
            CloseCode::Idle => Some(Happening::Idle),
            CloseCode::LoginDeadline => Some(Happening::LoginDeadline),
            CloseCode::SlowConsumer => Some(Happening::SlowConsumer),
            CloseCode::RateLimited => Some(Happening::RateLimited),
            CloseCode::TooManyConnections => Some(Happening::TooManyConnections),
            _ => None,
        };
        let is_open = |connection: &&Connection| !connection.is_closing();
        if let Some((what, connection)) = what.zip(self.connections.get(slot).filter(is_open)) {
            let context = connection.log_context(&self.world);
            let who = ConnectionLabel(context, connection.session.user());
            self.world.metrics.note(what, who);
        }
        self.close_with(
            slot,
            frame::close(code, &code.reason(None)),
            code == CloseCode::SlowConsumer,
            EndReason::ByServer(code),
        );
    }

    pub(super) fn close_with(
        &mut self,
        slot: usize,
        last: Bytes,
        give_up_queue: bool,
        ended: EndReason,
    ) {
        self.forget(slot, ended);
        let linger_ms = if give_up_queue {
            SLOW_LINGER_MS
        } else {
            LINGER_MS
        };
        let until_ms = self.now_ms() + linger_ms;
        let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_closing())
        else {
            return;
        };
        let begun = connection.begin_close(last, give_up_queue, until_ms);
        // What still comes is read and dropped, so that the close frame is not lost to a reset.
        self.read_again(slot);
        self.settle(slot, begun.map(|()| Sent::Through));
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.forget(slot, EndReason::Lost);
        if let Some(connection) = self.connections.try_remove(slot) {
            if connection.deflates {
                self.world.compression.left();
            }
            self.world.metrics.count(Happening::Disconnected);
        }
    }

    /// Hub and presence hear of the end, once: a closing connection is theirs no more.
    fn forget(&mut self, slot: usize, ended: EndReason) {
        let now_ms = self.now_ms();
        let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_closing())
        else {
            return;
        };
        if let Some(reliable) = connection.reliable.as_deref() {
            reliable.withdraw(&self.world.delivery);
        }
        let life_ms = now_ms - connection.session.opened_ms();
        let user = connection.session.end();
        connection
            .log_context(&self.world)
            .ended(user.as_ref(), ended, life_ms);
        if let Some(user) = user {
            let here = connection.at(self.index, slot);
            self.world.hub.leave(here, &user);
        }
        self.world.presence.closed(connection.number);
        self.held -= std::mem::take(&mut connection.decoder).held();
    }

    /// Tells the next connections to leave; `true` when a drain is over.
    pub(super) fn drain_slice(&mut self) -> bool {
        let Some(drain) = &mut self.drain else {
            return false;
        };
        // What was accepted is delivered first.
        if !self.fanout.is_idle() {
            return false;
        }
        let slots = self.connections.capacity();
        let (from, spread_ms) = (drain.cursor, drain.spread_ms);
        drain.cursor = slots.min(from + DRAIN_SLICE);
        for slot in from..slots.min(from + DRAIN_SLICE) {
            let advice_ms = DRAIN_ADVICE_MS + spread_ms * slot as u64 / slots.max(1) as u64;
            self.farewell(slot, advice_ms);
        }
        self.connections.is_empty()
    }

    pub(super) fn farewell(&mut self, slot: usize, advice_ms: u64) {
        let reason = CloseCode::Drain.reason(Some(advice_ms.try_into().unwrap_or(u32::MAX)));
        let last = frame::close(CloseCode::Drain, &reason);
        self.close_with(slot, last, false, EndReason::ByServer(CloseCode::Drain));
    }

    pub(super) fn drop_all(&mut self) {
        for slot in 0..self.connections.capacity() {
            self.remove(slot);
        }
        self.fanout = FanOut::default();
        self.world.processors.leave(self.index);
        self.unread.clear();
    }
}
