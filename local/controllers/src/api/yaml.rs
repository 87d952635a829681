//! CML's words for YAML that cannot be parsed: those of the parser that it uses, a Python one.

use serde_norway::Error;

use crate::failure::Failure;

/// "while parsing …", what is wrong, where, and the line with a mark below it.
pub(super) fn refusal(error: &Error, text: &str) -> Failure {
    let said = error.to_string();
    let mut parts = said.split(", while ").map(without_place);
    let problem = parts.next().unwrap_or_default();
    let context = parts.next().map(|context| format!("while {context}\n")).unwrap_or_default();
    let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    let problem = match problem.strip_prefix("did not find expected ") {
        Some("node content") => format!("expected the node content, but found {}", token(shown, column)),
        Some(wanted) => format!("expected {wanted}, but found {}", token(shown, column)),
        None => problem.to_owned(),
    };
    let mark = " ".repeat(column - 1);
    Failure::bad_request(format!(
        "{context}{problem}\n  in \"<unicode string>\", line {line}, column {column}:\n    {shown}\n    {mark}^."
    ))
}

/// Without "at line 3 column 4".
fn without_place(part: &str) -> &str {
    part.find(" at line ").map_or(part, |place| &part[..place])
}

fn token(line: &str, column: usize) -> String {
    let found = line.chars().nth(column - 1).filter(|letter| !letter.is_whitespace());
    found.map_or_else(|| "<stream end>".to_owned(), |letter| format!("'{letter}'"))
}
