//! Acknowledgements that are not written yet.

use crate::store::{Epoch, Offset, Write};
use heartline_protocol::User;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One for each device, so bounded by the devices. A crash loses a quarter of a second of them, which harms nobody: where a device
/// stands it tells itself.
#[derive(Debug, Default)]
pub struct Acks {
    waiting: BTreeMap<(User, Arc<str>), (Epoch, Offset)>,
    has_failed: bool,
}

/// One of them, taken out to be written.
#[derive(Clone, Debug)]
pub struct Acked {
    stream: User,
    device: Arc<str>,
    epoch: Epoch,
    offset: Offset,
}

impl Acks {
    /// The device has handled everything up to `offset`.
    pub fn note(&mut self, stream: &User, device: &Arc<str>, epoch: Epoch, offset: Offset) {
        let device = (stream.clone(), device.clone());
        let known = self.waiting.entry(device).or_insert((epoch, offset));
        if known.0 != epoch || known.1 < offset {
            *known = (epoch, offset);
        }
    }

    /// Takes one out to be written; `None` when there is none.
    pub fn take(&mut self) -> Option<Acked> {
        self.has_failed = false;
        let ((stream, device), (epoch, offset)) = self.waiting.pop_first()?;
        Some(Acked {
            stream,
            device,
            epoch,
            offset,
        })
    }

    /// It could not be written: a device that has nothing more to acknowledge would not say it again while it stays connected. What was
    /// noted since counts more.
    pub fn put_back(&mut self, acked: Acked) {
        self.has_failed = true;
        let device = (acked.stream, acked.device);
        let known = self
            .waiting
            .entry(device)
            .or_insert((acked.epoch, acked.offset));
        if known.0 == acked.epoch {
            known.1 = known.1.max(acked.offset);
        }
    }

    /// Something was put back since the last was taken out: the store is better left alone for a while.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }
}

impl Acked {
    /// As it is written.
    pub fn write(&self) -> Write {
        Write::Ack {
            stream: self.stream.as_str().into(),
            device: (&*self.device).into(),
            epoch: self.epoch,
            offset: self.offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_written_later_and_undoes_nothing() {
        let user = User::parse("user:6").expect("a user");
        let phone: Arc<str> = "phone".into();
        let mut acks = Acks::default();
        acks.note(&user, &phone, Epoch(1), Offset(5));
        let taken = acks.take().expect("one");
        acks.put_back(taken.clone());
        assert!(acks.has_failed());
        let again = acks.take().expect("the same");
        assert_eq!((again.epoch, again.offset), (Epoch(1), Offset(5)));
        assert!(!acks.has_failed() && acks.take().is_none());

        acks.note(&user, &phone, Epoch(1), Offset(7));
        acks.put_back(taken.clone());
        assert_eq!(acks.take().expect("the later").offset, Offset(7));

        acks.note(&user, &phone, Epoch(2), Offset(1));
        acks.put_back(taken);
        assert_eq!(acks.take().expect("the later").epoch, Epoch(2));
    }
}
