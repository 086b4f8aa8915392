//! A TCP stream that does not let its peer hold it for ever: writes that nobody reads time out, and after an early
//! refusal the rest of the request is read and dropped for a while, so that the refusal is not lost to a reset.

use super::patience::Patience;
use super::stream::Stream;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A guarded stream.
#[derive(Debug)]
pub(super) struct Guard {
    stream: Stream,
    linger: Arc<AtomicBool>,
    patience: Option<Patience>,
}

/// How long a response may wait for its reader.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of a refused request is read.
const LINGER: Duration = Duration::from_secs(3);

impl Guard {
    /// Guards a stream; it lingers at its end if `linger` is set by then.
    pub fn new(stream: Stream, linger: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            linger,
            patience: None,
        }
    }

    /// The stream itself.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let patience = self.patience.get_or_insert_with(|| Patience::new(patience));
        Pin::new(patience).poll(cx)
    }

    fn patiently<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(done) => {
                self.patience = None;
                Poll::Ready(done)
            }
            Poll::Pending => {
                ready!(self.poll_patience(cx, WRITE_PATIENCE));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.patiently(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.patiently(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if !self.linger.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut scrap = [0; 8 * 1024];
        // Each turn takes bytes off the socket or ends; tokio's budget makes it yield to others.
        loop {
            if self.poll_patience(cx, LINGER).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
