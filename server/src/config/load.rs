//! Reads the layers: defaults, then the file, then the environment, then flags; each later one wins. Lists
//! are replaced whole; role keys are merged by role. Everything that is wrong is collected, not only the first.

mod file;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::problem::nearest;
use super::settings::{Flag, SETTINGS, Setting};
use super::value::{Given, Wrong, apply};
use super::{Problem, Problems, Settings, check};

/// Where to look. `Debug` shows no value: there are secrets among them.
#[derive(Clone, Default)]
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

/// One flag as given: its name without dashes, and its values, which `Debug` does not show.
#[derive(Clone)]
pub struct FlagValue {
    /// Without dashes.
    pub name: String,
    /// In order; none for a flag without value.
    pub values: Vec<String>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("config_file", &self.config_file)
            .field("directory", &self.directory)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FlagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{} ({} values)", self.name, self.values.len())
    }
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
    loader
        .warnings
        .extend(check::warnings(&loader.settings, &loader.origins));
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
    /// The roles that the layer in hand gave keys for.
    roles_of_layer: BTreeSet<String>,
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

    fn apply_environment(&mut self, sources: &Sources, environment: &BTreeMap<String, String>) {
        self.roles_of_layer.clear();
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
                        Flag::One(..) | Flag::Switch(..) => Given::Text(text.clone()),
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
        self.roles_of_layer.clear();
        let given = |flag: Flag| sources.flags.iter().find(|given| given.name == flag.name());
        for setting in SETTINGS {
            let source = format!("flag --{}", setting.flag.name());
            let twin = setting
                .file
                .and_then(|twin| given(twin.flag).map(|flag| (twin, flag)));
            if let Some(flag) = given(setting.flag) {
                let values = flag.values.clone();
                match setting.flag {
                    Flag::Switch(..) => self.apply(setting, Given::Switch(true), &source),
                    Flag::Many(..) => self.apply(setting, Given::Texts(values), &source),
                    Flag::One(..) => values
                        .into_iter()
                        .for_each(|v| self.apply(setting, Given::Text(v), &source)),
                }
            }
            if let Flag::Switch(_, off) = setting.flag
                && sources.flags.iter().any(|given| given.name == off)
            {
                self.apply(setting, Given::Switch(false), &format!("flag --{off}"));
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

    fn apply(&mut self, setting: &'static Setting, given: Given, source: &str) {
        if setting.path == "roles" {
            for role in given.roles() {
                if !self.roles_of_layer.insert(role.to_owned()) {
                    let (name, trouble) = (format!("roles.{role}"), "given twice");
                    let remedy = "give one key for each role: a role has one";
                    self.problem(&name, None, Some(source), trouble, remedy);
                    return;
                }
            }
        }
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

const PREFIX: &str = "HEARTLINE_";
const CONFIG_VARIABLE: &str = "HEARTLINE_CONFIG";
/// The `push` command's, not the server's.
const PUSH_KEY_VARIABLE: &str = "HEARTLINE_PUSH_KEY";
