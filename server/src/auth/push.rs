//! Who may push: a request with a push key, from anywhere; and, where the operator asked for it, a
//! request without a key from this machine, until the first sign that a proxy on this machine
//! passes strangers' requests on.
//!
//! `signs` knows what a proxied request looks like, `loopback` remembers that one was seen, `describe` says in words
//! which ports are open to whom. [`PushAccess::authorise`] is the one answer for every route that
//! needs it.

mod describe;
mod loopback;
mod signs;

use std::net::IpAddr;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Request, StatusCode};
use subtle::{Choice, ConstantTimeEq};

use crate::config::{Config, Secret};
use loopback::LoopbackPush;
use signs::Sign;

/// Which of the server's ports a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// `listen`: WebSockets, and pushes.
    Public,
    /// `push.listen`: pushes and nothing else.
    Push,
}

/// Where a request came from, and to which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The other end of the TCP connection.
    pub peer: IpAddr,
    /// Our end of it.
    pub port: Port,
}

/// Why a push may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushGrant {
    /// It carried one of the configured keys.
    Key,
    /// It came from this machine, without a sign of a proxy, and the operator allows that.
    Loopback,
}

/// Why a push may not be made. The text is safe to answer: it holds nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PushRefusal {
    /// A bearer key was given, and it is none of ours.
    #[error("the push key is not known")]
    WrongKey,
    /// More than one `Authorization` header.
    #[error("several Authorization headers: send one, Authorization: Bearer KEY")]
    SeveralKeys,
    /// No key, and not from this machine.
    #[error("a push key is required: Authorization: Bearer KEY")]
    KeyRequired,
    /// No key, from this machine, and the operator does not allow that.
    #[error(
        "a push key is required: Authorization: Bearer KEY (the server's --push-key). \
         Pushing without a key is off; where no proxy runs on this machine, --loopback-push allows it"
    )]
    LoopbackOff,
    /// No key, from this machine, to the public port, while pushes have a port of their own.
    #[error(
        "a push key is required on this port: Authorization: Bearer KEY. \
         Programs on this machine push without one on the address of push.listen"
    )]
    OtherPort,
    /// No key; a proxy on this machine was seen, now or before.
    #[error(
        "a push key is required: Authorization: Bearer KEY (the server's --push-key). Pushing without a key has ended, \
         for a proxy on this machine was seen; the server's log says which sign of it, and how to allow it again"
    )]
    ProxySeen,
    /// No key; this request is written as a proxy writes one that it passes on.
    #[error(
        "a push key is required: Authorization: Bearer KEY. \
         Without one, a request must be HTTP/1.1 and carry no Upgrade: a proxy passes requests on like this one"
    )]
    PassedOn,
}

impl PushRefusal {
    /// 401 where a key would do and none, or a wrong one, was sent by the rules; 403 where the
    /// request looks proxied.
    pub fn status(self) -> StatusCode {
        match self {
            Self::WrongKey
            | Self::SeveralKeys
            | Self::KeyRequired
            | Self::LoopbackOff
            | Self::OtherPort => StatusCode::UNAUTHORIZED,
            Self::ProxySeen | Self::PassedOn => StatusCode::FORBIDDEN,
        }
    }
}

/// Decides who may push, and who may ask what became of a push. One per server.
#[derive(Debug)]
pub struct PushAccess {
    keys: Vec<Secret>,
    loopback: LoopbackPush,
    /// The only port on which a key may be missing.
    keyless_port: Port,
    /// The address of that port, as configured; a `Host` of this name is no sign of a proxy.
    own: IpAddr,
    /// The public port speaks TLS. The push port never does.
    is_tls: bool,
}

impl PushAccess {
    /// As configured. Whether a proxy was seen in an earlier run is read from the store's folder.
    pub fn new(config: &Config) -> Self {
        let (keyless_port, own) = match config.push.listen {
            Some(address) => (Port::Push, address.ip()),
            None => (Port::Public, config.listen.ip()),
        };
        let store = config.store.path.as_deref();
        Self {
            keys: config.push.keys.clone(),
            loopback: LoopbackPush::new(config.push.allow_loopback, store),
            keyless_port,
            own,
            is_tls: config.tls.is_some(),
        }
    }

    /// Looks at a request of any kind for a sign of a proxy on this machine; the first one ends
    /// pushing without a key.
    pub fn observe<B>(&self, caller: Caller, request: &Request<B>) {
        if caller.port == self.keyless_port
            && self.loopback.is_open()
            && is_loopback(caller.peer)
            && let Some(sign) = Sign::of_any(request, self.own)
        {
            self.loopback.close(&sign);
        }
    }

    /// Decides whether a request may push: by its key, or as a program of this machine where that
    /// is allowed.
    ///
    /// # Errors
    /// Refused with the reason, which may be answered to the sender. A wrong key is refused from
    /// loopback too: who means to use a key should hear that it is wrong.
    pub fn authorise<B>(
        &self,
        caller: Caller,
        request: &Request<B>,
    ) -> Result<PushGrant, PushRefusal> {
        let headers = request.headers();
        if headers.contains_key(AUTHORIZATION) {
            return self.key_matches(headers).map(|()| PushGrant::Key);
        }
        if !is_loopback(caller.peer) {
            return Err(PushRefusal::KeyRequired);
        }
        if !self.loopback.is_asked_for() {
            return Err(PushRefusal::LoopbackOff);
        }
        if caller.port != self.keyless_port {
            return Err(PushRefusal::OtherPort);
        }
        if let Some(sign) = Sign::of_push(request, self.own) {
            self.loopback.close(&sign);
        }
        if !self.loopback.is_open() {
            return Err(PushRefusal::ProxySeen);
        }
        if signs::is_written_by_a_proxy(request) {
            return Err(PushRefusal::PassedOn);
        }
        Ok(PushGrant::Loopback)
    }

    fn key_matches(&self, headers: &HeaderMap) -> Result<(), PushRefusal> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return Err(PushRefusal::SeveralKeys);
        };
        let key = bearer(value.as_bytes()).ok_or(PushRefusal::KeyRequired)?;
        match any_key_matches(&self.keys, key) {
            true => Ok(()),
            false => Err(PushRefusal::WrongKey),
        }
    }
}

/// 127/8 and `::1`, the former also as IPv6 sockets show it (`::ffff:127.0.0.1`).
fn is_loopback(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// The key of `Authorization: Bearer KEY`, which is empty where only the scheme was written; `None`
/// for another scheme. The scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let end = value.iter().position(u8::is_ascii_whitespace);
    let (scheme, key) = value.split_at(end.unwrap_or(value.len()));
    scheme
        .eq_ignore_ascii_case(b"bearer")
        .then(|| key.trim_ascii())
}

/// Looks at every key whatever the outcome, so that time does not tell which one nearly matched.
fn any_key_matches(keys: &[Secret], given: &[u8]) -> bool {
    let matched = keys.iter().fold(Choice::from(0), |so_far, key| {
        so_far | key.expose().as_bytes().ct_eq(given)
    });
    // A library's user may configure an empty key; it opens nothing.
    bool::from(matched) && !given.is_empty()
}

#[cfg(test)]
mod tests;
