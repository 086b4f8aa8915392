//! Why a request was refused: one account for the classic push and the API, which differ in how they spell it: a sentence of
//! plain text, or `application/problem+json` (RFC 9457).

use super::answer::{self, Answer};
use super::body::BodyRefusal;
use super::form::FormError;
use crate::auth::PushRefusal;
use crate::delivery::PushError;
use crate::metrics::{Happening, Metrics};
use crate::store::{StoreError, WriteError};
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use std::net::IpAddr;

/// A refusal: its status, its sentence, and at most one header that belongs to it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    header: Option<(HeaderName, HeaderValue)>,
    /// The counter of the bound that was met; every refused push is counted as such besides.
    counter: Option<Happening>,
}

impl Refusal {
    /// A status and its sentence.
    pub fn new(status: StatusCode, reason: impl std::fmt::Display) -> Self {
        Self {
            status,
            reason: reason.to_string(),
            header: None,
            counter: None,
        }
    }

    /// The request is wrong.
    pub fn bad(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// Another method is meant.
    pub fn method(allowed: &'static str) -> Self {
        let reason = format_args!("this resource answers {allowed} only");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, reason)
            .with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// Worth another attempt after some seconds.
    pub fn later(status: StatusCode, reason: impl std::fmt::Display, seconds: u32) -> Self {
        Self::new(status, reason).with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Counts as `counter` besides being a refused push.
    pub fn counted(mut self, counter: Happening) -> Self {
        self.counter = Some(counter);
        self
    }

    /// Counts a refused push, and logs why and from where.
    pub fn note(&self, metrics: &Metrics, peer: IpAddr) {
        if let Some(counter) = self.counter {
            metrics.note(counter, &self.reason);
        }
        metrics.note(Happening::PushRefused, format_args!("{self} (from {peer})"));
    }

    /// As plain text. The connection is closed after it: what is left of the request may be large, or never come.
    pub fn into_text(self) -> Answer {
        self.dressed(answer::refusal)
    }

    /// As `application/problem+json`.
    pub fn into_problem(self) -> Answer {
        self.dressed(|status, reason| {
            let body = serde_json::json!({
                "type": "about:blank",
                "title": status.canonical_reason().unwrap_or("error"),
                "status": status.as_u16(),
                "detail": reason,
            });
            answer::answer(status, "application/problem+json", format!("{body}\n"))
        })
    }

    fn dressed(self, dress: impl FnOnce(StatusCode, String) -> Answer) -> Answer {
        let mut response = dress(self.status, self.reason);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.reason)
    }
}

impl From<PushRefusal> for Refusal {
    fn from(reason: PushRefusal) -> Self {
        let refusal = Self::new(reason.status(), reason);
        match refusal.status {
            StatusCode::UNAUTHORIZED => {
                refusal.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            _ => refusal,
        }
    }
}

impl From<BodyRefusal> for Refusal {
    fn from(reason: BodyRefusal) -> Self {
        match reason {
            BodyRefusal::TooBig(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason).counted(Happening::BodyTooBig)
            }
            BodyRefusal::TooSlow => {
                Self::new(StatusCode::REQUEST_TIMEOUT, reason).counted(Happening::BodyTooSlow)
            }
            BodyRefusal::NoRoom => Self::later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
                .counted(Happening::Overloaded),
            BodyRefusal::Broken => Self::bad(reason),
            BodyRefusal::Encoded => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason),
        }
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, error)
    }
}

impl From<heartline_protocol::PushError> for Refusal {
    fn from(error: heartline_protocol::PushError) -> Self {
        FormError::from(error).into()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Full => Self::later(StatusCode::INSUFFICIENT_STORAGE, error, 10),
            _ => Self::later(StatusCode::SERVICE_UNAVAILABLE, error, 5),
        }
    }
}

impl From<PushError> for Refusal {
    fn from(error: PushError) -> Self {
        match &error {
            PushError::Refused(WriteError::Conflict) => Self::new(StatusCode::CONFLICT, error),
            PushError::Refused(WriteError::NoRoom) => {
                Self::later(StatusCode::INSUFFICIENT_STORAGE, error, 10)
                    .counted(Happening::StoreFailed)
            }
            PushError::Refused(_) | PushError::TooManyAwaited => Self::bad(error),
            PushError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error),
            PushError::Store(error) => Self::from(&**error).counted(Happening::StoreFailed),
            PushError::Overloaded(_) | PushError::Crowded(_) => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, error, 1)
                    .counted(Happening::Overloaded)
            }
            PushError::Stopping => Self::later(StatusCode::SERVICE_UNAVAILABLE, error, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Crowded;

    #[test]
    fn a_push_that_finds_no_room_to_wait_is_asked_to_come_again_and_one_that_never_will_is_not() {
        let answer = Refusal::from(PushError::Crowded(Crowded)).into_problem();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        let answer = Refusal::from(PushError::TooManyAwaited).into_problem();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(!answer.headers().contains_key(RETRY_AFTER));
    }

    #[test]
    fn both_spellings_say_when_to_come_again() {
        for dress in [Refusal::into_text, Refusal::into_problem] {
            let later = |refusal: Refusal| {
                let answer = dress(refusal);
                (
                    answer.status().as_u16(),
                    answer.headers()[RETRY_AFTER].clone(),
                )
            };
            assert_eq!(
                later(BodyRefusal::NoRoom.into()),
                (503, "1".parse().unwrap())
            );
            assert_eq!(later(StoreError::Full.into()), (507, "10".parse().unwrap()));
        }
    }

    #[test]
    fn a_conflict_is_no_failure_of_the_store() {
        let metrics = Metrics::default();
        let peer = "203.0.113.9".parse().unwrap();
        let totals = |metrics: &Metrics| {
            let of = |name| {
                metrics
                    .totals()
                    .find(|(found, _)| *found == name)
                    .map(|(_, total)| total)
            };
            [of("push_refused"), of("store_failed"), of("overloaded")]
        };
        Refusal::from(PushError::Refused(WriteError::Conflict)).note(&metrics, peer);
        assert_eq!(totals(&metrics), [Some(1), Some(0), Some(0)]);
        Refusal::from(PushError::Store(StoreError::Full.into())).note(&metrics, peer);
        assert_eq!(totals(&metrics), [Some(2), Some(1), Some(0)]);
        Refusal::from(PushError::Crowded(Crowded)).note(&metrics, peer);
        assert_eq!(totals(&metrics), [Some(3), Some(1), Some(1)]);
    }
}
