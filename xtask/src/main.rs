//! `cargo run -p xtask -- template`: writes what follows from the function table.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["template"] => Ok(xtask::template::write(&root)?),
        _ => Err("usage: cargo run -p xtask -- template".into()),
    }
}
