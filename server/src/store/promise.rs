//! What a store promises, and the values it is spoken to in.

use bytes::Bytes;
use std::fmt;

/// A store of streams.
///
/// A stream is a recipient's pushes, numbered 1, 2, 3 … within an epoch. It begins with its first push or its first device, and is never
/// forgotten, so an offset means the same for ever.
///
/// # The promise
///
/// - **Atomic.** A batch is applied whole and in order, or not at all.
/// - **Durable.** When [`Store::commit`] has answered, what it wrote is there after whatever the store's durability names; for memory,
///   until the process ends.
/// - **Gap-free.** The offsets of a stream are the numbers of its pushes: none is left out and none is given twice in one epoch.
/// - **Idempotent.** A push of an id that is stored already writes nothing, and is answered with the first one's places.
/// - **Honest about what is gone.** Retention removes from the front only, and [`StreamState::trimmed`] says up to where. What is collapsed or
///   expired is no loss, and is not counted as one.
pub trait Store: Send + Sync + fmt::Debug {
    /// Applies the writes, each with a result of its own: one that breaks a rule fails alone.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them was applied.
    fn commit(
        &self,
        now_ms: u64,
        batch: &[Write],
    ) -> Result<Vec<Result<Outcome, WriteError>>, StoreError>;

    /// A stream as it stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn stream(&self, name: &str) -> Result<Option<StreamState>, StoreError>;

    /// A device of a stream.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn device(&self, stream: &str, device: &str) -> Result<Option<DeviceState>, StoreError>;

    /// The devices of a stream, at most `limit` of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn devices(
        &self,
        stream: &str,
        limit: usize,
    ) -> Result<Vec<(Box<str>, DeviceState)>, StoreError>;

    /// What became of the message at `offset` of a stream: judged by all devices that were there before it, of which at most
    /// `limit` are listed, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn receipts(&self, stream: &str, offset: Offset, limit: usize) -> Result<Receipts, StoreError>;

    /// What comes behind `after`, up to these limits; `None` when there is no such stream.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(
        &self,
        stream: &str,
        after: Offset,
        limits: PageLimits,
        now_ms: u64,
    ) -> Result<Option<Page>, StoreError>;

    /// A push by its id.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn push(&self, id: &str) -> Result<Option<PushRecord>, StoreError>;

    /// Deadlines that have come, the earliest first. They stay until [`Write::Fired`].
    ///
    /// # Errors
    /// When the store cannot be read.
    fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Deadline>, StoreError>;

    /// Removes what is too old: expired messages, messages over the age of retention, old records of pushes, devices that were not
    /// seen for [`Retention::DEVICE_MS`]. Looks at so many streams and devices at the most (the last stream's whole), removes so many of each
    /// kind, and goes on from there the next time. Where there is nothing to remove, nothing is written.
    ///
    /// # Errors
    /// When the store cannot be written; then nothing was removed.
    fn trim(&self, now_ms: u64, budget: usize) -> Result<Trimmed, StoreError>;

    /// When the newest push that the store remembers was stored; `None` where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn newest_ms(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Sees whether the store's file still stands at its path. Where it does not, an error is logged once, and everything that
    /// writes is refused from then on ([`StoreError::Gone`]).
    fn check_place(&self) {}
}

/// Numbers of which epochs are made, each as random as its source.
pub type Entropy = Box<dyn Fn() -> u64 + Send + Sync>;

/// The number of a push in its stream, from 1; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u32);

/// Which count the offsets of a stream belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// A push to some streams. [`Outcome::Pushed`].
    Push(Push),
    /// The stream exists from now on, and the device is known on it: a new one as having everything so far. [`Outcome::Registered`].
    Register {
        /// The stream.
        stream: Box<str>,
        /// The device.
        device: Box<str>,
        /// Devices of the stream that keep their places where there is none left, such as those that are connected.
        keep: Vec<Box<str>>,
    },
    /// The device has handled everything up to `offset`: never less than before, never more than there is. Of another epoch, of an
    /// unknown stream or device it says nothing. [`Outcome::Done`].
    Ack {
        /// The stream.
        stream: Box<str>,
        /// The device.
        device: Box<str>,
        /// The epoch of the offset.
        epoch: Epoch,
        /// Up to here.
        offset: Offset,
    },
    /// A deadline was carried out. [`Outcome::Done`].
    Fired {
        /// The id of the push.
        push: Box<str>,
        /// When it was due.
        at_ms: u64,
    },
}

impl Write {
    /// What it takes of the store at the least: a push, its body for each recipient.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Push(push) => push.body.len() as u64 * push.streams.len() as u64,
            _ => 0,
        }
    }
}

/// A push that is to be stored.
#[derive(Clone, Debug)]
pub struct Push {
    /// Names it, once and for all: 1 to [`Push::MAX_ID_BYTES`].
    pub id: Box<str>,
    /// Tells it from another one under the same id.
    pub fingerprint: u64,
    /// Its recipients, at most [`Push::MAX_STREAMS`]; one that is named once more has it once all the same.
    pub streams: Vec<Box<str>>,
    /// What a device gets, as a JSON object.
    pub body: Bytes,
    /// It is of no use after so long.
    pub ttl_ms: Option<u64>,
    /// Only the latest push of this key is kept in a stream.
    pub collapse_key: Option<Box<str>>,
    /// A deadline for the first acknowledgement.
    pub undelivered_ms: Option<u64>,
}

impl Push {
    /// The longest id and the longest collapse key, in bytes.
    pub const MAX_ID_BYTES: usize = 128;
    /// The longest name of a stream or a device, in bytes: a user's role and id, and the colon.
    pub const MAX_NAME_BYTES: usize = 321;
    /// The most recipients: as many as `limits.max_recipients` may allow.
    pub const MAX_STREAMS: usize = 10_000_000;
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a push: where it stands, in the order of its streams.
    Pushed {
        /// It was there before.
        repeated: bool,
        /// The places.
        places: Vec<(Epoch, Offset)>,
    },
    /// Of a registration.
    Registered {
        /// The stream.
        stream: StreamState,
        /// The device.
        device: DeviceState,
    },
    /// Of the others.
    Done,
}

/// A write breaks a rule; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The id is another push's.
    #[error("this id was used for another push: choose another one")]
    Conflict,
    /// An id, a key or a name is empty or too long.
    #[error("an id, a key or a name is empty or too long")]
    Name,
    /// It has more recipients than a push may have.
    #[error("a push has at most {} recipients: split it", Push::MAX_STREAMS)]
    TooMany,
    /// It takes more room than there is, on the disk and in the file.
    #[error(
        "this push takes more room than there is left: send it to fewer recipients, make room, or keep less (store.max_age_ms, store.max_messages, store.max_bytes)"
    )]
    NoRoom,
}

/// The store cannot do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room on the disk. It goes on by itself when there is.
    #[error(
        "the disk is full (of a store in memory: store.memory_bytes is used up): make room, or keep less (store.max_age_ms, store.max_messages, store.max_bytes)"
    )]
    Full,
    /// Another process has the folder.
    #[error(
        "{0} is in use by another process: stop it, or give this one a folder of its own (store.path)"
    )]
    InUse(String),
    /// The folder holds what this version does not understand.
    #[error(
        "{path} was written in format {found}, and this version reads up to {known}: run a newer heartline-server, or give this one a folder of its own"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// The folder holds what this version does not understand any more.
    #[error(
        "{path} was written in format {found} by a heartline-server before its first release, and this version reads {known}: delete it, or give this one a folder of its own"
    )]
    Older {
        /// The file.
        path: String,
        /// Its format.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// The file is no store, or what was asked for lies where it is damaged.
    #[error("{path} cannot be read as a store: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file is no longer at its path: what would be written now would be lost with the process.
    #[error(
        "{0} was deleted or replaced while the server had it open, so nothing is stored any more: put its folder in order (store.path) and restart the server"
    )]
    Gone(String),
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Io(String),
    /// The system does not let us write there.
    #[error(
        "{path} cannot be written by this process ({reason}): give the folder to the user that the server runs as, or name another one (store.path)"
    )]
    NotWritable {
        /// The folder or the file.
        path: String,
        /// The system's reason.
        reason: String,
    },
}

impl StoreError {
    /// The disk does not take what is written: what is there can be read, and it may take more later.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_) | Self::NotWritable { .. })
    }
}

/// A stream as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Which count its offsets belong to.
    pub epoch: Epoch,
    /// Its last push.
    pub head: Offset,
    /// The last that retention has removed.
    pub trimmed: Offset,
    /// How many are kept.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A device of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The head when it first came: what is before has nothing to do with it.
    pub since: Offset,
    /// It has handled everything up to here.
    pub acked: Offset,
    /// When it was last heard of.
    pub seen_ms: u64,
}

/// Which devices have acknowledged a message. A device that was registered after it has nothing to do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    /// Some device has acknowledged it, listed or not.
    pub acked: bool,
    /// The devices it is meant for, listed or not.
    pub count: usize,
    /// The first of them by name.
    pub devices: Vec<(Box<str>, DeviceState)>,
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Messages at the most.
    pub messages: u32,
    /// Bytes; one message more than that is always let through.
    pub bytes: usize,
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The stream's epoch.
    pub epoch: Epoch,
    /// Its last push.
    pub head: Offset,
    /// The last that retention has removed, or that is damaged: a gap before `entries`.
    pub trimmed: Offset,
    /// What is there, in order.
    pub entries: Vec<(Offset, Bytes)>,
    /// Everything up to here is in `entries`, or never comes.
    pub through: Offset,
}

/// A push that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRecord {
    /// Of what it said, and to whom.
    pub fingerprint: u64,
    /// When.
    pub at_ms: u64,
    /// Where it stands.
    pub places: Vec<(Box<str>, Epoch, Offset)>,
}

/// A deadline for the first acknowledgement of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at_ms: u64,
    /// The push's id.
    pub push: Box<str>,
}

/// What retention removed in one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Messages.
    pub messages: u64,
    /// Records of pushes.
    pub pushes: u64,
    /// Devices.
    pub devices: u64,
}

/// How much of a stream is kept. What is over is removed from the front: count and bytes with each push, age with [`Store::trim`].
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Milliseconds; records of pushes live as long.
    pub max_age_ms: u64,
    /// Messages.
    pub max_messages: u64,
    /// Bytes of their bodies; the last message stays whatever its size.
    pub max_bytes: u64,
}

impl Retention {
    /// A device that was not heard of for so long is forgotten: 90 days.
    pub const DEVICE_MS: u64 = 90 * 24 * 3_600_000;
    /// Devices of one stream; a further one takes the place of the one that was not heard of for longest, but of none that it is to keep
    /// ([`Write::Register`]).
    pub const MAX_DEVICES: usize = 1_000;
}

/// Whether every name of a write may be one, and there are not too many.
pub(super) fn check(write: &Write) -> Result<(), WriteError> {
    check_within(write, Push::MAX_STREAMS)
}

fn check_within(write: &Write, max_streams: usize) -> Result<(), WriteError> {
    if let Write::Push(push) = write
        && push.streams.len() > max_streams
    {
        return Err(WriteError::TooMany);
    }
    let is_name = |name: &str| (1..=Push::MAX_NAME_BYTES).contains(&name.len());
    let is_id = |id: &str| (1..=Push::MAX_ID_BYTES).contains(&id.len());
    let is_fine = match write {
        Write::Push(push) => {
            is_id(&push.id)
                && push.collapse_key.as_deref().is_none_or(is_id)
                && push.streams.iter().all(|stream| is_name(stream))
        }
        Write::Register { stream, device, .. } | Write::Ack { stream, device, .. } => {
            is_name(stream) && is_name(device)
        }
        Write::Fired { .. } => true,
    };
    is_fine.then_some(()).ok_or(WriteError::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_to_too_many_is_refused() {
        let write = Write::Push(Push {
            id: "a".into(),
            fingerprint: 1,
            streams: vec!["user:1".into(); 3],
            body: "{}".into(),
            ttl_ms: None,
            collapse_key: None,
            undelivered_ms: None,
        });
        assert_eq!(check_within(&write, 3), Ok(()));
        assert_eq!(check_within(&write, 2), Err(WriteError::TooMany));
    }
}
