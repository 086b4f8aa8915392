//! TCP to a name with several addresses: the next address is tried while the one before is still silent.
//!
//! A host whose IPv6 leads nowhere must not cost the whole dial timeout, again and again (RFC 8305, without its finer
//! points). Only here is an address tried before the former has failed; everything else is the core's to decide.

use std::io;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpStream, lookup_host};

/// How long an address may be silent before the next one is tried as well.
const STAGGER: Duration = Duration::from_millis(250);
/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 8;

/// Connects to the first address of `host` that answers.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup_host((host, port)).await?.take(MAX_ADDRESSES);
    let stream = first(addresses.map(TcpStream::connect), STAGGER).await?;
    // Frames are small and answers are awaited.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first success; when all fail, the last error. The losers are dropped.
async fn first<T, A>(attempts: impl Iterator<Item = A>, stagger: Duration) -> io::Result<T>
where
    A: Future<Output = io::Result<T>>,
{
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for attempt in attempts {
        running.push(attempt);
        tokio::select! {
            biased;
            Some(ended) = running.next() => match ended {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(stagger) => {}
        }
    }
    while let Some(ended) = running.next().await {
        match ended {
            Ok(connected) => return Ok(connected),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use futures::future::{BoxFuture, FutureExt, pending, ready};

    use super::*;

    type Attempt = BoxFuture<'static, io::Result<u32>>;

    fn fails(kind: io::ErrorKind) -> Attempt {
        ready(Err(kind.into())).boxed()
    }

    async fn try_all(attempts: Vec<Attempt>) -> Result<u32, io::ErrorKind> {
        let limit = Duration::from_secs(20);
        let first = first(attempts.into_iter(), Duration::from_millis(5));
        tokio::time::timeout(limit, first)
            .await
            .expect("ends")
            .map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_silent_address_does_not_stand_in_the_way() {
        assert_eq!(
            try_all(vec![pending().boxed(), ready(Ok(2)).boxed()]).await,
            Ok(2)
        );
    }

    #[tokio::test]
    async fn a_slow_first_address_still_wins_over_one_that_fails() {
        let slow = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Ok(1)
        };
        let attempts = vec![slow.boxed(), fails(io::ErrorKind::ConnectionRefused)];
        assert_eq!(try_all(attempts).await, Ok(1));
    }

    #[tokio::test]
    async fn when_all_fail_the_last_error_is_told() {
        let attempts = vec![
            fails(io::ErrorKind::AddrNotAvailable),
            fails(io::ErrorKind::ConnectionRefused),
        ];
        assert_eq!(
            try_all(attempts).await,
            Err(io::ErrorKind::ConnectionRefused)
        );
        assert_eq!(try_all(Vec::new()).await, Err(io::ErrorKind::NotFound));
    }
}
