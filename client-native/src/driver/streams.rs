//! Durable streams: what the core's numbers of streams and epochs mean, whose turn it is, what is remembered and said of them.

use std::io;

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
    /// When each stream was spoken of last, as a count: the one that was not for the longest time makes room for another.
    used: Vec<u64>,
    uses: u64,
    /// The user of the latest login: nobody else's stream is listened to.
    user: Box<str>,
    /// The storage failed last time, and the log has it.
    is_failing: bool,
    /// A stream or an epoch found no room, and the log has it.
    is_full: bool,
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
            used: Vec::new(),
            uses: 0,
            user: "".into(),
            is_failing: false,
            is_full: false,
            standing: Vec::new(),
        }
    }

    /// Loads what is remembered.
    pub(crate) fn load(&mut self) -> std::io::Result<Vec<(Box<str>, StoredPosition)>> {
        self.store.load()
    }

    /// The core's number of a stream; `None`: it has none yet, and there is no free one.
    fn stream(&mut self, name: &str) -> Option<StreamId> {
        let known = self.streams.iter().position(|known| **known == *name);
        let at = match known {
            Some(at) => at,
            None if self.streams.len() < MAX_STREAMS as usize => {
                self.streams.push(name.into());
                self.used.push(0);
                self.streams.len() - 1
            }
            None => return None,
        };
        self.uses += 1;
        self.used[at] = self.uses;
        Some(StreamId(at as u32))
    }

    /// Every number, the longest unused one first.
    fn oldest_first(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.streams.len()).collect();
        numbers.sort_by_key(|at| self.used[*at]);
        numbers
    }

    pub(crate) fn tag(&mut self, epoch: u64) -> Option<EpochTag> {
        let known = self.epochs.iter().position(|known| *known == epoch);
        let at = match known {
            Some(at) => at,
            None if self.epochs.len() < MAX_EPOCHS => {
                self.epochs.push(epoch);
                self.epochs.len() - 1
            }
            None => {
                self.full("epochs");
                return None;
            }
        };
        Some(EpochTag(at as u32))
    }

    /// Says once that something found no room.
    fn full(&mut self, what: &str) {
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::error!(
                what,
                "too many streams or epochs at once: stored pushes of further ones are not taken"
            );
        }
    }

    /// Whether a stream may be ours: of the users of our own role, only we ourselves are.
    fn is_ours(&self, stream: &str) -> bool {
        let role = |name: &str| name.split_once(':').map(|(role, _)| role.len());
        match role(&self.user) {
            Some(role) if stream.get(..=role) == self.user.get(..=role) => *stream == *self.user,
            _ => true,
        }
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
        self.user = (**user).into();
        encode_login_extended(user, token, &extension)
    }

    /// Stores a position. What cannot be stored is not acknowledged, and the core asks for it again.
    pub(crate) fn persist(
        &mut self,
        stream: StreamId,
        tag: EpochTag,
        handled: u32,
    ) -> io::Result<()> {
        let epoch = self.epoch(tag);
        let name = self.streams.get(stream.0 as usize).map_or("", |name| name);
        let saved = self.store.save(name, StoredPosition { epoch, handled });
        let was_failing = std::mem::replace(&mut self.is_failing, saved.is_err());
        match &saved {
            Err(error) if !was_failing => tracing::error!(
                stream = name, handled, %error,
                "a position cannot be stored: nothing is acknowledged until it can, and a restart repeats messages"
            ),
            Ok(()) if was_failing => tracing::info!("positions are stored again"),
            _ => {}
        }
        saved
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
    /// The core's number of a stream. Where all are taken, the one that was unused for the longest time makes room. `None`: this
    /// client asked for no streams, the stream is another user's, or all are in use.
    pub(super) fn stream(&mut self, name: &str) -> Option<StreamId> {
        let durable = self.durable.as_mut()?;
        if !durable.is_ours(name) {
            return None;
        }
        if let Some(stream) = durable.stream(name) {
            return Some(stream);
        }
        for at in durable.oldest_first() {
            let stream = StreamId(at as u32);
            if self.handle(Input::Forget { stream }).is_ok() {
                return self.replace(stream, name);
            }
        }
        self.durable.as_mut()?.full("streams");
        None
    }

    fn replace(&mut self, stream: StreamId, name: &str) -> Option<StreamId> {
        let durable = self.durable.as_mut()?;
        let at = stream.0 as usize;
        let former = std::mem::replace(&mut durable.streams[at], name.into());
        tracing::warn!(stream = %former, by = name, "a position is forgotten: {MAX_STREAMS} streams are remembered, the most there can be");
        if let Err(error) = durable.store.forget(&former) {
            tracing::error!(stream = %former, %error, "its position could not be removed");
        }
        let found = durable.stream(name);
        self.publish(crate::News::PositionForgotten { stream: former });
        found
    }

    /// Tells the core what the storage remembers: of too many streams, those that were stored last.
    pub(crate) fn remember(&mut self, mut positions: Vec<(Box<str>, StoredPosition)>) {
        let surplus = positions.len().saturating_sub(MAX_STREAMS as usize);
        if surplus > 0 {
            tracing::warn!(
                surplus,
                "more positions are stored than the {MAX_STREAMS} that can be used"
            );
            positions.drain(..surplus);
        }
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
