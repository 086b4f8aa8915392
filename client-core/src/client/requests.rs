//! The app's requests: accepted, sent or queued, and each settled exactly once.

use super::Client;
use crate::{
    ClientEvent, CloseReason, DropReason, Epoch, NotSent, Outgoing, Output, PayloadRef,
    RequestError, RequestId, RequestOptions, SendOutcome, Unsent,
    clock::{Moment, NEVER},
    outbox::Entry,
    pool::{Pending, Place},
};

impl Client {
    /// `id` was reserved by `handle`.
    pub(super) fn request(&mut self, id: RequestId, options: RequestOptions) {
        let expires = match options.timeout_ms {
            0 => NEVER,
            ms => self.now().after(ms),
        };
        if self.pool.len() >= self.config.max_requests as usize {
            return self.settle(id, Err(RequestError::NotSent(NotSent::Full)));
        }
        let entry = Entry {
            id,
            key: match options.unsent {
                Unsent::Queue { key } => key,
                Unsent::Fail => 0,
            },
            bytes: options.bytes,
            before_login: options.before_login,
        };
        let again = options.idempotent.then_some(entry);
        if self.phase.is_login() || (options.before_login && self.phase.is_open()) {
            let deadline = if expires == NEVER {
                self.sent_deadline()
            } else {
                expires
            };
            self.pool.add(Pending {
                id,
                place: Place::Sent,
                deadline,
                expires,
                again,
            });
            self.send(Outgoing::Request { id });
        } else if options.unsent != Unsent::Fail {
            self.queue(entry, expires, again);
        } else {
            self.settle(id, Err(RequestError::NotSent(NotSent::NotReady)));
        }
    }

    pub(super) fn cancel(&mut self, id: RequestId) {
        let place = self.pool.remove(id);
        if place == Place::Queued || place == Place::Again {
            self.outbox.remove(id);
        }
        if place != Place::Settled {
            self.settle(
                id,
                Err(RequestError::Cancelled {
                    sent: place != Place::Queued,
                }),
            );
        }
    }

    /// Settles every request as cancelled.
    pub(super) fn cancel_all(&mut self) {
        self.cancel_queued();
        self.settle_all(Place::Sent, RequestError::Cancelled { sent: true });
    }

    /// Settles what the outbox holds as cancelled.
    pub(super) fn cancel_queued(&mut self) {
        self.outbox.take_all();
        self.settle_all(Place::Queued, RequestError::Cancelled { sent: false });
        self.settle_all(Place::Again, RequestError::Cancelled { sent: true });
    }

    /// Settles every request that is in this place alike.
    pub(super) fn settle_all(&mut self, place: Place, error: RequestError) {
        let mut at = 0;
        while let Some(pending) = self.pool.take_next(&mut at, |p| p.place == place) {
            self.settle(pending.id, Err(error));
        }
    }

    /// A reply on the present line: to a request, to the login, to a ping, or to nothing that is known
    /// (answered twice, too late, or before it was asked).
    pub(super) fn reply(&mut self, id: RequestId, ok: bool, body: PayloadRef) {
        if self.pool.place(id) == Place::Sent {
            self.pool.remove(id);
            self.settle(
                id,
                if ok {
                    Ok(body)
                } else {
                    Err(RequestError::Refused { body })
                },
            );
        } else if self.login.was_sent(id) {
            self.login_replied(ok, body);
        } else {
            self.out(Output::Release { body });
            if self.ping.as_ref().is_some_and(|p| p.id == id) {
                self.ponged(ok);
            }
        }
    }

    pub(super) fn send_failed(&mut self, epoch: Epoch, id: RequestId, outcome: SendOutcome) {
        if !self.is_open(epoch) {
            return;
        }
        if self.login.was_sent(id) || self.ping.as_ref().is_some_and(|p| p.id == id) {
            self.lose(CloseReason::Error);
        } else if self.pool.place(id) == Place::Sent {
            self.pool.remove(id);
            let error = match outcome {
                SendOutcome::NotSent => RequestError::NotSent(NotSent::Socket),
                SendOutcome::Unknown => RequestError::SentUnknown,
            };
            self.settle(id, Err(error));
            self.probe();
        }
    }

    /// Sends what the outbox holds and the phase allows, oldest first.
    pub(super) fn flush(&mut self) {
        let default = self.sent_deadline();
        for entry in self.outbox.take_all() {
            let id = entry.id;
            if entry.before_login || self.phase.is_login() {
                self.pool.mark_sent(id, default);
                self.send(Outgoing::Request { id });
            } else {
                self.outbox.push(entry);
            }
        }
    }

    /// The line is lost: what may be done twice goes back to the outbox, before what waits there, as far as there is room.
    pub(super) fn requeue(&mut self) {
        let too_old = self.later(self.config.outbox_max_age_ms);
        let mut at = 0;
        let (outbox, config) = (&mut self.outbox, &self.config);
        self.pool.requeue(too_old, |entry| {
            let fits = outbox.has_room(entry.bytes, config);
            if fits {
                outbox.insert(at, entry);
                at += 1;
            }
            fits
        });
    }

    /// Settles what is out of time.
    pub(super) fn expire_requests(&mut self) {
        let now = self.now();
        if self.pool.next_deadline() > now {
            return;
        }
        let mut at = 0;
        while let Some(pending) = self.pool.take_next(&mut at, |p| p.deadline <= now) {
            let sent = pending.place != Place::Queued;
            if pending.place != Place::Sent {
                self.outbox.remove(pending.id);
            }
            if pending.place == Place::Sent || pending.expires <= now {
                self.settle(pending.id, Err(RequestError::TimedOut { sent }));
            } else {
                self.report_drop(pending.id, DropReason::Expired, sent);
            }
        }
    }

    /// The one place where a request's fate is told.
    pub(super) fn settle(&mut self, id: RequestId, result: Result<PayloadRef, RequestError>) {
        self.out(Output::Settle { id, result });
    }

    /// Puts a request into the outbox; its former with the same key, then the oldest, make room for it.
    fn queue(&mut self, entry: Entry, expires: Moment, again: Option<Entry>) {
        let (max_entries, max_bytes) = (
            self.config.outbox_max_entries as usize,
            self.config.outbox_max_bytes,
        );
        if max_entries == 0 || entry.bytes > max_bytes {
            return self.settle(entry.id, Err(RequestError::NotSent(NotSent::Full)));
        }
        if entry.key != 0
            && let Some(former) = self.outbox.take_key(entry.key)
        {
            self.drop_queued(former, DropReason::Superseded);
        }
        while !self.outbox.has_room(entry.bytes, &self.config) {
            let Some(oldest) = self.outbox.take_oldest() else {
                break;
            };
            self.drop_queued(oldest, DropReason::Full);
        }
        let too_old = self.later(self.config.outbox_max_age_ms);
        let deadline = expires.min(too_old);
        self.pool.add(Pending {
            id: entry.id,
            place: Place::Queued,
            deadline,
            expires,
            again,
        });
        self.outbox.push(entry);
    }

    /// Drops a request that has just been taken from the outbox.
    fn drop_queued(&mut self, id: RequestId, reason: DropReason) {
        let sent = self.pool.remove(id) == Place::Again;
        self.report_drop(id, reason, sent);
    }

    /// `sent`: it was handed to a socket before, and its fate is unknown.
    fn report_drop(&mut self, id: RequestId, reason: DropReason, sent: bool) {
        self.event(ClientEvent::OutboxDropped { id, reason });
        self.settle(
            id,
            Err(if sent {
                RequestError::SentUnknown
            } else {
                RequestError::NotSent(NotSent::Dropped(reason))
            }),
        );
    }

    /// When a request that is sent now and has no timeout of its own is given up.
    fn sent_deadline(&self) -> Moment {
        self.later(self.config.request_timeout_ms)
    }
}
