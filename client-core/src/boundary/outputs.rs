//! Outputs become numbers.

use super::codes;
use crate::{
    ClientEvent, CloseReason, DropReason, EpochTag, GapReason, Millis, NotSent, Outgoing, Output,
    PayloadRef, Phase, RequestError, StreamId, WaitReason,
};

/// A decision as its kind and its numbers. `now`: the present that was told last.
pub fn numbers(output: Output, now: Millis) -> (u32, [u32; 3]) {
    match output {
        Output::Open { epoch } => (codes::OUT_OPEN, alone(epoch.0)),
        Output::Close { epoch, code } => (codes::OUT_CLOSE, two(epoch.0, code)),
        Output::Credentials { epoch, id } => (codes::OUT_CREDENTIALS, [epoch.0, id.0 as u32, 0]),
        Output::Send { epoch, message } => {
            let (kind, b, c) = message_numbers(message);
            (kind, [epoch.0, b, c])
        }
        Output::Settle { id, result } => {
            let (fate, argument) = fate(result);
            (codes::OUT_SETTLE, [id.0 as u32, fate, argument])
        }
        Output::Deliver { listener, body } => (codes::OUT_DELIVER, two(listener.0, body.0)),
        Output::Release { body } => (codes::OUT_RELEASE, alone(body.0)),
        Output::Turn { stream, turn, body } => (codes::OUT_TURN, [stream.0, turn, maybe(body)]),
        Output::Persist {
            stream,
            tag,
            handled,
        } => (codes::OUT_PERSIST, two(place(stream, tag), handled)),
        Output::Stand { stream, position } => {
            let place = place(stream, position.tag);
            (
                codes::OUT_STAND,
                [place, position.received, position.handled],
            )
        }
        Output::Event(event) => event_numbers(event, now),
    }
}

fn message_numbers(message: Outgoing) -> (u32, u32, u32) {
    match message {
        Outgoing::Login { id } => (codes::OUT_LOGIN, id.0 as u32, 0),
        Outgoing::Ping { id } => (codes::OUT_PING, id.0 as u32, 0),
        Outgoing::Pong { token } => (codes::OUT_PONG, token.0, 0),
        Outgoing::Request { id } => (codes::OUT_REQUEST, id.0 as u32, 0),
        Outgoing::Ack { stream, offset } => (codes::OUT_ACK, stream.0, offset),
        Outgoing::Park => (codes::OUT_PARK, 0, 0),
        Outgoing::Show => (codes::OUT_SHOW, 0, 0),
    }
}

fn fate(result: Result<PayloadRef, RequestError>) -> (u32, u32) {
    match result {
        Ok(body) => (codes::FATE_OK, body.0),
        Err(RequestError::Refused { body }) => (codes::FATE_REFUSED, body.0),
        Err(RequestError::NotSent(why)) => (codes::FATE_NOT_SENT, unsent(why)),
        Err(RequestError::SentUnknown) => (codes::FATE_SENT_UNKNOWN, 0),
        Err(RequestError::TimedOut { sent }) => (codes::FATE_TIMED_OUT, sent.into()),
        Err(RequestError::Cancelled { sent }) => (codes::FATE_CANCELLED, sent.into()),
    }
}

fn unsent(why: NotSent) -> u32 {
    match why {
        NotSent::NotReady => codes::UNSENT_NOT_READY,
        NotSent::Full => codes::UNSENT_FULL,
        NotSent::Socket => codes::UNSENT_SOCKET,
        NotSent::Dropped(reason) => dropped(reason),
    }
}

fn dropped(reason: DropReason) -> u32 {
    match reason {
        DropReason::Full => codes::UNSENT_DROPPED_FULL,
        DropReason::Expired => codes::UNSENT_DROPPED_EXPIRED,
        DropReason::Superseded => codes::UNSENT_DROPPED_SUPERSEDED,
    }
}

fn event_numbers(event: ClientEvent, now: Millis) -> (u32, [u32; 3]) {
    match event {
        ClientEvent::Phase(phase) => (codes::OUT_PHASE, phase_numbers(phase, now)),
        ClientEvent::LoggedIn { body, again } => (codes::OUT_LOGGED_IN, two(body.0, again)),
        ClientEvent::LoginRefused { body } => (codes::OUT_LOGIN_REFUSED, alone(body.0)),
        ClientEvent::Disconnected { reason } => {
            let (reason, code) = close_numbers(reason);
            (codes::OUT_DISCONNECTED, [reason, code, 0])
        }
        ClientEvent::OutboxDropped { id, reason } => {
            (codes::OUT_OUTBOX_DROPPED, [id.0 as u32, dropped(reason), 0])
        }
        ClientEvent::Gap {
            stream,
            tag,
            from,
            to,
            reason,
        } => {
            let kind = match reason {
                GapReason::Retention => codes::OUT_GAP,
                GapReason::Epoch => codes::OUT_GAP_EPOCH,
            };
            (kind, [place(stream, tag), from, to])
        }
        ClientEvent::Poisoned {
            stream,
            offset,
            body,
        } => (codes::OUT_POISONED, [stream.0, offset, maybe(body)]),
    }
}

/// The phase's code and what belongs to it.
pub fn phase_numbers(phase: Phase, now: Millis) -> [u32; 3] {
    match phase {
        Phase::Idle => alone(codes::PHASE_IDLE),
        Phase::Connecting => alone(codes::PHASE_CONNECTING),
        Phase::Open => alone(codes::PHASE_OPEN),
        Phase::LoggingIn => alone(codes::PHASE_LOGGING_IN),
        Phase::Ready => alone(codes::PHASE_READY),
        Phase::Waiting {
            attempt,
            until,
            reason,
        } => {
            let phase = match reason {
                WaitReason::Backoff => codes::PHASE_WAITING_BACKOFF,
                WaitReason::Advised => codes::PHASE_WAITING_ADVISED,
                WaitReason::Network => codes::PHASE_WAITING_NETWORK,
            };
            [
                phase,
                attempt,
                until.map_or(NONE, |at| at.0.wrapping_sub(now.0) as u32),
            ]
        }
        Phase::Parked => alone(codes::PHASE_PARKED),
        Phase::Closed { reason } => {
            let (reason, code) = close_numbers(reason);
            [codes::PHASE_CLOSED, reason, code]
        }
    }
}

fn close_numbers(reason: CloseReason) -> (u32, u32) {
    match reason {
        CloseReason::Asked => (codes::CLOSE_ASKED, NONE),
        CloseReason::LoggedOut => (codes::CLOSE_LOGGED_OUT, NONE),
        CloseReason::DialFailed => (codes::CLOSE_DIAL_FAILED, NONE),
        CloseReason::DialTimedOut => (codes::CLOSE_DIAL_TIMED_OUT, NONE),
        CloseReason::Remote { code } => (codes::CLOSE_REMOTE, code.map_or(NONE, u32::from)),
        CloseReason::Dead => (codes::CLOSE_DEAD, NONE),
        CloseReason::Error => (codes::CLOSE_ERROR, NONE),
        CloseReason::Offline => (codes::CLOSE_OFFLINE, NONE),
    }
}

fn place(stream: StreamId, tag: EpochTag) -> u32 {
    stream.0 | tag.0 << codes::PLACE_SHIFT
}

fn maybe(body: Option<PayloadRef>) -> u32 {
    body.map_or(NONE, |body| body.0)
}

fn alone(a: u32) -> [u32; 3] {
    [a, 0, 0]
}

fn two(a: u32, b: impl Into<u32>) -> [u32; 3] {
    [a, b.into(), 0]
}

/// "None", where a number may be missing.
const NONE: u32 = u32::MAX;
