//! Inputs as the calls that a boundary would have carried: the reverse of [`heartline_client_core::boundary::input`].

use heartline_client_core::boundary::codes;
use heartline_client_core::{
    Backoff, Config, Epoch, EpochTag, GapReason, Incoming, Input, ListenMode, RequestOptions,
    SendOutcome, StreamId, Unsent,
};

/// The text that comes before it, if one does, the call's name, and its arguments.
pub(crate) fn call<'a>(now: i64, input: &Input<'a>) -> (Option<&'a str>, &'static str, Vec<i64>) {
    match *input {
        Input::Listen { pattern, mode, .. } => {
            let replaces = (mode == ListenMode::Replace).into();
            (Some(pattern), "listen", vec![now, replaces])
        }
        Input::UnlistenPattern { pattern } => (Some(pattern), "unlisten_pattern", vec![now]),
        Input::Frame {
            epoch,
            frame: Incoming::NamedPush { event, body },
        } => {
            let arguments = vec![now, epoch.0.into(), body.0.into()];
            (Some(event), "named_push", arguments)
        }
        input => {
            let (kind, rest) = numbers(input);
            let rest = rest.map(i64::from);
            let arguments = [kind.into(), now].into_iter().chain(rest);
            (None, "feed", arguments.collect())
        }
    }
}

/// The settings that differ in nothing but their value from what [`heartline_client_core::boundary::set_option`] takes.
pub(crate) fn options(config: &Config) -> Vec<(u32, u32)> {
    let mut options = match config.backoff {
        Backoff::Jitter { min_ms, max_ms } => vec![
            (codes::OPTION_RECONNECT_MIN_MS, min_ms),
            (codes::OPTION_RECONNECT_MAX_MS, max_ms),
        ],
        Backoff::Fixed { delay_ms } => vec![(codes::OPTION_RECONNECT_FIXED_MS, delay_ms)],
    };
    options.extend([
        (codes::OPTION_DIAL_TIMEOUT_MS, config.dial_timeout_ms),
        (codes::OPTION_LOGIN_TIMEOUT_MS, config.login_timeout_ms),
        (codes::OPTION_HEARTBEAT_MS, config.heartbeat_interval_ms),
        (codes::OPTION_HEARTBEAT_GRACE_MS, config.heartbeat_grace_ms),
        (codes::OPTION_PROBE_GRACE_MS, config.probe_grace_ms),
        (codes::OPTION_CLOCK_JUMP_MS, config.clock_jump_ms),
        (codes::OPTION_STABLE_AFTER_MS, config.stable_after_ms),
        (codes::OPTION_REQUEST_TIMEOUT_MS, config.request_timeout_ms),
        (codes::OPTION_MAX_REQUESTS, config.max_requests),
        (codes::OPTION_OUTBOX_MAX_ENTRIES, config.outbox_max_entries),
        (codes::OPTION_OUTBOX_MAX_BYTES, config.outbox_max_bytes),
        (codes::OPTION_OUTBOX_MAX_AGE_MS, config.outbox_max_age_ms),
        (codes::OPTION_MAX_LISTENERS, config.max_listeners),
        (codes::OPTION_MAX_EVENT_NAMES, config.max_event_names),
    ]);
    options
}

fn numbers(input: Input<'_>) -> (u32, [u32; 4]) {
    match input {
        Input::Start => (codes::IN_START, [0; 4]),
        Input::Stop => (codes::IN_STOP, [0; 4]),
        Input::Disconnect => (codes::IN_DISCONNECT, [0; 4]),
        Input::Destroy => (codes::IN_DESTROY, [0; 4]),
        Input::Identity { present } => (codes::IN_IDENTITY, one(present)),
        Input::Request { id, options } => {
            let RequestOptions {
                timeout_ms,
                unsent,
                before_login,
                idempotent,
                bytes,
            } = options;
            let kind = if before_login {
                codes::IN_REQUEST_EARLY
            } else {
                codes::IN_REQUEST
            };
            let key = match unsent {
                Unsent::Fail => NONE,
                Unsent::Queue { key } => key,
            };
            let bytes = bytes | u32::from(idempotent) << 31;
            (kind, [id.0 as u32, timeout_ms, bytes, key])
        }
        Input::Cancel { id } => (codes::IN_CANCEL, one(id.0 as u32)),
        Input::Unlisten { listener } => (codes::IN_UNLISTEN, one(listener.0)),
        Input::Position {
            stream,
            tag,
            handled,
        } => (codes::IN_POSITION, [place(stream, tag), handled, 0, 0]),
        Input::Stored {
            stream,
            tag,
            handled,
            ok,
        } => (
            codes::IN_STORED,
            [place(stream, tag), handled, ok.into(), 0],
        ),
        Input::GiveUp { stream, turn } => (codes::IN_GIVE_UP, [stream.0, turn, 0, 0]),
        Input::Forget { stream } => (codes::IN_FORGET, one(stream.0)),
        Input::Handled { stream, turn, ok } => (codes::IN_HANDLED, [stream.0, turn, ok.into(), 0]),
        Input::Credentials { id, ready } => {
            (codes::IN_CREDENTIALS, [id.0 as u32, ready.into(), 0, 0])
        }
        Input::Opened { epoch } => (codes::IN_OPENED, one(epoch.0)),
        Input::Frame { epoch, frame } => frame_numbers(epoch, frame),
        Input::SendFailed { epoch, id, outcome } => {
            let unknown = (outcome == SendOutcome::Unknown).into();
            (codes::IN_SEND_FAILED, [epoch.0, id.0 as u32, unknown, 0])
        }
        Input::Failed { epoch } => (codes::IN_FAILED, one(epoch.0)),
        Input::Closed {
            epoch,
            code,
            retry_after_ms,
        } => {
            let code = code.map_or(NONE, u32::from);
            // The longest advice is one less than "none", and no different: neither is followed that long.
            let advice = retry_after_ms.map_or(NONE, |ms| ms.min(NONE - 1));
            (codes::IN_CLOSED, [epoch.0, code, advice, 0])
        }
        Input::Network { online } => (codes::IN_NETWORK, one(online)),
        Input::Visibility { visible } => (codes::IN_VISIBILITY, one(visible)),
        // Those with a text are calls of their own.
        Input::Timeout | Input::Listen { .. } | Input::UnlistenPattern { .. } => {
            (codes::IN_TIMEOUT, [0; 4])
        }
    }
}

fn frame_numbers(Epoch(epoch): Epoch, frame: Incoming<'_>) -> (u32, [u32; 4]) {
    match frame {
        Incoming::Reply { id, ok, body } => {
            (codes::IN_REPLY, [epoch, id.0 as u32, ok.into(), body.0])
        }
        Incoming::Ping { token } => (codes::IN_PING, [epoch, token.0, 0, 0]),
        Incoming::Push { event, body } => (codes::IN_PUSH, [epoch, event.0, body.0, 0]),
        Incoming::Attached {
            stream,
            tag,
            offset,
        } => (codes::IN_ATTACHED, [epoch, place(stream, tag), offset, 0]),
        Incoming::Durable {
            stream,
            offset,
            body,
        } => (codes::IN_DURABLE, [epoch, stream.0, offset, body.0]),
        Incoming::Gap {
            stream,
            tag,
            from,
            to,
            reason,
        } => {
            let kind = match reason {
                GapReason::Retention => codes::IN_GAP,
                GapReason::Epoch => codes::IN_GAP_EPOCH,
            };
            (kind, [epoch, place(stream, tag), from, to])
        }
        // A push by name is a call of its own.
        Incoming::Other | Incoming::NamedPush { .. } => (codes::IN_OTHER, one(epoch)),
    }
}

fn place(stream: StreamId, tag: EpochTag) -> u32 {
    stream.0 | tag.0 << codes::PLACE_SHIFT
}

fn one(number: impl Into<u32>) -> [u32; 4] {
    [number.into(), 0, 0, 0]
}

const NONE: u32 = u32::MAX;
