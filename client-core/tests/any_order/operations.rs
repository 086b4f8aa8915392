//! The operations that an arbitrary life is made of. They speak relatively ("the third latest request", "the
//! epoch before"), so that shrinking keeps them meaningful.

use heartline_client_core::{GapReason, ListenMode, SendOutcome, Unsent};
use proptest::{collection::SizeRange, prelude::*};

/// Patterns and names that overlap in every way.
pub const PATTERNS: [&str; 7] = [
    "chat1",
    "chat*",
    "chat",
    "*",
    "tab",
    "",
    "a name never pushed",
];
pub const NAMES: [&str; 5] = ["chat1", "chat2", "chat", "tab", "other"];

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Start,
    Stop,
    Disconnect,
    Destroy,
    Identity(bool),
    Request {
        timeout_ms: u32,
        unsent: Unsent,
        before_login: bool,
        idempotent: bool,
        bytes: u32,
    },
    RequestOutOfTurn(i8),
    Cancel(Latest),
    Listen {
        pattern: usize,
        mode: ListenMode,
    },
    ListenOutOfTurn,
    Unlisten(u32),
    UnlistenPattern(usize),
    Credentials {
        id: Latest,
        ready: bool,
    },
    Opened(Which),
    Reply {
        on: Which,
        id: Latest,
        ok: bool,
    },
    ServerPing(Which),
    Push {
        on: Which,
        name: usize,
        way: Way,
    },
    PushUnknown(Which),
    Garbage(Which),
    SendFailed {
        on: Which,
        id: Latest,
        outcome: SendOutcome,
    },
    Failed(Which),
    Closed {
        on: Which,
        code: Option<u16>,
        retry_after_ms: Option<u32>,
    },
    Network(bool),
    Visibility(bool),
    /// The server says where a stream stands.
    Attached {
        on: Which,
        stream: u32,
        tag: u32,
        offset: u32,
    },
    /// A stored push, so far behind the stream's end (0: what was there before).
    Durable {
        on: Which,
        stream: u32,
        ahead: u32,
    },
    Gap {
        on: Which,
        stream: u32,
        tag: u32,
        from: u32,
        to: u32,
        reason: GapReason,
    },
    Position {
        stream: u32,
        tag: u32,
        handled: u32,
    },
    /// How the driver's storage answers from now on.
    Storage(Storage),
    /// It answers what it was asked first, late.
    StorageAnswers(bool),
    /// The number of a stream is wanted for another one.
    Forget(u32),
    /// What an honest server and app would do next on a stream: say where it stands, push to it, be done with it.
    Serve {
        stream: u32,
        handle: bool,
    },
    /// The app's word on what it has in hand, or on an older turn.
    Handled {
        stream: u32,
        stale: bool,
        ok: bool,
    },
    /// Time passes and no timer rings until it has.
    Sleep(u64),
    /// Time passes and nothing is fed: whatever comes next comes late.
    Late(u64),
    /// The timer rings when it should.
    Ring,
    /// The driver's clock says something else altogether.
    ClockSays(u64),
    /// What an honest driver and server would do next.
    Honest,
}

/// How a driver's storage may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Works,
    Fails,
    /// It takes its time: see [`Op::StorageAnswers`].
    Lags,
}

/// How a driver may feed a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Named,
    Interned,
    /// By `Client::push` where that takes it, else as `Interned`.
    Quick,
}

/// The socket of the latest epoch, or of another: `latest + 1 - back`.
#[derive(Clone, Copy, Debug)]
pub struct Which(pub u32);

/// The id allocated last, or an earlier or later one: `next - back`.
#[derive(Clone, Copy, Debug)]
pub struct Latest(pub usize);

pub fn any_ops(length: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(any_op(), length)
}

fn any_op() -> impl Strategy<Value = Op> {
    let which =
        || prop_oneof![1 => Just(0), 12 => Just(1), 3 => Just(2), 1 => Just(3)].prop_map(Which);
    let latest =
        || prop_oneof![1 => Just(0), 8 => Just(1), 4 => Just(2), 4 => 3..12usize].prop_map(Latest);
    let app = prop_oneof![
        6 => Just(Op::Start),
        1 => Just(Op::Stop),
        1 => Just(Op::Disconnect),
        6 => Just(Op::Identity(true)),
        1 => Just(Op::Identity(false)),
    ];
    let unsent = prop_oneof![
        Just(Unsent::Fail),
        (0..3u32).prop_map(|key| Unsent::Queue { key })
    ];
    let requests = prop_oneof![
        6 => (prop_oneof![Just(0), Just(1), 1..30_000u32], unsent, any::<bool>(), any::<bool>(), prop_oneof![0..200u32, Just(u32::MAX)])
            .prop_map(|(timeout_ms, unsent, before_login, idempotent, bytes)| Op::Request { timeout_ms, unsent, before_login, idempotent, bytes }),
        1 => prop_oneof![-5..0i8, 1..5i8].prop_map(Op::RequestOutOfTurn),
        2 => latest().prop_map(Op::Cancel),
    ];
    let mode = prop_oneof![Just(ListenMode::Add), Just(ListenMode::Replace)];
    let listeners = prop_oneof![
        4 => (0..PATTERNS.len(), mode).prop_map(|(pattern, mode)| Op::Listen { pattern, mode }),
        1 => Just(Op::ListenOutOfTurn),
        2 => (0..9u32).prop_map(Op::Unlisten),
        1 => (0..PATTERNS.len()).prop_map(Op::UnlistenPattern),
    ];
    let way = prop_oneof![Just(Way::Named), Just(Way::Interned), Just(Way::Quick)];
    let frames = prop_oneof![
        6 => (which(), latest(), any::<bool>()).prop_map(|(on, id, ok)| Op::Reply { on, id, ok }),
        2 => which().prop_map(Op::ServerPing),
        4 => (which(), 0..NAMES.len(), way).prop_map(|(on, name, way)| Op::Push { on, name, way }),
        1 => which().prop_map(Op::PushUnknown),
        1 => which().prop_map(Op::Garbage),
    ];
    let outcome = prop_oneof![Just(SendOutcome::NotSent), Just(SendOutcome::Unknown)];
    let code = prop_oneof![
        3 => Just(None),
        3 => Just(Some(1000)),
        3 => Just(Some(1006)),
        1 => Just(Some(4500)),
        1 => any::<u16>().prop_map(Some),
    ];
    let advice = prop_oneof![4 => Just(None), 1 => (0..20_000u32).prop_map(Some), 1 => Just(Some(0)), 1 => Just(Some(u32::MAX))];
    let socket = prop_oneof![
        6 => which().prop_map(Op::Opened),
        1 => (which(), latest(), outcome).prop_map(|(on, id, outcome)| Op::SendFailed { on, id, outcome }),
        2 => which().prop_map(Op::Failed),
        2 => (which(), code, advice).prop_map(|(on, code, retry_after_ms)| Op::Closed { on, code, retry_after_ms }),
    ];
    let platform = prop_oneof![
        any::<bool>().prop_map(Op::Network),
        any::<bool>().prop_map(Op::Visibility)
    ];
    let time = prop_oneof![
        6 => Just(Op::Ring),
        6 => (0..30_000u64).prop_map(Op::Sleep),
        1 => (0..10_000_000u64).prop_map(Op::Sleep),
        3 => (0..60_000u64).prop_map(Op::Late),
        1 => prop_oneof![Just(0), Just(u64::MAX >> 11), any::<u64>().prop_map(|n| n >> 2)].prop_map(Op::ClockSays),
    ];
    let (stream, tag, offset) = (|| 0..3u32, || 1..3u32, || 0..12u32);
    let reason = prop_oneof![Just(GapReason::Retention), Just(GapReason::Epoch)];
    let streams = prop_oneof![
        30 => (0..2u32, any::<bool>()).prop_map(|(stream, handle)| Op::Serve { stream, handle }),
        4 => (which(), stream(), tag(), offset())
            .prop_map(|(on, stream, tag, offset)| Op::Attached { on, stream, tag, offset }),
        9 => (which(), stream(), prop_oneof![1 => Just(0), 6 => Just(1), 1 => Just(3)])
            .prop_map(|(on, stream, ahead)| Op::Durable { on, stream, ahead }),
        1 => (which(), stream(), tag(), offset(), offset(), reason)
            .prop_map(|(on, stream, tag, from, to, reason)| Op::Gap { on, stream, tag, from, to, reason }),
        6 => prop_oneof![2 => Just(Storage::Works), 1 => Just(Storage::Fails), 1 => Just(Storage::Lags)].prop_map(Op::Storage),
        4 => any::<bool>().prop_map(Op::StorageAnswers),
        2 => stream().prop_map(Op::Forget),
        1 => (stream(), tag(), offset()).prop_map(|(stream, tag, handled)| Op::Position { stream, tag, handled }),
        6 => (stream(), prop_oneof![5 => Just(false), 1 => Just(true)], prop_oneof![3 => Just(true), 1 => Just(false)])
            .prop_map(|(stream, stale, ok)| Op::Handled { stream, stale, ok }),
    ];
    prop_oneof![
        10 => streams,
        5 => app,
        6 => requests,
        3 => listeners,
        2 => (latest(), any::<bool>()).prop_map(|(id, ready)| Op::Credentials { id, ready }),
        6 => frames,
        5 => socket,
        3 => platform,
        8 => time,
        12 => Just(Op::Honest),
        // One life in some dozens ends early.
        1 => prop_oneof![9 => Just(Op::Ring), 1 => Just(Op::Destroy)],
    ]
}
