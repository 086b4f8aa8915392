//! Secrets from files: a setting's twin names the file, in any layer.

use std::path::Path;

use super::{Loader, Sources};
use crate::config::settings::{FileTwin, Flag, Setting};
use crate::config::shown::{shown_path_in, text_of};
use crate::config::value::Given;

impl Loader {
    pub(super) fn apply_file_flag(
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
    pub(super) fn apply_files(
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
            Flag::One(..) | Flag::Switch(..) => Given::Text(texts.concat()),
        };
        self.apply(setting, given, by);
    }

    pub(super) fn secret_file(
        &mut self,
        setting: &str,
        path: &str,
        by: &str,
        directory: &Path,
    ) -> Option<String> {
        let text = text_of(&directory.join(path));
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let (trouble, remedy) = match text {
            Ok(text) if !text.is_empty() => return Some(text),
            Ok(_) => ("the file is empty".to_owned(), "put the secret into it"),
            Err(unreadable) => (unreadable.trouble, unreadable.remedy),
        };
        let shown = shown_path_in(directory, Path::new(path));
        self.problem(setting, Some(&shown), Some(by), &trouble, remedy);
        None
    }
}
