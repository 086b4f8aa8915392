//! The decoder: pieces of a byte stream in, whole messages out. A frame that arrives in one piece is unmasked
//! where it lies and lent out; only what arrives in several pieces is copied, and what is held is
//! bounded by the bytes received and by the message limit, never by the length a header declares.

use super::deflate::Inflater;
use super::header::{self, Header, MAX_HEADER, Opcode};
use super::message::{Message, Violation, read_close};
use std::ops::ControlFlow;

/// The state of one connection's incoming stream. Between messages it is a null pointer.
#[derive(Debug, Default)]
pub struct Decoder {
    progress: Option<Box<Progress>>,
}

/// What has come of a message that is not complete.
#[derive(Debug, Default)]
struct Progress {
    /// The first bytes of a header.
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The frame whose payload is coming, with the payload bytes already here.
    frame: Option<(Header, u64)>,
    /// The message in progress: its kind and its unmasked bytes so far.
    kind: Option<Kind>,
    compressed: bool,
    message: Vec<u8>,
    /// How much of a text message is known to be UTF-8.
    valid: usize,
    /// The unmasked payload of a control frame so far.
    control: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl Decoder {
    /// Takes in the next bytes of the stream (they are unmasked in place) and calls `visit` for each message that
    /// they complete and each frame that completes none, until it breaks; the bytes after a break are dropped. With an `inflater`, messages may be compressed.
    ///
    /// # Errors
    /// The peer's violation of RFC 6455 or RFC 7692, or a message of more than `limit` bytes, declared or inflated.
    pub fn feed(
        &mut self,
        mut input: &mut [u8],
        limit: usize,
        mut inflater: Option<&mut Inflater>,
        mut visit: impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<(), Violation> {
        while !input.is_empty() {
            let progress = match &mut self.progress {
                Some(progress) => progress,
                none => match whole_frame(input, limit, inflater.is_some())? {
                    Some((header, rest_at)) => {
                        let (frame, rest) = input.split_at_mut(rest_at);
                        input = rest;
                        let payload = &mut frame[header.size..];
                        let flow = visit(lend(header, payload, limit, inflater.as_deref_mut())?);
                        if let Some(inflater) = inflater.as_deref_mut() {
                            inflater.release();
                        }
                        if flow.is_break() {
                            return Ok(());
                        }
                        continue;
                    }
                    None => none.insert(Box::default()),
                },
            };
            input = progress.take_in(input, limit, inflater.is_some())?;
            if let Some(message) = progress.finished(limit, inflater.as_deref_mut())? {
                let flow = visit(message);
                if let Some(inflater) = inflater.as_deref_mut() {
                    inflater.release();
                }
                progress.forget_finished();
                if progress.is_idle() {
                    self.progress = None;
                }
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Bytes on the heap for a message that is not complete.
    pub fn held(&self) -> usize {
        self.progress.as_ref().map_or(0, |progress| {
            size_of::<Progress>() + progress.message.capacity() + progress.control.capacity()
        })
    }

    /// Whether nothing of a message is held.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.progress.is_none()
    }
}

/// A frame that is a whole message and lies wholly in `input`: its header and its end.
fn whole_frame(
    input: &[u8],
    limit: usize,
    may_compress: bool,
) -> Result<Option<(Header, usize)>, Violation> {
    let Some(header) = header::parse(input, may_compress)? else {
        return Ok(None);
    };
    if header.opcode == Opcode::Continuation {
        return Err(Violation::UnexpectedContinuation);
    }
    let Ok(payload) = usize::try_from(header.payload) else {
        return Err(Violation::TooBig);
    };
    if payload > limit && !header.opcode.is_control() {
        return Err(Violation::TooBig);
    }
    let end = header.size + payload;
    Ok((header.fin && end <= input.len()).then_some((header, end)))
}

/// Unmasks a whole frame where it lies.
fn lend<'m>(
    header: Header,
    payload: &'m mut [u8],
    limit: usize,
    inflater: Option<&'m mut Inflater>,
) -> Result<Message<'m>, Violation> {
    header::unmask(payload, header.mask, 0);
    let payload = match inflater {
        Some(inflater) if header.compressed => inflater.message(payload, limit)?,
        _ => payload,
    };
    match header.opcode {
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong(payload)),
        Opcode::Close => read_close(payload),
        Opcode::Binary => Ok(Message::Binary(payload)),
        // `whole_frame` has refused a continuation.
        Opcode::Text | Opcode::Continuation => std::str::from_utf8(payload)
            .map(Message::Text)
            .map_err(|_| Violation::InvalidUtf8),
    }
}

impl Progress {
    /// Takes one step: bytes of a header, or bytes of a payload. Returns what is left of the input.
    fn take_in<'i>(
        &mut self,
        input: &'i mut [u8],
        limit: usize,
        may_compress: bool,
    ) -> Result<&'i mut [u8], Violation> {
        let Some((header, received)) = &mut self.frame else {
            return self.take_in_header(input, limit, may_compress);
        };
        let missing = usize::try_from(header.payload - *received).unwrap_or(usize::MAX);
        let (piece, rest) = input.split_at_mut(missing.min(input.len()));
        header::unmask(piece, header.mask, *received);
        *received += piece.len() as u64;
        if header.opcode.is_control() {
            self.control.extend_from_slice(piece);
        } else {
            self.message.extend_from_slice(piece);
            self.check_text()?;
        }
        Ok(rest)
    }

    fn take_in_header<'i>(
        &mut self,
        input: &'i mut [u8],
        limit: usize,
        may_compress: bool,
    ) -> Result<&'i mut [u8], Violation> {
        let held = usize::from(self.header_len);
        let taken = input.len().min(MAX_HEADER - held);
        self.header[held..held + taken].copy_from_slice(&input[..taken]);
        let Some(header) = header::parse(&self.header[..held + taken], may_compress)? else {
            // Fewer than MAX_HEADER bytes, all of them taken: a full header would have been complete.
            self.header_len = (held + taken) as u8;
            return Ok(&mut input[taken..]);
        };
        self.header_len = 0;
        self.check_header(header, limit)?;
        self.frame = Some((header, 0));
        Ok(&mut input[header.size - held..])
    }

    fn check_header(&mut self, header: Header, limit: usize) -> Result<(), Violation> {
        match (header.opcode, self.kind) {
            (Opcode::Continuation, None) => return Err(Violation::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::InterleavedMessage),
            (Opcode::Text, None) => self.kind = Some(Kind::Text),
            (Opcode::Binary, None) => self.kind = Some(Kind::Binary),
            (Opcode::Continuation, Some(_)) => {}
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
        }
        // Continuations go with their first frame, which alone says it.
        self.compressed |= header.compressed;
        // RFC 6455 sets no bound on the number of fragments: an empty one holds nothing, and counts as a frame of its
        // connection's rate ([`Message::Fragment`]).
        if header.payload > (limit - self.message.len().min(limit)) as u64 {
            return Err(Violation::TooBig);
        }
        Ok(())
    }

    /// Fails fast: text is refused at the first byte that cannot be UTF-8.
    fn check_text(&mut self) -> Result<(), Violation> {
        if self.kind != Some(Kind::Text) || self.compressed {
            return Ok(());
        }
        match std::str::from_utf8(&self.message[self.valid..]) {
            Ok(_) => self.valid = self.message.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(Violation::InvalidUtf8),
        }
        Ok(())
    }

    /// The message or the frame that has just become complete, if one has.
    fn finished<'m>(
        &'m mut self,
        limit: usize,
        inflater: Option<&'m mut Inflater>,
    ) -> Result<Option<Message<'m>>, Violation> {
        let Some((header, received)) = self.frame else {
            return Ok(None);
        };
        if received < header.payload {
            return Ok(None);
        }
        match header.opcode {
            Opcode::Ping => return Ok(Some(Message::Ping(&self.control))),
            Opcode::Pong => return Ok(Some(Message::Pong(&self.control))),
            Opcode::Close => return read_close(&self.control).map(Some),
            _ if !header.fin => {
                self.frame = None;
                return Ok(Some(Message::Fragment));
            }
            _ => {}
        }
        let payload = match inflater {
            Some(inflater) if self.compressed => inflater.message(&self.message, limit)?,
            _ => &self.message,
        };
        match self.kind {
            Some(Kind::Binary) => Ok(Some(Message::Binary(payload))),
            _ => std::str::from_utf8(payload)
                .map(|text| Some(Message::Text(text)))
                .map_err(|_| Violation::InvalidUtf8),
        }
    }

    fn forget_finished(&mut self) {
        if let Some((header, _)) = self.frame.take() {
            if header.opcode.is_control() {
                self.control.clear();
            } else {
                self.kind = None;
                self.compressed = false;
                self.message = Vec::new();
                self.valid = 0;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.kind.is_none() && self.frame.is_none() && self.header_len == 0
    }
}

#[cfg(test)]
mod tests;
