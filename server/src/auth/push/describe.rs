//! Which ports are open, to whom, and how a backend on this machine pushes: the sentences of
//! `serve` and `check-config`.

use std::net::SocketAddr;

use super::{Port, PushAccess};

impl PushAccess {
    /// One sentence each; the last says how a backend pushes. The addresses are those in use: a
    /// port 0 of the settings is a port by then.
    pub fn describe(&self, public: SocketAddr, push: Option<SocketAddr>) -> Vec<String> {
        let mut said = Vec::new();
        let kinds = match push {
            None => "WebSockets and pushes",
            Some(_) => "WebSockets, and pushes with a key",
        };
        said.push(format!("{public}: {kinds}, {}", reach(public)));
        if let Some(push) = push {
            said.push(format!("{push}: pushes only, {}", reach(push)));
        }
        said.push(match self.keys.len() {
            0 => "push keys: none".into(),
            1 => "push keys: 1, good from everywhere".into(),
            many => format!("push keys: {many}, each good from everywhere"),
        });
        let port = match self.keyless_port {
            Port::Public => public,
            Port::Push => push.unwrap_or(public),
        };
        said.push(match (self.loopback.is_asked_for(), self.loopback.is_open()) {
            (false, _) => "pushing without a key: off".into(),
            (true, true) => format!(
                "pushing without a key: on, for programs of this machine that connect to {port}, until the first sign \
                 of a proxy on this machine"
            ),
            (true, false) => format!(
                "pushing without a key: off, although it is asked for: a proxy on this machine was seen{}",
                match self.loopback.marker() {
                    Some(marker) => format!(" (to allow it again, remove {})", marker.display()),
                    None => String::new(),
                }
            ),
        });
        let url = |to: SocketAddr| match self.is_tls && Some(to) != push {
            true => format!("https://{to}/"),
            false => format!("http://{to}/"),
        };
        said.push(match (self.loopback.is_open(), self.keys.is_empty()) {
            (true, _) => {
                format!("a backend on this machine pushes to {} without a key", url(port))
            }
            (false, false) => format!(
                "a backend pushes to {} with the header Authorization: Bearer KEY",
                url(push.unwrap_or(public))
            ),
            (false, true) => "nobody can push: give backends a key (--push-key KEY, sent as Authorization: Bearer KEY), \
                 or, where no proxy on this machine reaches the port, allow programs of this machine to push without \
                 one (--loopback-push)"
                .into(),
        });
        said
    }

    /// Nobody can push at all.
    pub fn is_closed(&self) -> bool {
        self.keys.is_empty() && !self.loopback.is_open()
    }
}

fn reach(address: SocketAddr) -> &'static str {
    match address.ip().to_canonical().is_loopback() {
        true => "from this machine",
        false => "from every machine that reaches this address",
    }
}
