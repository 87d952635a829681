//! A new endpoint, whole: everything that its name has to be in, computed before anything is written.

mod code;
mod edit;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use domain::Role;
use http_api::{Access, Endpoint, Function, Port, Trigger, Zone};

use crate::template::{TemplateError, render};

const TABLE: &str = "shared/http/src/table";
const ENDPOINTS: &str = "shared/http/src/endpoints/mod.rs";
const WIRE: &str = "shared/http/src/wire/mod.rs";
const USE_CASES: &str = "shared/app/src/use_cases/mod.rs";
const HANDLERS: &str = "tests/tests/all/handlers/mod.rs";

/// What a name may begin with.
const VERBS: [&str; 42] = [
    "add",
    "apply",
    "back",
    "cancel",
    "check",
    "clear",
    "count",
    "create",
    "delete",
    "download",
    "export",
    "extend",
    "find",
    "get",
    "hold",
    "import",
    "list",
    "mute",
    "pause",
    "preview",
    "publish",
    "query",
    "read",
    "reconcile",
    "record",
    "refresh",
    "release",
    "remove",
    "renew",
    "repin",
    "restore",
    "resume",
    "retry",
    "revoke",
    "rotate",
    "send",
    "set",
    "start",
    "stop",
    "terminate",
    "update",
    "wipe",
];

/// A longer name would make lines of the generated code too long.
const NAME_MAX_CHARS: usize = 32;
/// A longer summary would make its line in the function table too long.
const SUMMARY_MAX_CHARS: usize = 100;

/// Write a new HTTP endpoint: its row, handler, answer, fixture, test, templates and documentation.
///
/// A GET answers with the worker of its path, or counts the fleet when its path names none. Any other
/// method needs `{worker_id}` in its path and does everything but change something: that is yours to add.
/// A schedule's or a queue's function is written by hand: `docs/ADDING-A-FUNCTION.md` says how.
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct NewFunction {
    /// Its name, a verb first: `get-worker-uptime`
    pub name: String,
    /// A group that there is: workers, power, ...
    #[arg(long)]
    pub group: String,
    /// GET, POST, PUT, PATCH or DELETE
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// Its path: `/api/workers/{worker_id}/uptime`
    #[arg(long)]
    pub path: String,
    /// The least role that may call it: user, manager or admin
    #[arg(long)]
    pub role: String,
    /// The binary it is in: api, fleet or cml
    #[arg(long, default_value = "api")]
    pub zone: String,
    /// One sentence for the documentation
    #[arg(long)]
    pub summary: String,
    /// Give a GET a use case of its own too
    #[arg(long)]
    pub use_case: bool,
}

/// The new endpoint cannot be written; nothing was.
#[derive(Debug, thiserror::Error)]
pub enum NewFunctionError {
    /// The name is not in the form of all others.
    #[error("the name {0:?} must be words in lower case joined by hyphens, at most {NAME_MAX_CHARS} characters")]
    Name(String),
    /// The name begins with no verb.
    #[error("the name {name:?} must begin with a verb, such as {}; a new verb belongs in xtask/src/new_function/mod.rs", VERBS.join(", "))]
    Verb {
        /// The name.
        name: String,
    },
    /// There is a function of that name.
    #[error("there is a function {0} already")]
    NameTaken(String),
    /// Another function answers there.
    #[error("{route} is {name}'s already")]
    RouteTaken {
        /// Method and path.
        route: String,
        /// Whose it is.
        name: &'static str,
    },
    /// An argument is none of those that there are.
    #[error("--{argument} {given:?} must be one of {known}")]
    Unknown {
        /// Which argument.
        argument: &'static str,
        /// What was given.
        given: String,
        /// What can be given.
        known: String,
    },
    /// The path is no path of ours.
    #[error("--path {0:?} must be /api/ and parts in lower case, of which one may be {{worker_id}}; {1}")]
    Path(String, &'static str),
    /// The summary would not survive where it is written.
    #[error(
        "--summary {0:?} must be one sentence with its full stop, at most {SUMMARY_MAX_CHARS} characters, without \" \\ | ` {{ }}"
    )]
    Summary(String),
    /// A file that would be new is there.
    #[error("{0} is there already")]
    FileTaken(String),
    /// The place for an addition cannot be found.
    #[error("{path} has no place for {what}: has its form changed? Then xtask/src/new_function has to follow")]
    NoPlace {
        /// Which file.
        path: String,
        /// What should have been added.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// What follows from the function table cannot be generated.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// What will be written.
#[derive(Clone)]
pub struct Written {
    /// Path in the repository, content.
    pub files: BTreeMap<String, String>,
    /// The function table with its new row.
    pub functions: Vec<Function>,
}

/// What an endpoint begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ReadWorker,
    ReadFleet,
    ChangeWorker,
}

/// A checked request.
struct Plan<'a> {
    asked: &'a NewFunction,
    kind: Kind,
    role: Role,
    zone: Zone,
    /// Tells this fixture's ids from the others'.
    number: usize,
}

impl Plan<'_> {
    /// A change is never made by the handler itself.
    fn has_use_case(&self) -> bool {
        self.asked.use_case || self.kind == Kind::ChangeWorker
    }
}

/// Everything that `asked` needs in the repository at `root`, whose function table is `functions`.
/// Nothing is written yet.
///
/// # Errors
/// What is asked cannot be, or a file is missing or has another form than expected.
pub fn plan(root: &Path, functions: &[Function], asked: &NewFunction) -> Result<Written, NewFunctionError> {
    let plan = check(functions, asked)?;
    let position = functions.iter().rposition(|function| in_group(function, &asked.group));
    let (position, last) =
        position.and_then(|at| Some((at + 1, functions.get(at)?))).ok_or_else(|| no_group(functions, asked))?;
    let mut functions = functions.to_vec();
    let new = function(&plan, last);
    functions.insert(position, new);

    let mut files = BTreeMap::new();
    for (path, text) in code::files(&plan) {
        if root.join(&path).exists() {
            return Err(NewFunctionError::FileTaken(path));
        }
        files.insert(path, text);
    }
    let (snake, answer) = (snake(&asked.name), code::answer(&asked.name));
    let mut edit = |path: &str, what: &str, with: &dyn Fn(&str) -> Option<String>| {
        let before = read(root, path)?;
        let no_place = || NewFunctionError::NoPlace { path: path.to_owned(), what: what.to_owned() };
        let after = with(&before).ok_or_else(no_place)?;
        files.insert(path.to_owned(), after);
        Ok::<(), NewFunctionError>(())
    };
    edit(&format!("{TABLE}/{}.rs", asked.group.replace('-', "_")), &asked.name, &|text| {
        edit::with_row(text, last.name, &code::row(&plan))
    })?;
    let module = |public: &str| (public.to_owned(), format!("{public}{snake};"));
    let mut modules = vec![(ENDPOINTS, module("pub(crate) mod ")), (HANDLERS, module("mod "))];
    if plan.has_use_case() {
        modules.push((USE_CASES, module("pub mod ")));
    }
    for (path, (prefix, line)) in modules {
        edit(path, &line, &|text| edit::with_line(text, &prefix, &line))?;
    }
    edit(WIRE, &answer, &|text| {
        let text = edit::with_line(text, "mod ", &format!("mod {snake};"))?;
        let text = edit::with_line(&text, "pub use ", &format!("pub use {snake}::{answer};"))?;
        edit::with_line_before(&text, "    );\n    all\n", &format!("        {answer},"))
    })?;
    for (path, text) in render(root, &functions)? {
        if read(root, &path)? != text {
            files.insert(path, text);
        }
    }
    Ok(Written { files, functions })
}

impl Written {
    /// Writes all of it below `root`.
    ///
    /// # Errors
    /// A file cannot be written; those before it, by name, are.
    pub fn write(&self, root: &Path) -> Result<(), NewFunctionError> {
        for (path, text) in &self.files {
            fs::write(root.join(path), text).map_err(|source| NewFunctionError::File { path: path.clone(), source })?;
        }
        Ok(())
    }
}

/// `start-worker` is `start_worker`.
fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn in_group(function: &Function, group: &str) -> bool {
    function.endpoint().is_some_and(|endpoint| endpoint.group == group)
}

fn no_group(functions: &[Function], asked: &NewFunction) -> NewFunctionError {
    let mut groups: Vec<_> = functions.iter().filter_map(Function::endpoint).map(|endpoint| endpoint.group).collect();
    groups.dedup();
    unknown("group", &asked.group, &groups)
}

fn unknown(argument: &'static str, given: &str, known: &[&str]) -> NewFunctionError {
    NewFunctionError::Unknown { argument, given: given.to_owned(), known: known.join(", ") }
}

fn check<'a>(functions: &[Function], asked: &'a NewFunction) -> Result<Plan<'a>, NewFunctionError> {
    check_name(&asked.name)?;
    if functions.iter().any(|function| function.name == asked.name) {
        return Err(NewFunctionError::NameTaken(asked.name.clone()));
    }
    if !functions.iter().any(|function| in_group(function, &asked.group)) {
        return Err(no_group(functions, asked));
    }
    let role = Role::from_name(&asked.role).ok_or_else(|| unknown("role", &asked.role, &Role::ALL.map(Role::name)))?;
    let zone = Zone::ALL.into_iter().find(|zone| zone.name() == asked.zone);
    let zone = zone.ok_or_else(|| unknown("zone", &asked.zone, &Zone::ALL.map(Zone::name)))?;
    let on_worker = check_path(&asked.path)?;
    let kind = match (asked.method.as_str(), on_worker) {
        ("GET", true) => Kind::ReadWorker,
        ("GET", false) => Kind::ReadFleet,
        ("POST" | "PUT" | "PATCH" | "DELETE", true) => Kind::ChangeWorker,
        ("POST" | "PUT" | "PATCH" | "DELETE", false) => {
            return Err(NewFunctionError::Path(asked.path.clone(), "what changes something needs it"));
        }
        _ => return Err(unknown("method", &asked.method, &["GET", "POST", "PUT", "PATCH", "DELETE"])),
    };
    for function in functions {
        if function.endpoint().is_some_and(|it| it.method == asked.method && it.path == asked.path) {
            let route = format!("{} {}", asked.method, asked.path);
            return Err(NewFunctionError::RouteTaken { route, name: function.name });
        }
    }
    check_summary(&asked.summary)?;
    Ok(Plan { asked, kind, role, zone, number: 1001 + functions.len() })
}

fn check_name(name: &str) -> Result<(), NewFunctionError> {
    let words: Vec<&str> = name.split('-').collect();
    let word = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if words.len() < 2 || !words.iter().all(word) || name.len() > NAME_MAX_CHARS {
        return Err(NewFunctionError::Name(name.to_owned()));
    }
    if !words.first().is_some_and(|verb| VERBS.contains(verb)) {
        return Err(NewFunctionError::Verb { name: name.to_owned() });
    }
    Ok(())
}

/// Whether the path names a worker.
fn check_path(path: &str) -> Result<bool, NewFunctionError> {
    let refused = |why| Err(NewFunctionError::Path(path.to_owned(), why));
    let Some(rest) = path.strip_prefix("/api/") else { return refused("it begins otherwise") };
    let mut workers = 0;
    for part in rest.split('/') {
        if part == "{worker_id}" {
            workers += 1;
        } else if part.contains(['{', '}']) {
            return refused("another parameter is read by hand-written code only");
        } else if part.is_empty() || !part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return refused("a part has other characters, or none");
        }
    }
    if workers > 1 {
        return refused("it is there more than once");
    }
    Ok(workers == 1)
}

fn check_summary(summary: &str) -> Result<(), NewFunctionError> {
    let fine = summary.len() > 1
        && summary.chars().count() <= SUMMARY_MAX_CHARS
        && summary.ends_with('.')
        && summary.trim() == summary
        && !summary.contains(['"', '\\', '|', '`', '{', '}'])
        && !summary.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(NewFunctionError::Summary(summary.to_owned())) }
}

/// The new row. The table's texts live as long as the program, and this program is short.
fn function(plan: &Plan<'_>, last: &Function) -> Function {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let answer: &'static str = code::answer(&plan.asked.name).leak();
    let trigger = match last.trigger {
        // Its handler is not compiled yet, and nothing that is written here depends on it.
        Trigger::Http(like) => Trigger::Http(Endpoint {
            method: leak(&plan.asked.method),
            path: leak(&plan.asked.path),
            group: like.group,
            of_owner: false,
            access: Access::Role(plan.role),
            body: None,
            query: &[],
            answer: (200, Some(answer)),
            handler: like.handler,
        }),
        other => other,
    };
    let ports: &'static [Port] = match plan.kind {
        Kind::ReadWorker | Kind::ReadFleet => &[Port::Issuer, Port::TableRead],
        Kind::ChangeWorker => &[Port::Issuer, Port::TableRead, Port::TableWrite],
    };
    Function { name: leak(&plan.asked.name), zone: plan.zone, trigger, ports, summary: leak(&plan.asked.summary) }
}

fn read(root: &Path, path: &str) -> Result<String, NewFunctionError> {
    fs::read_to_string(root.join(path)).map_err(|source| NewFunctionError::File { path: path.to_owned(), source })
}
