//! What one connection's messages of one turn lead to: each is given to the session, its step is carried out at the hub
//! and in presence, and the answers are gathered, to leave in one write.

use super::frame::{self, Deflater, Message, Opcode};
use super::shard::World;
use crate::hub::ConnectionRef;
use crate::metrics::Happening;
use crate::presence::ConnectionNumber;
use crate::session::{Reply, Session, Step};
use heartline_protocol::{CloseCode, encode_respon};
use serde_json::value::RawValue;
use std::ops::ControlFlow;

/// One turn of one connection.
pub(super) struct Conversation<'a> {
    pub world: &'a World,
    pub session: &'a mut Session,
    pub here: ConnectionRef,
    pub number: ConnectionNumber,
    pub now_us: u64,
    /// Frames to send, in order.
    pub answers: &'a mut Vec<u8>,
    /// Of a connection that takes compressed messages.
    pub deflater: Option<&'a mut Deflater>,
    /// Set when the conversation is over.
    pub end: Option<End>,
}

/// What is said to a client's messages. One for the whole server: a connection holds nothing for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// The protocol of [`crate::session`].
    #[default]
    Classic,
    /// Each message comes back as it is: what WebSocket conformance suites speak to.
    Echo,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The peer sent a close frame.
    ByPeer(Option<u16>),
    /// We close.
    ByUs(CloseCode),
}

/// So many bytes of a message count for one frame where messages may come compressed.
const INFLATED: usize = 1_024;

impl Conversation<'_> {
    /// Takes one message in.
    pub fn message(&mut self, message: Message<'_>) -> ControlFlow<()> {
        let frames = self.cost(&message);
        let limits = &self.world.config.limits;
        if !self.session.may_send(self.now_us, frames, limits) {
            return self.end(End::ByUs(CloseCode::RateLimited));
        }
        let is_echo = self.world.manner == Manner::Echo;
        match message {
            Message::Text(text) if is_echo => self.echo(Opcode::Text, text.as_bytes()),
            Message::Binary(bytes) if is_echo => self.echo(Opcode::Binary, bytes),
            Message::Text(text) => self.frame(text.as_bytes()),
            Message::Binary(bytes) => self.frame(bytes),
            Message::Ping(payload) => {
                frame::append(self.answers, Opcode::Pong, payload);
                ControlFlow::Continue(())
            }
            Message::Pong(_) => ControlFlow::Continue(()),
            Message::Close(code) => self.end(End::ByPeer(code)),
        }
    }

    /// The frames that a message counts for. Where a few bytes may inflate to many, the many count.
    fn cost(&self, message: &Message<'_>) -> u64 {
        match message {
            Message::Text(text) if self.deflater.is_some() => 1 + (text.len() / INFLATED) as u64,
            Message::Binary(bytes) if self.deflater.is_some() => {
                1 + (bytes.len() / INFLATED) as u64
            }
            _ => 1,
        }
    }

    fn frame(&mut self, frame: &[u8]) -> ControlFlow<()> {
        let roles = &self.world.config.roles;
        let step = self.session.receive(frame, |data| {
            crate::auth::classic_login(roles, data.map(RawValue::get))
                .inspect_err(|refusal| self.world.metrics.note(Happening::LoginRefused, refusal))
        });
        match step {
            Step::Ignored => self.world.metrics.count(Happening::FrameIgnored),
            Step::Oversized => return self.end(End::ByUs(CloseCode::TooBig)),
            Step::Silent => {}
            Step::Reply(reply) => self.answer(reply),
            Step::Alive(reply) => {
                self.world.presence.ping(self.number);
                self.answer(reply);
            }
            Step::Ask { event, data, uuid } => {
                let bytes = data.map_or(0, |data| data.get().len());
                tracing::debug!(event = event.as_deref(), bytes, "nobody handles this event");
                self.world.metrics.count(Happening::EventUnhandled);
                self.answer(Reply::unknown_event(uuid));
            }
            Step::Login { user, uuid } => {
                match self.world.hub.log_in(self.here, self.session.user(), user) {
                    Ok(user) => {
                        self.world.presence.login(self.number, &user);
                        self.world.metrics.count(Happening::LoggedIn);
                        self.session.logged_in(user);
                        self.answer(Reply::login_accepted(uuid));
                    }
                    Err(_) => {
                        self.answer(Reply::login_refused(uuid));
                        return self.end(End::ByUs(CloseCode::TooManyConnections));
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn echo(&mut self, opcode: Opcode, payload: &[u8]) -> ControlFlow<()> {
        self.append(opcode, payload);
        ControlFlow::Continue(())
    }

    fn answer(&mut self, reply: Reply<'_>) {
        let text = encode_respon(reply.uuid, reply.error, reply.body);
        self.append(Opcode::Text, text.as_bytes());
    }

    fn append(&mut self, opcode: Opcode, payload: &[u8]) {
        match &mut self.deflater {
            Some(deflater) if self.world.compression.is_worth(payload.len()) => {
                deflater.append(self.answers, opcode, payload);
            }
            _ => frame::append(self.answers, opcode, payload),
        }
    }

    fn end(&mut self, end: End) -> ControlFlow<()> {
        self.end = Some(end);
        ControlFlow::Break(())
    }
}
