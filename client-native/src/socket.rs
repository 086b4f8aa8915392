//! One task per epoch: it dials, then reads and writes until the line ends or is ordered closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use heartline_client_core::{Epoch, Input};
use heartline_protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};

use crate::dial::{DialError, Socket};
use crate::driver::Shared;

/// What may wait for one socket, in bytes. A frame beyond it is not sent, and its request settles as `NotSent`.
pub(crate) const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// How long a farewell may take: what is queued, the close frame, and the peer's answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// The driver's end of a line.
pub(crate) struct Line {
    pub(crate) epoch: Epoch,
    queue: mpsc::UnboundedSender<String>,
    /// Bytes in `queue`: the bound that the channel itself does not have.
    queued: Arc<AtomicUsize>,
    close: oneshot::Sender<u16>,
}

/// The task's end of a line.
pub(crate) struct Orders {
    queue: mpsc::UnboundedReceiver<String>,
    queued: Arc<AtomicUsize>,
    /// The order to close; when the driver's end is gone, the order to vanish.
    close: oneshot::Receiver<u16>,
}

impl Line {
    pub(crate) fn new(epoch: Epoch) -> (Self, Orders) {
        let (queue, queue_end) = mpsc::unbounded_channel();
        let (close, close_end) = oneshot::channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let orders = Orders {
            queue: queue_end,
            queued: Arc::clone(&queued),
            close: close_end,
        };
        (
            Self {
                epoch,
                queue,
                queued,
                close,
            },
            orders,
        )
    }

    /// Hands a frame over; `false` when there is no room, or no task any more.
    pub(crate) fn send(&self, wire: String) -> bool {
        let size = wire.len();
        // Only the driver adds, under its lock, so nothing can come between the question and the addition.
        let waiting = self.queued.load(Ordering::Relaxed);
        if waiting + size > QUEUE_BYTES {
            return false;
        }
        self.queued.fetch_add(size, Ordering::Relaxed);
        self.queue.send(wire).is_ok()
    }

    pub(crate) fn close(self, code: u16) {
        // The task may have ended by itself.
        let _ = self.close.send(code);
    }
}

/// How a conversation ends.
enum End {
    Ordered(u16),
    /// The driver has forgotten this line.
    Forgotten,
    Closed {
        code: Option<u16>,
        retry_after_ms: Option<u32>,
        detail: Option<String>,
    },
    Failed(Error),
}

/// The life of one socket.
pub(crate) async fn run(client: Arc<Shared>, epoch: Epoch, mut orders: Orders) {
    // The dial is boxed: its future is large, and gone as soon as the socket is open.
    let dialled = tokio::select! {
        biased;
        _ = &mut orders.close => return,
        dialled = Box::pin(client.endpoint.dial()) => dialled,
    };
    match dialled {
        Ok(Socket::Plain(socket)) => converse(client, epoch, *socket, orders).await,
        Ok(Socket::Tls(socket)) => Box::pin(converse(client, epoch, *socket, orders)).await,
        Err(DialError {
            reason,
            retry_after_ms,
        }) => {
            let input = match retry_after_ms {
                None => Input::Failed { epoch },
                advice => Input::Closed {
                    epoch,
                    code: None,
                    retry_after_ms: advice,
                },
            };
            client.report(input, Some(reason));
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    client: Arc<Shared>,
    epoch: Epoch,
    socket: WebSocketStream<S>,
    mut orders: Orders,
) {
    let (mut sink, mut stream) = socket.split();
    client.report(Input::Opened { epoch }, None);
    let end = tokio::select! {
        biased;
        order = &mut orders.close => order.map_or(End::Forgotten, End::Ordered),
        end = read(&client, epoch, &mut stream) => end,
        error = write(&mut sink, &mut orders.queue, &orders.queued) => End::Failed(error),
    };
    match end {
        End::Forgotten => {}
        End::Ordered(code) => {
            let farewell = async {
                while let Ok(wire) = orders.queue.try_recv() {
                    sink.feed(Message::text(wire)).await?;
                }
                let frame = CloseFrame {
                    code: code.into(),
                    reason: "".into(),
                };
                sink.send(Message::Close(Some(frame))).await?;
                // The peer's close frame, or its end, whichever comes first; the rest is of no use any more.
                while let Some(Ok(message)) = stream.next().await {
                    if message.is_close() {
                        break;
                    }
                }
                Ok::<(), Error>(())
            };
            // A peer that does not answer in time is left.
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
        End::Closed {
            code,
            retry_after_ms,
            detail,
        } => {
            // The core first: the next dial need not wait for the old socket's last bytes.
            let input = Input::Closed {
                epoch,
                code,
                retry_after_ms,
            };
            client.report(input, detail);
            let _ = tokio::time::timeout(FAREWELL, sink.close()).await;
        }
        End::Failed(error) => {
            client.report(Input::Failed { epoch }, Some(error.to_string()));
        }
    }
}

async fn read<S: futures::Stream<Item = Result<Message, Error>> + Unpin>(
    client: &Shared,
    epoch: Epoch,
    stream: &mut S,
) -> End {
    const GONE: End = End::Closed {
        code: None,
        retry_after_ms: None,
        detail: None,
    };
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => client.message(epoch, text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => client.message(epoch, &bytes),
            Some(Ok(Message::Close(frame))) => {
                let retry_after_ms = frame
                    .as_ref()
                    .and_then(|frame| CloseCode::parse_retry(&frame.reason));
                let reason = frame.as_ref().map(|frame| frame.reason.as_str().to_owned());
                return End::Closed {
                    code: frame.map(|frame| frame.code.into()),
                    retry_after_ms,
                    detail: reason.filter(|reason| !reason.is_empty()),
                };
            }
            Some(Ok(_)) => client.sign_of_life(epoch),
            None
            | Some(Err(
                Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            )) => return GONE,
            Some(Err(Error::Io(error))) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return GONE;
            }
            Some(Err(error)) => return End::Failed(error),
        }
    }
}

/// Writes what is queued, several frames per flush. Ends with an error only: the order to close comes elsewhere.
async fn write<S: futures::Sink<Message, Error = Error> + Unpin>(
    sink: &mut S,
    queue: &mut mpsc::UnboundedReceiver<String>,
    queued: &AtomicUsize,
) -> Error {
    loop {
        let Some(mut wire) = queue.recv().await else {
            return std::future::pending().await;
        };
        loop {
            queued.fetch_sub(wire.len(), Ordering::Relaxed);
            // The sink takes the next frame only when the one before has left, so its buffer stays small.
            if let Err(error) = sink.feed(Message::text(wire)).await {
                return error;
            }
            match queue.try_recv() {
                Ok(next) => wire = next,
                Err(_) => break,
            }
        }
        if let Err(error) = sink.flush().await {
            return error;
        }
    }
}
