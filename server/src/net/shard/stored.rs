//! What the store has answered a connection: where its device begins, and pages of what it missed.

use super::Shard;
use crate::delivery::{Answer, Ready};
use crate::metrics::Happening;
use crate::net::Inspect;
use crate::net::frame::{self, Opcode};
use bytes::Bytes;
use heartline_protocol::{CloseCode, GapReason, encode_gap};

impl Shard {
    pub(super) fn ready(&mut self, ready: Ready) {
        let Ready { subject, answer } = ready;
        let (slot, at) = (subject.at.slot(), subject.at);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if connection.generation != at.generation() || connection.is_closing() {
            return;
        }
        // An answer to an earlier login is of no use.
        let Some(reliable) = connection
            .reliable
            .as_deref_mut()
            .filter(|reliable| reliable.turn() == subject.turn)
        else {
            return;
        };
        let mut frames: [Option<Bytes>; 2] = [None, None];
        match answer {
            Answer::Failed => return self.close(slot, CloseCode::InternalError),
            Answer::TooManyDevices => return self.close(slot, CloseCode::RateLimited),
            Answer::Attached(start, told) => {
                self.world.metrics.count(Happening::Attached);
                if start.gap.is_some() {
                    self.world
                        .metrics
                        .note(Happening::Gap, "a device has missed what is gone");
                }
                let greeting = reliable.attached(start);
                frames[0] = greeting.map(|text| frame::to_bytes(Opcode::Text, text.as_bytes()));
                frames[1] = Some(told);
            }
            Answer::Page(facts, page) => {
                match reliable.page(&facts) {
                    Err(_) => return reliable.attach_anew(&self.world.delivery),
                    Ok(None) => {}
                    Ok(Some(missing)) => {
                        self.world
                            .metrics
                            .note(Happening::Gap, "retention has overtaken a device");
                        let (from, to) = (missing.from.0, missing.to.0);
                        let text = encode_gap(
                            reliable.stream(),
                            facts.epoch.0,
                            from,
                            to,
                            GapReason::Retention,
                        );
                        frames[0] = Some(frame::to_bytes(Opcode::Text, text.as_bytes()));
                    }
                }
                self.world
                    .metrics
                    .add(Happening::Replayed, facts.messages.into());
                frames[1] = Some(page);
            }
        }
        let frames: Vec<&Bytes> = frames
            .iter()
            .flatten()
            .filter(|frames| !frames.is_empty())
            .collect();
        let bound = self.world.config.limits.outbound_queue_bytes;
        let sent = connection.send(&frames, bound);
        self.settle(slot, sent);
        self.pump(slot);
    }

    /// Says how far devices have been written to. Who is gone, or stands nowhere yet, is left out.
    pub(super) fn inspect(&mut self, inspect: &Inspect) {
        for at in &inspect.targets {
            let found = self.connections.get_mut(at.slot());
            let seen = found
                .filter(|connection| connection.generation == at.generation())
                .and_then(|connection| connection.reliable.as_deref()?.seen());
            if let Some(seen) = seen {
                // Whoever asked may have gone.
                let _ = inspect.reply.send(seen);
            }
        }
    }

    /// Lets a device that is behind have its next page, unless its socket is full.
    pub(super) fn pump(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !connection.is_blocked()
            && !connection.is_closing()
            && let Some(reliable) = connection.reliable.as_deref_mut()
        {
            reliable.pump(&self.world.delivery);
        }
    }
}
