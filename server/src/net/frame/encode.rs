//! Frames of the server: never masked, never fragmented, in the shortest form.

use super::header::Opcode;
use bytes::Bytes;
use heartline_protocol::CloseCode;

/// Appends one frame to `out`.
pub fn append(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    append_head(out, 0x80 | opcode.bits(), payload.len());
    out.extend_from_slice(payload);
}

/// Appends a frame's head: its first byte, and a length.
pub(super) fn append_head(out: &mut Vec<u8>, first: u8, length: usize) {
    out.reserve(length + 10);
    push_head(out, first, length);
}

/// The same, where the room for it is there.
pub(super) fn push_head(out: &mut Vec<u8>, first: u8, length: usize) {
    out.push(first);
    match length {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// One text frame, to be shared by all its recipients.
pub fn text(payload: &[u8]) -> Bytes {
    to_bytes(Opcode::Text, payload)
}

/// One frame in a buffer of its own.
pub fn to_bytes(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 10);
    append(&mut out, opcode, payload);
    Bytes::from(out)
}

/// A close frame. The reason is cut at 123 bytes, on a character's boundary.
pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    payload.extend_from_slice(&(code as u16).to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    to_bytes(Opcode::Close, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        let head = |length: usize| {
            let frame = text(&vec![b'x'; length]);
            assert!(frame.ends_with(&vec![b'x'; length]));
            frame[..frame.len() - length].to_vec()
        };
        assert_eq!(head(0), [0x81, 0]);
        assert_eq!(head(125), [0x81, 125]);
        assert_eq!(head(126), [0x81, 126, 0, 126]);
        assert_eq!(head(65535), [0x81, 126, 255, 255]);
        assert_eq!(head(65536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let frame = close(CloseCode::Idle, &"心".repeat(50));
        assert_eq!(frame[0], 0x88);
        assert_eq!(frame[1], 2 + 123);
        assert_eq!(std::str::from_utf8(&frame[4..]).unwrap(), "心".repeat(41));
        assert_eq!(&frame[2..4], 4000u16.to_be_bytes());
    }
}
