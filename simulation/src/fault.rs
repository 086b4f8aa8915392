//! What goes wrong. A seed enables some of these, so that each also happens without the others.

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    /// A connection dies; what was under way is lost, and each side learns of it late or never.
    Cut,
    /// Nothing gets through a connection for a while.
    Stall,
    /// A dial fails, or is never answered.
    BadDial,
    /// A platform tells a close twice, or an error and then a close, and old sockets go on talking.
    LateSocket,
    /// A client's clock jumps.
    ClockJump,
    /// A client sleeps: no timer rings and nothing arrives.
    Sleep,
    /// The app is hidden, and shown again.
    Hide,
    /// The platform says that the network is gone, and later that it is back.
    Offline,
    /// The app drops its socket.
    Disconnect,
    /// The app logs in again on the same socket, or logs out and in.
    Relogin,
    /// The credentials provider fails, or has wrong ones.
    BadCredentials,
    /// The app is killed, and started again later.
    AppCrash,
    /// A callback fails.
    CallbackFails,
    /// A callback takes long.
    SlowCallback,
    /// The device's storage does not take a position.
    StorageFails,
    /// The server is killed. What its disk had not synced is lost, kept or torn.
    ServerCrash,
    /// The same in the middle of a commit.
    CommitCrash,
    /// The server stops cleanly, and advises when to return.
    Drain,
    /// The server's data folder is deleted.
    DeletedFolder,
    /// The disk is full for a while.
    DiskFull,
    /// The disk fails in the middle of a commit, and works again.
    DiskFails,
    /// The answer to a push is lost: the publisher asks again.
    LostAnswer,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Cut,
        Self::Stall,
        Self::BadDial,
        Self::LateSocket,
        Self::ClockJump,
        Self::Sleep,
        Self::Hide,
        Self::Offline,
        Self::Disconnect,
        Self::Relogin,
        Self::BadCredentials,
        Self::AppCrash,
        Self::CallbackFails,
        Self::SlowCallback,
        Self::StorageFails,
        Self::ServerCrash,
        Self::CommitCrash,
        Self::Drain,
        Self::DeletedFolder,
        Self::DiskFull,
        Self::DiskFails,
        Self::LostAnswer,
    ];
}

/// A set of faults.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Faults(u32);

impl Faults {
    /// Every fault.
    pub const EVERY: Self = Self((1 << Fault::ALL.len()) - 1);

    /// No fault.
    pub const NONE: Self = Self(0);

    /// The same with this one.
    pub fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u32)
    }

    /// The same without this one.
    pub fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u32))
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether this one is in it.
    pub fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u32 != 0
    }

    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |fault| self.has(*fault))
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
