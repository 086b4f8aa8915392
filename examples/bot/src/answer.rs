//! What the bot says, and to whom. Pure: a push goes in, an answer may come out.

use heartline_client_native::Push;
use serde_json::{Value, json};

/// The longest text that is repeated, in characters.
const REPEATED: usize = 200;

/// An answer, ready to be pushed.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text that is answered.
    pub heard: String,
    /// The event: that of the question, so that it appears in the same room.
    pub event: String,
    /// The users who get it: all who got the question, but not the bot.
    pub to: String,
    /// `{"from":…,"text":…,"bot":true}`
    pub msg: String,
}

/// The answer to a push, if it deserves one. `me` is the bot's `ROLE:ID`.
///
/// A push that a bot has made (`"bot": true`) is never answered: two bots would talk for ever.
pub fn answer(push: &Push, me: &str, name: &str) -> Option<Answer> {
    let msg: Value = push.parse_msg().ok()?;
    if msg["bot"] == json!(true) {
        return None;
    }
    let heard = match &msg {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.get("text")?.as_str()?.to_owned(),
        _ => return None,
    };
    let to: Value = serde_json::from_str(push.field("to")?.get()).ok()?;
    let texts: Vec<&str> = match &to {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(list) => list.values().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let others: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(|user| user.trim().trim_start_matches("online:"))
        .filter(|user| !user.is_empty() && *user != me)
        .collect();
    if others.is_empty() {
        return None;
    }
    let short: String = heard.chars().take(REPEATED).collect();
    let text = format!("收到：{short}");
    Some(Answer {
        event: push.event().to_owned(),
        to: others.join(","),
        msg: json!({ "from": name, "text": text, "bot": true }).to_string(),
        heard,
    })
}
