//! What one connection's messages of one turn lead to: each is given to the session, its step is carried out at the hub
//! and in presence, and the answers are gathered, to leave in one write.

use super::connection_log::LogContext;
use super::frame::{self, Deflater, Message, Opcode};
use super::reliable::Reliable;
use super::shard::World;
use crate::delivery::{DeferredAnswer, WINDOW_MESSAGES};
use crate::hub::{ConnectionRef, Generations, TooManyOfUser};
use crate::metrics::Happening;
use crate::presence::ConnectionNumber;
use crate::session::{Reply, Session, Step};
use crate::store::Offset;
use heartline_protocol::{
    CloseCode, ExtensionError, LoginExtension, User, encode_login_accepted, encode_respon,
};
use mio::net::TcpStream;
use serde_json::value::RawValue;
use std::ops::ControlFlow;

/// One turn of one connection.
pub(super) struct Conversation<'a> {
    pub world: &'a World,
    pub session: &'a mut Session,
    pub reliable: &'a mut Option<Box<Reliable>>,
    /// What the connection's deliveries are addressed to. Each login of another user changes it.
    pub here: ConnectionRef,
    pub generations: &'a mut Generations,
    pub number: ConnectionNumber,
    pub socket: &'a TcpStream,
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
            Message::Pong(_) | Message::Fragment => ControlFlow::Continue(()),
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
        let mut is_login = false;
        let step = self.session.receive(frame, |data| {
            is_login = true;
            let data = data.map(RawValue::get);
            crate::auth::classic_login(roles, data)
                .inspect_err(|refusal| self.log_context().login_refused(*refusal, data))
        });
        if is_login
            && !self
                .session
                .may_log_in(self.now_us, &self.world.config.limits)
        {
            return self.end(End::ByUs(CloseCode::RateLimited));
        }
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
            Step::Ack(acks) => {
                if let Some(reliable) = self.reliable {
                    for (stream, offset) in acks {
                        reliable.ack(&self.world.delivery, &stream, Offset(offset));
                    }
                }
            }
            Step::Parked(is_parked) => {
                if let Some(reliable) = self.reliable {
                    reliable.park(is_parked);
                }
            }
            Step::Login {
                user,
                uuid,
                extension,
            } => match self.register(user.clone(), extension.as_ref().is_some_and(Result::is_ok)) {
                Ok(user) => {
                    self.world.presence.login(self.number, &user);
                    self.world.metrics.count(Happening::LoggedIn);
                    let device = extension.as_ref().and_then(|named| named.as_ref().ok());
                    self.log_context()
                        .logged_in(&user, device.map(|named| &*named.device));
                    let is_switch = self.is_switch(&user);
                    self.session.logged_in(user.clone());
                    self.accept(uuid, user, extension, is_switch);
                }
                Err(_) => {
                    self.log_context().too_many_of_user(user.as_str());
                    self.answer(Reply::login_refused(uuid));
                    return self.end(End::ByUs(CloseCode::TooManyConnections));
                }
            },
        }
        ControlFlow::Continue(())
    }

    fn log_context(&self) -> LogContext<'_> {
        LogContext {
            world: self.world,
            number: self.number,
            socket: self.socket,
        }
    }

    /// Registers the connection as this user's, attached to the stream or not.
    fn register(&mut self, user: User, is_reliable: bool) -> Result<User, TooManyOfUser> {
        let former = self.session.user();
        let now = self
            .here
            .at_login(former, &user, is_reliable, self.generations);
        let former = former.map(|former| (self.here, former));
        let user = self.world.hub.log_in(now, former, user)?;
        self.here = now;
        Ok(user)
    }

    /// Whether the last login that was answered here was another user's.
    fn is_switch(&self, user: &User) -> bool {
        self.session.user().is_some_and(|former| former != user)
            || (self.reliable.as_deref()).is_some_and(Reliable::is_unanswered_switch)
    }

    /// Answers a login; attaches the device if it named itself, and then the answer comes with its position.
    fn accept(
        &mut self,
        uuid: Option<&RawValue>,
        user: User,
        extension: Option<Result<LoginExtension, ExtensionError>>,
        is_switch: bool,
    ) {
        if let Some(former) = self.reliable.take() {
            former.withdraw(&self.world.delivery);
        }
        let accepted = Reply::login_accepted(uuid);
        match extension {
            None => self.answer(accepted),
            Some(Err(error)) => {
                let text = encode_login_accepted(uuid, accepted.body, Err(&error.to_string()));
                self.append(Opcode::Text, text.as_bytes());
            }
            Some(Ok(extension)) => {
                let text = encode_login_accepted(uuid, accepted.body, Ok(WINDOW_MESSAGES));
                let answer = DeferredAnswer { text, is_switch };
                let attached =
                    Reliable::attach(&self.world.delivery, self.here, user, extension, answer);
                *self.reliable = Some(attached);
            }
        }
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
