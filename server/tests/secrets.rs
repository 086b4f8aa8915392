//! No secret is ever printed: each is planted where an operator's mistake puts it, and nothing that
//! the binary writes may hold a part of it, neither as it is nor as base64, hexadecimal or decimal
//! bytes.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use support::binary::{Serving, heartline, run_in};
use support::{eventually, free_port};

/// What is looked for in outputs: long enough that nothing else holds a part of it.
const SECRET: &str = "Zk3wQ9vLr7TnX2sB8mHcJ5yD";

/// Fails if a part of `secret` is in `output`, in any of the usual forms.
#[track_caller]
fn assert_hidden(secret: &[u8], output: &str) {
    let is_there = |part: &[u8]| output.as_bytes().windows(part.len()).any(|at| at == part);
    for part in secret.windows(8) {
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimal = part
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        for form in [part.to_vec(), hex.into_bytes(), decimal.into_bytes()] {
            assert!(
                !is_there(&form),
                "{:?} in\n{output}",
                String::from_utf8_lossy(&form)
            );
        }
    }
    for offset in 0..3 {
        let whole = &secret[offset..offset + (secret.len() - offset) / 3 * 3];
        for part in base64(whole).as_bytes().windows(12) {
            assert!(
                !is_there(part),
                "{:?} in\n{output}",
                String::from_utf8_lossy(part)
            );
        }
    }
}

/// Of a multiple of three bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift) as usize & 63]))
        })
        .collect()
}

#[test]
fn the_search_finds_each_form() {
    let found = |output: String| {
        std::panic::catch_unwind(|| assert_hidden(SECRET.as_bytes(), &output)).is_err()
    };
    assert!(found(format!("a {SECRET} b")) && found(SECRET[5..15].to_owned()));
    assert!(found(base64(SECRET.as_bytes())) && found(base64(&SECRET.as_bytes()[1..22])));
    assert!(found(format!("{:?}", SECRET.as_bytes())));
    assert!(!found("nothing".into()));
}

/// Runs to the end in a folder with these files; it must fail with an explanation that hides the
/// secret.
#[track_caller]
fn refused(
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
    arguments: &[&str],
    explains: &str,
) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let mut command = heartline(arguments);
    command.envs(environment.iter().copied());
    let (code, stdout, stderr) = run_in(folder.path(), command);
    let output = format!("{stdout}{stderr}");
    assert_ne!(code, 0, "{arguments:?} {output}");
    assert!(
        output.contains(explains),
        "{arguments:?}: no {explains:?} in {output}"
    );
    assert_hidden(SECRET.as_bytes(), &output);
}

#[test]
fn mistakes_on_the_command_line_are_told_without_the_key_beside_them() {
    let with = |before: &str, after: &str| format!("{before}{SECRET}{after}");
    for (arguments, explains) in [
        (
            vec!["serve", "--push-key", "one", SECRET],
            "belongs to no flag",
        ),
        (vec![SECRET], "belongs to no flag"),
        (vec!["--role-key", "user=K", SECRET], "belongs to no flag"),
        (vec!["serve", &with("--rolekey=user=", "")], "--rolekey"),
        (
            vec!["serve", &with("--no-loopback-push=", "")],
            "--no-loopback-push",
        ),
        (vec!["serve", &with("--memory=", "")], "--memory"),
        (vec!["serve", &with("-p", "")], "error"),
        (vec!["serve", "--role-key", SECRET], "not ROLE=KEY"),
        (vec!["serve", "--role-key", &with("", "==")], "not ROLE=KEY"),
        (
            vec!["serve", "--role-key-file", &with("user=", "")],
            "roles.user = (not shown",
        ),
        (
            vec![
                "serve",
                "--role-key",
                &with("user=", ""),
                "--role-key",
                &with("user=", "x"),
            ],
            "given twice",
        ),
        (
            vec!["serve", "--push-key-file", SECRET],
            "push.keys = (not shown",
        ),
        (
            vec!["serve", "--push-key", &with("two words ", "")],
            "HTTP header",
        ),
        (
            vec!["serve", "--redis", &with("http://:", "@cache")],
            "not a Redis URL",
        ),
        (
            vec!["serve", "--redis", &with("redis://:", "/x@cache:1")],
            "redis.url",
        ),
        (
            vec!["serve", "--redis", &with("redis://user:12?", "@cache:1")],
            "redis.url",
        ),
        (
            vec!["serve", "--redis-url-file", &with("redis://:", "@cache")],
            "redis.url = (not shown",
        ),
        (
            vec!["serve", "--tls-cert", "c.pem", "--tls-key", SECRET],
            "tls.",
        ),
        (vec!["token", &with("user=", "")], "is no user"),
        (
            vec!["token", "user:6", &with("user=", "")],
            "belongs to no flag",
        ),
        (
            vec!["token", "--role-key", &with("user=", ""), "xxx:6"],
            "no key is configured",
        ),
    ] {
        refused(&[], &[], &arguments, explains);
    }
    let push = ["push", "--to", "user:1", "--event", "chat", "--msg", "m"];
    let port = free_port();
    for (more, explains) in [
        (
            vec!["--key-file".into(), SECRET.into()],
            "--key-file (not shown",
        ),
        (vec!["--key".into(), format!("{SECRET}\n")], "HTTP header"),
        (
            vec![
                "--url".into(),
                format!("http://me:{SECRET}@127.0.0.1:{port}/"),
            ],
            "without USER:PASSWORD@",
        ),
        (
            vec![
                "--url".into(),
                format!("http://127.0.0.1:{port}/?token={SECRET}"),
            ],
            "could not be made",
        ),
        (
            vec!["--url".into(), format!("http://[{SECRET}")],
            "--url is not a URL",
        ),
        (vec![SECRET.into()], "belongs to no flag"),
    ] {
        let more = more.iter().map(String::as_str);
        let arguments: Vec<&str> = push.into_iter().chain(more).collect();
        refused(&[], &[], &arguments, explains);
    }
}

#[test]
fn mistakes_in_the_environment_and_the_file_are_told_without_the_secret() {
    let with = |before: &str, after: &str| format!("{before}{SECRET}{after}");
    for (name, value, explains) in [
        ("HEARTLINE_ROLE_KEYS", SECRET.to_owned(), "not ROLE=KEY"),
        ("HEARTLINE_ROLE_KEYS_FILE", with("user=", ""), "(not shown"),
        ("HEARTLINE_PUSH_KEYS_FILE", SECRET.to_owned(), "(not shown"),
        ("HEARTLINE_REDIS_URL", with("cache:", ""), "not a Redis URL"),
        (
            "HEARTLINE_REDIS_URL_FILE",
            with("redis://:", "@cache"),
            "(not shown",
        ),
    ] {
        refused(&[], &[(name, &value)], &["check-config"], explains);
    }
    for toml in [
        with("[roles]\nuser = ", ""),
        with("[roles]\nuser = '", ""),
        with("[roles]\nuser = '", "' x"),
        with("[roles]\nuser = \"\\q", "\""),
        with("[roles]\nuser '", "'"),
        with("[roles]\nuser = { key_file = '", "' }"),
        with("[roles]\nuser = { key = ['", "'] }"),
        with("[push]\nkeys = ['", "', 5]"),
        with("[push]\nkeys = '", "'"),
        with("[push]\nkeys = { a = '", "' }"),
        with("[push]\nkey_files = ['", "']"),
        with("[redis]\nurl = 'cache:", "'"),
        with("[redis]\nurl = ['", "']"),
        with("[redis]\nurl_file = '", "'"),
        with(
            "[tls]\ncert_file = 'c.pem'\nkey_file = '''-----BEGIN PRIVATE KEY-----\n",
            "'''",
        ),
        with("[tls]\ncert_file = 'c.pem'\nkey_file = ['", "']"),
    ] {
        for command in ["check-config", "serve"] {
            refused(
                &[("heartline.toml", &toml)],
                &[],
                &[command],
                "the configuration is wrong",
            );
        }
    }
    refused(
        &[("t.json", &format!(r#"{{"heartline":"{SECRET}"}}"#))],
        &[],
        &["replay", "t.json"],
        "not a trace",
    );
}

/// Ways in which key files get damaged.
fn damages(key: &str) -> Vec<String> {
    let middle = key.len() / 2;
    vec![
        key.replace('\n', ""),
        key.replace('\n', "\\n"),
        key.replace('\n', " "),
        key.replacen('\n', "", 1),
        key.trim_end().replacen("\n-----END", "-----END", 1),
        key[..middle].to_owned(),
        key[middle..].to_owned(),
        key.replacen("-----\n", "----\n", 1),
        key.replace("PRIVATE KEY", "SECRET KEY"),
        key.replace("\n-----END", "=*\n-----END"),
        key.replacen("M", "", 1),
        format!("-----BEGIN {}", key.replace("-----", "")),
        key.replace("-----", "-----BEGIN "),
        key.chars().flat_map(|char| [char, '\0']).collect(),
    ]
}

#[test]
fn a_damaged_tls_key_is_told_and_never_shown() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let text: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let der = made.signing_key.serialize_der();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("cert.pem"), &cert).expect("written");
    std::fs::write(file("key.pem"), &key).expect("written");
    let tls = [
        "--memory",
        "--role-key",
        "user=K",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        "cert.pem",
        "--tls-key",
        "key.pem",
    ];
    let command = |word: &str| {
        let mut command = heartline(&[&[word, "--log", "trace"], &tls[..]].concat());
        command.current_dir(folder.path());
        command
    };
    let server = Serving::start_in(folder.path(), command("serve"));
    assert!(
        server.ready_line.contains(" https://127.0.0.1:"),
        "{}",
        server.ready_line
    );
    let failures = || {
        server
            .stderr()
            .matches("the former certificate stays")
            .count()
    };
    for (at, damaged) in damages(&key).into_iter().enumerate() {
        std::fs::write(file("key.pem"), &damaged).expect("written");
        let (code, stdout, stderr) = run_in(folder.path(), command("check-config"));
        let output = format!("{stdout}{stderr}");
        assert_eq!(code, 2, "{damaged}\n{output}");
        assert!(
            output.contains("tls.key_file = key.pem (flag --tls-key): "),
            "{output}"
        );
        assert_hidden(text.as_bytes(), &output);
        assert_hidden(&der, &output);
        server.signal(Signal::HUP);
        eventually("told", Duration::from_secs(5), failures, |count| {
            *count > at
        });
    }
    assert_hidden(text.as_bytes(), &server.stderr());
    assert_hidden(&der, &server.stderr());
    let (code, stdout, stderr) = run_in(folder.path(), command("serve"));
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert_hidden(text.as_bytes(), &stderr);

    std::fs::write(file("key.pem"), &key).expect("written");
    server.signal(Signal::HUP);
    let is_read = |text: &String| text.contains("the certificate was read again");
    eventually(
        "read again",
        Duration::from_secs(5),
        || server.stderr(),
        is_read,
    );
}

#[test]
fn a_redis_that_repeats_what_it_was_given_does_not_get_it_into_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = socket.read(&mut buffer) {
                // As Redis answers where the command was renamed.
                let words = String::from_utf8_lossy(&buffer[..count]).replace("\r\n", " ");
                let calls = words.matches('*').count();
                let answer = format!("-ERR unknown command, with args beginning with: {words}\r\n");
                if socket
                    .write_all(answer.repeat(calls.max(1)).as_bytes())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    let url = format!("redis://me:{SECRET}@127.0.0.1:{port}/2");
    let server = Serving::classic(&["--redis", &url, "--log", "trace"]);
    let is_told = |text: &String| text.contains("Redis is away");
    eventually("told", Duration::from_secs(10), || server.stderr(), is_told);
    assert!(server.stderr().contains("redis.url"), "{}", server.stderr());
    assert_hidden(SECRET.as_bytes(), &server.stderr());
}

#[test]
fn settings_that_are_printed_for_debugging_hide_their_secrets() {
    use heartline_server::config::{FlagValue, Sources, load};
    let sources = Sources {
        environment: vec![("HEARTLINE_PUSH_KEYS".into(), SECRET.into())],
        flags: vec![
            FlagValue {
                name: "role-key".into(),
                values: vec![format!("user={SECRET}")],
            },
            FlagValue {
                name: "redis".into(),
                values: vec![format!("redis://:{SECRET}@cache")],
            },
        ],
        ..Sources::default()
    };
    let loaded = load(&sources).expect("it is right");
    assert_hidden(
        SECRET.as_bytes(),
        &format!("{sources:?}{loaded:?}{:?}", loaded.settings.config),
    );
}
