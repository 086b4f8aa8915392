//! Reads the layers: defaults, then the file, then the environment, then flags; each later one wins. Lists
//! are replaced whole; role keys are merged by role. Everything that is wrong is collected, not only the first.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::problem::nearest;
use super::settings::{FileTwin, Flag, SETTINGS, Setting};
use super::value::{Given, Wrong, apply};
use super::{Problem, Problems, Settings, check};

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`.
    pub config_file: Option<PathBuf>,
    /// Where `heartline.toml` is looked for when no file is named; relative paths start here.
    pub directory: PathBuf,
    /// The process environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags as given.
    pub flags: Vec<FlagValue>,
}

/// One flag as given: its name without dashes, and its values.
#[derive(Clone, Debug)]
pub struct FlagValue {
    /// Without dashes.
    pub name: String,
    /// In order; none for a flag without value.
    pub values: Vec<String>,
}

/// A configuration that passed all checks.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Who gave each setting that is not at its default, by path: the last who did.
    pub origins: BTreeMap<&'static str, String>,
    /// What is allowed but deserves a look.
    pub warnings: Vec<String>,
}

/// Reads and checks everything.
///
/// # Errors
/// All problems of all layers at once.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut loader = Loader::default();
    let environment = loader.environment(sources);
    let file = loader.file(sources, &environment);
    loader.apply_environment(sources, &environment);
    loader.apply_flags(sources);
    check::settle(&mut loader.settings, &loader.origins);
    loader
        .problems
        .extend(check::problems(&loader.settings, &loader.origins));
    loader.warnings.extend(check::warnings(&loader.settings));
    if loader.problems.is_empty() {
        let Loader {
            settings,
            origins,
            warnings,
            ..
        } = loader;
        Ok(Loaded {
            settings,
            file,
            origins,
            warnings,
        })
    } else {
        Err(Problems(loader.problems))
    }
}

#[derive(Default)]
struct Loader {
    settings: Settings,
    origins: BTreeMap<&'static str, String>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Loader {
    /// Our own variables, as text.
    fn environment(&mut self, sources: &Sources) -> BTreeMap<String, String> {
        let mut ours = BTreeMap::new();
        for (name, value) in &sources.environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            match value.to_str() {
                Some(value) => drop(ours.insert(name.to_owned(), value.to_owned())),
                None => self.problem(
                    name,
                    None,
                    Some("environment"),
                    "not UTF-8",
                    "write it in UTF-8",
                ),
            }
            let known = SETTINGS
                .iter()
                .flat_map(|s| [Some(s.env), s.file.map(|twin| twin.env)])
                .flatten();
            // Kubernetes sets HEARTLINE_PORT… and HEARTLINE_SERVICE_… for a service of our name.
            let from_kubernetes =
                name.starts_with("HEARTLINE_PORT") || name.starts_with("HEARTLINE_SERVICE_");
            let is_known = [CONFIG_VARIABLE, PUSH_KEY_VARIABLE].contains(&name)
                || known.clone().any(|k| k == name);
            let bare = |name: &'static str| &name[PREFIX.len()..];
            if !is_known
                && !from_kubernetes
                && let Some(near) = nearest(&name[PREFIX.len()..], known.map(bare))
            {
                // Other variables of our prefix are somebody else's affair; a near miss is a slip.
                self.warnings.push(format!(
                    "the environment variable {name} is not known and has no effect; did you mean {PREFIX}{near}?"
                ));
            }
        }
        ours
    }

    /// Reads the file, if there is one; a file that was asked for must be there.
    fn file(
        &mut self,
        sources: &Sources,
        environment: &BTreeMap<String, String>,
    ) -> Option<PathBuf> {
        let asked = match (
            &sources.config_file,
            environment
                .get(CONFIG_VARIABLE)
                .filter(|path| !path.is_empty()),
        ) {
            (Some(path), _) => Some((path.clone(), "flag --config".to_owned())),
            (None, Some(path)) => Some((
                PathBuf::from(path),
                format!("environment {CONFIG_VARIABLE}"),
            )),
            (None, None) => None,
        };
        let (path, asked_by) = match asked {
            Some((path, by)) => (path, Some(by)),
            None => (PathBuf::from(DEFAULT_FILE), None),
        };
        let shown = path.display().to_string();
        let full = sources.directory.join(&path);
        let text = match std::fs::read_to_string(&full) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && asked_by.is_none() => {
                return None;
            }
            Err(error) => {
                let trouble = format!("the file cannot be read ({error})");
                self.problem(
                    &shown,
                    None,
                    asked_by.as_deref(),
                    &trouble,
                    "name a TOML file that this user may read",
                );
                return None;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.apply_table(table, &shown, full.parent().unwrap_or(Path::new(""))),
            Err(error) => {
                // The error's own display quotes the line, which may hold a secret.
                let at = error.span().map_or(String::new(), |span| {
                    format!(
                        " in line {}",
                        text.get(..span.start)
                            .map_or(1, |before| before.matches('\n').count() + 1)
                    )
                });
                let trouble = format!("not TOML{at}: {}", error.message().replace('\n', ", "));
                self.problem(
                    &shown,
                    None,
                    asked_by.as_deref(),
                    &trouble,
                    "mend the line, or see docs/configuration.md",
                );
            }
        }
        Some(full)
    }

    fn apply_table(&mut self, table: toml::Table, file: &str, directory: &Path) {
        let mut leaves = Vec::new();
        for (name, value) in table {
            match value {
                toml::Value::Table(section) if name == "roles" => {
                    leaves.push((name, toml::Value::Table(section)))
                }
                toml::Value::Table(section) => {
                    if section.is_empty()
                        && !SETTINGS
                            .iter()
                            .any(|s| s.path.starts_with(&format!("{name}.")))
                    {
                        self.unknown(&name, file);
                    }
                    leaves.extend(
                        section
                            .into_iter()
                            .map(|(inner, value)| (format!("{name}.{inner}"), value)),
                    );
                }
                value => leaves.push((name, value)),
            }
        }
        let given: Vec<String> = leaves.iter().map(|(path, _)| path.clone()).collect();
        for (path, value) in leaves {
            let by_path = SETTINGS.iter().find(|setting| setting.path == path);
            let by_twin = SETTINGS
                .iter()
                .find(|setting| setting.file.is_some_and(|twin| twin.path == path));
            match (by_path, by_twin) {
                (Some(setting), _) if setting.path == "roles" => {
                    self.apply_roles(setting, value, file, directory)
                }
                (Some(setting), _) => self.apply(setting, from_toml(value), file),
                (None, Some(setting)) if given.iter().any(|other| other == setting.path) => {
                    self.both(setting.path, &path, file);
                }
                (None, Some(setting)) => {
                    let paths = match from_toml(value) {
                        Given::Text(path) => vec![path],
                        Given::Texts(paths) => paths,
                        _ => {
                            self.problem(
                                &path,
                                None,
                                Some(file),
                                "not a path",
                                "write the path of a file",
                            );
                            continue;
                        }
                    };
                    self.apply_files(setting, &paths, file, directory);
                }
                (None, None) => self.unknown(&path, file),
            }
        }
    }

    /// `[roles]`: `user = "KEY"`, or `user = { key_file = "PATH" }`.
    fn apply_roles(
        &mut self,
        setting: &'static Setting,
        value: toml::Value,
        file: &str,
        directory: &Path,
    ) {
        let toml::Value::Table(roles) = value else {
            return self.problem(
                "roles",
                None,
                Some(file),
                "not a table",
                "write [roles] and below it user = \"KEY\"",
            );
        };
        for (role, value) in roles {
            let name = format!("roles.{role}");
            let key = match value {
                toml::Value::String(key) => Some(key),
                toml::Value::Table(table) => {
                    match (table.len(), table.get("key_file"), table.get("key")) {
                        (1, Some(toml::Value::String(path)), None) => {
                            self.secret_file(&name, path, file, directory)
                        }
                        (1, None, Some(toml::Value::String(key))) => Some(key.clone()),
                        _ => {
                            let trouble = "neither a key nor a key_file";
                            self.problem(
                                &name,
                                None,
                                Some(file),
                                trouble,
                                "write \"KEY\" or { key_file = \"PATH\" }",
                            );
                            None
                        }
                    }
                }
                _ => {
                    self.problem(
                        &name,
                        None,
                        Some(file),
                        "not a text",
                        "write \"KEY\" in quotes, or { key_file = \"PATH\" }",
                    );
                    None
                }
            };
            if let Some(key) = key {
                self.apply(setting, Given::Pairs(vec![(role, key)]), file);
            }
        }
    }

    fn apply_environment(&mut self, sources: &Sources, environment: &BTreeMap<String, String>) {
        for setting in SETTINGS {
            let source = |variable: &str| format!("environment {variable}");
            let text = environment.get(setting.env);
            let twin = setting
                .file
                .and_then(|twin| environment.get(twin.env).map(|path| (twin, path)));
            match (text, twin) {
                (Some(_), Some((twin, _))) => self.both(setting.env, twin.env, "environment"),
                (Some(text), None) => {
                    let given = match setting.flag {
                        Flag::Many(..) => Given::list(text),
                        Flag::One(..) | Flag::Off(_) => Given::Text(text.clone()),
                    };
                    self.apply(setting, given, &source(setting.env));
                }
                (None, Some((twin, path))) => {
                    let by = source(twin.env);
                    self.apply_files(setting, std::slice::from_ref(path), &by, &sources.directory);
                }
                (None, None) => {}
            }
        }
    }

    fn apply_flags(&mut self, sources: &Sources) {
        let given = |flag: Flag| sources.flags.iter().find(|given| given.name == flag.name());
        for setting in SETTINGS {
            let source = format!("flag --{}", setting.flag.name());
            let twin = setting
                .file
                .and_then(|twin| given(twin.flag).map(|flag| (twin, flag)));
            if let Some(flag) = given(setting.flag) {
                let values = flag.values.clone();
                match setting.flag {
                    Flag::Off(_) => self.apply(setting, Given::Switch(false), &source),
                    Flag::Many(..) => self.apply(setting, Given::Texts(values), &source),
                    Flag::One(..) => values
                        .into_iter()
                        .for_each(|v| self.apply(setting, Given::Text(v), &source)),
                }
            }
            if let Some((twin, flag)) = twin {
                let by = format!("flag --{}", twin.flag.name());
                self.apply_file_flag(
                    setting,
                    twin,
                    &flag.values,
                    &by,
                    sources,
                    given(setting.flag).is_some(),
                );
            }
        }
    }

    fn apply_file_flag(
        &mut self,
        setting: &'static Setting,
        twin: FileTwin,
        values: &[String],
        by: &str,
        sources: &Sources,
        also_direct: bool,
    ) {
        if setting.path == "roles" {
            // ROLE=PATH: beside --role-key, since different roles may differ.
            for value in values {
                let Some((role, path)) = value.split_once('=') else {
                    self.problem(
                        "roles",
                        None,
                        Some(by),
                        "not ROLE=PATH",
                        "write such as user=/run/secrets/user",
                    );
                    continue;
                };
                if let Some(key) =
                    self.secret_file(&format!("roles.{role}"), path, by, &sources.directory)
                {
                    self.apply(setting, Given::Pairs(vec![(role.to_owned(), key)]), by);
                }
            }
        } else if also_direct {
            self.both(
                &format!("--{}", setting.flag.name()),
                &format!("--{}", twin.flag.name()),
                "flags",
            );
        } else {
            self.apply_files(setting, values, by, &sources.directory);
        }
    }

    /// Reads secret files; their lines are the values, where there may be several.
    fn apply_files(
        &mut self,
        setting: &'static Setting,
        paths: &[String],
        by: &str,
        directory: &Path,
    ) {
        let texts: Vec<String> = paths
            .iter()
            .filter_map(|path| self.secret_file(setting.path, path, by, directory))
            .collect();
        if texts.len() < paths.len() {
            return; // said already
        }
        let lines = texts
            .iter()
            .flat_map(|text| text.lines())
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let given = match setting.flag {
            Flag::Many(..) => Given::Texts(lines.map(str::to_owned).collect()),
            Flag::One(..) | Flag::Off(_) => Given::Text(texts.concat()),
        };
        self.apply(setting, given, by);
    }

    fn secret_file(
        &mut self,
        setting: &str,
        path: &str,
        by: &str,
        directory: &Path,
    ) -> Option<String> {
        let read = std::fs::read_to_string(directory.join(path)).map_err(|error| error.to_string());
        let text = read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        match text {
            Ok(text) if !text.is_empty() => Some(text),
            Ok(_) => {
                self.problem(
                    setting,
                    Some(path),
                    Some(by),
                    "the file is empty",
                    "put the secret into it",
                );
                None
            }
            Err(error) => {
                let trouble = format!("the file cannot be read ({error})");
                self.problem(
                    setting,
                    Some(path),
                    Some(by),
                    &trouble,
                    "name a file that this user may read",
                );
                None
            }
        }
    }

    fn apply(&mut self, setting: &'static Setting, given: Given, source: &str) {
        match apply(setting, given, &mut self.settings) {
            Ok(()) => drop(self.origins.insert(setting.path, source.to_owned())),
            Err(Wrong {
                value,
                trouble,
                remedy,
            }) => {
                self.problem(
                    setting.path,
                    value.as_deref(),
                    Some(source),
                    &trouble,
                    &remedy,
                );
            }
        }
    }

    fn both(&mut self, one: &str, other: &str, source: &str) {
        self.problem(
            one,
            None,
            Some(source),
            &format!("given together with {other}"),
            "give one of the two",
        );
    }

    fn unknown(&mut self, path: &str, file: &str) {
        let known = SETTINGS
            .iter()
            .flat_map(|s| [Some(s.path), s.file.map(|twin| twin.path)])
            .flatten();
        let remedy = match nearest(path, known) {
            Some(near) => format!("did you mean {near}? Otherwise remove it"),
            None => "remove it; docs/configuration.md lists every setting".into(),
        };
        self.problem(path, None, Some(file), "no such setting", &remedy);
    }

    fn problem(
        &mut self,
        setting: &str,
        value: Option<&str>,
        source: Option<&str>,
        trouble: &str,
        remedy: &str,
    ) {
        self.problems.push(Problem {
            setting: setting.to_owned(),
            value: value.map(str::to_owned),
            source: source.map(str::to_owned),
            trouble: trouble.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
}

fn from_toml(value: toml::Value) -> Given {
    match value {
        toml::Value::String(text) => Given::Text(text),
        toml::Value::Integer(number) => Given::Integer(number),
        toml::Value::Boolean(switch) => Given::Switch(switch),
        toml::Value::Array(array) => {
            let texts: Option<Vec<String>> = array
                .iter()
                .map(|entry| entry.as_str().map(str::to_owned))
                .collect();
            texts.map_or(Given::Other("array"), Given::Texts)
        }
        other => Given::Other(other.type_str()),
    }
}

const PREFIX: &str = "HEARTLINE_";
const DEFAULT_FILE: &str = "heartline.toml";
const CONFIG_VARIABLE: &str = "HEARTLINE_CONFIG";
/// The `push` command's, not the server's.
const PUSH_KEY_VARIABLE: &str = "HEARTLINE_PUSH_KEY";
