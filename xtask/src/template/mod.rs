//! The deployment templates, as far as they follow from the function table: one nested stack per
//! group of functions, the root's list of those stacks, and the tables in the documentation.

mod account;
mod documentation;
mod environment;
mod function;
mod parameters;
mod policy;
mod stack;
mod trigger;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use http_api::{FUNCTIONS, Function, Trigger, Zone};

/// Where the generated stacks are.
pub const FOLDER: &str = "infra/functions";

const ACCOUNT_ROLE: &str = "infra/account-role.yaml";

/// A generated part could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file has lost the marks between which its generated part stands.
    #[error("{path} has no lines that begin and end the generated part {part:?}")]
    NoMark {
        /// Which.
        path: &'static str,
        /// The part's name.
        part: &'static str,
    },
    /// A template is no YAML.
    #[error(transparent)]
    Yaml(#[from] serde_norway::Error),
}

/// Everything generated: path in the repository, content. Hand-written text around a generated part
/// is taken from the files below `root`; `functions` is the function table.
///
/// # Errors
/// A file to be completed is missing, or has lost its marks.
pub fn render(root: &Path, functions: &[Function]) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut files = BTreeMap::new();
    let mut stacks = Vec::new();
    for (group, members) in groups(functions) {
        let stack = stack::stack(&members);
        files.insert(format!("{FOLDER}/{group}.yaml"), stack.text()?);
        stacks.push((group, stack));
    }
    files.insert(ACCOUNT_ROLE.into(), account::template(functions)?);
    let parts: [(&str, &str, String); 4] = [
        ("template.yaml", "stacks", stack::nested(&stacks)?),
        ("docs/API.md", "endpoints", documentation::endpoints(functions)),
        ("docs/DEPLOYMENT.md", "functions", documentation::functions(functions)),
        ("docs/IAM.md", "permissions", documentation::permissions(functions)),
    ];
    for (path, part, content) in parts {
        let text = read(root, path)?;
        files.insert(path.into(), replaced(&text, part, &content).ok_or(TemplateError::NoMark { path, part })?);
    }
    Ok(files)
}

/// Writes everything generated, and removes the stacks of groups that are no more.
///
/// # Errors
/// A file cannot be read or written.
pub fn write(root: &Path) -> Result<(), TemplateError> {
    let files = render(root, FUNCTIONS)?;
    for path in stacks_on_disk(root)? {
        if !files.contains_key(&path) {
            at(&path, fs::remove_file(root.join(&path)))?;
        }
    }
    for (path, content) in files {
        at(&path, fs::write(root.join(&path), content))?;
    }
    Ok(())
}

/// The generated stacks that are there: paths in the repository.
///
/// # Errors
/// The folder cannot be read.
pub fn stacks_on_disk(root: &Path) -> Result<BTreeSet<String>, TemplateError> {
    let mut paths = BTreeSet::new();
    for entry in at(FOLDER, fs::read_dir(root.join(FOLDER)))? {
        let name = at(FOLDER, entry)?.file_name();
        paths.insert(format!("{FOLDER}/{}", name.to_string_lossy()));
    }
    Ok(paths)
}

/// The stack that a function is in: endpoints by their group, the others by what they may reach.
#[must_use]
pub fn group(function: &Function) -> &'static str {
    match (&function.trigger, function.zone) {
        (Trigger::Http(endpoint), _) => endpoint.group,
        (_, Zone::Api) => "dispatch",
        (_, zone) => zone.name(),
    }
}

/// A function's name in a template, without `Function`: `start-worker` is `StartWorker`.
#[must_use]
pub fn logical(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split('-').map(capital).collect()
}

fn groups(functions: &[Function]) -> BTreeMap<&'static str, Vec<&Function>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for function in functions {
        groups.entry(group(function)).or_default().push(function);
    }
    groups
}

/// `text` with what stands between the marks of `part` replaced.
fn replaced(text: &str, part: &str, content: &str) -> Option<String> {
    let line_end = |from: usize| text[from..].find('\n').map(|length| from + length + 1);
    let begin = line_end(text.find(&format!("<generated {part}>"))?)?;
    let end = begin + text[begin..].find(&format!("</generated {part}>"))?;
    let end = text[..end].rfind('\n')? + 1;
    Some(format!("{}{content}{}", &text[..begin], text.get(end..)?))
}

fn read(root: &Path, path: &str) -> Result<String, TemplateError> {
    at(path, fs::read_to_string(root.join(path)))
}

fn at<T>(path: &str, result: io::Result<T>) -> Result<T, TemplateError> {
    result.map_err(|source| TemplateError::File { path: path.into(), source })
}
