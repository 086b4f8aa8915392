//! From what a layer says to a value in its place, or to the reason why not.

use super::settings::{Kind, Setting};
use super::show::without_password;
use std::path::PathBuf;

use crate::store::Durability;
use crate::tls::TlsFiles;

use super::{LogFormat, RedisConfig, Secret, Settings};

/// What a layer gives a setting, before it is understood. It has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Given {
    /// From the environment or a flag, which know nothing but text.
    Text(String),
    /// A TOML string: no number and no switch, whatever it reads like.
    Quoted(String),
    Integer(i64),
    Switch(bool),
    /// Several texts: a TOML array, or a flag given often.
    Texts(Vec<String>),
    /// Role and key.
    Pairs(Vec<(String, String)>),
    /// A TOML value that no setting takes, by the name of its type.
    Other(&'static str),
}

/// What is wrong with what was given, and what to do.
pub(super) struct Wrong {
    /// The part that is wrong, as it may be shown; `None` for secrets.
    pub(super) value: Option<String>,
    pub(super) trouble: String,
    pub(super) remedy: String,
}

/// Puts what was given into its place.
pub(super) fn apply(setting: &Setting, given: Given, settings: &mut Settings) -> Result<(), Wrong> {
    // Where the path of a secret's file belongs, the secret itself is easily put.
    let may_be_secret = setting.is_secret() || matches!(setting.kind, Kind::TlsKey);
    let shown = (!may_be_secret).then(|| given.shown());
    let wrong = |trouble: String, remedy: String| Wrong {
        value: shown.clone(),
        trouble,
        remedy,
    };
    match &setting.kind {
        Kind::Address(place) => {
            let address = given.text().and_then(|text| text.parse().ok());
            *place(settings) = address.ok_or_else(|| {
                wrong(
                    "not an address and port".into(),
                    "write an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080".into(),
                )
            })?;
        }
        Kind::OptionalAddress(place) => {
            let text = given.text().map(str::trim);
            *place(settings) = match text {
                Some("") => None,
                text => Some(text.and_then(|text| text.parse().ok()).ok_or_else(|| {
                    wrong(
                        "not an address and port".into(),
                        "write an IP address and a port, such as 127.0.0.1:8081, or nothing".into(),
                    )
                })?),
            };
        }
        Kind::Number {
            unit,
            min,
            max,
            set,
            ..
        } => {
            let unquoted = given.without_quotes();
            let remedy = || format!("write a whole number from {min} to {max}{unquoted}");
            let number = given.number().ok_or_else(|| {
                let found = given.kind();
                wrong(format!("{found}, not a whole number of {unit}"), remedy())
            })?;
            if number < i128::from(*min) {
                return Err(wrong(format!("the least is {min} {unit}"), remedy()));
            }
            let number = u64::try_from(number).ok().filter(|number| number <= max);
            set(
                settings,
                number.ok_or_else(|| wrong(format!("the most is {max} {unit}"), remedy()))?,
            );
        }
        Kind::Switch(place) => {
            let switch = given.switch();
            *place(settings) = switch.ok_or_else(|| {
                wrong(
                    format!("{}, neither true nor false", given.kind()),
                    format!("write true or false{}", given.without_quotes()),
                )
            })?;
        }
        Kind::Texts {
            what,
            accepts,
            place,
        } => {
            let texts = given.texts().ok_or_else(|| {
                wrong(
                    "not a list of texts".into(),
                    format!("write a list; each entry is {what}"),
                )
            })?;
            if let Some(bad) = texts.iter().find(|text| !accepts(text)) {
                let trouble = "an entry is not understood".into();
                return Err(Wrong {
                    value: Some(shown_text(bad)),
                    trouble,
                    remedy: format!("write {what}"),
                });
            }
            *place(settings) = texts;
        }
        Kind::LogFormat(place) => {
            *place(settings) = match given.text() {
                Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                _ => return Err(wrong("no such format".into(), "write text or json".into())),
            };
        }
        Kind::LogFilter => {
            let understood = given.text().filter(|text| {
                !text.is_empty() && tracing_subscriber::EnvFilter::builder().parse(text).is_ok()
            });
            settings.log.filter = understood
                .ok_or_else(|| {
                    let remedy = "write error, warn, info, debug or trace, or such per module: info,heartline_server=debug";
                    wrong("not understood as a log filter".into(), remedy.into())
                })?
                .to_owned();
        }
        Kind::RoleKeys => {
            for (role, key) in given.pairs(&wrong)? {
                settings.config.roles.insert(role, Secret::new(key));
            }
        }
        Kind::PushKeys => {
            let keys = given.texts().ok_or_else(|| {
                wrong(
                    "not a list of keys".into(),
                    "write a list of texts: keys = [\"…\", \"…\"]".into(),
                )
            })?;
            settings.config.push.keys = keys.into_iter().map(Secret::new).collect();
        }
        Kind::TlsCert | Kind::TlsKey => {
            let path = given.text().map(str::trim);
            let path = path
                .ok_or_else(|| wrong("not a text".into(), "write the path of a PEM file".into()))?;
            let files = settings.config.tls.get_or_insert_with(|| TlsFiles {
                cert: PathBuf::new(),
                key: PathBuf::new(),
            });
            match setting.kind {
                Kind::TlsCert => files.cert = path.into(),
                _ => files.key = path.into(),
            }
        }
        Kind::StorePath => {
            let path = given.text().map(str::trim);
            let path = path.ok_or_else(|| {
                wrong(
                    "not a text".into(),
                    "write the path of a folder, or nothing for memory".into(),
                )
            })?;
            settings.config.store.path = (!path.is_empty()).then(|| path.into());
        }
        Kind::Durability => {
            settings.config.store.durability = match given.text() {
                Some("power") => Durability::Power,
                Some("process") => Durability::Process,
                _ => {
                    return Err(wrong(
                        "no such durability".into(),
                        "write power or process".into(),
                    ));
                }
            };
        }
        Kind::RedisUrl => {
            let url = given.text().map(str::trim).map(str::to_owned);
            let url = url.ok_or_else(|| wrong("not a text".into(), redis_remedy()))?;
            if url.is_empty() {
                // An empty variable is how a container's environment says: none.
                settings.config.redis = None;
                return Ok(());
            }
            check_redis_url(&url).map_err(|trouble| wrong(trouble.into(), redis_remedy()))?;
            redis_config(settings).url = Secret::new(url);
        }
        Kind::RedisPrefix => {
            let prefix = given.text().map(str::to_owned);
            redis_config(settings).prefix = prefix.ok_or_else(|| {
                wrong(
                    "not a text".into(),
                    "write a text, such as laravel_database_".into(),
                )
            })?;
        }
    }
    Ok(())
}

/// The place of the Redis settings. A prefix may be given by a lower layer than the URL; what has
/// no URL at the end is removed by the checker.
fn redis_config(settings: &mut Settings) -> &mut RedisConfig {
    settings.config.redis.get_or_insert_with(|| RedisConfig {
        url: Secret::new(""),
        prefix: String::new(),
    })
}

/// Names what is wrong without quoting the URL, which may hold a password.
fn check_redis_url(url: &str) -> Result<(), &'static str> {
    if url.starts_with("rediss:") {
        return Err("TLS to Redis is not built in");
    }
    let Ok(client) = redis::Client::open(url) else {
        return Err("not a Redis URL");
    };
    // `/`, `?` and `#` end the part that a password stands in: what follows would be taken for
    // something else, and shown.
    let is_tcp = matches!(
        client.get_connection_info().addr(),
        redis::ConnectionAddr::Tcp(..)
    );
    let authority = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split(['/', '?', '#']).next());
    if is_tcp
        && authority
            .is_none_or(|authority| url.matches('@').count() != authority.matches('@').count())
    {
        return Err("an `@` stands behind the host");
    }
    Ok(())
}

fn redis_remedy() -> String {
    "write redis://HOST:PORT/DB, redis://:PASSWORD@HOST:PORT/DB or redis+unix:///PATH; in a password, / ? # @ and % are written %2F %3F %23 %40 and %25".into()
}

/// A URL is shown without what may be its password, wherever it was put by mistake.
fn shown_text(text: &str) -> String {
    match text.contains("://") {
        true => without_password(text),
        false => text.to_owned(),
    }
}

impl Given {
    /// A flag or variable that holds several things keeps them apart with commas.
    pub(super) fn list(text: &str) -> Self {
        Self::Texts(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// What it is, for a sentence.
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Quoted(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Switch(_) => "true or false",
            Self::Texts(_) => "a list",
            Self::Pairs(_) => "a table",
            Self::Other(kind) => kind,
        }
    }

    fn without_quotes(&self) -> &'static str {
        match self {
            Self::Quoted(_) => ", without quotes",
            _ => "",
        }
    }

    /// The roles that keys are given for.
    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        let (pairs, texts): (&[_], &[_]) = match self {
            Self::Pairs(pairs) => (pairs, &[]),
            Self::Texts(texts) => (&[], texts),
            _ => (&[], &[]),
        };
        let of_pairs = pairs
            .iter()
            .map(|(role, _): &(String, String)| role.as_str());
        let of_texts = texts.iter().filter_map(|text| text.split_once('='));
        of_pairs.chain(of_texts.map(|(role, _)| role))
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Quoted(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(i128::from(*number)),
            Self::Text(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        }
    }

    fn switch(&self) -> Option<bool> {
        match self {
            Self::Switch(switch) => Some(*switch),
            Self::Text(text) => match text.trim() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn texts(self) -> Option<Vec<String>> {
        match self {
            Self::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// `ROLE=KEY` each. A key may hold `=`; the role may not.
    fn pairs(
        self,
        wrong: &dyn Fn(String, String) -> Wrong,
    ) -> Result<Vec<(String, String)>, Wrong> {
        let remedy =
            || "write ROLE=KEY, such as user=KEY; a key with a comma belongs in a file".to_owned();
        match self {
            Self::Pairs(pairs) => Ok(pairs),
            Self::Texts(texts) => texts
                .into_iter()
                .map(|text| {
                    let pair = text
                        .split_once('=')
                        // A key in base64 without its role ends like this.
                        .filter(|(_, key)| key.is_empty() || key.bytes().any(|byte| byte != b'='))
                        .map(|(role, key)| (role.to_owned(), key.to_owned()));
                    pair.ok_or_else(|| wrong("an entry is not ROLE=KEY".into(), remedy()))
                })
                .collect(),
            _ => Err(wrong("not role keys".into(), remedy())),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Quoted(text) => format!("{:?}", shown_text(text)),
            Self::Integer(number) => number.to_string(),
            Self::Switch(switch) => switch.to_string(),
            Self::Texts(texts) => {
                format!(
                    "{:?}",
                    texts
                        .iter()
                        .map(|text| shown_text(text))
                        .collect::<Vec<_>>()
                )
            }
            Self::Pairs(_) => "(role keys)".into(),
            Self::Other(kind) => format!("({kind})"),
        }
    }
}
