//! The uuid of a request on the wire: `PREFIX-N`, a random prefix of this client and the core's number.

use heartline_client_core::RequestId;

/// The random part, lower-case base 36. Drawn once per client.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(Box<str>);

impl Prefix {
    /// 128 random bits.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(base36(u128::from_le_bytes(bytes)).into()))
    }

    /// The uuid of a request.
    pub(crate) fn uuid(&self, id: RequestId) -> String {
        format!("{}-{}", self.0, id.0)
    }

    /// The request that a reply speaks of, given the reply's `event` as raw JSON; `None` when it is not ours.
    pub(crate) fn parse(&self, raw: &str) -> Option<RequestId> {
        let number = raw
            .strip_prefix('"')?
            .strip_suffix('"')?
            .strip_prefix(&*self.0)?
            .strip_prefix('-')?;
        let canonical = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        canonical
            .then(|| number.parse().ok())
            .flatten()
            .map(RequestId)
    }
}

fn base36(mut number: u128) -> String {
    // 25 digits hold 129 bits; a fixed length keeps the prefix free of ambiguity.
    let mut digits = [b'0'; 25];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_ids_are_read_back() {
        let ours = Prefix::random().expect("randomness");
        let other = Prefix::random().expect("randomness");
        let raw = |uuid: String| format!("\"{uuid}\"");
        assert_eq!(
            ours.parse(&raw(ours.uuid(RequestId(42)))),
            Some(RequestId(42))
        );
        assert_eq!(ours.parse(&raw(other.uuid(RequestId(42)))), None);
        for wrong in ["null", "42", "\"42\"", "\"-42\""] {
            assert_eq!(ours.parse(wrong), None);
        }
        for tail in ["-", "-042", "-4x", "-+4", "42", "-99999999999999999999"] {
            assert_eq!(ours.parse(&format!("\"{}{tail}\"", ours.0)), None, "{tail}");
        }
    }

    #[test]
    fn prefixes_are_25_digits_of_base_36() {
        assert_eq!(base36(0), "0".repeat(25));
        assert_eq!(base36(35), format!("{}z", "0".repeat(24)));
        assert_eq!(base36(u128::MAX), "f5lxx1zz5pnorynqglhzmsp33");
    }
}
