//! Strangers behind a reverse proxy on the server's own machine, in the usual recipes, which leave
//! no trace of whom they speak for: nobody pushes through them without a key.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use heartline_e2e::{
    HttpConnection, Peer, ROLE_KEY_USER, ReverseProxy, Server, Stage, eventually, form_body,
    server_binary,
};

const FORM: &str = "application/x-www-form-urlencoded";
const KEY: &str = "a-long-push-key-0123456789";

/// What a phone's mini-program adds to its handshake.
const MINI_PROGRAM: &str = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0.44\r\n\
    Referer: https://servicewechat.com/wx0123456789abcdef/12/page-frame.html\r\n";
/// What a browser adds.
const BROWSER: &str =
    "Origin: https://app.example.com\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: websocket\r\n";

/// The three forms in which nginx is set up by most guides, and haproxy. The first passes no
/// WebSocket on.
const WAYS: [Way; 4] = [Way::Bare, Way::Upgrade, Way::Map, Way::Haproxy];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Bare,
    Upgrade,
    Map,
    Haproxy,
}

impl Way {
    fn start(self, upstream: SocketAddr) -> ReverseProxy {
        let more = match self {
            Self::Haproxy => return ReverseProxy::haproxy(upstream),
            Self::Bare => "",
            Self::Upgrade => {
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                 proxy_set_header Connection \"upgrade\"; proxy_set_header Host $host;"
            }
            Self::Map => {
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
                 proxy_set_header Connection $connection_upgrade;"
            }
        };
        ReverseProxy::nginx(&format!("proxy_pass http://{upstream}; {more}"))
    }
}

/// `serve` as shipped, with further arguments; nothing is asked for that is not in them.
fn serve(arguments: &[&str]) -> Server {
    let mut command = Command::new(server_binary());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args([
            "--role-key",
            &format!("user={ROLE_KEY_USER}"),
            "--push-key",
            KEY,
        ])
        .args(arguments);
    Server::spawn(command)
}

fn serve_on(store: &Path) -> Server {
    serve(&[
        "--loopback-push",
        "--store-path",
        &store.display().to_string(),
    ])
}

fn form(msg: &str) -> String {
    form_body(&[
        ("event", "chat1"),
        ("msg", msg),
        ("to", "user:1"),
        ("type", "app"),
    ])
}

/// The status of a classic push to this address, with further header lines.
fn push(to: SocketAddr, msg: &str, headers: &str) -> u16 {
    let mut http = HttpConnection::connect(to);
    http.post(FORM, form(msg).as_bytes(), headers).status
}

/// The statuses of a push by each route, and of a look at receipts, without a key.
fn without_a_key(to: SocketAddr) -> [u16; 3] {
    let ask = |request: String| {
        let mut http = HttpConnection::connect(to);
        http.send(request);
        http.response().status
    };
    let body = r#"{"to":"user:1","event":"chat1","msg":"stranger"}"#;
    [
        push(to, "stranger", ""),
        ask(format!(
            "POST /api/v1/push HTTP/1.1\r\nHost: {to}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )),
        ask(format!(
            "GET /api/v1/push/some-id HTTP/1.1\r\nHost: {to}\r\n\r\n"
        )),
    ]
}

/// Waits until the server has logged each of these.
fn logs(server: &Server, wanted: &[&str]) {
    eventually(
        "what the server logs",
        Duration::from_secs(10),
        Vec::<&str>::new(),
        || {
            let logged = server.stderr();
            wanted
                .iter()
                .copied()
                .filter(|part| !logged.contains(part))
                .collect()
        },
    );
}

fn with_key() -> String {
    format!("Authorization: Bearer {KEY}\r\n")
}

#[test]
fn as_shipped_nobody_pushes_through_a_proxy_without_a_key() {
    let _stage = Stage::shared();
    let server = serve(&["--memory"]);
    for way in WAYS {
        let proxy = way.start(server.address());
        let mut device = server.device("user:1");
        assert_eq!(without_a_key(proxy.address()), [401; 3], "{way:?}");
        assert_eq!(
            push(proxy.address(), "with a key", &with_key()),
            200,
            "{way:?}"
        );
        assert_eq!(
            device.push_msg(),
            "with a key",
            "and nothing before it: {way:?}"
        );
        if way != Way::Bare {
            let mut phone = Peer::connect_with(proxy.address(), "/", MINI_PROGRAM);
            phone.login("user:1");
            assert_eq!(push(server.address(), "through", &with_key()), 200);
            assert_eq!(phone.push_msg(), "through", "{way:?}");
        }
    }
    logs(&server, &["Authorization: Bearer KEY"]);
}

#[test]
fn the_first_device_through_a_proxy_ends_pushing_without_a_key_also_after_a_restart() {
    let _stage = Stage::shared();
    for (way, device) in [
        (Way::Upgrade, BROWSER),
        (Way::Map, MINI_PROGRAM),
        (Way::Haproxy, MINI_PROGRAM),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let marker = folder.path().join("loopback-push-off.txt");
        let server = serve_on(folder.path());
        let proxy = way.start(server.address());
        let mut local = server.device("user:1");
        assert_eq!(push(server.address(), "local", ""), 200, "{way:?}");
        assert_eq!(local.push_msg(), "local");
        assert!(!marker.exists(), "a native device is no sign");

        let mut phone = Peer::connect_with(proxy.address(), "/", device);
        phone.login("user:2");
        for to in [proxy.address(), server.address()] {
            assert_eq!(without_a_key(to), [403; 3], "{way:?}");
        }
        assert_eq!(push(server.address(), "with a key", &with_key()), 200);
        assert_eq!(local.push_msg(), "with a key", "{way:?}");
        let path = marker.display().to_string();
        logs(&server, &["--push-key", "--push-listen", &path]);
        drop(server);

        let server = serve_on(folder.path());
        assert_eq!(
            without_a_key(server.address()),
            [403; 3],
            "after a restart: {way:?}"
        );
        logs(&server, &[&format!("remove {path}")]);
        drop(server);

        std::fs::remove_file(&marker).expect("the operator removes it");
        let server = serve_on(folder.path());
        assert_eq!(push(server.address(), "local", ""), 200, "{way:?}");
    }
}

#[test]
fn what_nginx_writes_by_itself_is_refused_before_any_sign_was_seen() {
    let _stage = Stage::shared();
    let server = serve(&["--memory", "--loopback-push"]);
    for way in [Way::Bare, Way::Upgrade] {
        let proxy = way.start(server.address());
        assert_eq!(without_a_key(proxy.address()), [403; 3], "{way:?}");
        assert_eq!(push(server.address(), "local", ""), 200, "{way:?}");
    }
}

#[test]
fn a_host_that_a_proxy_passes_on_is_a_sign_by_itself() {
    let _stage = Stage::shared();
    for way in [Way::Upgrade, Way::Haproxy] {
        let server = serve(&["--memory", "--loopback-push"]);
        let proxy = way.start(server.address());
        assert_eq!(push(server.address(), "local", ""), 200);
        let mut stranger = HttpConnection::connect(proxy.address());
        let body = form("stranger");
        stranger.send(format!(
            "POST / HTTP/1.1\r\nHost: push.example.com\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(stranger.response().status, 403, "{way:?}");
        assert_eq!(push(server.address(), "local", ""), 403, "{way:?}");
    }
}

/// The `location` of the recipe on this page, with other addresses.
fn recipe(page: &str, upstream: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let text = std::fs::read_to_string(&path).expect("the page");
    let (_, rest) = text.split_once("    location / {").expect("a location");
    let (location, _) = rest.split_once("\n    }").expect("its end");
    assert!(location.contains("http://127.0.0.1:8080"), "{location}");
    location.replace("127.0.0.1:8080", &upstream.to_string())
}

#[test]
fn the_recipe_of_the_documentation_is_safe_when_copied() {
    let _stage = Stage::shared();
    const PUSH_READY: &str = "heartline-server taking pushes on http://";
    for page in ["configuration.md", "configuration.zh-CN.md"] {
        let server = serve(&[
            "--memory",
            "--push-listen",
            "127.0.0.1:0",
            "--loopback-push",
        ]);
        let push_port = || -> Option<SocketAddr> {
            let printed = server.stdout();
            let (_, rest) = printed.split_once(PUSH_READY)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        eventually("the push port", Duration::from_secs(10), true, || {
            push_port().is_some()
        });
        let push_port = push_port().expect("just seen");

        let proxy = ReverseProxy::nginx(&recipe(page, server.address()));
        for device in [BROWSER, MINI_PROGRAM] {
            let mut phone = Peer::connect_with(proxy.address(), "/", device);
            phone.login("user:1");
            assert_eq!(without_a_key(proxy.address()), [401; 3], "{page}");
            assert_eq!(push(push_port, "from Laravel", ""), 200, "{page}");
            assert_eq!(phone.push_msg(), "from Laravel", "{page}");
            assert_eq!(
                push(proxy.address(), "from elsewhere", &with_key()),
                200,
                "{page}"
            );
            assert_eq!(phone.push_msg(), "from elsewhere", "{page}");
        }
    }
}
