//! Who waits to hear that a device has acknowledged a push.

use crate::store::Offset;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Those who wait, by stream. At most [`Waiting::MAX`] in all.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_stream: HashMap<Box<str>, Vec<(Offset, oneshot::Sender<()>)>>,
    count: usize,
}

impl Waiting {
    /// Acknowledgements that are waited for at the same time.
    pub const MAX: usize = 100_000;

    /// Rings when some device has acknowledged everything of `stream` up to `offset`. At the bound it is given up at once: the
    /// receiver then ends with an error.
    pub fn wait(&self, stream: &str, offset: Offset) -> oneshot::Receiver<()> {
        let (done, rings) = oneshot::channel();
        let mut table = self.lock();
        if table.count >= Self::MAX {
            table.sweep();
        }
        if table.count < Self::MAX {
            table.count += 1;
            table
                .by_stream
                .entry(stream.into())
                .or_default()
                .push((offset, done));
        }
        rings
    }

    /// A device has acknowledged everything up to `offset`.
    pub fn acked(&self, stream: &str, offset: Offset) {
        let mut table = self.lock();
        let Some(waiting) = table.by_stream.get_mut(stream) else {
            return;
        };
        let before = waiting.len();
        for (_, done) in
            waiting.extract_if(.., |(wanted, done)| *wanted <= offset || done.is_closed())
        {
            // Whoever does not wait any more does not want to know.
            let _ = done.send(());
        }
        let (left, is_empty) = (before - waiting.len(), waiting.is_empty());
        table.count -= left;
        if is_empty {
            table.by_stream.remove(stream);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        // Each change is whole before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets those who gave up.
    fn sweep(&mut self) {
        self.by_stream.retain(|_, waiting| {
            waiting.retain(|(_, done)| !done.is_closed());
            !waiting.is_empty()
        });
        self.count = self.by_stream.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_rings_for_all_before_it_and_for_nobody_else() {
        let waiting = Waiting::default();
        let mut rings: Vec<_> = [3, 4, 5]
            .map(|offset| waiting.wait("user:1", Offset(offset)))
            .into();
        let mut other = waiting.wait("user:2", Offset(1));
        waiting.acked("user:1", Offset(4));
        assert!(rings[0].try_recv().is_ok() && rings[1].try_recv().is_ok());
        assert!(rings[2].try_recv().is_err() && other.try_recv().is_err());
        drop((rings, other));
        waiting.acked("user:1", Offset(1));
        waiting.acked("user:2", Offset(0));
        let table = waiting.lock();
        assert_eq!(
            (table.count, table.by_stream.len()),
            (0, 0),
            "who gave up is forgotten"
        );
    }
}
