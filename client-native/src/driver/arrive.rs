//! What arrives on a socket, told to the core: kinds and ids go in, payloads stay here under a number.

use heartline_client_core::{Epoch, EpochTag, Incoming, Input, StreamId};
use heartline_protocol::{ServerFrame, decode_server};

use super::{Shared, State};
use crate::payloads::Payload;
use crate::pushes::Push;

impl Shared {
    /// One message of the socket of `epoch`.
    pub(crate) fn message(&self, epoch: Epoch, bytes: &[u8]) {
        match decode_server(bytes) {
            Ok(ServerFrame::Respon { event, ok, data }) => {
                let data = data.to_owned();
                self.with(|state| match state.prefix.parse(event.get()) {
                    Some(id) => {
                        let body = state.payloads.insert(Payload::Raw(data));
                        state.frame(epoch, Incoming::Reply { id, ok, body });
                    }
                    None => state.frame(epoch, Incoming::Other),
                });
            }
            Ok(ServerFrame::Ping { uuid }) => {
                let uuid = uuid.to_owned();
                self.with(|state| {
                    let token = state.payloads.insert(Payload::Raw(uuid));
                    state.frame(epoch, Incoming::Ping { token });
                });
            }
            Ok(ServerFrame::Push {
                event,
                whole,
                place: Some((stream, offset)),
            }) => {
                let push = Push::new(&event, whole);
                self.with(|state| match state.stream(&stream) {
                    Some(stream) => {
                        let body = state.payloads.insert(Payload::Stored(push));
                        state.frame(
                            epoch,
                            Incoming::Durable {
                                stream,
                                offset,
                                body,
                            },
                        );
                    }
                    None => state.frame(epoch, Incoming::Other),
                });
            }
            Ok(ServerFrame::Push { event, whole, .. }) => {
                let push = Push::new(&event, whole);
                self.with(|state| {
                    let body = state.payloads.insert(Payload::Push(push));
                    match state.intern(&event) {
                        Some(event) => state.frame(epoch, Incoming::Push { event, body }),
                        None => state.frame(
                            epoch,
                            Incoming::NamedPush {
                                event: &event,
                                body,
                            },
                        ),
                    }
                });
            }
            Ok(ServerFrame::Attached {
                stream,
                epoch: tag,
                offset,
            }) => self.with(|state| {
                let frame = state
                    .place(&stream, tag)
                    .map(|(stream, tag)| Incoming::Attached {
                        stream,
                        tag,
                        offset,
                    });
                state.frame(epoch, frame.unwrap_or(Incoming::Other));
            }),
            Ok(ServerFrame::Gap {
                stream,
                epoch: tag,
                from,
                to,
                reason,
            }) => self.with(|state| {
                let frame = state
                    .place(&stream, tag)
                    .map(|(stream, tag)| Incoming::Gap {
                        stream,
                        tag,
                        from,
                        to,
                        reason,
                    });
                state.frame(epoch, frame.unwrap_or(Incoming::Other));
            }),
            Ok(ServerFrame::Other) | Err(_) => self.sign_of_life(epoch),
        }
    }

    /// Something arrived that is no message.
    pub(crate) fn sign_of_life(&self, epoch: Epoch) {
        self.with(|state| state.frame(epoch, Incoming::Other));
    }
}

impl State {
    fn place(&mut self, name: &str, epoch: u64) -> Option<(StreamId, EpochTag)> {
        let stream = self.stream(name)?;
        Some((stream, self.durable.as_mut()?.tag(epoch)?))
    }

    fn frame(&mut self, epoch: Epoch, frame: Incoming<'_>) {
        if self.handle(Input::Frame { epoch, frame }).is_err() {
            // The core was closed and did not take the payload.
            match frame {
                Incoming::Reply { body, .. }
                | Incoming::Push { body, .. }
                | Incoming::NamedPush { body, .. }
                | Incoming::Durable { body, .. }
                | Incoming::Ping { token: body } => self.payloads.release(body),
                Incoming::Attached { .. } | Incoming::Gap { .. } | Incoming::Other => {}
            }
        }
    }
}
