//! Deadlines of HTTP peers. Time in which this process itself stood still (stopped, swapped out, a snapshot of the machine)
//! is not theirs: what they have sent in it waits in the sockets, and is read before a deadline ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Ends after a time in which the process was running. Polled again after its end, it is still over.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    slice: Duration,
    /// Slices that did not count so far.
    forgiven: u32,
    sleep: Pin<Box<Sleep>>,
}

/// The time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elapsed;

/// hyper's deadlines, measured by [`Patience`].
#[derive(Clone, Copy, Debug)]
pub(super) struct PatientTimer;

/// Time is measured in slices of this length: one in which the process stood still does not count.
const SLICE: Duration = Duration::from_secs(2);
/// A slice that ends so much too late is one in which the process stood still.
const PAUSE: Duration = Duration::from_millis(250);
/// Slices that may not count, so that every deadline ends, also in a process that always comes late.
const MAX_FORGIVEN: u32 = 16;

impl Patience {
    /// Ends after `limit`.
    pub fn new(limit: Duration) -> Self {
        let slice = limit.min(SLICE);
        Self {
            left: limit,
            slice,
            forgiven: 0,
            sleep: Box::pin(tokio::time::sleep(slice)),
        }
    }
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Each turn takes a slice off what is left, or one of those that may be forgiven.
        while !self.left.is_zero() {
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if now - self.sleep.deadline() >= PAUSE && self.forgiven < MAX_FORGIVEN {
                self.forgiven += 1;
            } else {
                let slice = self.slice;
                self.left = self.left.saturating_sub(slice);
            }
            self.slice = self.left.min(SLICE);
            let next = now + self.slice;
            self.sleep.as_mut().reset(next);
        }
        Poll::Ready(())
    }
}

/// Waits for `future` for at most `limit`.
///
/// # Errors
/// [`Elapsed`].
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = Patience::new(limit) => Err(Elapsed),
    }
}

impl hyper::rt::Sleep for Patience {}

impl hyper::rt::Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Patience::new(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_after_its_time() {
        for limit_ms in [0, 1, 1_999, 2_000, 15_000] {
            let limit = Duration::from_millis(limit_ms);
            let began = Instant::now();
            let outcome = within(limit, std::future::pending::<()>()).await;
            assert_eq!(outcome, Err(Elapsed));
            let took = began.elapsed();
            assert!(took >= limit && took < limit + PAUSE, "{limit:?}: {took:?}");
        }
        let now = std::future::ready(7);
        assert_eq!(within(Duration::ZERO, now).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_stood_still_is_not_the_peers() {
        let (peer, sends) = tokio::sync::oneshot::channel();
        let deadline = tokio::spawn(within(Duration::from_secs(10), sends));
        for _ in 0..3 {
            tokio::task::yield_now().await;
            // A jump: nothing ran in between.
            advance(Duration::from_secs(60)).await;
        }
        tokio::task::yield_now().await;
        assert!(!deadline.is_finished(), "it stood still for three minutes");
        peer.send(()).expect("somebody waits");
        assert_eq!(deadline.await.expect("no panic"), Ok(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_always_comes_late_ends_its_deadlines_too() {
        let deadline = tokio::spawn(within(
            Duration::from_secs(10),
            std::future::pending::<()>(),
        ));
        let mut jumps = 0;
        while !deadline.is_finished() {
            tokio::task::yield_now().await;
            advance(Duration::from_secs(60)).await;
            jumps += 1;
            assert!(jumps < 100, "a deadline that never ends");
        }
        assert!(jumps > MAX_FORGIVEN, "{jumps}");
    }
}
