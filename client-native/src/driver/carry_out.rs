//! The core's decisions, carried out: each output becomes a word to a socket's task, to the app, or to the store.

use std::sync::Arc;

use heartline_client_core::{
    ClientEvent, Epoch, Outgoing, Output, PayloadRef, RequestError as Fate, RequestId,
};
use heartline_protocol::{encode_login_data, encode_request, encode_response};
use serde_json::value::RawValue;

use super::State;
use crate::credentials::Credentials;
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
                if let (Some(buffer), Some(push)) =
                    (self.listeners.get(&listener), self.payloads.push(body))
                {
                    buffer.put(push.clone());
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
                let Some((_, Some(Credentials { user, token }))) = credentials else {
                    return self.failed.push_back((epoch, id));
                };
                let data = encode_login_data(&user, &token);
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
            Outgoing::Request { id } => {
                let Some(pending) = self.requests.get_mut(&id) else {
                    return;
                };
                (Some(id), std::mem::take(&mut pending.wire))
            }
        };
        let sent = self
            .line
            .as_ref()
            .filter(|line| line.epoch == epoch)
            .is_some_and(|l| l.send(wire));
        // A pong that finds no room is left out: the server hears from us by what is before it in the queue.
        if let (false, Some(id)) = (sent, id) {
            self.failed.push_back((epoch, id));
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
            ClientEvent::LoggedIn { body, again } => News::LoggedIn {
                data: data(&mut self.payloads, body),
                again,
            },
            ClientEvent::LoginRefused { body } => {
                let data = data(&mut self.payloads, body);
                tracing::warn!(data = data.get(), "the login was refused");
                News::LoginRefused { data }
            }
            ClientEvent::Disconnected { reason } => {
                tracing::debug!(?reason, "the line ended");
                News::Disconnected { reason }
            }
            ClientEvent::OutboxDropped { reason, .. } => News::OutboxDropped { reason },
        };
        if let Some(sender) = &self.news {
            // Nobody listens at present: then there is nobody to tell.
            let _ = sender.send(news);
        }
    }
}
