//! The part of the oracle that watches durable streams: turns, positions, acknowledgements.

use std::collections::BTreeMap;

use heartline_client_core::*;

/// What the oracle remembers of every stream.
#[derive(Default)]
pub struct Streams(BTreeMap<StreamId, Watched>);

#[derive(Default)]
struct Watched {
    /// The turn that the app has not answered yet.
    outstanding: Option<(u32, Option<PayloadRef>)>,
    /// What had the latest turn, and how often the app failed with it since.
    latest: Option<Option<PayloadRef>>,
    failures: u32,
    /// The bodies that the client keeps, in the order in which they came.
    kept: Vec<PayloadRef>,
    /// What was to be stored last, or told from the storage.
    position: Option<(EpochTag, u32)>,
    /// What the storage has.
    stored: Option<(EpochTag, u32)>,
    /// The app just said that it is done, or failed for the last time: the position may move, once.
    may_move: bool,
    /// A gap had its turn: the position may go back.
    in_gap: bool,
    /// A gap was told, and its turn comes next.
    gap_told: bool,
    acked: u32,
}

impl Streams {
    pub fn remembered(&mut self, stream: StreamId, tag: EpochTag, handled: u32) {
        let watched = self.0.entry(stream).or_default();
        if watched.position.is_none() && watched.outstanding.is_none() && watched.kept.is_empty() {
            watched.position = Some((tag, handled));
            watched.stored = watched.position;
        }
    }

    /// The storage has taken a position.
    pub fn stored(&mut self, stream: StreamId, tag: EpochTag, handled: u32) {
        self.0.entry(stream).or_default().stored = Some((tag, handled));
    }

    /// The number is another stream's from now on.
    pub fn forgotten(&mut self, stream: StreamId) {
        if let Some(watched) = self.0.remove(&stream) {
            assert!(watched.kept.is_empty() && watched.outstanding.is_none());
        }
    }

    /// The turn that the app has to answer for, or an older one.
    pub fn turn(&self, stream: StreamId, stale: bool) -> u32 {
        let outstanding = self.0.get(&stream).and_then(|watched| watched.outstanding);
        outstanding
            .map_or(0, |(turn, _)| turn)
            .wrapping_sub(stale.into())
    }

    /// The app is about to say what it made of a turn.
    pub fn handled(&mut self, stream: StreamId, turn: u32, ok: bool) {
        let watched = self.0.entry(stream).or_default();
        if watched.outstanding.is_none_or(|(mine, _)| mine != turn) {
            return;
        }
        watched.outstanding = None;
        watched.failures += u32::from(!ok);
        watched.may_move = ok || watched.failures == 5;
    }

    /// The server is about to say where the stream stands.
    pub fn attached(&mut self, stream: StreamId) {
        let watched = self.0.entry(stream).or_default();
        watched.may_move |= watched.position.is_none();
    }

    /// A body was fed; it is kept unless it was released at once.
    pub fn fed(&mut self, stream: StreamId, body: PayloadRef) {
        self.0.entry(stream).or_default().kept.push(body);
    }

    /// Whether this body is one that may be kept between inputs.
    pub fn released(&mut self, body: PayloadRef) {
        for watched in self.0.values_mut() {
            watched.kept.retain(|&kept| kept != body);
        }
    }

    pub fn keeps(&self, body: PayloadRef) -> bool {
        self.0.values().any(|watched| watched.kept.contains(&body))
    }

    pub fn watch_gap(&mut self, stream: StreamId) {
        self.0.entry(stream).or_default().gap_told = true;
    }

    pub fn watch_turn(&mut self, stream: StreamId, turn: u32, body: Option<PayloadRef>) {
        let watched = self.0.entry(stream).or_default();
        assert_eq!(watched.outstanding, None, "two turns at once");
        let gap_told = std::mem::take(&mut watched.gap_told);
        assert_eq!(gap_told, body.is_none(), "a turn of what?");
        let is_again = watched.failures > 0 && watched.latest == Some(body);
        match (body, watched.latest.flatten()) {
            (Some(body), Some(latest)) => {
                assert!(body > latest || is_again, "{body:?} after {latest:?}")
            }
            (Some(body), None) => assert!(watched.kept.contains(&body)),
            _ => {}
        }
        if !is_again {
            watched.failures = 0;
        }
        watched.in_gap = body.is_none();
        watched.outstanding = Some((turn, body));
        watched.latest = Some(body);
    }

    pub fn watch_persist(&mut self, stream: StreamId, tag: EpochTag, handled: u32) {
        let watched = self.0.entry(stream).or_default();
        if watched.position == Some((tag, handled)) && watched.stored != watched.position {
            // Once more, because it is not stored yet.
            return;
        }
        assert!(
            std::mem::take(&mut watched.may_move),
            "a position moved by itself"
        );
        if let (Some((known, at)), false) = (watched.position, watched.in_gap) {
            assert_eq!(known, tag, "another epoch without a gap");
            assert!(handled > at, "a position went back without a gap");
        }
        if watched.in_gap {
            watched.acked = 0;
        }
        watched.position = Some((tag, handled));
        watched.failures = 0;
    }

    pub fn watch_stand(&mut self, stream: StreamId, position: Position) {
        let watched = self.0.entry(stream).or_default();
        let known = (position.tag, position.handled);
        let (tag, handled) = watched.position.expect("a login from nowhere");
        assert_eq!(tag, position.tag, "the login says another epoch");
        if watched.stored == watched.position {
            assert_eq!(handled, position.handled, "the login says another position");
        }
        assert!(
            watched.has(known),
            "the login acknowledges what is not stored"
        );
        assert!(position.received >= position.handled);
        watched.acked = position.handled;
    }

    pub fn watch_ack(&mut self, stream: StreamId, offset: u32) {
        let watched = self.0.entry(stream).or_default();
        let (tag, handled) = watched.position.expect("a position");
        assert!(offset <= handled, "acknowledged what was not handled");
        assert!(
            watched.has((tag, offset)),
            "acknowledged what is not stored"
        );
        assert!(offset > watched.acked, "acknowledged twice");
        watched.acked = offset;
    }

    /// Checks the state between inputs.
    pub fn look(&self) {
        for (stream, watched) in &self.0 {
            let waits = watched.kept.is_empty() || watched.outstanding.is_some();
            assert!(waits || watched.failures > 0, "{stream:?} is stuck");
            assert!(!watched.gap_told);
        }
    }

    /// The client is destroyed, and no turn counts any more.
    pub fn end(&mut self) {
        for watched in self.0.values_mut() {
            assert!(watched.kept.is_empty());
            watched.outstanding = None;
        }
    }
}

impl Watched {
    /// Whether the storage has what may be acknowledged up to there.
    fn has(&self, (tag, offset): (EpochTag, u32)) -> bool {
        let stored = self.stored.filter(|(of, _)| *of == tag);
        offset <= stored.map_or(0, |(_, stored)| stored)
    }
}
