//! What arrives on a socket: frames of the wire, told to the core as kinds and numbers.

use super::payloads::Payload;
use super::{App, Device, MAX_EPOCHS};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::{Frame, LinkId, Way};
use crate::stage::Stage;
use heartline_client_core::{Epoch, EpochTag, Incoming, Input, MAX_STREAMS, RequestId, StreamId};
use heartline_protocol::{ServerFrame, decode_server};
use serde_json::Value;

impl Device {
    /// The next frame of a connection is here.
    pub fn arrives(&mut self, stage: &mut Stage, link: LinkId) {
        let Some((life, epoch)) = stage.network.link(link).map(|l| (l.life, l.epoch)) else {
            return;
        };
        if life == self.life && self.asleep_until > stage.now {
            stage.network.stall(link, self.asleep_until);
        }
        let frame = match stage.network.arrive(link, Way::Down, stage.now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(until) => return stage.queue.put(until, crate::event::Event::Down(link)),
        };
        let Some(app) = self.app.as_ref().filter(|_| life == self.life) else {
            return;
        };
        let present = app.line.map(|(epoch, _)| epoch);
        let is_old = app.line.is_none_or(|(_, line)| line != link);
        let mut epoch = epoch;
        if is_old {
            if let (true, Some(present)) = (stage.is(Mutant::OldSocketBelieved), present) {
                epoch = present;
            } else if !stage.plan.faults.has(Fault::LateSocket) {
                return;
            }
        }
        match frame {
            Frame::Text(text) => {
                if !is_small_talk(&text) {
                    stage.tell(|| format!("device {}: on {link} gets {text}", self.index));
                }
                self.hears_frame(stage, epoch, &text);
            }
            Frame::Close { code, retry_ms } => {
                stage.tell(|| format!("device {}: {link} closes {code:?}", self.index));
                self.forgets(stage, link);
                let input = Input::Closed {
                    epoch,
                    code,
                    retry_after_ms: retry_ms,
                };
                self.feed(stage, input);
                if stage.strikes(Fault::LateSocket, 50) {
                    self.feed(stage, input);
                }
            }
        }
    }

    fn hears_frame(&mut self, stage: &mut Stage, epoch: Epoch, text: &str) {
        let (index, life) = (self.index, self.life);
        let Some(app) = &mut self.app else { return };
        let frame = match decode_server(text.as_bytes()) {
            Ok(ServerFrame::Respon { event, ok, data }) => {
                match request(event.get(), index, life) {
                    Some(id) => {
                        let body = app.payloads.insert(Payload::Raw(data.get().into()));
                        Incoming::Reply { id, ok, body }
                    }
                    None => Incoming::Other,
                }
            }
            Ok(ServerFrame::Ping { uuid }) => Incoming::Ping {
                token: app.payloads.insert(Payload::Raw(uuid.get().into())),
            },
            Ok(ServerFrame::Push {
                event,
                whole,
                place: Some((stream, offset)),
            }) => {
                let stream = app.stream(&stream);
                let payload = Payload::Stored(event.into_owned(), offset, number(whole.get()));
                let body = app.payloads.insert(payload);
                let frame = Incoming::Durable {
                    stream,
                    offset,
                    body,
                };
                return self.hears_stored(stage, epoch, frame);
            }
            Ok(ServerFrame::Attached {
                stream,
                epoch: tag,
                offset,
            }) => Incoming::Attached {
                stream: app.stream(&stream),
                tag: app.tag(tag),
                offset,
            },
            Ok(ServerFrame::Gap {
                stream,
                epoch: tag,
                from,
                to,
                reason,
            }) => Incoming::Gap {
                stream: app.stream(&stream),
                tag: app.tag(tag),
                from,
                to,
                reason,
            },
            Ok(ServerFrame::Push { .. } | ServerFrame::Other) => Incoming::Other,
            Err(error) => {
                let what = format!("device {index}: cannot read {text}: {error}");
                return stage.oracle.fail(what);
            }
        };
        self.feed(stage, Input::Frame { epoch, frame });
    }

    /// A stored push, and what mutants make of it.
    fn hears_stored(&mut self, stage: &mut Stage, epoch: Epoch, frame: Incoming<'_>) {
        let Incoming::Durable { offset, body, .. } = frame else {
            return;
        };
        if stage.is(Mutant::AckBeforeCallback)
            && let Some(app) = &self.app
            && let Some((_, link)) = app.line
        {
            stage.oracle.acknowledges(self.index, offset);
            let ack = heartline_protocol::encode_ack(&[(&self.user, offset)]);
            stage.send(link, Way::Up, Frame::Text(ack));
        }
        let payload = self
            .app
            .as_ref()
            .and_then(|app| app.payloads.look(body).cloned());
        self.feed(stage, Input::Frame { epoch, frame });
        let is_dropped = self
            .app
            .as_ref()
            .is_some_and(|app| app.payloads.look(body).is_none());
        if is_dropped
            && stage.is(Mutant::ForgottenDedupe)
            && let Some(Payload::Stored(_, offset, n)) = payload
        {
            stage.oracle.begin(stage.now, self.index, offset, n);
            stage.oracle.returned(self.index, true);
        }
    }
}

impl App {
    fn tag(&mut self, epoch: u64) -> EpochTag {
        debug_assert!(self.epochs.len() < MAX_EPOCHS && self.streams.len() <= MAX_STREAMS as usize);
        let at = self.epochs.iter().position(|known| *known == epoch);
        EpochTag(at.unwrap_or_else(|| {
            self.epochs.push(epoch);
            self.epochs.len() - 1
        }) as u32)
    }

    /// Says to the core what the storage remembers.
    pub(super) fn remembers(&mut self, name: &str, epoch: u64) -> (StreamId, EpochTag) {
        (self.stream(name), self.tag(epoch))
    }
}

/// What no story needs: pings, and their answers.
pub fn is_small_talk(text: &str) -> bool {
    ["\"ping\"", "\"response\"", "PING"]
        .iter()
        .any(|word| text.contains(word))
}

/// The request that a reply speaks of, if it is one of this life.
fn request(raw: &str, device: usize, life: u32) -> Option<RequestId> {
    let number = raw
        .strip_prefix('"')?
        .strip_suffix('"')?
        .strip_prefix(&format!("d{device}l{life}-"))?;
    number.parse().ok().map(RequestId)
}

/// The number of a push.
fn number(whole: &str) -> u32 {
    let whole: Value = serde_json::from_str(whole).unwrap_or_default();
    whole["n"].as_u64().map_or(u32::MAX, |n| n as u32)
}
