//! What went wrong, for machines and people: `application/problem+json` (RFC 9457).

use super::super::answer::{Answer, answer};
use crate::auth::PushRefusal;
use crate::delivery::PushError;
use crate::store::{StoreError, WriteError};
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

/// A refusal of the API.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(hyper::header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with its sentence.
    pub fn new(status: StatusCode, detail: impl std::fmt::Display) -> Self {
        Self {
            status,
            detail: detail.to_string(),
            header: None,
        }
    }

    /// Another method is meant.
    pub fn method(allowed: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format_args!("this resource answers {allowed} only"),
        );
        problem.header = Some((ALLOW, HeaderValue::from_static(allowed)));
        problem
    }

    /// Worth another attempt after some seconds.
    pub fn later(status: StatusCode, detail: impl std::fmt::Display, seconds: u32) -> Self {
        let mut problem = Self::new(status, detail);
        problem.header = Some((RETRY_AFTER, HeaderValue::from(seconds)));
        problem
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// As a response.
    pub fn into_answer(self) -> Answer {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = answer(self.status, "application/problem+json", format!("{body}\n"));
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<PushRefusal> for Problem {
    fn from(reason: PushRefusal) -> Self {
        let mut problem = Self::new(reason.status(), reason);
        if problem.status == StatusCode::UNAUTHORIZED {
            problem.header = Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Full => Self::later(StatusCode::INSUFFICIENT_STORAGE, error, 10),
            _ => Self::later(StatusCode::SERVICE_UNAVAILABLE, error, 5),
        }
    }
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        match &error {
            PushError::Refused(WriteError::Conflict) => Self::new(StatusCode::CONFLICT, error),
            PushError::Refused(WriteError::NoRoom) => {
                Self::later(StatusCode::INSUFFICIENT_STORAGE, error, 10)
            }
            PushError::Refused(_) | PushError::TooManyAwaited => {
                Self::new(StatusCode::BAD_REQUEST, error)
            }
            PushError::Store(error) => (&**error).into(),
            PushError::Overloaded(_) | PushError::Crowded(_) | PushError::Stopping => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, error, 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Crowded;

    #[test]
    fn a_push_that_finds_no_room_to_wait_is_asked_to_come_again_and_one_that_never_will_is_not() {
        let answer = Problem::from(PushError::Crowded(Crowded)).into_answer();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        let answer = Problem::from(PushError::TooManyAwaited).into_answer();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(!answer.headers().contains_key(RETRY_AFTER));
    }
}
