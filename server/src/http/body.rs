//! Request bodies: whole, in time, and never more of them in memory than is allowed.

use super::patience;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the bodies of all connections may hold in memory together. A body that finds no room is refused, not kept
/// waiting: a thousand stalled uploads must not hold up the next push either.
#[derive(Debug)]
pub(super) struct BodyRoom(Arc<Semaphore>);

/// A whole body. Its room is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyRefusal {
    #[error("the body is over {0} bytes (push.max_body_bytes): send less at once, or raise it")]
    TooBig(usize),
    #[error(
        "the header Content-Encoding is not understood: send the body as it is, without compression"
    )]
    Encoded,
    #[error("the body did not come in time")]
    TooSlow,
    #[error("the body ended early, or its framing is broken")]
    Broken,
    #[error("too many bodies are under way")]
    NoRoom,
}

impl BodyRoom {
    /// Room for this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

/// Reads a whole body of at most `limit` bytes within `deadline`. One that declares to be larger is refused unread, so
/// that a client that waits for `100 Continue` never sends it.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    room: &BodyRoom,
    deadline: Duration,
) -> Result<Whole, BodyRefusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let is_plain = |value: &hyper::header::HeaderValue| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"identity")
    };
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(BodyRefusal::Encoded);
    }
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        return Err(BodyRefusal::TooBig(limit));
    }
    patience::within(deadline, collect(body, limit, room))
        .await
        .unwrap_or(Err(BodyRefusal::TooSlow))
}

async fn collect<B>(mut body: B, limit: usize, room: &BodyRoom) -> Result<Whole, BodyRefusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = Bytes::new();
    // Filled only from the second piece on: most bodies come in one.
    let mut joined = Vec::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| BodyRefusal::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + joined.len() + piece.len() > limit {
            return Err(BodyRefusal::TooBig(limit));
        }
        let more = room.take(piece.len()).ok_or(BodyRefusal::NoRoom)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        if whole.is_empty() && joined.is_empty() {
            whole = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut whole));
            joined.extend_from_slice(&piece);
        }
    }
    let bytes = if joined.is_empty() {
        whole
    } else {
        joined.into()
    };
    Ok(Whole {
        bytes,
        _room: taken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use std::convert::Infallible;

    async fn read_pieces(
        pieces: &[&'static str],
        declared: Option<&'static str>,
    ) -> Result<String, BodyRefusal> {
        let mut headers = HeaderMap::new();
        if let Some(declared) = declared {
            headers.insert(CONTENT_LENGTH, declared.parse().unwrap());
        }
        let frames = futures::stream::iter(pieces.to_vec())
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))));
        let body = read(
            &headers,
            StreamBody::new(frames),
            10,
            &BodyRoom::new(100),
            Duration::from_secs(1),
        )
        .await?;
        Ok(String::from_utf8(body.bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        assert_eq!(read_pieces(&[], None).await.unwrap(), "");
        assert_eq!(read_pieces(&["one"], None).await.unwrap(), "one");
        assert_eq!(
            read_pieces(&["one", "", "two", "four"], None)
                .await
                .unwrap(),
            "onetwofour"
        );
        assert_eq!(
            read_pieces(&["one", "two", "four", "!"], None).await,
            Err(BodyRefusal::TooBig(10))
        );
        assert_eq!(
            read_pieces(&[], Some("11")).await,
            Err(BodyRefusal::TooBig(10)),
            "refused by its word alone"
        );
    }

    #[tokio::test]
    async fn a_compressed_body_is_refused_and_not_taken_for_what_it_is_not() {
        let outcome = async |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            let piece = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"body")));
            let body = StreamBody::new(futures::stream::iter([piece]));
            let room = BodyRoom::new(100);
            let read = read(&headers, body, 10, &room, Duration::from_secs(1)).await;
            read.map(|whole| whole.bytes)
        };
        for values in [&[][..], &["identity"], &[" Identity "]] {
            assert_eq!(outcome(values).await.unwrap(), "body", "{values:?}");
        }
        for values in [
            &["gzip"][..],
            &["identity, gzip"],
            &["identity", "br"],
            &[""],
        ] {
            assert_eq!(
                outcome(values).await.unwrap_err(),
                BodyRefusal::Encoded,
                "{values:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let room = BodyRoom::new(100);
        let outcome = read(&HeaderMap::new(), never, 10, &room, Duration::from_secs(15)).await;
        assert_eq!(outcome.unwrap_err(), BodyRefusal::TooSlow);
    }

    #[tokio::test]
    async fn bodies_share_one_room_and_leave_it() {
        let room = BodyRoom::new(10);
        let read_six = || {
            let piece = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"sixsix")));
            let body = StreamBody::new(futures::stream::iter([piece]));
            let room = &room;
            async move { read(&HeaderMap::new(), body, 10, room, Duration::from_secs(1)).await }
        };
        let first = read_six().await.unwrap();
        assert_eq!(read_six().await.unwrap_err(), BodyRefusal::NoRoom);
        drop(first);
        assert!(read_six().await.is_ok());
    }
}
