//! A server's number is leased, and all it wrote is in a book beside the lease: when a lease ends without its
//! server having cleaned up, any other server does it, to the entry, and touches nothing else.

use redis::RedisResult;

use super::link::{LeftAlone, Link};
use super::names::{MAX_SERVER, Names};

/// The lease of this server.
pub(super) struct Lease {
    pub(super) server: u64,
    /// Tells our lease from another server's under the same number.
    token: String,
}

/// What a look at the lease found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Ours; the book holds this many connections.
    Yes { connections: usize },
    /// Not ours any more: it ran out, or Redis came back empty.
    Lost,
}

impl Lease {
    /// A random number and token; nothing is asked of Redis yet.
    pub(super) fn draw() -> std::io::Result<Self> {
        let mut token = [0; 16];
        getrandom::fill(&mut token)?;
        let token = token.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            server: draw_server()?,
            token,
        })
    }

    /// Takes the lease, under another number if somebody else has ours.
    pub(super) async fn acquire(
        &mut self,
        link: &mut Link,
        names: &Names,
        first_time: bool,
    ) -> RedisResult<()> {
        if link
            .acquire(names, self.server, &self.token, first_time)
            .await?
        {
            return Ok(());
        }
        for _ in 0..MAX_DRAWS {
            self.server = draw_server()?;
            if link.acquire(names, self.server, &self.token, true).await? {
                return Ok(());
            }
        }
        Err(redis::RedisError::from((
            redis::ErrorKind::Client,
            "no server number is free",
        )))
    }

    pub(super) async fn renew(&self, link: &mut Link, names: &Names) -> RedisResult<Held> {
        Ok(match link.renew(names, self.server, &self.token).await? {
            Some(connections) => Held::Yes { connections },
            None => Held::Lost,
        })
    }

    /// Removes all that the book names, and gives the lease up.
    pub(super) async fn give_up(&self, link: &mut Link, names: &Names) -> RedisResult<LeftAlone> {
        let book = names.book(self.server);
        let mut left_alone = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, connections) = link.page(&book, cursor).await?;
            left_alone.extend(link.remove(names, &book, None, &connections).await?);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        link.retire(names, self.server, &self.token).await?;
        Ok(left_alone)
    }
}

/// Removes a page of what an ended server left behind. Returns where to go on; 0 when all is done, and
/// then the number is free again.
pub(super) async fn sweep_page(
    link: &mut Link,
    names: &Names,
    server: u64,
    cursor: u64,
) -> RedisResult<(u64, usize, LeftAlone)> {
    let (book, lease) = (names.book(server), names.lease(server));
    let (next, connections) = link.page(&book, cursor).await?;
    let left_alone = link
        .remove(names, &book, Some(&lease), &connections)
        .await?;
    if next == 0 {
        link.retire(names, server, "").await?;
    }
    Ok((next, connections.len(), left_alone))
}

fn draw_server() -> std::io::Result<u64> {
    Ok(getrandom::u64()? % MAX_SERVER + 1)
}

/// With 65,535 numbers, a hundred servers miss this often in a row less than once in 10^45 tries.
const MAX_DRAWS: usize = 16;
