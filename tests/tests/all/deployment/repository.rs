//! The texts that have to agree, and the function table they are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use http_api::{FUNCTIONS, Function};

/// Where the texts are.
const PLACES: [&str; 7] = [
    "template.yaml",
    "docs",
    "events",
    "infra",
    "shared/app/src/use_cases",
    "shared/http/src",
    "tests/tests/all/handlers",
];

/// Texts of the repository, or of a changed copy of it.
#[derive(Clone)]
pub(super) struct Repository {
    /// Path, content.
    pub(super) files: BTreeMap<String, String>,
    /// The function table.
    pub(super) functions: Vec<Function>,
}

impl Repository {
    /// As it stands.
    pub(super) fn committed() -> Self {
        Self::load(&root(), FUNCTIONS)
    }

    pub(super) fn load(root: &Path, functions: &[Function]) -> Self {
        let mut files = BTreeMap::new();
        let mut left: Vec<PathBuf> = PLACES.iter().map(|place| root.join(place)).collect();
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else if let Some("json" | "md" | "rs" | "yaml") = path.extension().and_then(|it| it.to_str()) {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text);
            }
        }
        Self { files, functions: functions.to_vec() }
    }

    /// Writes all texts below `root`.
    pub(super) fn save(&self, root: &Path) {
        for (path, text) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// A file's text; none of a file that is not there.
    pub(super) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// The names, without extension, of a folder's files with that extension.
    pub(super) fn names<'a>(&'a self, folder: &'a str, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.keys().filter_map(move |path| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(extension)?.strip_suffix('.')?;
            (!name.contains('/')).then_some(name)
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

/// The repository's folder.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
