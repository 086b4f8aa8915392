//! The binary as an operator meets it: the documented command lines, a start without configuration, a clean end.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use heartline_e2e::{
    HttpConnection, Peer, ROLE_KEY_USER, Seen, Server, Stage, free_port, server_binary, token_for,
};

fn heartline(arguments: &[&str]) -> Command {
    let mut command = Command::new(server_binary());
    command.args(arguments);
    command
}

/// Milliseconds advised in a close reason.
fn advice(reason: &str) -> Option<u64> {
    let digits = reason.split("retry=").nth(1)?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[test]
fn the_documented_serve_line_works_to_the_letter() {
    let stage = Stage::shared();
    let port = free_port();
    // `stage` spells: serve --listen 127.0.0.1:PORT --role-key user=KEY --role-key xxx=KEY --memory …
    let server = stage.server_on(port, &["--ping-interval-ms", "20000"]);
    assert_eq!(server.address().port(), port);
    let readiness = server.stdout();
    let line = readiness
        .lines()
        .find(|line| line.starts_with("heartline-server listening on "))
        .expect("the line");
    assert!(
        line.starts_with(&format!(
            "heartline-server listening on http://127.0.0.1:{port}"
        )),
        "{line}"
    );
    let mut user = server.device("user:6");
    let mut other = server.device("xxx:6");
    server.push_chat("user:6,xxx:6", "both");
    assert_eq!(user.push_msg(), "both");
    assert_eq!(other.push_msg(), "both");
}

#[test]
fn sigterm_gives_each_client_its_slot_to_return_and_ends_well_in_time() {
    const CLIENTS: usize = 60;
    let stage = Stage::alone();
    let mut server = stage.server(&["--drain-window-ms", "1500"]);
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|id| server.device(&format!("user:{id}")))
        .collect();
    clients.push(server.peer());
    server.push_chat("user:0", "the last words before the end");
    let start = Instant::now();
    server.terminate();
    let mut slots = BTreeSet::new();
    for client in &mut clients {
        let reason = loop {
            match client.see() {
                Seen::Text(_) => {}
                Seen::Close(1001 | 4005, reason) => break reason,
                other => panic!("expected close 1001 or 4005, saw {other:?}"),
            }
        };
        let slot =
            advice(&reason).unwrap_or_else(|| panic!("no advice when to return in {reason:?}"));
        assert!(slot <= 60_000, "a slot in reason: {reason}");
        slots.insert(slot);
    }
    assert!(
        slots.len() > CLIENTS / 4,
        "the slots are spread, not a stampede: {slots:?}"
    );
    let status = server
        .wait_exit(Duration::from_secs(10))
        .expect("the server ends by itself");
    assert!(status.success(), "{status}");
    assert!(
        start.elapsed() < Duration::from_millis(1_500) + Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn sigterm_ends_the_server_even_when_a_peer_does_not_read() {
    let stage = Stage::alone();
    let mut server = stage.server(&["--drain-window-ms", "1000"]);
    let frozen = server.device("user:1");
    for _ in 0..100 {
        server.push_chat("user:1", &"x".repeat(100_000));
    }
    let mut half_sent = HttpConnection::connect(server.address());
    half_sent.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nevent");
    server.terminate();
    let status = server
        .wait_exit(Duration::from_secs(10))
        .expect("the server ends by itself");
    assert!(status.success(), "{status}");
    drop(frozen);
}

#[test]
fn what_was_accepted_before_sigterm_is_delivered_before_the_close() {
    let stage = Stage::shared();
    let mut server = stage.server(&["--drain-window-ms", "1000"]);
    let mut device = server.device("user:1");
    for number in 0..200 {
        server.push_chat("user:1", &number.to_string());
    }
    server.terminate();
    for number in 0..200 {
        assert_eq!(device.push_msg(), number);
    }
    assert!(matches!(device.see(), Seen::Close(1001 | 4005, _)));
    assert!(
        server
            .wait_exit(Duration::from_secs(10))
            .is_some_and(|status| status.success())
    );
}

#[test]
fn a_drained_server_takes_no_new_connections() {
    let stage = Stage::shared();
    let mut server = stage.server(&["--drain-window-ms", "1500"]);
    let mut device = server.device("user:1");
    server.terminate();
    assert!(matches!(device.see(), Seen::Close(1001 | 4005, _)));
    // Refused at the door, or gone already: anything but a new line.
    if let Ok(stream) = std::net::TcpStream::connect(server.address()) {
        drop(stream);
        let mut http = HttpConnection::connect(server.address());
        http.send(Peer::upgrade_request("/", ""));
        let status = http
            .response_within(Duration::from_secs(5))
            .map(|response| response.status);
        assert!(
            !matches!(status, Ok(101)),
            "a new line on a draining server"
        );
    }
    assert!(
        server
            .wait_exit(Duration::from_secs(10))
            .is_some_and(|status| status.success())
    );
}

#[test]
fn a_port_in_use_is_an_error_that_says_so() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let listen = server.address().to_string();
    let output = heartline(&[
        "serve",
        "--listen",
        &listen,
        "--role-key",
        "user=k",
        "--memory",
    ])
    .output()
    .expect("the binary runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&listen), "the address is named: {said}");
}

#[test]
fn a_wrong_flag_is_an_error_that_says_which() {
    for (arguments, word) in [
        (&["serve", "--no-such-flag"][..], "--no-such-flag"),
        (&["serve", "--listen", "nonsense"], "nonsense"),
        (&["serve", "--ping-interval-ms", "soon"], "soon"),
        (&["serve", "--role-key", "no-equals-sign"], "role-key"),
        // A word that belongs to nothing may be a key: it is not repeated.
        (&["no-such-command"], "is no command"),
    ] {
        let output = heartline(arguments).output().expect("the binary runs");
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(word), "{arguments:?} said: {said}");
    }
}

#[test]
fn zero_configuration_starts_and_prints_its_generated_key_once() {
    let _stage = Stage::shared();
    let directory = tempfile::tempdir().expect("an empty directory");
    let mut keys = BTreeSet::new();
    for _ in 0..2 {
        let mut command = heartline(&["serve"]);
        command
            .env("HEARTLINE_PUSH_ALLOW_LOOPBACK", "true")
            .current_dir(directory.path())
            .env("HEARTLINE_LISTEN", "127.0.0.1:0");
        let server = Server::spawn(command);
        std::thread::sleep(Duration::from_millis(100));
        let printed = server.stdout() + &server.stderr();
        let key =
            generated_key(&printed).unwrap_or_else(|| panic!("no generated key in:\n{printed}"));
        let times_shown = printed.matches(&key).count();
        let token = heartline_e2e::md5_hex(&format!("6{key}"));
        let mut device = server.peer();
        assert_eq!(
            device.try_login("user:6", &format!("\"{token}\"")).0,
            0,
            "the printed key logs in"
        );
        server.push_chat("user:6", "works");
        assert_eq!(device.push_msg(), "works");
        drop(device);
        std::thread::sleep(Duration::from_millis(100));
        let later = server.stdout() + &server.stderr();
        assert_eq!(
            later.matches(&key).count(),
            times_shown,
            "told at the start, and never again:\n{later}"
        );
        assert!(
            keys.insert(key),
            "each start without configuration has a key of its own"
        );
    }
}

/// The longest word of at least 20 letters and digits on a line that speaks of a key.
fn generated_key(printed: &str) -> Option<String> {
    let lines = printed.lines().filter(|line| line.contains("key"));
    let words = lines
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))));
    let words = words.filter(|word| word.len() >= 20 && word.bytes().any(|b| b.is_ascii_digit()));
    words.max_by_key(|word| word.len()).map(str::to_owned)
}

#[test]
fn help_and_version_are_there() {
    let help = heartline(&["--help"]).output().expect("the binary runs");
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in ["serve", "token", "push", "check-config"] {
        assert!(text.contains(command), "--help names {command}:\n{text}");
    }
    let version = heartline(&["--version"]).output().expect("the binary runs");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("heartline-server "));
}

#[test]
fn token_prints_the_token_that_logs_in() {
    let role_key = format!("user={ROLE_KEY_USER}");
    for user in ["user:6", "user:3:9", "user:张三"] {
        let output = heartline(&["token", "--role-key", &role_key, user])
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            token_for(user)
        );
    }
    for (arguments, word) in [
        (&["token", "--role-key", &role_key, "user6"][..], "user6"),
        (&["token", "--role-key", &role_key, "admin:6"], "admin"),
        (&["token", "user:6"], "role-key"),
    ] {
        let output = heartline(arguments).output().expect("the binary runs");
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{arguments:?}"
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(word), "{arguments:?} said: {said}");
    }
}

#[test]
fn push_pushes_and_fails_when_the_server_says_no() {
    let stage = Stage::shared();
    let server = stage.server(&[
        "--push-key",
        "a-long-push-key-0123456789",
        "--no-loopback-push",
    ]);
    let url = format!("http://{}/", server.address());
    let mut device = server.device("user:6");
    let push = |further: &[&str]| {
        let mut command = heartline(&[
            "push",
            "--url",
            &url,
            "--to",
            "user:6",
            "--msg",
            r#"{"n":1.10}"#,
        ]);
        command.args(further).output().expect("the binary runs")
    };
    let key = ["--key", "a-long-push-key-0123456789"];
    let sent = push(&[&key[..], &["--event", "chat1", "--field", "title=中文 a&b"]].concat());
    assert!(sent.status.success(), "{sent:?}");
    let frame: serde_json::Value = serde_json::from_str(&device.text()).expect("a push is JSON");
    assert_eq!(frame["title"], "中文 a&b");
    assert_eq!(frame["msg"]["n"].to_string(), "1.1");
    assert!(
        !push(&["--event", "chat1"]).status.success(),
        "without the key"
    );
    assert!(
        !push(&["--event", "chat1", "--key", "wrong"])
            .status
            .success(),
        "with a wrong key"
    );
    assert!(
        !push(&[&key[..], &["--event", "not-allowed"]].concat())
            .status
            .success(),
        "an event that fails"
    );
    device.expect_silence(Duration::from_millis(100));
}

#[test]
fn check_config_shows_what_serve_would_run_with_and_hides_the_secrets() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("heartline.toml");
    let good = "listen = \"127.0.0.1:4321\"\n[roles]\nuser = \"secret-role-key-123\"\n[push]\n\
                keys = [\"secret-push-key-123\"]\n[timing]\nping_interval_ms = 7000\n";
    std::fs::write(&file, good).expect("a file");
    let check = |further: &[&str], environment: &[(&str, &str)]| {
        let mut command = heartline(&["check-config", "--config"]);
        command
            .arg(&file)
            .args(further)
            .envs(environment.iter().copied())
            .output()
            .expect("the binary runs")
    };
    let good = check(&[], &[]);
    let shown = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{good:?}");
    assert!(
        shown.contains("127.0.0.1:4321") && shown.contains("7000") && shown.contains("user"),
        "{shown}"
    );
    assert!(!shown.contains("secret-"), "{shown}");
    // The environment overrides the file, and a flag the environment.
    let environment = [("HEARTLINE_PING_INTERVAL_MS", "8000")];
    assert!(String::from_utf8_lossy(&check(&[], &environment).stdout).contains("8000"));
    let flagged = check(&["--ping-interval-ms", "9000"], &environment);
    assert!(String::from_utf8_lossy(&flagged.stdout).contains("9000"));
    // All that is wrong is said at once, with where it stands.
    std::fs::write(
        &file,
        "listen = 5\nno_such = 1\n[timing]\nping_interval_ms = \"x\"\n",
    )
    .expect("a file");
    let bad = check(&[], &[]);
    assert!(!bad.status.success());
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    for word in ["listen", "no_such", "ping_interval_ms", "heartline.toml"] {
        assert!(said.contains(word), "{word} is not named:\n{said}");
    }
}

#[test]
fn serve_reads_the_file_that_check_config_reads() {
    let _stage = Stage::shared();
    let directory = tempfile::tempdir().expect("a directory");
    let file = format!(
        "listen = \"127.0.0.1:0\"\n[roles]\nuser = \"{ROLE_KEY_USER}\"\n[push]\nevents = [\"only_this\"]\n"
    );
    std::fs::write(directory.path().join("heartline.toml"), file).expect("a file");
    let mut command = heartline(&["serve", "--loopback-push"]);
    command.current_dir(directory.path());
    let server = Server::spawn(command);
    let mut device = server.device("user:6");
    let push = |event| {
        server
            .push(&[
                ("event", event),
                ("msg", event),
                ("to", "user:6"),
                ("type", "app"),
            ])
            .text()
    };
    assert_eq!(push("chat1"), "fail");
    assert_eq!(push("only_this"), "ok");
    assert_eq!(device.push_msg(), "only_this");
}
