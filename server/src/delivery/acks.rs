//! Acknowledgements that are not written yet.

use crate::store::{Epoch, Offset, Write};
use heartline_protocol::User;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One for each device, so bounded by the devices. A crash loses a quarter of a second of them, which harms nobody: where a device
/// stands it tells itself.
#[derive(Debug, Default)]
pub struct Acks(BTreeMap<(User, Arc<str>), (Epoch, Offset)>);

impl Acks {
    /// The device has handled everything up to `offset`.
    pub fn note(&mut self, stream: &User, device: &Arc<str>, epoch: Epoch, offset: Offset) {
        let device = (stream.clone(), device.clone());
        let known = self.0.entry(device).or_insert((epoch, offset));
        if known.0 != epoch || known.1 < offset {
            *known = (epoch, offset);
        }
    }

    /// Takes one out, as it is written; `None` when there is none.
    pub fn take(&mut self) -> Option<Write> {
        let ((stream, device), (epoch, offset)) = self.0.pop_first()?;
        Some(Write::Ack {
            stream: stream.as_str().into(),
            device: (&*device).into(),
            epoch,
            offset,
        })
    }
}
