//! The binary as people start it: zero configuration, ready line, signals, `token`, `push`, `check-config`.

mod support;

use std::time::Duration;

use rustix::process::Signal;
use support::binary::{Serving, heartline, run_in};
use support::websocket::WebSocket;
use support::{eventually, free_port};

/// Runs in an empty directory: exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run_in(directory.path(), heartline(arguments))
}

#[test]
fn the_classic_command_line_serves() {
    let server = Serving::classic(&["--ping-interval-ms", "200"]);
    assert_eq!(
        server.ready_line,
        format!(
            "heartline-server listening on http://{} (ws and http)\n",
            server.address
        )
    );
    assert_ne!(server.address.port(), 0);
    let mut socket = WebSocket::open(server.address);
    socket.login("user:6", "K");
    socket.expect(r#""type":"ping""#);
    WebSocket::open(server.address).login("xxx:6", "X");
    let (code, stdout, _) = run(&[
        "push",
        "--url",
        &format!("http://{}", server.address),
        "--to",
        "user:6",
        "--event",
        "chat1",
        "--msg",
        r#"{"a":1.0}"#,
    ]);
    assert_eq!((code, stdout.as_str()), (0, "ok\n"));
    socket.expect(r#""msg":{"a":1.0}"#);
}

/// The key that a server with no configuration made; what is said around it is on stderr by then.
fn generated_key(server: &Serving) -> String {
    let before = "for this run only: ";
    let all = |text: &String| text.contains("below [roles].");
    eventually("the key", Duration::from_secs(5), || server.stderr(), all);
    let stderr = server.stderr();
    assert_eq!(stderr.matches(before).count(), 1, "printed once: {stderr}");
    let (_, rest) = stderr.split_once(before).expect("a key");
    rest.lines().next().expect("a key").to_owned()
}

#[test]
fn zero_configuration_makes_a_key_and_says_what_to_do_with_it() {
    for arguments in [
        &["--listen", "127.0.0.1:0"][..],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let server = Serving::start(heartline(arguments));
        let key = generated_key(&server);
        assert!(
            key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()),
            "{key}"
        );
        let stderr = server.stderr();
        assert!(stderr.contains("Give it to the backend"), "{stderr}");
        assert!(
            stderr.contains(&format!("token --role-key user={key} user:1")),
            "{stderr}"
        );
        WebSocket::open(server.address).login("user:1", &key);
    }
}

#[test]
fn no_argument_at_all_means_serve_on_8080() {
    let (_, stdout, _) = run(&["check-config"]);
    assert!(
        stdout.contains("listen = \"127.0.0.1:8080\"  # default"),
        "{stdout}"
    );
    let (_, help, _) = run(&["--help"]);
    assert!(
        help.contains("Without a command, `serve` is meant."),
        "{help}"
    );
}

#[test]
fn two_keys_are_not_made_alike() {
    let key = || generated_key(&Serving::start(heartline(&["--listen", "127.0.0.1:0"])));
    assert_ne!(key(), key());
}

#[test]
fn either_signal_ends_it_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Serving::classic(&["--drain-window-ms", "200"]);
        let mut socket = WebSocket::open(server.address);
        socket.login("user:6", "K");
        server.signal(signal);
        let (code, rest) = server.wait(Duration::from_secs(10));
        assert_eq!((code, rest.as_str()), (Some(0), ""), "{}", server.stderr());
    }
}

#[test]
fn a_port_in_use_is_said() {
    let server = Serving::classic(&[]);
    let address = server.address.to_string();
    let (code, stdout, stderr) = run(&["serve", "--listen", &address, "--role-key", "user=K"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains(&format!("the server cannot start on {address}")),
        "{stderr}"
    );
}

#[test]
fn sighup_without_tls_says_that_there_is_nothing_to_read() {
    let server = Serving::classic(&[]);
    server.signal(Signal::HUP);
    let is_told = |text: &String| text.contains("SIGHUP changes nothing");
    eventually("told", Duration::from_secs(5), || server.stderr(), is_told);
    assert!(
        !server.stderr().contains("was read again"),
        "{}",
        server.stderr()
    );
}

#[test]
fn json_logs_are_one_object_per_line() {
    let server = Serving::classic(&["--log-format", "json"]);
    eventually(
        "a line",
        Duration::from_secs(5),
        || server.stderr(),
        |text| text.contains("listening"),
    );
    for line in server.stderr().lines() {
        let event: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            event["level"].is_string() && event["timestamp"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn secrets_never_reach_the_logs() {
    let server = Serving::start(heartline(&[
        "--listen",
        "127.0.0.1:0",
        "--log",
        "trace",
        "--role-key",
        "user=ROLESECRET",
        "--push-key",
        "PUSHSECRET",
    ]));
    let url = format!("http://{}", server.address);
    let mut socket = WebSocket::open(server.address);
    socket.login("user:6", "ROLESECRET");
    socket.send(r#"{"event":"login","data":{"u":"user:6","token":"WRONGSECRET"},"uuid":1}"#);
    socket.expect("出现错误,登录失败");
    let push = |key| {
        run(&[
            "push", "--url", &url, "--to", "user:6", "--event", "chat", "--msg", "m", "--key", key,
        ])
    };
    assert_eq!(push("PUSHSECRET").0, 0);
    let (code, _, stderr) = push("BADSECRET");
    assert_eq!(code, 1);
    assert!(stderr.contains("401"), "{stderr}");
    let token = heartline_protocol::classic_token("6", "ROLESECRET");
    let logs = server.stderr();
    assert!(!logs.contains("SECRET") && !logs.contains(&token), "{logs}");
}

#[test]
fn token_prints_the_token() {
    assert_eq!(
        run(&["token", "--role-key", "user=secret", "user:6"]),
        (
            0,
            "880f220137b743b3c6546fb54e6a25ec\n".into(),
            String::new()
        )
    );
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("h.toml"), "[roles]\nxxx = 'secret'\n").expect("written");
    let (code, stdout, _) = run_in(
        directory.path(),
        heartline(&["token", "--config", "h.toml", "xxx:6"]),
    );
    assert_eq!(
        (code, stdout.as_str()),
        (0, "880f220137b743b3c6546fb54e6a25ec\n")
    );
    let (code, _, stderr) = run(&["token", "user:6"]);
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("no key is configured for the role user; give --role-key user=KEY"),
        "{stderr}"
    );
    for (user, sentence) in [
        (
            "six",
            "\"six\" is no user: a user is written ROLE:ID; write ROLE:ID",
        ),
        (
            "user:6 ",
            "\"user:6 \" is no user: a user cannot begin or end with white space",
        ),
        (
            "user:a,b",
            "a user cannot hold a comma: it separates recipients",
        ),
        (
            "user:\u{1b}[31m",
            "\"user:\\u{1b}[31m\" is no user: a user cannot hold control",
        ),
    ] {
        let (code, stdout, stderr) = run(&["token", "--role-key", "user=K", user]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
    }
}

#[test]
fn check_config_says_what_is_open_and_serve_says_how_a_backend_pushes() {
    let check = |more: &[&str]| {
        let (code, stdout, stderr) = run(&[&["check-config"], more].concat());
        assert_eq!((code, stderr.as_str()), (0, ""));
        let (_, open) = stdout
            .split_once("# What is open, and who may push:\n")
            .expect("a section of its own");
        open.to_owned()
    };
    expect_test::expect![[r#"
        # 127.0.0.1:8080: WebSockets and pushes, from this machine
        # push keys: none
        # pushing without a key: off
        # nobody can push: give backends a key (--push-key KEY, sent as Authorization: Bearer KEY), or, where no proxy on this machine reaches the port, allow programs of this machine to push without one (--loopback-push)
    "#]]
    .assert_eq(&check(&[]));
    let open = check(&["--loopback-push", "--push-key", "0123456789abcdef"]);
    assert!(
        open.contains("push keys: 1") && open.contains("pushing without a key: on"),
        "{open}"
    );

    let log_of = |server: &Serving, what: &str| {
        eventually(
            what,
            Duration::from_secs(10),
            || server.stderr(),
            |log| log.contains(what),
        );
    };
    let closed = Serving::classic(&["--no-loopback-push"]);
    log_of(
        &closed,
        "WARN nobody can push: give backends a key (--push-key KEY",
    );
    let keyed = Serving::classic(&["--no-loopback-push", "--push-key", "0123456789abcdef"]);
    let address = keyed.address;
    log_of(
        &keyed,
        &format!("a backend pushes to http://{address}/ with the header Authorization: Bearer KEY"),
    );
    let mut ported = Serving::classic(&["--push-listen", "127.0.0.1:0"]);
    log_of(
        &ported,
        "a backend on this machine pushes to http://127.0.0.1:",
    );
    ported.signal(Signal::TERM);
    let (code, rest) = ported.wait(Duration::from_secs(10));
    assert_eq!(code, Some(0));
    assert!(
        rest.starts_with("heartline-server taking pushes on http://127.0.0.1:"),
        "{rest}"
    );
}

#[test]
fn push_fails_when_the_server_says_so() {
    let server = Serving::classic(&["--no-loopback-push", "--push-key", "right"]);
    let url = format!("http://{}/", server.address);
    let push = |event: &str, more: &[&str]| {
        let mut arguments = vec![
            "push", "--url", &url, "--to", "user:1", "--to", "user:2", "--event", event, "--msg",
            "m",
        ];
        arguments.extend(more);
        run(&arguments)
    };
    assert_eq!(
        push("chat1", &["--key", "right"]),
        (0, "ok\n".into(), String::new())
    );
    let (code, _, stderr) = push("news", &["--key", "right"]);
    assert!(
        code == 1 && stderr.starts_with("fail: the server does not allow the event \"news\""),
        "{code} {stderr}"
    );
    let (code, _, stderr) = push("chat1", &["--key", "wrong"]);
    assert!(
        code == 1 && stderr.contains("401") && stderr.contains("not known"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = push("chat1", &[]);
    assert!(
        code == 1 && stderr.contains("a push key is required"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = push("chat1", &["--field", "nameless"]);
    assert!(
        code == 2 && stderr.contains("write NAME=VALUE"),
        "{code} {stderr}"
    );
}

#[test]
fn push_takes_its_key_from_a_file_or_the_environment_and_further_fields() {
    let server = Serving::classic(&["--no-loopback-push", "--push-key", "right"]);
    let url = format!("http://{}/any/path?x=1", server.address);
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("key"), "right\n").expect("written");
    let mut socket = WebSocket::open(server.address);
    socket.login("user:1", "K");
    let arguments = [
        "push",
        "--url",
        &url,
        "--to",
        "user:1",
        "--event",
        "chat1",
        "--msg",
        "-5 & co=你",
        "--field",
        "from=user:2",
    ];
    let (code, _, stderr) = run_in(
        directory.path(),
        heartline(&[&arguments[..], &["--key-file", "key"]].concat()),
    );
    assert_eq!(code, 0, "{stderr}");
    socket.expect(r#""from":"user:2""#);
    let mut command = heartline(&arguments);
    command.env("HEARTLINE_PUSH_KEY", "right");
    let (code, _, stderr) = run_in(directory.path(), command);
    assert_eq!(code, 0, "{stderr}");
    socket.expect("-5 & co=你");
}

#[test]
fn push_names_what_it_cannot_reach() {
    let push = |url: &str| {
        run(&[
            "push", "--url", url, "--to", "user:1", "--event", "chat", "--msg", "m",
        ])
    };
    let (code, _, stderr) = push(&format!("http://127.0.0.1:{}", free_port()));
    assert!(
        code == 1 && stderr.contains("could not be made"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = push(&format!("https://127.0.0.1:{}", free_port()));
    assert!(
        code == 1 && stderr.contains("could not be made"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = run(&[
        "push",
        "--to",
        "user:1",
        "--event",
        "chat",
        "--msg",
        "m",
        "--ca-file",
        "none.pem",
    ]);
    assert!(code == 2 && stderr.contains("--ca-file"), "{code} {stderr}");
    let (code, _, stderr) = push("127.0.0.1:8080");
    assert!(code == 2 && stderr.contains("--url"), "{code} {stderr}");
}

/// A server with TLS, and its folder, where `cert.pem` is what it shows.
fn with_tls(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (Serving, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    change(&mut params);
    let cert = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.path().join("cert.pem"), cert.pem()).expect("written");
    std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("written");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let server = Serving::classic(&[
        "--tls-cert",
        &path("cert.pem"),
        "--tls-key",
        &path("key.pem"),
    ]);
    (server, folder)
}

#[test]
fn push_says_why_it_does_not_trust_a_server_and_what_to_do() {
    let (server, folder) = with_tls(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa);
    let port = server.address.port();
    assert_eq!(
        server.ready_line,
        format!("heartline-server listening on https://127.0.0.1:{port} (wss and https)\n")
    );
    let push = |url: &str, more: &[&str]| {
        let mut arguments = vec![
            "push", "--url", url, "--to", "user:1", "--event", "chat", "--msg", "m",
        ];
        arguments.extend(more);
        let (code, stdout, stderr) = run_in(folder.path(), heartline(&arguments));
        assert_ne!(code, 0, "{stdout}");
        stderr
    };
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("another");
    std::fs::write(folder.path().join("server.pem"), other.cert.pem()).expect("written");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = authority.self_signed(&key).expect("an authority");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("written");
    std::fs::write(folder.path().join("key.only"), key.serialize_pem()).expect("written");
    let url = format!("https://localhost:{port}/");
    for (url, more, sentence) in [
        (
            &url,
            &["--ca-file", "server.pem"][..],
            "server.pem, which holds only a server's certificate and no authority's; name the file",
        ),
        (
            &url,
            &["--ca-file", "ca.pem"],
            "signed by none of those in --ca-file ca.pem; name the file",
        ),
        (
            &url,
            &[],
            "signed by no public authority; name the file of its authority's certificate with --ca-file",
        ),
        (
            &format!("https://127.0.0.1:{port}/"),
            &["--ca-file", "cert.pem"],
            "is not for 127.0.0.1; use a name",
        ),
        (
            &url,
            &["--ca-file", "key.only"],
            "--ca-file key.only: it holds no certificate; name the file",
        ),
        (
            &url,
            &["--ca-file", "none.pem"],
            "--ca-file none.pem: it cannot be read",
        ),
    ] {
        let stderr = push(url, more);
        assert!(stderr.contains(sentence), "{more:?}: {stderr}");
    }
    let plain = Serving::classic(&[]);
    let stderr = push(&format!("https://localhost:{}/", plain.address.port()), &[]);
    assert!(stderr.contains("does not speak TLS there"), "{stderr}");

    let all = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (server, folder) = with_tls(|params| params.is_ca = all);
    let ca_file = folder.path().join("cert.pem").display().to_string();
    let url = format!("https://localhost:{}/", server.address.port());
    let stderr = push(&url, &["--ca-file", &ca_file]);
    assert!(
        stderr.contains("is an authority's (CA:TRUE) and no server's"),
        "{stderr}"
    );
    let (server, folder) = with_tls(|params| params.not_after = rcgen::date_time_ymd(2002, 1, 1));
    let ca_file = folder.path().join("cert.pem").display().to_string();
    let url = format!("https://localhost:{}/", server.address.port());
    let stderr = push(&url, &["--ca-file", &ca_file]);
    assert!(stderr.contains("has ended"), "{stderr}");
    let warns = |text: &String| text.contains("it ended on 2002-01-01 00:00 UTC");
    eventually(
        "a warning",
        Duration::from_secs(5),
        || server.stderr(),
        warns,
    );
}

#[test]
fn a_store_that_cannot_be_had_is_no_fault_of_the_address() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("written");
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--role-key",
        "user=K",
        "--store-path",
        "file",
    ];
    let (code, stdout, stderr) = run_in(folder.path(), heartline(&arguments));
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("the server cannot start: the store: "),
        "{stderr}"
    );
    assert!(!stderr.contains("127.0.0.1"), "{stderr}");
}

#[test]
fn check_config_prints_what_would_run_and_no_secret() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = "[roles]\nuser = 'ROLESECRET'\n[redis]\nurl = 'redis://:REDISSECRET@cache:6379/2'\n";
    std::fs::write(directory.path().join("heartline.toml"), file).expect("written");
    let mut command = heartline(&[
        "check-config",
        "--shards",
        "3",
        "--push-key",
        "PUSHSECRET",
        "--memory",
    ]);
    command.env("HEARTLINE_LISTEN", "0.0.0.0:80");
    let (code, stdout, stderr) = run_in(directory.path(), command);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        !stdout.contains("SECRET") && !stderr.contains("SECRET"),
        "{stdout}{stderr}"
    );
    for line in [
        "# file: heartline.toml",
        "listen = \"0.0.0.0:80\"  # environment HEARTLINE_LISTEN",
        "shards = 3  # flag --shards",
        "user = \"[secret]\"  # heartline.toml",
        "url = \"redis://[secret]@cache:6379/2\"  # heartline.toml",
    ] {
        assert!(
            stdout.lines().any(|there| there == line),
            "no line {line:?} in\n{stdout}"
        );
    }
    assert!(
        stderr.contains("warning: the key of role user is shorter than 16 characters"),
        "{stderr}"
    );
}

#[test]
fn every_error_is_told_at_once_with_exit_code_2() {
    for command in ["check-config", "serve"] {
        let (code, stdout, stderr) = run(&[
            command,
            "--listen",
            "nowhere",
            "--shards",
            "many",
            "--redis",
            "http://:SECRET@x",
        ]);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(
            stderr.starts_with("the configuration is wrong in 3 places:\n"),
            "{stderr}"
        );
        for part in [
            "listen = \"nowhere\" (flag --listen)",
            "shards = \"many\" (flag --shards)",
            "redis.url (flag --redis)",
        ] {
            assert!(stderr.contains(part), "no {part:?} in {stderr}");
        }
        assert!(!stderr.contains("SECRET"), "{stderr}");
    }
}

#[test]
fn an_unknown_flag_is_refused() {
    let (code, _, stderr) = run(&["serve", "--ping-interval", "5"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("--ping-interval-ms"),
        "clap names the near match: {stderr}"
    );
}

#[test]
fn more_connections_than_files_are_cut_down_and_said() {
    let server = Serving::classic(&["--max-connections", "10000000"]);
    eventually(
        "said",
        Duration::from_secs(5),
        || server.stderr(),
        |text| text.contains("the limit of open files bounds the connections"),
    );
}
