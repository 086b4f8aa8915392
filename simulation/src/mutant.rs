//! Known mistakes, to be put in on purpose: a simulation that does not notice them proves nothing. Each changes what the driver or the
//! server around the real code does; where the mistake would be one of the code itself, what goes in or comes out is changed.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A message is acknowledged when it arrives, not when it was handled.
    AckBeforeCallback,
    /// The position is stored when a message has its turn, not when it was handled.
    PersistBeforeCallback,
    /// The server looks where the stream ends, and only then registers the connection for what comes live.
    SubscribeAfterRead,
    /// What the client has already is handed to the app once more.
    ForgottenDedupe,
    /// A server whose folder was deleted begins with the epochs of before.
    ReusedEpoch,
    /// The storage keeps the position before the latest.
    PositionRegress,
    /// Each page after a connection's first begins one message too late.
    SkippedPageBoundary,
    /// The app is not told of a gap.
    GapSwallowed,
    /// The server takes what it has sent for acknowledged.
    WindowIgnored,
    /// A message that the app failed with counts as handled.
    RedeliveryForgotten,
    /// The client does not say at login where it stands.
    LoginWithoutPosition,
    /// A push is answered before it is stored.
    AnsweredBeforeCommit,
    /// What an old socket says is taken for the present one's.
    OldSocketBelieved,
    /// A retry of a push is stored as another push.
    ForgottenIdempotency,
    /// What is published while the store is asked where a device begins is not noted.
    DeafWhileAttaching,
    /// The server does not tell a device what retention took before it came to it.
    GapUntold,
    /// The server does not look at the epoch of a position.
    EpochNotCompared,
    /// Acknowledgements of a commit that failed are forgotten.
    AcksForgotten,
    /// A device that was logged in without a registration is never registered.
    RegistrationForgotten,
    /// The store does not wait for the disk.
    SyncForgotten,
    /// A request whose line is lost is never settled.
    ForgottenPromise,
    /// A payload that was answered for is kept.
    LeakedPayload,
    /// A position that could not be stored counts as stored.
    AckUnstored,
    /// A login acknowledges what was only received.
    LoginAcksReceived,
    /// A delivery is made to a connection whatever user has logged in there since it was addressed.
    LoginNotCompared,
    /// A gap of another epoch ends one message too late.
    EpochGapTooLong,
    /// A gap of retention ends one message too early.
    RetentionGapTooShort,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::AckBeforeCallback,
        Self::PersistBeforeCallback,
        Self::SubscribeAfterRead,
        Self::ForgottenDedupe,
        Self::ReusedEpoch,
        Self::PositionRegress,
        Self::SkippedPageBoundary,
        Self::GapSwallowed,
        Self::WindowIgnored,
        Self::RedeliveryForgotten,
        Self::LoginWithoutPosition,
        Self::AnsweredBeforeCommit,
        Self::OldSocketBelieved,
        Self::ForgottenIdempotency,
        Self::DeafWhileAttaching,
        Self::GapUntold,
        Self::EpochNotCompared,
        Self::AcksForgotten,
        Self::RegistrationForgotten,
        Self::SyncForgotten,
        Self::ForgottenPromise,
        Self::LeakedPayload,
        Self::AckUnstored,
        Self::LoginAcksReceived,
        Self::LoginNotCompared,
        Self::EpochGapTooLong,
        Self::RetentionGapTooShort,
    ];

    /// The mistake of this name, in any spelling of dashes and cases.
    pub fn named(name: &str) -> Option<Self> {
        let plain = |text: &str| text.replace(['-', '_', ' '], "").to_lowercase();
        Self::ALL
            .into_iter()
            .find(|mutant| plain(&format!("{mutant:?}")) == plain(name))
    }
}
