//! WebSocket framing as a client needs it that only counts: a request masked once, replies read by their headers.
//! Payloads are skipped, not copied.

/// A masked client frame.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

/// A masked text frame.
pub fn text(payload: &str) -> Vec<u8> {
    masked(TEXT, payload.as_bytes())
}

/// A server's frame as it goes over the wire: what the bare loop sends.
pub fn plain(total_bytes: usize) -> Vec<u8> {
    let payload = total_bytes.saturating_sub(4).clamp(126, 0xffff);
    let mut out = vec![0x80 | TEXT, 126];
    out.extend((payload as u16).to_be_bytes());
    out.resize(4 + payload, b'x');
    out
}

/// The upgrade request. The key is any: the answer is not checked, only that it is a 101.
pub fn upgrade(path: &str, subprotocol: Option<&str>) -> Vec<u8> {
    let subprotocol = subprotocol.map_or(String::new(), |name| {
        format!("Sec-WebSocket-Protocol: {name}\r\n")
    });
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{subprotocol}\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// Counts the frames in a stream of bytes.
#[derive(Debug, Default)]
pub struct Counter {
    header: [u8; 10],
    have: u8,
    left: u64,
    total: u64,
}

impl Counter {
    /// Reads on; `ended` gets each frame's opcode and its size on the wire, once it is there to its end.
    pub fn feed(&mut self, mut bytes: &[u8], mut ended: impl FnMut(u8, u64)) {
        while !bytes.is_empty() {
            if self.left == 0 {
                self.header[self.have as usize] = bytes[0];
                self.have += 1;
                bytes = &bytes[1..];
                let Some(payload) = self.payload() else {
                    continue;
                };
                self.left = payload;
                self.total = u64::from(self.have) + payload;
                if payload > 0 {
                    continue;
                }
            } else {
                let take = self.left.min(bytes.len() as u64);
                self.left -= take;
                bytes = &bytes[take as usize..];
                if self.left > 0 {
                    return;
                }
            }
            self.have = 0;
            ended(self.header[0] & 0x0f, self.total);
        }
    }

    /// The payload's length, once the header is whole.
    fn payload(&self) -> Option<u64> {
        let header = &self.header[..self.have as usize];
        match (*header.get(1)? & 0x7f, header.len()) {
            (126, 4..) => Some(u64::from(u16::from_be_bytes([header[2], header[3]]))),
            (127, 10..) => Some(
                header[2..10]
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            ),
            (126 | 127, _) => None,
            (short, _) => Some(u64::from(short)),
        }
    }
}

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping frame.
pub const PING: u8 = 9;

const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x88];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let mut stream = vec![0x81, 0x02, b'h', b'i', 0x89, 0x00];
        stream.extend(plain(184));
        stream.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.resize(stream.len() + 65_536, 0);
        for cut in [1, 3, 7, 1_000, stream.len()] {
            let mut counter = Counter::default();
            let mut seen = Vec::new();
            for part in stream.chunks(cut) {
                counter.feed(part, |opcode, bytes| seen.push((opcode, bytes)));
            }
            assert_eq!(
                seen,
                [(TEXT, 4), (PING, 2), (TEXT, 184), (BINARY, 65_546)],
                "cut every {cut} bytes"
            );
        }
    }

    #[test]
    fn a_masked_frame_says_its_length_and_hides_its_text() {
        let frame = masked(TEXT, &[b'a'; 200]);
        assert_eq!(frame[..4], [0x81, 0x80 | 126, 0, 200]);
        assert_eq!(frame.len(), 4 + 4 + 200);
        assert_eq!(frame[8] ^ MASK[0], b'a');
        assert_eq!(plain(184).len(), 184);
    }
}
