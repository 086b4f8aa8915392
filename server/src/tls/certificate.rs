//! The validity and the basic constraints of a certificate (RFC 5280), for warnings and hints.

use super::der::{
    self, BOOLEAN, CONTEXT_0, CONTEXT_3, Elements, GENERALIZED_TIME, OBJECT_ID, OCTET_STRING,
    SEQUENCE, UTC_TIME,
};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The part of a certificate that is of interest here.
pub(crate) struct CertificateInfo {
    not_before: Timestamp,
    not_after: Timestamp,
    /// It may sign other certificates.
    pub is_authority: bool,
}

impl CertificateInfo {
    /// Reads a certificate; `None` where its form is another than expected, which is for others to
    /// judge.
    pub fn of(der: &[u8]) -> Option<Self> {
        let mut signed = der::sequence(der)?;
        let mut body = signed.next()?.open(SEQUENCE)?.peekable();
        body.next_if(|element| element.tag == CONTEXT_0); // the version
        let mut body = body.skip(3); // serial number, algorithm, issuer
        let mut validity = body.next()?.open(SEQUENCE)?;
        let mut time = || moment(validity.next()?);
        let (not_before, not_after) = (time()?, time()?);
        let extensions = body.find_map(|element| element.open(CONTEXT_3));
        Some(Self {
            not_before,
            not_after,
            is_authority: extensions.is_some_and(|all| is_authority(all).unwrap_or(false)),
        })
    }

    /// What deserves a look at this time.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let date = |moment: Timestamp| moment.strftime("%Y-%m-%d %H:%M UTC").to_string();
        if now > self.not_after {
            Some(format!(
                "it ended on {}: clients refuse it; renew it, and then send SIGHUP",
                date(self.not_after)
            ))
        } else if now < self.not_before {
            Some(format!(
                "it holds only from {} on: clients refuse it until then; \
                 look at this machine's clock too",
                date(self.not_before)
            ))
        } else if now + (24 * WARN_DAYS).hours() > self.not_after {
            Some(format!(
                "it ends on {}; renew it, and then send SIGHUP",
                date(self.not_after)
            ))
        } else {
            None
        }
    }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn moment(element: der::Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.content).ok()?;
    let text = match element.tag {
        // RFC 5280 §4.1.2.5.1: 50 to 99 are of the twentieth century.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn is_authority(mut extensions: Elements<'_>) -> Option<bool> {
    let all = extensions.next()?.open(SEQUENCE)?;
    for extension in all {
        let mut parts = extension.open(SEQUENCE)?;
        let id = parts.next().filter(|id| id.tag == OBJECT_ID)?;
        if id.content == BASIC_CONSTRAINTS {
            let value = parts.find(|part| part.tag == OCTET_STRING)?;
            let first = der::sequence(value.content)?.next();
            return Some(first.is_some_and(|e| e.tag == BOOLEAN && e.content != [0]));
        }
    }
    Some(false)
}

/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// A certificate that ends within so many days gets a warning at each start and reload.
const WARN_DAYS: i64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    fn facts(change: impl FnOnce(&mut CertificateParams)) -> CertificateInfo {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2031, 3, 1);
        params.not_after = date_time_ymd(2055, 3, 1);
        change(&mut params);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        CertificateInfo::of(made.der()).expect("a certificate is understood")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn warnings_depend_on_the_validity_and_the_time() {
        // 2055 is a GeneralizedTime, 2031 a UTCTime.
        let facts = facts(|_| ());
        let warning = |now| facts.warning(at(now)).unwrap_or_default();
        assert!(warning("2031-02-28T23:59:59Z").contains("only from 2031-03-01 00:00 UTC on"));
        assert_eq!(warning("2031-03-01T00:00:01Z"), "");
        assert_eq!(warning("2055-02-21T23:59:59Z"), "");
        assert!(warning("2055-02-22T00:00:01Z").starts_with("it ends on 2055-03-01 00:00 UTC"));
        assert!(warning("2055-03-01T00:00:01Z").starts_with("it ended on 2055-03-01 00:00 UTC"));
    }

    #[test]
    fn certificate_authorities_are_recognised() {
        assert!(!facts(|_| ()).is_authority);
        assert!(!facts(|params| params.is_ca = IsCa::ExplicitNoCa).is_authority);
        let all = IsCa::Ca(BasicConstraints::Unconstrained);
        assert!(facts(|params| params.is_ca = all).is_authority);
        let some = IsCa::Ca(BasicConstraints::Constrained(1));
        assert!(facts(|params| params.is_ca = some).is_authority);
    }

    #[test]
    fn what_is_no_certificate_is_nothing() {
        for bytes in [&b""[..], b"\x30", b"\x30\x03\x02\x01\x00", b"nonsense"] {
            assert!(CertificateInfo::of(bytes).is_none(), "{bytes:?}");
        }
    }
}
