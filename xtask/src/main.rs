//! `cargo xtask template` writes what follows from the function table; `cargo xtask new-function` adds to it.

use std::io::{self, Write as _};
use std::path::Path;

use clap::Parser;
use http_api::FUNCTIONS;
use xtask::new_function::{self, NewFunction};
use xtask::template;

/// What the repository writes about itself.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Write what follows from the function table: templates and tables in docs.
    Template,
    NewFunction(NewFunction),
}

const NEXT: &str = "
Next:
1. `make check`; it compiles and answers as it is. Then give it its own work, answer and test.
2. Four lists are read before they are accepted: who may call what (handlers/access.rs), what each fixture is
   answered (handlers/fixtures.rs), the endpoints (openapi/tests.rs), the permissions (deployment/snapshots).
   `make test` shows how they differ; `cargo insta review` accepts.
3. docs/ADDING-A-FUNCTION.md has the rest: body, query, other ports, a line in CHANGELOG.md.
";

fn main() {
    if let Err(error) = run(Task::parse()) {
        // Nobody is left to tell if that fails.
        let _ = writeln!(io::stderr(), "error: {error}");
        std::process::exit(1);
    }
}

fn run(task: Task) -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match task {
        Task::Template => template::write(&root)?,
        Task::NewFunction(asked) => {
            let written = new_function::plan(&root, FUNCTIONS, &asked)?;
            written.write(&root)?;
            let mut out = io::stdout();
            for path in written.files.keys() {
                writeln!(out, "wrote {path}")?;
            }
            out.write_all(NEXT.as_bytes())?;
        }
    }
    Ok(())
}
