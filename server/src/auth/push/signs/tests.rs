//! Names that proxies use, names that programs use, and hosts of both.

use super::*;

#[test]
fn headers_that_proxies_add_are_known_however_they_spell_them() {
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded",
        "Forwarded",
        "Forwarded-For",
        "X-Original-Forwarded-For",
        "X-Vercel-Forwarded-For",
        "X-Vercel-Ip-Country",
        "X-Nf-Client-Connection-Ip",
        "Via",
        "X-Real-IP",
        "X-RealIP",
        "Ali-Cdn-Real-Ip",
        "X-Client-IP",
        "Client-IP",
        "X-ClientIP",
        "X-Cluster-Client-Ip",
        "Fastly-Client-IP",
        "Fly-Client-IP",
        "True-Client-IP",
        "Proxy-Client-IP",
        "WL-Proxy-Client-IP",
        "WL-Proxy-SSL",
        "HTTP-Client-IP",
        "Incap-Client-IP",
        "X-Appengine-User-Ip",
        "X-Appengine-Remote-Addr",
        "X-Remote-Addr",
        "Remote-Addr",
        "X-Remote-IP",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "CF-Ray",
        "CF-Visitor",
        "CF-IPCountry",
        "CDN-Loop",
        "Cdn-Src-Ip",
        "X-Cdn-Src-Port",
        "X-Envoy-External-Address",
        "X-Envoy-Internal",
        "X-Amzn-Trace-Id",
        "X-Amz-Cf-Id",
        "CloudFront-Viewer-Address",
        "X-ARR-LOG-ID",
        "X-Azure-ClientIP",
        "X-Azure-SocketIP",
        "X-FD-HealthProbe",
        "X-Sucuri-ClientIP",
        "Akamai-Origin-Hop",
        "X-Akamai-Edgescape",
        "EagleId",
        "EagleEye-TraceId",
        "X-Cloud-Trace-Context",
        "X-Original-Host",
        "X-Original-URL",
        "X-ProxyUser-Ip",
        "Proxy-Authorization",
        "Proxy-Connection",
        "X-Varnish",
        "Surrogate-Capability",
        "Ngrok-Skip-Browser-Warning",
        "Tailscale-User-Login",
        "X-Bluecoat-Via",
        "Front-End-Https",
        "X-Wx-Source",
        "Ssl-Client-Verify",
    ] {
        assert!(is_forwarding(&name.to_ascii_lowercase()), "{name}");
    }
}

#[test]
fn headers_that_programs_send_are_no_sign() {
    for name in [
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Accept-Charset",
        "Authorization",
        "Content-Type",
        "Content-Length",
        "Content-Encoding",
        "Transfer-Encoding",
        "Expect",
        "Connection",
        "Keep-Alive",
        "TE",
        "Cookie",
        "Cache-Control",
        "Pragma",
        "Date",
        "From",
        "If-None-Match",
        "Range",
        "Idempotency-Key",
        "X-Request-Id",
        "X-Correlation-Id",
        "X-Requested-With",
        "X-Api-Key",
        "X-Csrf-Token",
        "Traceparent",
        "Tracestate",
        "Baggage",
        "B3",
        "X-B3-TraceId",
        "Sentry-Trace",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
        "Upgrade",
        "HTTP2-Settings",
        "Sec-Fetch-Mode",
        "Priority",
        "DNT",
        "X-Http-Method-Override",
        "X-Socket-Id",
    ] {
        assert!(!is_forwarding(&name.to_ascii_lowercase()), "{name}");
    }
}

#[test]
fn a_host_is_this_machine_or_another() {
    let own = "192.168.1.5".parse().unwrap();
    for local in [
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.1.2.3:1",
        "localhost",
        "LocalHost:8080",
        "localhost.",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:8080",
        "app.localhost:8080",
        "localhost.localdomain",
        "192.168.1.5:8080",
        "x",
        "heartline",
        "push_server:8080",
    ] {
        assert!(is_local(local, own), "{local}");
    }
    for foreign in [
        "app.example",
        "app.example:443",
        "rebind.evil",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8080",
        "192.168.1.6",
        "203.0.113.9:8080",
        "[2001:db8::1]:8080",
        "",
        ":8080",
        ".",
        "[::1",
        "[::1]evil",
        "a@localhost",
        "localhost:8080:80",
        "localhost:evil",
        "0.0.0.0:8080",
        "évil",
        UNREADABLE,
    ] {
        assert!(!is_local(foreign, own), "{foreign}");
    }
}

#[test]
fn each_host_that_a_request_names_counts() {
    let own = "127.0.0.1".parse().unwrap();
    let twice = Request::get("/")
        .header("host", "localhost")
        .header("host", "a.example");
    assert_eq!(
        Sign::of_any(&twice.body(()).unwrap(), own),
        Some(Sign::Host)
    );
    let absolute = Request::get("http://a.example/").header("host", "localhost");
    assert_eq!(
        Sign::of_any(&absolute.body(()).unwrap(), own),
        Some(Sign::Host)
    );
    let unreadable = hyper::header::HeaderValue::from_bytes(b"\xff").unwrap();
    let unreadable = Request::get("/").header("host", unreadable);
    assert_eq!(
        Sign::of_any(&unreadable.body(()).unwrap(), own),
        Some(Sign::Host)
    );
    let none = Request::get("/").body(()).unwrap();
    assert_eq!(Sign::of_any(&none, own), None);
}
