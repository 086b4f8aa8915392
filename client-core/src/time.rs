//! The plain numbers that cross the driver's boundary: instants and the names of things.
//! Nothing here reads a clock: the driver supplies every instant.

/// A monotonic instant in milliseconds. The driver chooses the origin; only differences matter here, so a clock may begin
/// again from zero when it is at the end of its width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub Ticks);

/// What an instant is counted in. On wasm the low half of JavaScript's clock will do: in a core that was translated to
/// JavaScript every 64-bit number is two, and none of them would tell more.
#[cfg(not(target_arch = "wasm32"))]
pub type Ticks = u64;
/// What an instant is counted in: the low half of JavaScript's clock, which begins again from zero every 49 days.
#[cfg(target_arch = "wasm32")]
pub type Ticks = u32;

/// Which connection attempt a socket input or output speaks of. Starts at 1 and only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// A request (also a login or a heartbeat) of this client: 1, 2, 3 …, never used twice.
///
/// On the wire it becomes a uuid that is unique for ever: the driver's random prefix and this number.
/// As wide as the machine's words: a native client never comes to its end, a page would after four thousand million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub usize);

/// A registered listener: 1, 2, 3 …, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// An interned event name. Valid for the life of the client that interned it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u32);

/// A durable stream, by the driver's own number: 0, 1, 2 … below [`crate::MAX_STREAMS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// A stream's epoch, by the driver's own number: of two epochs of one stream, only whether they are the same counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochTag(pub u32);

/// The driver's own name for a payload that it keeps: opaque here, carried from an input to an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadRef(pub u32);
