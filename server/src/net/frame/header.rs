//! The header of one frame: what its first two to fourteen bytes say, and what they must not say.

use super::message::Violation;

/// The longest header: two bytes, a 64-bit length, a mask.
pub(super) const MAX_HEADER: usize = 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message in progress.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The closing handshake.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// The four bits on the wire.
    pub(super) fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub fin: bool,
    /// The message that begins here is compressed (RFC 7692 §6).
    pub compressed: bool,
    pub opcode: Opcode,
    pub mask: [u8; 4],
    /// Payload bytes that follow.
    pub payload: u64,
    /// Bytes of the header itself.
    pub size: usize,
}

/// Reads a header from the beginning of `bytes`; `None` when more bytes are needed. A violation is
/// reported from the first byte that shows it. `may_compress`: permessage-deflate was negotiated.
pub(super) fn parse(bytes: &[u8], may_compress: bool) -> Result<Option<Header>, Violation> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let compressed = first & 0x40 != 0;
    if first & 0x30 != 0 || compressed && !may_compress {
        return Err(Violation::ReservedBits);
    }
    let fin = first & 0x80 != 0;
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(Violation::ReservedOpcode)?;
    if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(Violation::ReservedBits);
    }
    if opcode.is_control() && !fin {
        return Err(Violation::FragmentedControl);
    }
    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    if second & 0x80 == 0 {
        return Err(Violation::Unmasked);
    }
    let short = second & 0x7f;
    if opcode.is_control() && short > 125 {
        return Err(Violation::LongControl);
    }
    let extended: usize = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(length_bytes) = bytes.get(2..2 + extended) else {
        return Ok(None);
    };
    let payload = match extended {
        0 => u64::from(short),
        _ => length_bytes
            .iter()
            .fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    if payload >> 63 != 0 {
        return Err(Violation::ImpossibleLength);
    }
    let size = 2 + extended + 4;
    let mask = match bytes.get(2 + extended..size) {
        Some(&[a, b, c, d]) => [a, b, c, d],
        // The length is known before the mask: say it, so that an oversized frame is refused at once.
        _ => return Ok(None),
    };
    Ok(Some(Header {
        fin,
        compressed,
        opcode,
        mask,
        payload,
        size,
    }))
}

/// XORs `data` with the mask, whose first byte to use is `offset % 4`.
pub(super) fn unmask(data: &mut [u8], mask: [u8; 4], offset: u64) {
    let shift = (offset % 4) as usize;
    let mask = [
        mask[shift],
        mask[(shift + 1) % 4],
        mask[(shift + 2) % 4],
        mask[(shift + 3) % 4],
    ];
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        // A chunk of `chunks_exact_mut(8)` has eight bytes.
        let bytes: [u8; 8] = (&*chunk).try_into().unwrap_or_default();
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_is_read() {
        let header = |bytes: &[u8]| parse(bytes, false).unwrap().unwrap();
        assert_eq!(header(&[0x81, 0x85, 1, 2, 3, 4]).payload, 5);
        assert_eq!(header(&[0x81, 0xfe, 1, 0, 1, 2, 3, 4]).payload, 256);
        assert_eq!(
            header(&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]).payload,
            65536
        );
        assert_eq!(
            header(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4]).payload,
            5,
            "not minimal, but meant"
        );
    }

    #[test]
    fn a_header_cut_anywhere_needs_more() {
        let whole = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut], false), Ok(None), "{cut}");
        }
    }

    #[test]
    fn a_violation_is_seen_from_its_first_byte() {
        assert_eq!(parse(&[0xc1], false), Err(Violation::ReservedBits));
        assert_eq!(parse(&[0x83], false), Err(Violation::ReservedOpcode));
        assert_eq!(parse(&[0x8f], false), Err(Violation::ReservedOpcode));
        assert_eq!(parse(&[0x09], false), Err(Violation::FragmentedControl));
        assert_eq!(parse(&[0x81, 0x05], false), Err(Violation::Unmasked));
        assert_eq!(parse(&[0x89, 0xfe], false), Err(Violation::LongControl));
        assert_eq!(
            parse(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], false),
            Err(Violation::ImpossibleLength)
        );
    }

    #[test]
    fn the_first_reserved_bit_marks_a_compressed_message_and_nothing_else() {
        assert_eq!(parse(&[0xc1], true), Ok(None));
        assert_eq!(parse(&[0x42], true), Ok(None));
        for wrong in [0xc0, 0xc8, 0xc9, 0xca, 0xa1, 0x91, 0xf1] {
            assert_eq!(
                parse(&[wrong], true),
                Err(Violation::ReservedBits),
                "{wrong:x}"
            );
        }
    }

    #[test]
    fn unmasking_in_pieces_is_unmasking_the_whole() {
        let plain: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mask = [7, 99, 200, 3];
        let masked: Vec<u8> = plain
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[at % 4])
            .collect();
        for cut in [0, 1, 2, 3, 5, 8, 13, 500, 999] {
            let mut data = masked.clone();
            let (head, tail) = data.split_at_mut(cut);
            unmask(head, mask, 0);
            unmask(tail, mask, cut as u64);
            assert_eq!(data, plain, "{cut}");
        }
    }
}
