//! The little of frames and answers that a load generator of durable pushes must read.

use std::ops::Range;

/// The payload of the server's frame that begins at `from`, and where the next begins; `None` until it is whole.
pub fn frame_at(bytes: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let short = *bytes.get(from + 1)? & 0x7f;
    let (head, length) = match short {
        126 => {
            let raw = bytes.get(from + 2..from + 4)?;
            (4, u64::from(u16::from_be_bytes([raw[0], raw[1]])))
        }
        127 => {
            let raw = bytes.get(from + 2..from + 10)?;
            let length = raw.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (10, length)
        }
        short => (2, u64::from(short)),
    };
    let begin = from + head;
    let end = begin.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some((begin..end, end))
}

/// The offset in the place that stands last, `…,"$hl":["user:6",13]}`.
pub fn ending_offset(text: &[u8]) -> Option<u32> {
    let text = text.strip_suffix(b"]}")?;
    let comma = text.iter().rposition(|byte| *byte == b',')?;
    std::str::from_utf8(&text[comma + 1..]).ok()?.parse().ok()
}

/// The number that stands right after the first `mark`.
pub fn number_after(text: &[u8], mark: &[u8]) -> Option<u64> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    let digits = &text[at + mark.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The status of an HTTP answer and where it ends; `None` until it is whole.
pub fn http_answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    })?;
    (bytes.len() >= head + length).then_some((status, head + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_whole_only() {
        let bytes = [0x81, 2, b'h', b'i', 0x81, 126, 0, 3, b'a', b'b', b'c'];
        assert_eq!(frame_at(&bytes, 0), Some((2..4, 4)));
        assert_eq!(frame_at(&bytes, 4), Some((8..11, 11)));
        assert_eq!(frame_at(&bytes, 11), None);
        assert_eq!(frame_at(&bytes[..10], 4), None);
    }

    #[test]
    fn numbers_are_read_where_they_stand() {
        let text = br#"{"event":"chat1","msg":17,"type":"app","$hl":["user:6",13]}"#;
        assert_eq!(ending_offset(text), Some(13));
        assert_eq!(number_after(text, br#""msg":"#), Some(17));
        assert_eq!(ending_offset(br#"{"event":"chat1","msg":17}"#), None);
    }

    #[test]
    fn an_answer_ends_with_its_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 ";
        assert_eq!(http_answer(answer), Some((200, 40)));
        assert_eq!(http_answer(&answer[..39]), None);
    }
}
