//! The core's decisions, carried out: each output becomes a word to a socket's task, to the app, or to the store.

use std::sync::Arc;

use heartline_client_core::{
    ClientEvent, Epoch, Outgoing, Output, PayloadRef, RequestError as Fate, RequestId,
};
use heartline_protocol::{
    VERSION, encode_login_data, encode_request, encode_response, spoken_version,
};
use serde_json::value::RawValue;

use super::State;
use crate::consume::Gap;
use crate::news::News;
use crate::payloads::Payloads;
use crate::request::{Reply, RequestError};
use crate::socket::{self, Line};

impl State {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Open { epoch } => self.open(epoch),
            Output::Close { epoch, code } => {
                if let Some(line) = self.line.take_if(|line| line.epoch == epoch) {
                    line.close(code);
                }
            }
            Output::Credentials { id, .. } => self.ask(id),
            Output::Send { epoch, message } => self.send(epoch, message),
            Output::Settle { id, result } => self.settle(id, result),
            Output::Deliver { listener, body } => {
                if let Some(push) = self.payloads.push(body) {
                    if let Some(buffer) = self.listeners.get(&listener) {
                        buffer.put(push.clone());
                    } else if let Some(line) = self.consumer(listener) {
                        line.put(push.clone());
                    }
                }
            }
            Output::Turn { stream, turn, body } => self.take_turn(stream, turn, body),
            Output::Persist {
                stream,
                tag,
                handled,
            } => {
                let Some(durable) = &mut self.durable else {
                    return;
                };
                let saved = durable.persist(stream, tag, handled);
                let name = durable.name(stream).into();
                self.stored.push_back((stream, tag, handled, saved.is_ok()));
                if let Err(error) = saved {
                    let error = error.to_string().into();
                    self.publish(News::PositionNotStored {
                        stream: name,
                        handled,
                        error,
                    });
                }
            }
            Output::Stand { stream, position } => {
                if let Some(durable) = &mut self.durable {
                    durable.stand(stream, position);
                }
            }
            Output::Release { body } => self.payloads.release(body),
            Output::Event(event) => self.tell(event),
        }
    }

    fn open(&mut self, epoch: Epoch) {
        let Some(shared) = self.me.upgrade() else {
            return;
        };
        let (line, orders) = Line::new(epoch);
        self.line = Some(line);
        let tasks = shared.tasks.clone();
        tasks.spawn_on(socket::run(shared, epoch, orders), &self.runtime);
    }

    fn send(&mut self, epoch: Epoch, message: Outgoing) {
        let (id, wire) = match message {
            Outgoing::Login { id } => {
                let credentials = self.login.take().filter(|(asked, _)| *asked == id);
                let Some((_, Some(credentials))) = credentials else {
                    return self.failed.push_back((epoch, id));
                };
                let data = match &mut self.durable {
                    Some(durable) => durable.login(&credentials),
                    None => encode_login_data(&credentials.user, &credentials.token),
                };
                (
                    Some(id),
                    encode_request("login", Some(&data), &self.prefix.uuid(id)),
                )
            }
            Outgoing::Ping { id } => (
                Some(id),
                encode_request("ping", None, &self.prefix.uuid(id)),
            ),
            Outgoing::Pong { token } => (None, encode_response(&self.payloads.take_raw(token))),
            Outgoing::Ack { .. } | Outgoing::Park | Outgoing::Show => {
                let wire = self
                    .durable
                    .as_ref()
                    .and_then(|durable| durable.encode(message));
                let Some(wire) = wire else { return };
                (None, wire)
            }
            Outgoing::Request { id } => {
                let Some(pending) = self.requests.get_mut(&id) else {
                    return;
                };
                let wire = if pending.is_idempotent {
                    pending.wire.clone()
                } else {
                    std::mem::take(&mut pending.wire)
                };
                (Some(id), wire)
            }
        };
        let sent = self
            .line
            .as_ref()
            .filter(|line| line.epoch == epoch)
            .is_some_and(|l| l.send(wire));
        // A server that reads nothing, and makes us answer: not even a pong or an acknowledgement finds room any more.
        match id {
            Some(id) if !sent => self.failed.push_back((epoch, id)),
            None if !sent && self.line.as_ref().is_some_and(|line| line.epoch == epoch) => {
                self.overfull = Some(epoch);
            }
            _ => {}
        }
    }

    fn settle(&mut self, id: RequestId, result: Result<PayloadRef, Fate>) {
        let result = match result {
            Ok(body) => Ok(Reply::new(self.payloads.take_raw(body))),
            Err(Fate::Refused { body }) => {
                Err(RequestError::refused(&self.payloads.take_raw(body)))
            }
            Err(Fate::NotSent(why)) => Err(RequestError::NotSent(why)),
            Err(Fate::SentUnknown) => Err(RequestError::SentUnknown),
            Err(Fate::TimedOut { sent }) => Err(RequestError::TimedOut { sent }),
            Err(Fate::Cancelled { sent }) => Err(RequestError::Cancelled { sent }),
        };
        if let Some(pending) = self.requests.remove(&id) {
            // Whoever dropped the future does not want to know.
            let _ = pending.fate.send(result);
        }
    }

    fn tell(&mut self, event: ClientEvent) {
        let data = |payloads: &mut Payloads, body| Arc::<RawValue>::from(payloads.take_raw(body));
        let news = match event {
            ClientEvent::Phase(phase) => {
                self.phases.send_replace(phase);
                News::Phase(phase)
            }
            ClientEvent::LoggedIn { body, again } => {
                let data = data(&mut self.payloads, body);
                if self.durable.is_some() && spoken_version(&data) != Some(VERSION) {
                    tracing::warn!(
                        data = data.get(),
                        "the server gives no durable streams: pushes are not made up for"
                    );
                }
                News::LoggedIn { data, again }
            }
            ClientEvent::Gap {
                stream,
                tag,
                from,
                to,
                reason,
            } => {
                let Some(durable) = &self.durable else { return };
                let gap = Gap {
                    stream: durable.name(stream).into(),
                    epoch: durable.epoch(tag),
                    from,
                    to,
                    reason,
                };
                tracing::warn!(?gap, "messages of a stream will never come");
                self.gap = Some(gap.clone());
                News::Gap(gap)
            }
            ClientEvent::Poisoned {
                stream,
                offset,
                body,
            } => {
                let Some(durable) = &self.durable else { return };
                let stream: Box<str> = durable.name(stream).into();
                tracing::error!(%stream, offset, "the app failed with a message too often: it is left behind");
                let push = body.and_then(|body| self.payloads.push(body).cloned());
                News::Poisoned {
                    stream,
                    offset,
                    push,
                }
            }
            ClientEvent::LoginRefused { body } => {
                let data = data(&mut self.payloads, body);
                tracing::warn!(data = data.get(), "the login was refused");
                News::LoginRefused { data }
            }
            ClientEvent::Disconnected { reason } => {
                let detail = self.detail.take();
                let said = (reason, detail.clone());
                if self.last_end.as_ref() != Some(&said) {
                    tracing::warn!(?reason, detail = detail.as_deref(), "the line ended");
                }
                self.last_end = Some(said);
                News::Disconnected { reason, detail }
            }
            ClientEvent::OutboxDropped { reason, .. } => News::OutboxDropped { reason },
        };
        self.publish(news);
    }

    pub(crate) fn publish(&self, news: News) {
        if let Some(sender) = &self.news {
            // Nobody listens at present: then there is nobody to tell.
            let _ = sender.send(news);
        }
    }
}
