//! Connections: what arrives is given to the real session; its steps are carried out as `net/conversation` does.

use super::{Connection, Question, SHARDS, Server};
use crate::event::{Event, ServerEvent};
use crate::mutant::Mutant;
use crate::network::{Frame, LinkId, Way};
use crate::stage::Stage;
use heartline_protocol::{
    CloseCode, LoginExtension, User, encode_login_accepted, encode_ping, encode_respon,
};
use heartline_server::auth::classic_login;
use heartline_server::delivery::{Ask, DeferredAnswer, Subscription, WINDOW_MESSAGES};
use heartline_server::hub::ConnectionRef;
use heartline_server::session::{Due, Reply, Session, Step};
use heartline_server::store::Offset;
use serde_json::value::RawValue;

impl Server {
    /// A connection is accepted, if there is anybody to accept it.
    pub fn accepts(&mut self, stage: &mut Stage, link: LinkId) {
        if !self.is_up {
            let refused = Frame::Close {
                code: None,
                retry_ms: None,
            };
            stage.send(link, Way::Down, refused);
            return stage.network.server_leaves(link);
        }
        let (shard, slot) = (Self::shard(link) as u8, link as usize);
        let connection = Connection {
            at: ConnectionRef::new(shard, slot, self.generations.issue()),
            session: Session::new(self.now(stage), &self.timing),
            subscription: None,
            has_read: false,
        };
        self.connections.insert(link, connection);
    }

    /// The next frame of a connection is here.
    pub fn arrives(&mut self, stage: &mut Stage, link: LinkId) {
        let frame = match stage.network.arrive(link, Way::Up, stage.now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(until) => return stage.queue.put(until, Event::Up(link)),
        };
        if !self.connections.contains_key(&link) {
            return;
        }
        match frame {
            Frame::Text(text) => {
                if !crate::device::is_small_talk(&text) {
                    stage.tell(|| format!("server: on {link} gets {text}"));
                }
                self.hears(stage, link, &text);
            }
            Frame::Close { .. } => self.remove(stage, link),
        }
    }

    fn hears(&mut self, stage: &mut Stage, link: LinkId, text: &str) {
        let now = self.now(stage);
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.session.heard(now);
        let roles = &self.roles;
        let step = connection.session.receive(text.as_bytes(), |data| {
            classic_login(roles, data.map(RawValue::get))
        });
        match step {
            Step::Ignored | Step::Oversized => {
                stage.oracle.fail(format!("the server cannot read {text}"));
            }
            Step::Silent | Step::Parked(_) => {}
            Step::Reply(reply) | Step::Alive(reply) => self.reply(stage, link, reply),
            Step::Ask { uuid, .. } => self.reply(stage, link, Reply::unknown_event(uuid)),
            Step::Ack(acks) => {
                for (stream, offset) in acks {
                    stage.oracle.lands(link, offset);
                    let Some(subscription) = &mut connection.subscription else {
                        continue;
                    };
                    let mut news = subscription.ack(&stream, Offset(offset));
                    if stage.is(Mutant::WindowIgnored) {
                        let cursor = subscription.cursor();
                        news = cursor.map(|cursor| (cursor.epoch(), Offset(offset)));
                    }
                    if let Some((epoch, offset)) = news {
                        let (stream, device) = (subscription.stream(), subscription.device());
                        self.acks.note(stream, device, epoch, offset);
                    }
                }
                self.pump(stage, link);
            }
            Step::Login {
                user,
                uuid,
                extension,
            } => {
                let former = connection.session.user().cloned();
                let is_switch = former.as_ref().is_some_and(|former| *former != user)
                    || (connection.subscription.as_ref())
                        .is_some_and(|subscription| !subscription.takes_transient());
                connection.session.logged_in(user.clone());
                self.register(stage, link, former.as_ref(), &user, extension.is_some());
                let accepted = Reply::login_accepted(uuid);
                match extension {
                    None => {
                        stage.oracle.flight_begins(link);
                        if let Some(connection) = self.connections.get_mut(&link) {
                            connection.subscription = None;
                        }
                        self.reply(stage, link, accepted);
                    }
                    Some(Ok(extension)) => {
                        let (body, window) = (accepted.body, Ok(WINDOW_MESSAGES));
                        let text = encode_login_accepted(uuid, body, window);
                        let answer = DeferredAnswer { text, is_switch };
                        self.subscribe(stage, link, user, extension, answer);
                    }
                    Some(Err(error)) => {
                        stage.oracle.fail(format!("{error}: {text}"));
                    }
                }
            }
        }
    }

    fn subscribe(
        &mut self,
        stage: &mut Stage,
        link: LinkId,
        user: User,
        extension: LoginExtension,
        answer: DeferredAnswer,
    ) {
        stage.oracle.flight_begins(link);
        self.last_turn += 1;
        let (subscription, ask) = Subscription::new(user, extension, self.last_turn, answer);
        if let Some(connection) = self.connections.get_mut(&link) {
            connection.subscription = Some(subscription);
            connection.has_read = false;
        }
        self.ask(stage, link, ask);
    }

    /// Asks the store on behalf of a connection.
    pub(super) fn ask(&mut self, stage: &mut Stage, link: LinkId, ask: Ask) {
        let connection = self.connections.get(&link);
        let Some(subscription) = connection.and_then(|c| c.subscription.as_ref()) else {
            return;
        };
        self.questions.push_back(Question {
            link,
            turn: subscription.turn(),
            stream: subscription.stream().as_str().into(),
            device: subscription.device().clone(),
            ask,
        });
        if !self.is_looking {
            self.is_looking = true;
            let delay = stage.span(stage.plan.reader);
            stage.server_after(delay, self.life, ServerEvent::Look);
        }
    }

    /// The stream of a connection has begun a new epoch.
    pub(super) fn anew(&mut self, stage: &mut Stage, link: LinkId) {
        let last_turn = &mut self.last_turn;
        let connection = self.connections.get_mut(&link);
        let subscription = connection.and_then(|c| c.subscription.as_mut());
        let ask = subscription.and_then(|subscription| {
            subscription.anew(|| {
                *last_turn += 1;
                *last_turn
            })
        });
        if let Some(ask) = ask {
            self.ask(stage, link, ask);
        }
    }

    /// Lets a device that is behind have its next page.
    pub(super) fn pump(&mut self, stage: &mut Stage, link: LinkId) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let Some(subscription) = &mut connection.subscription else {
            return;
        };
        if stage.is(Mutant::WindowIgnored)
            && let Some(sent) = subscription.cursor().map(|cursor| cursor.sent())
        {
            let stream = subscription.stream().to_string();
            subscription.ack(&stream, sent);
        }
        let Some(mut ask) = subscription.next_read() else {
            return;
        };
        let is_first = !std::mem::replace(&mut connection.has_read, true);
        if let Ask::Page(after, _) = &mut ask
            && stage.is(Mutant::SkippedPageBoundary)
            && !is_first
        {
            after.0 += 1;
        }
        self.ask(stage, link, ask);
    }

    /// Registers a connection, so far `former`'s, for what comes live to `user`.
    fn register(
        &mut self,
        stage: &mut Stage,
        link: LinkId,
        former: Option<&User>,
        user: &User,
        is_attached: bool,
    ) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let before = connection.at;
        connection.at = before.at_login(former, user, is_attached, &mut self.generations);
        if stage.is(Mutant::SubscribeAfterRead) && is_attached {
            if let Some(former) = former {
                self.hub.leave(before, former);
            }
            return;
        }
        let former = former.map(|former| (before, former));
        let registered = self.hub.log_in(connection.at, former, user.clone());
        if let Err(error) = registered {
            stage.oracle.fail(error.to_string());
        }
    }

    /// Time passes for every connection.
    pub(super) fn sweep(&mut self, stage: &mut Stage) {
        let now = self.now(stage);
        let links: Vec<LinkId> = self.connections.keys().copied().collect();
        for link in links {
            let Some(connection) = self.connections.get_mut(&link) else {
                continue;
            };
            match connection.session.due(now, &self.timing) {
                Some(Due::Ping) => {
                    self.last_ping += 1;
                    let text = encode_ping(self.last_ping);
                    self.send(stage, link, text);
                }
                Some(Due::Close(code)) => self.close(stage, link, code, None),
                None => {}
            }
        }
    }

    fn reply(&mut self, stage: &mut Stage, link: LinkId, reply: Reply<'_>) {
        let text = encode_respon(reply.uuid, reply.error, reply.body);
        self.send(stage, link, text);
    }

    pub(super) fn send(&mut self, stage: &mut Stage, link: LinkId, text: String) {
        stage.send(link, Way::Down, Frame::Text(text));
    }

    /// Closes a connection.
    pub(super) fn close(
        &mut self,
        stage: &mut Stage,
        link: LinkId,
        code: CloseCode,
        retry_ms: Option<u32>,
    ) {
        let code = Some(code as u16);
        stage.send(link, Way::Down, Frame::Close { code, retry_ms });
        self.remove(stage, link);
    }

    /// A connection is gone.
    pub fn remove(&mut self, stage: &mut Stage, link: LinkId) {
        if let Some(mut connection) = self.connections.remove(&link) {
            if let Some(user) = connection.session.end() {
                self.hub.leave(connection.at, &user);
            }
            stage.oracle.flight_begins(link);
            stage.network.server_leaves(link);
        }
    }

    /// The shard that a connection lives on.
    pub(super) fn shard(link: LinkId) -> usize {
        link as usize % SHARDS
    }
}
