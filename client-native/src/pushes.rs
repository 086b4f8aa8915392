//! Pushes on their way to the app: one bounded buffer per subscription.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use heartline_client_core::{Input, ListenerId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::driver::Shared;
use crate::payloads;

/// A message that the server pushed. Cheap to clone.
#[derive(Clone)]
pub struct Push(Arc<Inner>);

struct Inner {
    event: Box<str>,
    whole: Box<RawValue>,
}

impl Push {
    pub(crate) fn new(event: &str, whole: &RawValue) -> Self {
        Self(Arc::new(Inner {
            event: event.into(),
            whole: whole.to_owned(),
        }))
    }

    /// The event's name.
    pub fn event(&self) -> &str {
        &self.0.event
    }

    /// The whole message as it came, every number in its own spelling.
    pub fn whole(&self) -> &RawValue {
        &self.0.whole
    }

    /// The `msg` field as it came.
    pub fn msg(&self) -> Option<&RawValue> {
        self.field("msg")
    }

    /// A field as it came.
    pub fn field(&self, name: &str) -> Option<&RawValue> {
        payloads::field(&self.0.whole, name)
    }

    /// The `msg` field as a value of yours.
    ///
    /// # Errors
    /// When it has another shape; a missing `msg` counts as `null`.
    pub fn parse_msg<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.msg().unwrap_or(RawValue::NULL).get())
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Push({})", self.0.whole.get())
    }
}

/// This many pushes were lost here, because the subscription's buffer was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} pushes were lost: the subscription's buffer was full")]
pub struct Lagged(pub u64);

/// The pushes of one subscription, in order: a [`Stream`], or [`Pushes::recv`].
///
/// The buffer is bounded. When it is full, further pushes are dropped and counted, and `Err(Lagged(n))` stands at
/// the place of the gap. It ends when the client is closed. Dropping it ends the subscription.
pub struct Pushes {
    buffer: Arc<Buffer>,
    listener: ListenerId,
    client: Weak<Shared>,
}

impl Pushes {
    pub(crate) fn new(buffer: Arc<Buffer>, listener: ListenerId, client: Weak<Shared>) -> Self {
        Self {
            buffer,
            listener,
            client,
        }
    }

    /// The next push, or the next gap; `None` when the client is closed.
    pub async fn recv(&mut self) -> Option<Result<Push, Lagged>> {
        std::future::poll_fn(|cx| self.buffer.poll(cx)).await
    }
}

impl Stream for Pushes {
    type Item = Result<Push, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.buffer.poll(cx)
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        if let Some(client) = self.client.upgrade() {
            client.with(|state| {
                state.listeners.remove(&self.listener);
                // The client may have been closed meanwhile: then there is nothing to remove.
                let _ = state.handle(Input::Unlisten {
                    listener: self.listener,
                });
            });
        }
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushes").finish_non_exhaustive()
    }
}

/// A bounded queue with one reader.
pub(crate) struct Buffer {
    bound: usize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    queue: VecDeque<Result<Push, Lagged>>,
    closed: bool,
    reader: Option<Waker>,
}

impl Buffer {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound: bound.max(1),
            inside: Mutex::default(),
        }
    }

    pub(crate) fn put(&self, push: Push) {
        let reader = {
            let mut inside = self.lock();
            if inside.queue.len() < self.bound {
                inside.queue.push_back(Ok(push));
            } else if let Some(Err(Lagged(lost))) = inside.queue.back_mut() {
                *lost += 1;
            } else {
                // The mark of the gap is the one entry over the bound.
                inside.queue.push_back(Err(Lagged(1)));
            }
            inside.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn close(&self) {
        let reader = {
            let mut inside = self.lock();
            inside.closed = true;
            inside.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Push, Lagged>>> {
        let mut inside = self.lock();
        if let Some(item) = inside.queue.pop_front() {
            return Poll::Ready(Some(item));
        }
        if inside.closed {
            return Poll::Ready(None);
        }
        inside.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Nothing that runs under this lock can panic halfway.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(n: u32) -> Push {
        let whole = format!("{{\"event\":\"chat\",\"msg\":{n}}}");
        Push::new("chat", serde_json::from_str(&whole).expect("json"))
    }

    fn drain(buffer: &Buffer) -> Vec<Result<u32, Lagged>> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        while let Poll::Ready(Some(item)) = buffer.poll(&mut cx) {
            seen.push(item.map(|push| push.parse_msg().expect("a number")));
        }
        seen
    }

    #[test]
    fn a_gap_stands_where_the_loss_was() {
        let buffer = Buffer::new(2);
        (1..=5).for_each(|n| buffer.put(push(n)));
        assert_eq!(drain(&buffer), [Ok(1), Ok(2), Err(Lagged(3))]);
        buffer.put(push(6));
        assert_eq!(drain(&buffer), [Ok(6)]);
    }

    #[test]
    fn what_came_before_the_close_is_still_read() {
        let buffer = Buffer::new(2);
        buffer.put(push(1));
        buffer.close();
        assert_eq!(drain(&buffer), [Ok(1)]);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(buffer.poll(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn fields_keep_their_spelling() {
        let whole = r#"{"event":"chat","msg":{"n":1.0},"big":12345678901234567890}"#;
        let push = Push::new("chat", serde_json::from_str(whole).expect("json"));
        assert_eq!(push.msg().map(RawValue::get), Some(r#"{"n":1.0}"#));
        assert_eq!(
            push.field("big").map(RawValue::get),
            Some("12345678901234567890")
        );
        assert!(push.field("none").is_none());
        assert_eq!(push.whole().get(), whole);
    }
}
