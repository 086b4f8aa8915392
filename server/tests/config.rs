//! Where settings come from, which layer wins, and each sentence that is said when one is wrong.

use std::ffi::OsString;
use std::path::Path;

use expect_test::{Expect, expect};
use heartline_server::config::{FlagValue, Loaded, LogFormat, SETTINGS, Sources, effective, load};

/// Layers, written short.
#[derive(Default)]
struct Layers {
    directory: Option<tempfile::TempDir>,
    sources: Sources,
}

impl Layers {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sources = Sources {
            directory: directory.path().to_owned(),
            ..Sources::default()
        };
        Self {
            directory: Some(directory),
            sources,
        }
    }

    fn path(&self) -> &Path {
        self.directory.as_ref().expect("there is one").path()
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).expect("written");
        self
    }

    fn toml(self, text: &str) -> Self {
        self.file("heartline.toml", text)
    }

    fn config(mut self, name: &str) -> Self {
        self.sources.config_file = Some(name.into());
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.sources.flags.push(FlagValue {
            name: name.into(),
            values,
        });
        self
    }

    #[track_caller]
    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn problems(&self) -> String {
        let problems = load(&self.sources).expect_err("something is wrong");
        problems
            .0
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()
    }
}

#[track_caller]
fn refused(layers: Layers, sentence: Expect) {
    sentence.assert_eq(&layers.problems());
}

#[test]
fn without_any_layer_the_defaults_hold() {
    let loaded = Layers::new().load();
    assert_eq!(loaded.settings.config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.settings.config.timing.ping_interval_ms, 20_000);
    assert!(loaded.settings.config.roles.is_empty() && loaded.settings.config.redis.is_none());
    assert_eq!((loaded.file, loaded.warnings.len()), (None, 0));
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let layers = Layers::new()
        .toml("listen = '127.0.0.1:1'\nshards = 1\n[timing]\nping_interval_ms = 1000\n");
    let layers = layers
        .env("HEARTLINE_LISTEN", "127.0.0.1:2")
        .env("HEARTLINE_SHARDS", "2")
        .flag("listen", &["127.0.0.1:3"]);
    let config = layers.load().settings.config;
    assert_eq!(
        (
            config.listen.port(),
            config.shards,
            config.timing.ping_interval_ms
        ),
        (3, 2, 1000)
    );
    let origins = layers.load().origins;
    assert_eq!(origins["listen"], "flag --listen");
    assert_eq!(origins["shards"], "environment HEARTLINE_SHARDS");
    assert_eq!(origins["timing.ping_interval_ms"], "heartline.toml");
}

#[test]
fn roles_are_merged_and_lists_are_replaced() {
    let layers = Layers::new()
        .toml("[roles]\nuser = 'A'\nxxx = 'B'\n[push]\nkeys = ['one', 'two']\nevents = ['a']\n");
    let layers = layers
        .env("HEARTLINE_ROLE_KEYS", "xxx=C, shop=D=E")
        .env("HEARTLINE_PUSH_KEYS", "three");
    let config = layers
        .flag("role-key", &["user=F,G"])
        .flag("push-event", &["b", "c*"])
        .load()
        .settings
        .config;
    let roles: Vec<_> = config
        .roles
        .iter()
        .map(|(role, key)| format!("{role}={}", key.expose()))
        .collect();
    assert_eq!(roles, ["shop=D=E", "user=F,G", "xxx=C"]);
    assert_eq!(
        config
            .push
            .keys
            .iter()
            .map(|key| key.expose())
            .collect::<Vec<_>>(),
        ["three"]
    );
    assert_eq!(config.push.events, ["b", "c*"]);
}

#[test]
fn the_file_is_the_named_one_or_heartline_toml_if_it_is_there() {
    let layers = || {
        Layers::new()
            .toml("shards = 1")
            .file("a.toml", "shards = 2")
            .file("b.toml", "shards = 3")
    };
    assert_eq!(layers().load().settings.config.shards, 1);
    assert_eq!(
        layers()
            .env("HEARTLINE_CONFIG", "a.toml")
            .load()
            .settings
            .config
            .shards,
        2
    );
    assert_eq!(
        layers()
            .env("HEARTLINE_CONFIG", "a.toml")
            .config("b.toml")
            .load()
            .settings
            .config
            .shards,
        3
    );
}

#[test]
fn a_whole_file_is_read() {
    let layers = Layers::new().toml(
        r#"
        listen = "[::1]:9000"
        allowed_origins = ["https://a.example"]
        [roles]
        user = "K"
        xxx = { key = "X" }
        [push]
        keys = ["p"]
        allow_loopback = true
        listen = "127.0.0.1:9001"
        [limits]
        max_connections = 7
        [redis]
        url = "redis://:secret@127.0.0.1:6379/3"
        prefix = "laravel_database_"
        [log]
        format = "json"
        filter = "warn"
        "#,
    );
    let settings = layers.load().settings;
    assert_eq!(settings.config.listen.to_string(), "[::1]:9000");
    assert_eq!(settings.config.roles["xxx"].expose(), "X");
    assert!(settings.config.push.allow_loopback);
    let push_listen = settings.config.push.listen.expect("given");
    assert_eq!(push_listen.to_string(), "127.0.0.1:9001");
    assert_eq!(settings.config.limits.max_connections, 7);
    let redis = settings.config.redis.expect("given");
    assert_eq!(
        (redis.url.expose(), redis.prefix.as_str()),
        ("redis://:secret@127.0.0.1:6379/3", "laravel_database_")
    );
    assert_eq!(
        (settings.log.format, settings.log.filter.as_str()),
        (LogFormat::Json, "warn")
    );
}

#[test]
fn secrets_may_come_from_files() {
    let layers = Layers::new()
        .file("user.key", "K\n")
        .file("more", "one\n\ntwo\n")
        .file("url", "redis://h/1\n");
    let in_toml = layers.toml("[roles]\nuser = { key_file = 'user.key' }\n[push]\nkey_files = ['more']\n[redis]\nurl_file = 'url'\n");
    let config = in_toml.load().settings.config;
    assert_eq!(config.roles["user"].expose(), "K");
    assert_eq!(config.push.keys.len(), 2);
    assert_eq!(config.redis.expect("given").url.expose(), "redis://h/1");

    let layers = Layers::new()
        .file("roles", "user=K,comma\nxxx=X\n")
        .file("url", "redis://h/1\n");
    let layers = layers
        .env("HEARTLINE_ROLE_KEYS_FILE", "roles")
        .env("HEARTLINE_REDIS_URL_FILE", "url");
    let config = layers.load().settings.config;
    assert_eq!(
        (config.roles["user"].expose(), config.roles["xxx"].expose()),
        ("K,comma", "X")
    );
    assert!(config.redis.is_some());

    let layers = Layers::new().file("k", "K\n").file("p", "push\n");
    let layers = layers
        .flag("role-key-file", &["user=k"])
        .flag("role-key", &["xxx=X"])
        .flag("push-key-file", &["p"]);
    let config = layers.load().settings.config;
    assert_eq!(
        (config.roles["user"].expose(), config.roles["xxx"].expose()),
        ("K", "X")
    );
    assert_eq!(config.push.keys[0].expose(), "push");
}

#[test]
fn slower_pings_alone_widen_the_default_idle_window() {
    let config = Layers::new()
        .flag("ping-interval-ms", &["60000"])
        .load()
        .settings
        .config;
    assert_eq!(config.timing.idle_timeout_ms, 180_000);
    let config = Layers::new()
        .flag("ping-interval-ms", &["100"])
        .load()
        .settings
        .config;
    assert_eq!(config.timing.idle_timeout_ms, 60_000);
}

#[test]
fn an_empty_redis_url_means_none() {
    let layers = Layers::new()
        .toml("[redis]\nurl = 'redis://h'\n")
        .env("HEARTLINE_REDIS_URL", "");
    assert!(layers.load().settings.config.redis.is_none());
    assert!(
        Layers::new()
            .env("HEARTLINE_REDIS_PREFIX", "p_")
            .load()
            .settings
            .config
            .redis
            .is_none()
    );
}

#[test]
fn an_unknown_setting_is_refused_with_a_near_match() {
    refused(
        Layers::new().toml("lisen = 'x'\ncolour = 1\nping_interval_ms = 1\n[timing]\nping_intervall_ms = 1\n[redis]\nuri = 'x'\n[tls]\n"),
        expect![[r#"
            colour (heartline.toml): no such setting; remove it; docs/configuration.md lists every setting
            lisen (heartline.toml): no such setting; did you mean listen? Otherwise remove it
            ping_interval_ms (heartline.toml): no such setting; did you mean timing.ping_interval_ms? Otherwise remove it
            redis.uri (heartline.toml): no such setting; did you mean redis.url? Otherwise remove it
            timing.ping_intervall_ms (heartline.toml): no such setting; did you mean timing.ping_interval_ms? Otherwise remove it
        "#]],
    );
}

#[test]
fn every_bound_is_named_with_its_remedy() {
    refused(
        Layers::new()
            .toml("listen = 8080\n[timing]\nping_interval_ms = 0\n[limits]\nmax_connections = 'many'\n[push]\nallow_loopback = 'maybe'\n")
            .env("HEARTLINE_MAX_MESSAGE_BYTES", "-1")
            .env("HEARTLINE_PUSH_EVENTS", "ok,a*b")
            .env("HEARTLINE_LOG", "loud=very")
            .flag("shards", &["5000"])
            .flag("allowed-origin", &["https://a.example/"])
            .flag("log-format", &["xml"]),
        expect![[r#"
            limits.max_connections = "many" (heartline.toml): a text, not a whole number of connections; write a whole number from 1 to 10000000, without quotes
            listen = 8080 (heartline.toml): not an address and port; write an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            push.allow_loopback = "maybe" (heartline.toml): a text, neither true nor false; write true or false, without quotes
            timing.ping_interval_ms = 0 (heartline.toml): the least is 10 ms; write a whole number from 10 to 86400000
            push.events = a*b (environment HEARTLINE_PUSH_EVENTS): an entry is not understood; write an event's name, or the beginning of names and one `*` at the end
            limits.max_message_bytes = "-1" (environment HEARTLINE_MAX_MESSAGE_BYTES): the least is 128 bytes; write a whole number from 128 to 1073741824
            log.filter = "loud=very" (environment HEARTLINE_LOG): not understood as a log filter; write error, warn, info, debug or trace, or such per module: info,heartline_server=debug
            allowed_origins = https://a.example/ (flag --allowed-origin): an entry is not understood; write an origin as browsers send it, such as https://app.example.com
            shards = "5000" (flag --shards): the most is 1024 threads; write a whole number from 0 to 1024
            log.format = "xml" (flag --log-format): no such format; write text or json
        "#]],
    );
}

#[test]
fn a_key_given_twice_for_a_role_is_an_error_in_each_layer() {
    refused(
        Layers::new()
            .env("HEARTLINE_ROLE_KEYS", "user=A,xxx=B,user=C")
            .flag("role-key", &["user=D", "xxx=E", "user=D"])
            .file("key", "F")
            .flag("role-key-file", &["xxx=key"]),
        expect![[r#"
            roles.user (environment HEARTLINE_ROLE_KEYS): given twice; give one key for each role: a role has one
            roles.user (flag --role-key): given twice; give one key for each role: a role has one
            roles.xxx (flag --role-key-file): given twice; give one key for each role: a role has one
        "#]],
    );
    // Between layers the later wins, as with every setting.
    let layers = Layers::new().toml("[roles]\nuser = 'A'\n");
    let layers = layers
        .env("HEARTLINE_ROLE_KEYS", "user=B")
        .flag("role-key", &["user=C"]);
    assert_eq!(layers.load().settings.config.roles["user"].expose(), "C");
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_that_names_the_setting() {
    let of_type = |value: &str| match value {
        "'no'" | "'5'" => "a text",
        _ => "",
    };
    for setting in SETTINGS.iter().filter(|setting| setting.path != "roles") {
        for value in [
            "'no'",
            "'5'",
            "5",
            "true",
            "1.5",
            "1979-05-27",
            "[5]",
            "['no']",
            "[[]]",
            "{ a = 1 }",
        ] {
            let (section, name) = setting.path.split_once('.').unwrap_or(("", setting.path));
            let toml = match section {
                "" => format!("{name} = {value}\n"),
                _ => format!("[{section}]\n{name} = {value}\n"),
            };
            let layers = Layers::new().toml(&toml);
            let Err(problems) = load(&layers.sources) else {
                let loaded = layers.load();
                // It was understood: then it is what is shown.
                let shown = effective(&loaded);
                let is_there = shown.contains(&format!("{name} = {}", value.replace('\'', "\"")));
                let is_hidden = setting.is_secret() || setting.path == "redis.prefix";
                assert!(is_there || is_hidden, "{toml}{shown}");
                continue;
            };
            let problem = &problems.0[0];
            // A path of a certificate alone is of the right type, and misses its key.
            let named = if section == "tls" {
                "tls."
            } else {
                setting.path
            };
            assert!(problem.setting.starts_with(named), "{toml}{problem}");
            assert!(
                !problem.remedy.is_empty() && !problem.trouble.is_empty(),
                "{problem}"
            );
            if problem.trouble.contains("neither") || problem.trouble.contains("whole number") {
                assert!(
                    problem.trouble.starts_with(of_type(value)),
                    "{toml}{problem}"
                );
            }
        }
    }
    refused(
        Layers::new().toml("[push]\nallow_loopback = 'no'\nmax_body_bytes = '2048'\nevents = 'a'\n[timing]\nping_interval_ms = 1.5\n[log]\nformat = true\n"),
        expect![[r#"
            log.format = true (heartline.toml): no such format; write text or json
            push.allow_loopback = "no" (heartline.toml): a text, neither true nor false; write true or false, without quotes
            push.events = "a" (heartline.toml): not a list of texts; write a list; each entry is an event's name, or the beginning of names and one `*` at the end
            push.max_body_bytes = "2048" (heartline.toml): a text, not a whole number of bytes; write a whole number from 1024 to 1073741824, without quotes
            timing.ping_interval_ms = (a number with a fraction) (heartline.toml): a number with a fraction, not a whole number of ms; write a whole number from 10 to 86400000
        "#]],
    );
}

#[test]
fn a_byte_order_mark_is_passed_over_and_utf_16_is_named() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let config = Layers::new()
        .toml(&marked("[roles]\nuser = { key_file = 'key' }\n[push]\nkey_files = ['keys']\n[redis]\nurl_file = 'url'\n"))
        .file("key", &marked("A\r\n"))
        .file("keys", &marked("one\r\ntwo\r\n"))
        .file("url", &marked("redis://cache/1\n"))
        .load()
        .settings
        .config;
    assert_eq!(config.roles["user"].expose(), "A");
    let keys: Vec<_> = config.push.keys.iter().map(|key| key.expose()).collect();
    assert_eq!(keys, ["one", "two"]);
    assert_eq!(
        config.redis.expect("a Redis").url.expose(),
        "redis://cache/1"
    );
    let layers = Layers::new().flag("role-key-file", &["user=key.txt"]);
    std::fs::write(layers.path().join("key.txt"), [0xff, 0xfe, b'K', 0]).expect("written");
    refused(
        layers,
        expect![[r#"
        roles.user = key.txt (flag --role-key-file): the file is UTF-16; save it as UTF-8
    "#]],
    );
    let layers = Layers::new();
    std::fs::write(layers.path().join("heartline.toml"), [0xfe, 0xff, 0, b'a']).expect("written");
    refused(
        layers,
        expect![[r#"
        heartline.toml: the file is UTF-16; save it as UTF-8
    "#]],
    );
}

#[test]
fn settings_are_held_against_one_another() {
    refused(
        Layers::new()
            .flag("ping-interval-ms", &["5000"])
            .flag("idle-timeout-ms", &["5000"]),
        expect![[r#"
            timing.idle_timeout_ms = 5000 (flag --idle-timeout-ms): must be more than timing.ping_interval_ms, which is 5000 ms, or quiet connections are closed before they are asked; write 15000 or more, or ping more often
        "#]],
    );
}

#[test]
fn roles_and_keys_must_make_sense() {
    refused(
        Layers::new()
            .toml("[roles]\n'a:b' = 'SECRET'\n'' = 'SECRET'\nfd = 'SECRET'\n'x y' = 'SECRET'\nuser = ''\nnum = 5\ntab = { file = 'SECRET' }\n")
            .env("HEARTLINE_ROLE_KEYS", "SECRET")
            .flag("push-key", &["SECRET KEY"])
            .flag("role-key-file", &["nowhere"]),
        expect![[r#"
            roles.num (heartline.toml): not a text; write "KEY" in quotes, or { key_file = "PATH" }
            roles.tab (heartline.toml): neither a key nor a key_file; write "KEY" or { key_file = "PATH" }
            roles (environment HEARTLINE_ROLE_KEYS): an entry is not ROLE=KEY; write ROLE=KEY, such as user=KEY; a key with a comma belongs in a file
            roles (flag --role-key-file): not ROLE=PATH; write such as user=/run/secrets/user
            roles. (heartline.toml): the role has no name; use a short name such as user
            roles.a:b (heartline.toml): a role's name cannot hold a colon: it ends the role in ROLE:ID; use a short name such as user
            roles.fd (heartline.toml): a role's name cannot be fd, online, active or heartline: those are other keys in Redis; use a short name such as user
            roles.user (heartline.toml): the key is empty; give the key that the backend makes tokens with
            roles.x y (heartline.toml): a role's name cannot hold spaces, commas, brackets or `=`; use a short name such as user
            push.keys (flag --push-key): a key is empty, or holds what an HTTP header cannot carry; use letters, digits and punctuation without spaces
        "#]],
    );
}

#[test]
fn a_redis_url_is_checked_and_never_quoted() {
    refused(
        Layers::new().env("HEARTLINE_REDIS_URL", "rediss://:SECRET@h"),
        expect![[r#"
            redis.url (environment HEARTLINE_REDIS_URL): TLS to Redis is not built in; write redis://HOST:PORT/DB, redis://:PASSWORD@HOST:PORT/DB or redis+unix:///PATH; in a password, / ? # @ and % are written %2F %3F %23 %40 and %25
        "#]],
    );
    refused(
        Layers::new().toml("[redis]\nurl = 'http://:SECRET@h'\n"),
        expect![[r#"
            redis.url (heartline.toml): not a Redis URL; write redis://HOST:PORT/DB, redis://:PASSWORD@HOST:PORT/DB or redis+unix:///PATH; in a password, / ? # @ and % are written %2F %3F %23 %40 and %25
        "#]],
    );
}

#[test]
fn files_that_cannot_be_used_are_named() {
    refused(
        Layers::new().config("nowhere.toml"),
        expect![[r#"
            nowhere.toml (flag --config): the file cannot be read (No such file or directory (os error 2)); name a file that this user may read
        "#]],
    );
    refused(
        Layers::new().env("HEARTLINE_CONFIG", "nowhere.toml"),
        expect![[r#"
            nowhere.toml (environment HEARTLINE_CONFIG): the file cannot be read (No such file or directory (os error 2)); name a file that this user may read
        "#]],
    );
    refused(
        Layers::new().toml("[roles]\nuser = 'SECRET'\nuser = 'SECRET'\n"),
        expect![[r#"
            heartline.toml: not TOML in line 3: duplicate key; mend the line, or see docs/configuration.md
        "#]],
    );
    refused(
        Layers::new().toml("[roles]\nuser = 'SECRET\n"),
        expect![[r#"
            heartline.toml: not TOML in line 2: invalid literal string, expected `'`; mend the line, or see docs/configuration.md
        "#]],
    );
    refused(
        Layers::new()
            .file("empty", "\n")
            .toml("[roles]\nuser = { key_file = 'empty' }\n[push]\nkeys = ['SECRET']\nkey_files = ['x']\n[redis]\nurl_file = 'nowhere'\n"),
        expect![[r#"
            push.keys (heartline.toml): given together with push.key_files; give one of the two
            redis.url = (not shown: it may be a secret and not a path) (heartline.toml): the file cannot be read (No such file or directory (os error 2)); name a file that this user may read
            roles.user = empty (heartline.toml): the file is empty; put the secret into it
        "#]],
    );
    refused(
        Layers::new()
            .env("HEARTLINE_REDIS_URL", "redis://:SECRET@h")
            .env("HEARTLINE_REDIS_URL_FILE", "x"),
        expect![[r#"
            HEARTLINE_REDIS_URL (environment): given together with HEARTLINE_REDIS_URL_FILE; give one of the two
        "#]],
    );
}

#[test]
fn a_variable_that_is_not_utf_8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut layers = Layers::new();
    layers
        .sources
        .environment
        .push(("HEARTLINE_LISTEN".into(), OsString::from_vec(vec![0xff])));
    refused(
        layers,
        expect![[r#"
        HEARTLINE_LISTEN (environment): not UTF-8; write it in UTF-8
    "#]],
    );
}

#[test]
fn a_url_in_the_wrong_place_is_shown_without_its_password() {
    let url = "https://me:SECRET@app.example?token=SECRET";
    let layers = Layers::new()
        .env("HEARTLINE_ALLOWED_ORIGINS", url)
        .env("HEARTLINE_LISTEN", url)
        .flag("push-event", &[url, "*a"]);
    let toml = "[timing]\nping_interval_ms = 'redis://:SECRET@cache'\n";
    let problems = layers.toml(toml).problems();
    assert_eq!(problems.lines().count(), 4, "{problems}");
    assert!(!problems.contains("SECRET"), "{problems}");
    assert!(
        problems.contains("https://[secret]@app.example"),
        "{problems}"
    );
}

#[test]
fn a_prefix_without_a_redis_gets_a_warning() {
    let warnings = Layers::new().flag("redis-prefix", &["x:"]).load().warnings;
    let sentence = "redis.prefix (flag --redis-prefix) has no effect: redis.url is not given";
    assert!(
        warnings.iter().any(|warning| warning == sentence),
        "{warnings:?}"
    );
}

#[test]
fn warnings_point_at_what_works_but_may_not_be_meant() {
    let warnings = |layers: Layers| layers.load().warnings.join("\n");
    let open = || Layers::new().flag("listen", &["0.0.0.0:8080"]);
    expect![[r#"
        the key of role user is shorter than 16 characters and 0.0.0.0:8080 is open to others: a token can be guessed; use a longer key
        a push key is shorter than 16 characters and 0.0.0.0:8080 is open to others; use a longer one"#]].assert_eq(&warnings(
        open()
            .flag("role-key", &["user=short"])
            .flag("push-key", &["short"]),
    ));
    assert_eq!(
        warnings(
            open()
                .flag("role-key", &["user=0123456789abcdef"])
                .flag("push-key", &["0123456789abcdef"])
        ),
        ""
    );
    assert_eq!(
        warnings(Layers::new().flag("role-key", &["user=short"])),
        ""
    );
    expect!["no event may be pushed: push.events is empty"]
        .assert_eq(&warnings(Layers::new().env("HEARTLINE_PUSH_EVENTS", "")));
    expect!["push.listen 10.0.0.1:8081 is open to other machines and speaks no TLS: whoever listens on that network sees the push keys; use 127.0.0.1, or a network of your own"]
        .assert_eq(&warnings(Layers::new().flag("push-listen", &["10.0.0.1:8081"])));
    expect!["the environment variable HEARTLINE_LISTN is not known and has no effect; did you mean HEARTLINE_LISTEN?"].assert_eq(&warnings(
        Layers::new()
            .env("HEARTLINE_LISTN", "x")
            .env("HEARTLINE_SERVER_BIN", "x")
            .env("HEARTLINE_PORT", "tcp://10.0.0.1:80"),
    ));
}

#[test]
fn pushing_without_a_key_is_asked_for_in_any_layer_and_taken_back_by_a_later_one() {
    let asked = |layers: Layers| layers.load().settings.config.push.allow_loopback;
    assert!(!asked(Layers::new()));
    assert!(asked(Layers::new().flag("loopback-push", &[])));
    assert!(asked(
        Layers::new().env("HEARTLINE_PUSH_ALLOW_LOOPBACK", "true")
    ));
    let file = || Layers::new().toml("[push]\nallow_loopback = true\n");
    assert!(asked(file()));
    assert!(!asked(file().flag("no-loopback-push", &[])));
    assert!(!asked(file().env("HEARTLINE_PUSH_ALLOW_LOOPBACK", "false")));
}

#[test]
fn the_push_port_is_another_than_the_public_one() {
    let both = |push: &str| {
        Layers::new()
            .flag("listen", &["127.0.0.1:8080"])
            .flag("push-listen", &[push])
    };
    expect![[r#"
        push.listen = 127.0.0.1:8080 (flag --push-listen): the same address as `listen`; give pushes another port, or leave it out
    "#]]
    .assert_eq(&both("127.0.0.1:8080").problems());
    expect![[r#"
        push.listen = "8081" (flag --push-listen): not an address and port; write an IP address and a port, such as 127.0.0.1:8081, or nothing
    "#]]
    .assert_eq(&both("8081").problems());
    assert_eq!(both("").load().settings.config.push.listen, None);
}

#[test]
fn the_effective_configuration_shows_everything_but_secrets() {
    let layers = Layers::new()
        .toml("[roles]\nuser = 'SECRET'\n[redis]\nurl = 'redis://:SECRET@h/1'\nprefix = 'p_'\n")
        .env("HEARTLINE_PUSH_KEYS", "SECRET,SECRET")
        .flag("ping-interval-ms", &["1000"]);
    let shown = effective(&layers.load());
    assert!(!shown.contains("SECRET"), "{shown}");
    for setting in SETTINGS {
        let name = setting.path.rsplit('.').next().expect("a name");
        assert!(shown.contains(name), "{name} is not shown");
    }
    expect![[r#"
        listen = "127.0.0.1:8080"  # default
        allowed_origins = []  # default
        shards = 0  # default
        deflate_min_bytes = 0  # default

        [roles]
        user = "[secret]"  # heartline.toml

        [push]
        keys = ["[secret]", "[secret]"]  # environment HEARTLINE_PUSH_KEYS
        allow_loopback = false  # default
        # listen: none
        events = ["user_tabbar", "chat*"]  # default
        durable_events = []  # default
        max_body_bytes = 2097152  # default

        [tls]
        # cert_file: none
        # key_file: none

        [store]
        path = "./heartline-data"  # default
        durability = "power"  # default
        max_age_ms = 604800000  # default
        max_messages = 10000  # default
        max_bytes = 16777216  # default
        memory_bytes = 1073741824  # default

        [timing]
        ping_interval_ms = 1000  # flag --ping-interval-ms
        idle_timeout_ms = 60000  # default
        login_deadline_ms = 120000  # default
        drain_window_ms = 5000  # default

        [limits]
        max_connections = 100000  # default
        max_connections_per_address = 0  # default
        max_connections_per_user = 1000  # default
        max_message_bytes = 1048576  # default
        frames_per_second = 2000  # default
        frame_burst = 120000  # default
        outbound_queue_bytes = 4194304  # default
        max_recipients = 100000  # default
        max_push_bytes = 67108864  # default

        [redis]
        url = "redis://[secret]@h/1"  # heartline.toml
        prefix = "p_"  # heartline.toml

        [log]
        format = "text"  # default
        filter = "info"  # default
        connections = false  # default
        addresses = false  # default
    "#]]
    .assert_eq(&shown);
    // What is shown can be read again, secrets apart.
    let again = Layers::new().toml(&shown).load();
    assert_eq!(again.settings.config.timing.ping_interval_ms, 1000);
}

#[test]
fn the_page_about_configuration_names_every_setting() {
    for page in ["configuration.md", "configuration.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(page);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for setting in SETTINGS {
            let twin = setting
                .file
                .iter()
                .flat_map(|twin| [twin.path, twin.env, twin.flag.name()]);
            for name in [setting.path, setting.env, setting.flag.name()]
                .into_iter()
                .chain(twin)
            {
                let bare = name.rsplit('.').next().expect("a name");
                assert!(
                    text.contains(&format!("`{bare}`"))
                        || text.contains(&format!("`{name}`"))
                        || text.contains(&format!("`--{name}`")),
                    "{page} does not name {name}"
                );
            }
        }
    }
}
