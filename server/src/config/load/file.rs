//! The TOML file: finding it, and what its tables give to which setting. Names that no setting has
//! are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CONFIG_VARIABLE, Loader, Sources};
use crate::config::settings::{SETTINGS, Setting};
use crate::config::shown::{Unreadable, shown_path_in, text_of};
use crate::config::value::Given;

impl Loader {
    /// Reads the file, if there is one; a file that was asked for must be there.
    pub(super) fn file(
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
        let shown = shown_path_in(&sources.directory, &path);
        let full = sources.directory.join(&path);
        if asked_by.is_none() && !full.exists() {
            return None;
        }
        let text = match text_of(&full) {
            Ok(text) => text,
            Err(Unreadable { trouble, remedy }) => {
                self.problem(&shown, None, asked_by.as_deref(), &trouble, remedy);
                return None;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.apply_table(table, &shown, full.parent().unwrap_or(Path::new(""))),
            Err(error) => {
                let trouble = not_toml(&text, &error);
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
                        Given::Quoted(path) => vec![path],
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
}

/// Where a file is not TOML, and why. The parser's own display quotes the line, which may hold a
/// secret; its reason is shown only where no word of that line is in it.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return "not TOML".into();
    };
    let number = before.matches('\n').count() + 1;
    let reason = error.message().replace('\n', ", ");
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let mut words = line.split(|c: char| !c.is_alphanumeric());
    if words.any(|word| word.len() >= SHORTEST_SECRET_BYTES && reason.contains(word)) {
        return format!("not TOML in line {number}");
    }
    format!("not TOML in line {number}: {reason}")
}

fn from_toml(value: toml::Value) -> Given {
    match value {
        toml::Value::String(text) => Given::Quoted(text),
        toml::Value::Integer(number) => Given::Integer(number),
        toml::Value::Boolean(switch) => Given::Switch(switch),
        toml::Value::Array(array) => {
            let texts: Option<Vec<String>> = array
                .iter()
                .map(|entry| entry.as_str().map(str::to_owned))
                .collect();
            texts.map_or(
                Given::Other("a list of other things than texts"),
                Given::Texts,
            )
        }
        toml::Value::Float(_) => Given::Other("a number with a fraction"),
        toml::Value::Datetime(_) => Given::Other("a date"),
        toml::Value::Table(_) => Given::Other("a table"),
    }
}

/// A shorter word may stand in the parser's reason by chance.
const SHORTEST_SECRET_BYTES: usize = 6;
const DEFAULT_FILE: &str = "heartline.toml";
