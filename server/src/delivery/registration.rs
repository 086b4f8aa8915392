//! How a device that the store does not know yet is registered: whose place it may take, and what becomes of its login where the store
//! cannot write.

use super::attach::{Start, start};
use super::desk::Shared;
use super::reader::Subject;
use crate::net::{Command, Inspect, Seen};
use crate::store::{Epoch, Offset, Retention, Store, StoreError, StreamState, SubmitError, Write};
use heartline_protocol::{Position, User};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;

/// Devices that are logged in though the store could not register them: it is tried again. At most [`Unregistered::MAX`]; one beyond is
/// registered with its next login.
#[derive(Debug, Default)]
pub(super) struct Unregistered(Mutex<BTreeSet<(User, Arc<str>)>>);

impl Unregistered {
    const MAX: usize = 10_000;

    pub fn note(&self, stream: &User, device: &Arc<str>) {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if devices.len() < Self::MAX {
            devices.insert((stream.apart(), device.clone()));
        }
    }

    /// Takes out at most so many, to be tried again.
    pub fn take(&self, limit: usize) -> Vec<(User, Arc<str>)> {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| devices.pop_first())
            .take(limit)
            .collect()
    }
}

/// The epoch that is told of a stream which the store could not create. The stream gets its own with its first write, and whoever
/// stands in this one is then told of a gap.
const NO_STREAM: Epoch = Epoch(0);
/// What the shards may take to name a user's devices.
const PATIENCE: Duration = Duration::from_millis(250);

/// The write that registers this device. Where the stream has all the devices that it may have, those that are connected keep
/// their places.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn register(
    shared: &Shared,
    stream: &User,
    device: &Arc<str>,
) -> Result<Write, StoreError> {
    let known = shared
        .store
        .receipts(stream.as_str(), Offset(u32::MAX), 0)?
        .count;
    let keep = match known < Retention::MAX_DEVICES {
        true => Vec::new(),
        false => connected(shared, stream),
    };
    Ok(Write::Register {
        stream: stream.as_str().into(),
        device: (&**device).into(),
        keep,
    })
}

/// The devices of a user that are attached now. A shard that does not answer in time leaves its devices out.
fn connected(shared: &Shared, user: &User) -> Vec<Box<str>> {
    let (reply, mut seen) = tokio::sync::mpsc::unbounded_channel::<Seen>();
    for (shard, targets) in shared.hub.attached(std::slice::from_ref(user)) {
        let reply = reply.clone();
        let inspect = Inspect { targets, reply };
        shared
            .hub
            .shard(shard)
            .post(Command::Inspect(Box::new(inspect)));
    }
    drop(reply);
    let (mut found, end) = (Vec::new(), Instant::now() + PATIENCE);
    loop {
        match seen.try_recv() {
            Ok(seen) => found.push(seen.device),
            Err(TryRecvError::Empty) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return found,
        }
    }
}

/// Whether a device may be logged in although its registration has failed so: the store cannot write now, and may later.
pub(super) fn may_do_without(error: &SubmitError) -> bool {
    matches!(error, SubmitError::Store(error) if error.is_of_the_disk())
}

/// Where a device begins that the store cannot register now: where its position says, or at the end. From there on it gets what is
/// pushed; it is not remembered, and its acknowledgements count for nothing until it is registered.
///
/// # Errors
/// When the store cannot be read.
pub fn look_up_unregistered(
    store: &dyn Store,
    stream: &str,
    position: Option<&Position>,
) -> Result<Start, StoreError> {
    let state = store.stream(stream)?.unwrap_or(StreamState {
        epoch: NO_STREAM,
        head: Offset(0),
        trimmed: Offset(0),
        messages: 0,
        bytes: 0,
    });
    Ok(start(&state, state.head, position))
}

/// The same for a connection, and it is tried again to register its device.
pub(super) fn without(
    shared: &Shared,
    subject: &Subject,
    position: Option<&Position>,
    error: &SubmitError,
) -> Result<Start, StoreError> {
    let start = look_up_unregistered(&*shared.store, subject.stream.as_str(), position)?;
    shared.unregistered.note(&subject.stream, &subject.device);
    if let Some(suppressed) = shared.unregistered_log.admit() {
        tracing::warn!(suppressed, stream = %subject.stream, %error, "a new device is logged in and gets what is pushed from now on, but the store cannot register it: what it misses while it is away is not kept for it");
    }
    Ok(start)
}

/// Tries again to register devices that are logged in without.
pub(super) fn try_again(shared: &Arc<Shared>) -> Result<(), StoreError> {
    for (stream, device) in shared.unregistered.take(BATCH) {
        let write = register(shared, &stream, &device)
            .inspect_err(|_| shared.unregistered.note(&stream, &device))?;
        let (of_done, of_stream, of_device) = (shared.clone(), stream.clone(), device.clone());
        let done = move |written| {
            if matches!(&written, Err(error) if may_do_without(error)) {
                of_done.unregistered.note(&of_stream, &of_device);
            }
        };
        if shared.submit(write, done).is_err() {
            shared.unregistered.note(&stream, &device);
        }
    }
    Ok(())
}

/// Registrations that are tried again in one turn.
const BATCH: usize = 256;
