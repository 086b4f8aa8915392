//! What a request looks like that a reverse proxy on this machine passed on for a stranger. Some
//! proxies leave no sign at all, which is why pushing without a key is off unless it is asked for.

use std::fmt;
use std::net::IpAddr;

use hyper::header::{CONNECTION, HOST, HeaderName, ORIGIN, REFERER, UPGRADE, USER_AGENT};
use hyper::{HeaderMap, Request, Version};

/// The first sign of a proxy that a request shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A header that proxies add. Its name is printable ASCII by HTTP's grammar.
    Header(HeaderName),
    /// `Host` names neither this machine's loopback nor the configured address.
    Host,
    /// A WebSocket, or a push, of a browser, a phone's app or a mini-program.
    Device,
}

impl Sign {
    /// The sign that a request of any kind shows. `own` is the address that the port is configured
    /// with.
    pub(super) fn of_any<B>(request: &Request<B>, own: IpAddr) -> Option<Self> {
        let headers = request.headers();
        if let Some(name) = headers.keys().find(|name| is_forwarding(name.as_str())) {
            return Some(Self::Header(name.clone()));
        }
        let named = request.uri().authority().map(|named| named.as_str());
        let hosts = headers.get_all(HOST).iter();
        let hosts = hosts.map(|host| host.to_str().unwrap_or(UNREADABLE));
        if named
            .into_iter()
            .chain(hosts)
            .any(|host| !is_local(host, own))
        {
            return Some(Self::Host);
        }
        let is_device = || is_from_a_page(headers) || has_agent(headers, PHONES);
        (headers.contains_key(UPGRADE) && is_device()).then_some(Self::Device)
    }

    /// The same for a request that asks to push.
    pub(super) fn of_push<B>(request: &Request<B>, own: IpAddr) -> Option<Self> {
        Self::of_any(request, own)
            .or_else(|| is_from_a_page(request.headers()).then_some(Self::Device))
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A name may be as long as a request's head.
            Self::Header(name) => write!(f, "a request with the header {:.64}", name.as_str()),
            Self::Host => f.write_str("a request whose Host is not this machine's own"),
            Self::Device => f.write_str("a request of a browser, a phone or a mini-program"),
        }
    }
}

/// Whether the request line and its `Connection` are those of a proxy: nginx passes everything on
/// in HTTP/1.0 with
/// `Connection: close`, or, after the recipe for WebSockets, with `Connection: upgrade` whether or not it upgrades.
pub(super) fn is_written_by_a_proxy<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let connection = |token: &str| {
        let values = headers.get_all(CONNECTION).iter();
        let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        tokens.any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    };
    headers.contains_key(UPGRADE)
        || connection("upgrade")
        || (request.version() < Version::HTTP_11 && connection("close"))
}

/// A local program's WebSocket or push has none of these: they are what browsers and the runtimes
/// of mini-programs write.
fn is_from_a_page(headers: &HeaderMap) -> bool {
    // `Sec-Fetch-Mode` alone is no sign: Node's own `fetch` and `WebSocket` send it.
    let is_written_by_browsers =
        |name: &HeaderName| name.as_str().starts_with("sec-ch-") || name == "sec-fetch-site";
    headers.contains_key(ORIGIN)
        || headers.contains_key(REFERER)
        || headers.keys().any(is_written_by_browsers)
        || has_agent(headers, BROWSERS)
}

fn has_agent(headers: &HeaderMap, parts: &[&str]) -> bool {
    headers.get_all(USER_AGENT).iter().any(|agent| {
        let agent = agent.as_bytes().to_ascii_lowercase();
        let agent = String::from_utf8_lossy(&agent);
        parts.iter().any(|part| agent.contains(part))
    })
}

/// Parts of the `User-Agent` of phones' HTTP libraries, in lower case. Backends use some of them
/// too, to push; no backend opens a WebSocket with them.
const PHONES: &[&str] = &["okhttp", "cfnetwork", "dalvik/", "dart/"];

/// Parts of the `User-Agent` of browsers and mini-programs, in lower case.
const BROWSERS: &[&str] = &[
    "mozilla/",
    "opera/",
    "micromessenger",
    "miniprogram",
    "wechatdevtools",
    "alipay",
    "baiduboxapp",
    "swan/",
    "toutiao",
    "qqbrowser",
    "quickapp",
    "uni-app",
];

/// Whether a `Host` names this machine: a loopback address, the configured one, `localhost` and
/// names below it, or a name without a dot, which no page of the internet can have.
fn is_local(host: &str, own: IpAddr) -> bool {
    let Some(name) = without_port(host) else {
        return false;
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address == own.to_canonical();
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    name.ends_with(".localhost")
        || name == "localhost.localdomain"
        || (!name.is_empty() && name.bytes().all(is_plain))
}

/// `None` where it is no name and port.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            (
                name,
                port.strip_prefix(':').or(port.is_empty().then_some(""))?,
            )
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    port.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(name)
}

/// Stands for a `Host` that is not text.
const UNREADABLE: &str = "?";

/// Whether a proxy, a load balancer, a gateway or a content delivery network adds a header of this
/// (lower-case) name.
fn is_forwarding(name: &str) -> bool {
    NAMES.contains(&name)
        || PARTS.iter().any(|part| name.contains(part))
        || BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

/// Whole names.
const NAMES: &[&str] = &[
    "via",
    "front-end-https",
    "x-scheme",
    "x-url-scheme",
    "x-proto",
    "x-host",
    "x-port",
    "x-remote-ip",
    "x-from-ip",
    "x-true-ip",
    "x-cloud-trace-context",
    "x-amzn-trace-id",
    "surrogate-capability",
    "x-varnish",
    "max-forwards",
    "x-nws-log-uuid",
    "x-stgw-time",
    "x-coming-from",
    "http-client-ip",
    "rndr-id",
];

/// Anywhere in a name: the address or the host that a proxy speaks for, however each product spells
/// it.
const PARTS: &[&str] = &[
    "forward",
    "real-ip",
    "realip",
    "client-ip",
    "clientip",
    "client-addr",
    "remote-addr",
    "connecting-ip",
    "src-ip",
    "source-ip",
    "peer-ip",
    "user-ip",
    "original-",
    "-via",
    "proxy",
    "akamai",
    "eagleeye",
    "eagleid",
];

/// How names of one product begin: Envoy, Cloudflare, Fly, Azure, App Engine, CloudFront and API
/// Gateway, Fastly, Sucuri, Imperva, Alibaba, Tencent, Baidu, Vercel, Netlify, Railway, ngrok,
/// Tailscale, Traefik, WeChat's cloud, and proxies that end TLS and pass on the client's
/// certificate.
const BEGINNINGS: &[&str] = &[
    "x-envoy-",
    "cf-",
    "x-cf-",
    "fly-",
    "x-arr-",
    "x-azure-",
    "x-fd-",
    "x-appengine-",
    "x-amz-cf-",
    "x-amzn-oidc-",
    "x-apigateway-",
    "cloudfront-",
    "fastly-",
    "x-sucuri",
    "x-incap",
    "incap-",
    "cdn-",
    "x-cdn",
    "ali-",
    "x-tencent-",
    "x-bfe-",
    "x-vercel-",
    "x-nf-",
    "x-railway-",
    "ngrok-",
    "x-ngrok-",
    "tailscale-",
    "x-traefik-",
    "x-haproxy-",
    "x-wx-",
    "x-waf-",
    "x-edge-",
    "ssl-client-",
    "x-ssl-",
    "x-client-cert",
    "x-client-verify",
];

#[cfg(test)]
mod tests;
