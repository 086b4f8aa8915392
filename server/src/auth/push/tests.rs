//! Keys, loopback, signs and the marker, by the one function that every route asks.

use super::*;
use std::path::Path;

const CLOSE: &[(&str, &str)] = &[("Host", "127.0.0.1:8080"), ("Connection", "close")];

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.push.keys = vec![Secret::new("one"), Secret::new("two")];
    config.push.allow_loopback = true;
    change(&mut config);
    config
}

fn access(change: impl FnOnce(&mut Config)) -> PushAccess {
    PushAccess::new(&config(change))
}

fn open() -> PushAccess {
    access(|_| {})
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::post("/").body(()).unwrap();
    for (name, value) in headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        (request.headers_mut()).append(name, value.parse().unwrap());
    }
    request
}

fn from(peer: &str, port: Port) -> Caller {
    let peer = peer.parse().unwrap();
    Caller { peer, port }
}

fn ask(
    access: &PushAccess,
    peer: &str,
    headers: &[(&str, &str)],
) -> Result<PushGrant, PushRefusal> {
    access.authorise(from(peer, Port::Public), &request(headers))
}

/// A fresh server's answer.
fn fresh(peer: &str, headers: &[(&str, &str)]) -> Result<PushGrant, PushRefusal> {
    ask(&open(), peer, headers)
}

#[test]
fn as_shipped_nobody_pushes_without_a_key() {
    let shipped = PushAccess::new(&Config::default());
    let refused = Err(PushRefusal::LoopbackOff);
    assert_eq!(ask(&shipped, "127.0.0.1", &[]), refused);
    assert_eq!(ask(&shipped, "::1", CLOSE), refused);
    assert_eq!(
        ask(&shipped, "10.0.0.1", &[]),
        Err(PushRefusal::KeyRequired)
    );
    assert!(shipped.is_closed());
    let with_keys = access(|config| config.push.allow_loopback = false);
    assert_eq!(ask(&with_keys, "127.0.0.1", &[]), refused);
    assert_eq!(
        ask(&with_keys, "127.0.0.1", &[("Authorization", "Bearer one")]),
        Ok(PushGrant::Key)
    );
}

#[test]
fn keys_and_loopback_are_independent() {
    assert_eq!(
        fresh("127.0.0.1", &[]),
        Ok(PushGrant::Loopback),
        "beside keys"
    );
    let without_keys = access(|config| config.push.keys.clear());
    assert_eq!(
        ask(&without_keys, "127.0.0.1", &[]),
        Ok(PushGrant::Loopback)
    );
}

#[test]
fn any_configured_key_opens_from_anywhere() {
    for key in ["Bearer one", "bearer two", "BEARER  one ", "Bearer\ttwo"] {
        let given = [("Authorization", key)];
        assert_eq!(fresh("203.0.113.9", &given), Ok(PushGrant::Key), "{key}");
    }
    let proxied = [
        ("Authorization", "Bearer two"),
        ("X-Forwarded-For", "198.51.100.1"),
        ("Host", "app.example"),
        ("Origin", "https://app.example"),
    ];
    assert_eq!(fresh("127.0.0.1", &proxied), Ok(PushGrant::Key));
}

#[test]
fn what_is_no_key_of_ours_is_refused_even_on_loopback() {
    for key in [
        "Bearer three",
        "Bearer on",
        "Bearer onetwo",
        "Bearer one two",
        "Bearer ",
        "Bearer",
        "bearer",
        "BEARER \t",
    ] {
        let given = [("Authorization", key)];
        for access in [open(), access(|config| config.push.keys.clear())] {
            assert_eq!(
                ask(&access, "127.0.0.1", &given),
                Err(PushRefusal::WrongKey),
                "{key:?}"
            );
        }
    }
    for other in ["Basic b25l", "one", "", "Bearerone", "Bearer,one"] {
        let given = [("Authorization", other)];
        assert_eq!(
            fresh("127.0.0.1", &given),
            Err(PushRefusal::KeyRequired),
            "{other:?}"
        );
    }
    let twice = [
        ("Authorization", "Bearer one"),
        ("Authorization", "Bearer one"),
    ];
    assert_eq!(fresh("127.0.0.1", &twice), Err(PushRefusal::SeveralKeys));
    let empty_key = access(|config| config.push.keys = vec![Secret::new("")]);
    let given = [("Authorization", "Bearer ")];
    assert_eq!(
        ask(&empty_key, "127.0.0.1", &given),
        Err(PushRefusal::WrongKey)
    );
}

#[test]
fn loopback_is_loopback_in_any_spelling() {
    for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(fresh(peer, &[]), Ok(PushGrant::Loopback), "{peer}");
    }
    for peer in ["10.0.0.1", "::2", "::ffff:10.0.0.1", "0.0.0.0", "128.0.0.1"] {
        assert_eq!(fresh(peer, &[]), Err(PushRefusal::KeyRequired), "{peer}");
    }
}

#[test]
fn local_programs_push_however_they_write_their_requests() {
    for headers in [
        &[
            ("Host", "127.0.0.1:8080"),
            ("User-Agent", "curl/8.5.0"),
            ("Accept", "*/*"),
        ][..],
        &[
            ("Host", "localhost"),
            ("User-Agent", "GuzzleHttp/7"),
            ("Connection", "keep-alive"),
        ],
        &[
            ("Host", "[::1]:8080"),
            ("User-Agent", "node"),
            ("Sec-Fetch-Mode", "cors"),
        ],
        &[
            ("Host", "x"),
            ("User-Agent", "okhttp/4.12.0"),
            ("traceparent", "00-1-2-00"),
        ],
        CLOSE,
    ] {
        assert_eq!(
            fresh("127.0.0.1", headers),
            Ok(PushGrant::Loopback),
            "{headers:?}"
        );
    }
}

#[test]
fn the_first_sign_of_a_proxy_ends_it_for_good() {
    for sign in [
        ("X-Forwarded-For", "203.0.113.9"),
        ("Host", "app.example"),
        ("Origin", "http://localhost:5173"),
        ("Sec-Fetch-Site", "cross-site"),
        (
            "Referer",
            "https://servicewechat.com/wx1/devtools/page-frame.html",
        ),
        ("User-Agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0"),
    ] {
        let access = open();
        assert_eq!(ask(&access, "127.0.0.1", &[]), Ok(PushGrant::Loopback));
        let remote = ask(&access, "203.0.113.9", &[sign]);
        assert_eq!(remote, Err(PushRefusal::KeyRequired), "not on this machine");
        assert_eq!(ask(&access, "127.0.0.1", &[]), Ok(PushGrant::Loopback));
        let seen = Err(PushRefusal::ProxySeen);
        assert_eq!(ask(&access, "127.0.0.1", &[sign]), seen, "{sign:?}");
        assert_eq!(ask(&access, "127.0.0.1", &[]), seen, "after {sign:?}");
        let key = [("Authorization", "Bearer one")];
        assert_eq!(ask(&access, "127.0.0.1", &key), Ok(PushGrant::Key));
    }
}

#[test]
fn a_request_of_any_kind_may_show_the_sign() {
    let browser = [("Upgrade", "websocket"), ("Origin", "https://app.example")];
    let phone = [("Upgrade", "websocket"), ("User-Agent", "okhttp/4.12.0")];
    for shows in [
        &browser[..],
        &phone,
        &[("X-Real-IP", "203.0.113.9")],
        &[("Host", "a.example")],
    ] {
        let access = open();
        access.observe(from("203.0.113.9", Port::Public), &request(shows));
        assert_eq!(ask(&access, "127.0.0.1", &[]), Ok(PushGrant::Loopback));
        access.observe(from("127.0.0.1", Port::Public), &request(shows));
        assert_eq!(
            ask(&access, "127.0.0.1", &[]),
            Err(PushRefusal::ProxySeen),
            "{shows:?}"
        );
    }
    // A developer looks at /healthz in a browser; a test opens a WebSocket.
    let access = open();
    access.observe(from("127.0.0.1", Port::Public), &request(&browser[1..]));
    access.observe(from("127.0.0.1", Port::Public), &request(&browser[..1]));
    assert_eq!(ask(&access, "127.0.0.1", &[]), Ok(PushGrant::Loopback));
}

#[test]
fn a_request_that_nginx_writes_is_refused_by_itself() {
    let access = open();
    let mut bare = request(CLOSE);
    *bare.version_mut() = hyper::Version::HTTP_10;
    let here = from("127.0.0.1", Port::Public);
    assert_eq!(access.authorise(here, &bare), Err(PushRefusal::PassedOn));
    for headers in [
        &[("Connection", "upgrade")][..],
        &[("Upgrade", "h2c")],
        &[("Connection", "a, Upgrade")],
    ] {
        assert_eq!(
            ask(&access, "127.0.0.1", headers),
            Err(PushRefusal::PassedOn),
            "{headers:?}"
        );
    }
    assert_eq!(
        ask(&access, "127.0.0.1", CLOSE),
        Ok(PushGrant::Loopback),
        "no sign was seen"
    );
}

#[test]
fn with_a_port_of_their_own_only_that_port_takes_pushes_without_a_key() {
    let access = access(|config| config.push.listen = Some("127.0.0.1:8081".parse().unwrap()));
    let push_port = from("127.0.0.1", Port::Push);
    assert_eq!(ask(&access, "127.0.0.1", &[]), Err(PushRefusal::OtherPort));
    assert_eq!(
        ask(&access, "127.0.0.1", &[("Authorization", "Bearer one")]),
        Ok(PushGrant::Key),
        "a key is good on both"
    );
    // The proxy in front of the public port says nothing about the push port.
    let browser = [("Upgrade", "websocket"), ("Origin", "https://app.example")];
    access.observe(from("127.0.0.1", Port::Public), &request(&browser));
    assert_eq!(
        ask(&access, "127.0.0.1", &[("Via", "1.1 x")]),
        Err(PushRefusal::OtherPort)
    );
    assert_eq!(
        access.authorise(push_port, &request(&[])),
        Ok(PushGrant::Loopback)
    );
    access.observe(push_port, &request(&browser));
    assert_eq!(
        access.authorise(push_port, &request(&[])),
        Err(PushRefusal::ProxySeen)
    );
}

fn marker_of(folder: &Path) -> std::path::PathBuf {
    folder.join("loopback-push-off.txt")
}

#[test]
fn the_sign_is_remembered_until_the_operator_removes_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let here = || access(|config| config.store.path = Some(folder.path().into()));
    let first = here();
    assert_eq!(ask(&first, "127.0.0.1", &[]), Ok(PushGrant::Loopback));
    assert!(!marker_of(folder.path()).exists());
    let long_name = format!("x-forwarded-{}", "a".repeat(500));
    assert_eq!(
        ask(&first, "127.0.0.1", &[(&long_name, "secret-value")]),
        Err(PushRefusal::ProxySeen)
    );
    let marker = std::fs::read_to_string(marker_of(folder.path())).unwrap();
    assert!(
        marker.contains("x-forwarded-aaa") && marker.contains("remove this file"),
        "{marker}"
    );
    assert!(
        marker.len() < 500 && !marker.contains("secret-value"),
        "{marker}"
    );

    let second = here();
    assert_eq!(ask(&second, "127.0.0.1", &[]), Err(PushRefusal::ProxySeen));
    let described = second
        .describe("127.0.0.1:8080".parse().unwrap(), None)
        .join("\n");
    assert!(
        described.contains(&format!("remove {}", marker_of(folder.path()).display())),
        "{described}"
    );
    std::fs::remove_file(marker_of(folder.path())).unwrap();
    assert_eq!(
        ask(&second, "127.0.0.1", &[]),
        Err(PushRefusal::ProxySeen),
        "until it restarts"
    );
    assert_eq!(ask(&here(), "127.0.0.1", &[]), Ok(PushGrant::Loopback));
}

#[test]
fn a_marker_that_cannot_be_written_closes_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let access = access(|config| config.store.path = Some(folder.path().join("gone")));
    assert_eq!(
        ask(&access, "127.0.0.1", &[("Via", "x")]),
        Err(PushRefusal::ProxySeen)
    );
    assert_eq!(ask(&access, "127.0.0.1", &[]), Err(PushRefusal::ProxySeen));
}

#[test]
fn what_is_open_is_said_in_sentences() {
    let said = |change: fn(&mut Config)| {
        let config = config(change);
        PushAccess::new(&config)
            .describe(config.listen, config.push.listen)
            .join("\n")
    };
    expect_test::expect![[r#"
        127.0.0.1:8080: WebSockets and pushes, from this machine
        push keys: none
        pushing without a key: off
        nobody can push: give backends a key (--push-key KEY, sent as Authorization: Bearer KEY), or, where no proxy on this machine reaches the port, allow programs of this machine to push without one (--loopback-push)"#]]
    .assert_eq(&said(|config| config.push = Config::default().push));
    expect_test::expect![[r#"
        0.0.0.0:8080: WebSockets, and pushes with a key, from every machine that reaches this address
        127.0.0.1:8081: pushes only, from this machine
        push keys: 2, each good from everywhere
        pushing without a key: on, for programs of this machine that connect to 127.0.0.1:8081, until the first sign of a proxy on this machine
        a backend on this machine pushes to http://127.0.0.1:8081/ without a key"#]]
    .assert_eq(&said(|config| {
        config.listen = "0.0.0.0:8080".parse().unwrap();
        config.push.listen = Some("127.0.0.1:8081".parse().unwrap());
    }));
    expect_test::expect![[r#"
        0.0.0.0:8080: WebSockets and pushes, from every machine that reaches this address
        push keys: 1, good from everywhere
        pushing without a key: off
        a backend pushes to http://0.0.0.0:8080/ with the header Authorization: Bearer KEY"#]]
    .assert_eq(&said(|config| {
        config.listen = "0.0.0.0:8080".parse().unwrap();
        config.push.allow_loopback = false;
        config.push.keys.truncate(1);
    }));
}
