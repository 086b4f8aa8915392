//! A recorded life for people: one line per call, with the time since its making, what was told, and the kinds of what came of it.

use crate::{Argument, Call, Life};
use heartline_client_core::boundary::input;

/// By the number of an output's kind.
const KINDS: [&str; 25] = [
    "open",
    "close",
    "credentials?",
    "login",
    "ping",
    "pong",
    "request",
    "settle",
    "deliver",
    "release",
    "phase",
    "logged in",
    "login refused",
    "disconnected",
    "outbox dropped",
    "hearer",
    "turn",
    "persist",
    "stand",
    "gap",
    "gap of an epoch",
    "poisoned",
    "ack",
    "park",
    "show",
];

impl Life {
    /// The lines, in order.
    pub fn story(&self) -> impl Iterator<Item = String> + '_ {
        let (mut begin, mut now) = (None, 0);
        self.calls.iter().map(move |call| {
            if let Some(told) = time_of(call) {
                now = told;
                begin.get_or_insert(told);
            }
            let since = now.wrapping_sub(begin.unwrap_or(now));
            let outputs: Vec<_> = call.3.chunks(4).map(output).collect();
            let arrow = if outputs.is_empty() { "" } else { " → " };
            format!("+{since} ms  {}{arrow}{}", told(call), outputs.join(", "))
        })
    }
}

/// When a call was made, where it says so: the low half of its clock.
fn time_of(Call(name, arguments, ..): &Call) -> Option<u32> {
    let at = match &**name {
        "feed" | "create" => 1,
        "listen" | "named_push" | "deliver_turn" | "unlisten_pattern" => 0,
        _ => return None,
    };
    arguments.get(at).map(low)
}

fn told(Call(name, arguments, answer, _): &Call) -> String {
    let numbers: Vec<_> = arguments.iter().map(low).collect();
    if let ("feed", [kind, _, a, b, c, d]) = (&**name, &numbers[..])
        && let Some(input) = input(*kind, [*a, *b, *c, *d])
    {
        return format!("{input:?}");
    }
    match (&**name, arguments.first()) {
        ("text", Some(Argument::Text(text))) => format!("text {text:?}"),
        _ => {
            let answer = answer.map_or("trapped".to_owned(), |answer| answer.to_string());
            format!("{name} {numbers:?} = {answer}")
        }
    }
}

fn output(numbers: &[i64]) -> String {
    let kind = numbers
        .first()
        .and_then(|kind| KINDS.get(usize::try_from(*kind).ok()?));
    let rest = numbers.get(1..).unwrap_or_default();
    let rest: Vec<_> = rest
        .iter()
        .map(|number| (*number as i32).to_string())
        .collect();
    format!("{} {}", kind.unwrap_or(&"?"), rest.join(" "))
}

fn low(argument: &Argument) -> u32 {
    match argument {
        Argument::Number(number) => *number as u32,
        Argument::Text(_) => 0,
    }
}
