//! Durable streams: what the core's numbers of streams and epochs mean, whose turn it is, what is remembered and said of them.

use heartline_client_core::{
    EpochTag, Input, ListenerId, MAX_STREAMS, Outgoing, PayloadRef, Position, StreamId,
};
use heartline_protocol::{
    self as protocol, LoginExtension, encode_ack, encode_login_extended, encode_sign,
};
use serde_json::value::RawValue;

use super::State;
use crate::consume::{Line, News, Turn};
use crate::credentials::Credentials;
use crate::positions::{PositionStore, StoredPosition};

/// Epochs that one life of a client may meet. An honest server begins one when its folder is lost.
const MAX_EPOCHS: usize = 4_096;

/// What a durable client remembers.
pub(crate) struct Durable {
    device: Box<str>,
    store: Box<dyn PositionStore>,
    /// By the core's number.
    streams: Vec<Box<str>>,
    epochs: Vec<u64>,
    /// What the core has said for the login that comes next.
    standing: Vec<(Box<str>, protocol::Position)>,
}

impl Durable {
    pub(crate) fn new(device: Box<str>, store: Box<dyn PositionStore>) -> Self {
        Self {
            device,
            store,
            streams: Vec::new(),
            epochs: Vec::new(),
            standing: Vec::new(),
        }
    }

    /// Loads what is remembered.
    pub(crate) fn load(&mut self) -> std::io::Result<Vec<(Box<str>, StoredPosition)>> {
        self.store.load()
    }

    pub(crate) fn stream(&mut self, name: &str) -> Option<StreamId> {
        number(
            &mut self.streams,
            MAX_STREAMS as usize,
            |known| **known == *name,
            || name.into(),
        )
        .map(StreamId)
    }

    pub(crate) fn tag(&mut self, epoch: u64) -> Option<EpochTag> {
        number(
            &mut self.epochs,
            MAX_EPOCHS,
            |known| *known == epoch,
            || epoch,
        )
        .map(EpochTag)
    }

    pub(crate) fn name(&self, stream: StreamId) -> &str {
        // The core speaks of streams that it was told of.
        self.streams.get(stream.0 as usize).map_or("", |name| name)
    }

    pub(crate) fn epoch(&self, tag: EpochTag) -> u64 {
        self.epochs.get(tag.0 as usize).copied().unwrap_or_default()
    }

    pub(crate) fn stand(&mut self, stream: StreamId, position: Position) {
        let at = protocol::Position {
            epoch: self.epoch(position.tag),
            received: position.received,
            handled: position.handled,
        };
        self.standing.push((self.name(stream).into(), at));
    }

    /// The data of the login, with what the core has said of the streams.
    pub(crate) fn login(&mut self, Credentials { user, token }: &Credentials) -> Box<RawValue> {
        let extension = LoginExtension {
            device: self.device.clone(),
            positions: std::mem::take(&mut self.standing),
        };
        encode_login_extended(user, token, &extension)
    }

    pub(crate) fn persist(&mut self, stream: StreamId, tag: EpochTag, handled: u32) {
        let epoch = self.epoch(tag);
        let name = self.streams.get(stream.0 as usize).map_or("", |name| name);
        if let Err(error) = self.store.save(name, StoredPosition { epoch, handled }) {
            tracing::error!(stream = name, handled, %error, "the position was not stored: after a restart messages will be repeated");
        }
    }

    /// A word to the server about streams.
    pub(crate) fn encode(&self, message: Outgoing) -> Option<String> {
        Some(match message {
            Outgoing::Ack { stream, offset } => encode_ack(&[(self.name(stream), offset)]),
            Outgoing::Park => encode_sign(protocol::PARK),
            Outgoing::Show => encode_sign(protocol::SHOW),
            _ => return None,
        })
    }
}

impl State {
    /// Tells the core what the storage remembers.
    pub(crate) fn remember(&mut self, positions: Vec<(Box<str>, StoredPosition)>) {
        for (name, StoredPosition { epoch, handled }) in positions {
            let Some(durable) = &mut self.durable else {
                return;
            };
            if let (Some(stream), Some(tag)) = (durable.stream(&name), durable.tag(epoch)) {
                let input = Input::Position {
                    stream,
                    tag,
                    handled,
                };
                // A new client refuses nothing.
                let _ = self.handle(input);
            }
        }
    }

    /// Calls whoever hears what has its turn. Subscriptions have it at once; consumers say when they are done.
    pub(super) fn take_turn(&mut self, stream: StreamId, number: u32, body: Option<PayloadRef>) {
        let turn = Turn::new(self.me.clone(), stream, number);
        match body {
            Some(body) => {
                let Some(push) = self.payloads.push(body).cloned() else {
                    return;
                };
                for listener in self.core.hearers(push.event()) {
                    if let Some(buffer) = self.listeners.get(&listener) {
                        buffer.put(push.clone());
                    } else if let Some(line) = self.consumer(listener) {
                        line.take_turn(News::Push(push.clone()), turn.share());
                    }
                }
            }
            None => {
                let Some(gap) = self.gap.take() else { return };
                for line in self
                    .consumers
                    .values()
                    .filter(|line| line.listener.is_none())
                {
                    line.take_turn(News::Gap(gap.clone()), turn.share());
                }
            }
        }
        // If nobody else holds it, this answers it: see `Shared::answer_turn`.
    }

    pub(super) fn consumer(&self, listener: ListenerId) -> Option<&Line> {
        let mut lines = self.consumers.values();
        lines.find(|line| line.listener == Some(listener))
    }
}

fn number<T>(
    known: &mut Vec<T>,
    max: usize,
    is: impl FnMut(&T) -> bool,
    make: impl FnOnce() -> T,
) -> Option<u32> {
    let at = known.iter().position(is).or_else(|| {
        (known.len() < max).then(|| {
            known.push(make());
            known.len() - 1
        })
    })?;
    Some(at as u32)
}
