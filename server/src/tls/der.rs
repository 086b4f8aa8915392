//! The few steps through DER (X.690) that tell what a key or a certificate is: enough to explain
//! why one cannot be used, never to decide whether it may be.

/// One element: its tag, and what it holds.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
}

/// Elements one after another. Ends at the first that is not whole.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(pub &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Up to four bytes of length: more than any file that is read here.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                (usize::try_from(length).ok()?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }
}

impl<'a> Element<'a> {
    /// The elements within, if this is a constructed element with this tag.
    pub fn open(self, tag: u8) -> Option<Elements<'a>> {
        (self.tag == tag).then_some(Elements(self.content))
    }
}

/// The elements of the sequence that `der` is.
pub(super) fn sequence(der: &[u8]) -> Option<Elements<'_>> {
    Elements(der).next()?.open(SEQUENCE)
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[3]`, constructed.
pub(super) const CONTEXT_3: u8 = 0xa3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_the_bytes_do() {
        let whole = [INTEGER, 1, 7, OBJECT_ID, 0x81, 2, 1, 2];
        let read: Vec<_> = Elements(&whole).map(|e| (e.tag, e.content.len())).collect();
        assert_eq!(read, [(INTEGER, 1), (OBJECT_ID, 2)]);
        for end in 0..whole.len() {
            assert!(Elements(&whole[..end]).count() < 2, "{end}");
        }
        let endless = [SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 0];
        assert_eq!(Elements(&endless).count(), 0);
        assert_eq!(Elements(&[SEQUENCE, 0x80, 0, 0]).count(), 0);
    }
}
