//! What a decoder hands out: whole messages and control frames, or the peer's violation of RFC 6455.

use heartline_protocol::CloseCode;

/// One whole message, one control frame, or word of a frame that completes nothing. Borrowed from the read buffer where it arrived in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message, valid UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping; to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close frame: its code, if it carries one.
    Close(Option<u16>),
    /// A frame of a message of which more is to come, empty or not: only that it came.
    Fragment,
}

/// How the peer broke the protocol. Nothing after it can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RFC 6455 §5.1: a client must mask.
    #[error("frame is not masked")]
    Unmasked,
    /// A bit of no extension that was negotiated, or where that extension does not put it (RFC 7692 §6).
    #[error("reserved bits are set")]
    ReservedBits,
    /// Opcodes 3–7 and 11–15.
    #[error("reserved opcode")]
    ReservedOpcode,
    /// RFC 6455 §5.5.
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// RFC 6455 §5.5.
    #[error("control frame is over 125 bytes")]
    LongControl,
    /// A continuation where no message is in progress.
    #[error("continuation of nothing")]
    UnexpectedContinuation,
    /// A new message inside a fragmented one.
    #[error("new message inside a fragmented one")]
    InterleavedMessage,
    /// The 64-bit length has its highest bit set.
    #[error("impossible length")]
    ImpossibleLength,
    /// A close frame with one byte, or with a code that must not be sent.
    #[error("invalid close frame")]
    InvalidClose,
    /// Text, or a close reason, that is not UTF-8.
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// What a compressed message holds cannot be inflated.
    #[error("compressed data is broken")]
    InvalidDeflate,
    /// The declared length, or what it inflates to, is over the limit; the former is seen from the header alone.
    #[error("message is over the limit")]
    TooBig,
}

impl Violation {
    /// The code of the close frame that answers this violation.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::InvalidPayload,
            Self::TooBig => CloseCode::TooBig,
            _ => CloseCode::ProtocolError,
        }
    }
}

/// Reads the payload of a close frame (RFC 6455 §5.5.1, §7.4).
pub(super) fn read_close(payload: &[u8]) -> Result<Message<'_>, Violation> {
    match payload {
        [] => Ok(Message::Close(None)),
        [_] => Err(Violation::InvalidClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Violation::InvalidClose);
            }
            std::str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
            Ok(Message::Close(Some(code)))
        }
    }
}

/// Codes that an endpoint may put on the wire: those of RFC 6455 and its registry, and 3000–4999.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_are_those_of_the_registry() {
        for good in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(
                read_close(&u16::to_be_bytes(good)),
                Ok(Message::Close(Some(good)))
            );
        }
        for bad in [
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ] {
            assert_eq!(
                read_close(&u16::to_be_bytes(bad)),
                Err(Violation::InvalidClose),
                "{bad}"
            );
        }
        assert_eq!(read_close(&[]), Ok(Message::Close(None)));
        assert_eq!(read_close(&[3]), Err(Violation::InvalidClose));
        assert_eq!(read_close(&[3, 232, 0xff]), Err(Violation::InvalidUtf8));
    }
}
