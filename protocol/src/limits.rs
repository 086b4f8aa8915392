//! The bounds of the wire, with their defaults and units. Server and clients read them from here.

/// How large things on the wire may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One message from a client to the server, after reassembly, in bytes. Beyond: close code 1009.
    pub client_message_bytes: usize,
    /// One message from the server to a client, in bytes. A pushed byte may become six (`\u0000`), so this is
    /// larger than six HTTP bodies.
    pub server_message_bytes: usize,
    /// One HTTP body, in bytes. Beyond: 413.
    pub http_body_bytes: usize,
    /// Fields of one push, array entries counted one by one. Beyond: 413.
    pub push_fields: usize,
    /// Recipients of one push. Beyond: 413.
    pub push_recipients: usize,
    /// Depth of a form name such as `a[b][c]` (PHP's `max_input_nesting_level`). Beyond: 400.
    pub form_depth: usize,
    /// Levels of arrays and objects in a push: of a JSON body, the body's own object counted, or of a `msg` in JSON. Beyond:
    /// 400. Every JSON reader takes so many (serde_json ends at 127), also with a few levels of an app's own around them.
    pub json_depth: usize,
    /// An event's name in a push, in bytes. Beyond: 400.
    pub event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            client_message_bytes: 1024 * 1024,
            server_message_bytes: 16 * 1024 * 1024,
            http_body_bytes: 2 * 1024 * 1024,
            push_fields: 10_000,
            push_recipients: 100_000,
            form_depth: 64,
            json_depth: 100,
            event_bytes: 256,
        }
    }
}
