//! Small edits of the files that name every function.

/// The function table with `row` behind the row of the function `last`.
pub(super) fn with_row(table: &str, last: &str, row: &str) -> Option<String> {
    let begin = table.find(&format!("\n        \"{last}\",\n"))? + 1;
    let mut end = begin;
    for line in table[begin..].split_inclusive('\n') {
        end += line.len();
        // A row and its exceptions stand four columns in, and its last line ends in a comma.
        if line.starts_with("    ") && !line.starts_with("     ") && line.ends_with(",\n") {
            return Some(format!("{}{row}{}", &table[..end], &table[end..]));
        }
    }
    None
}

/// `text` with `line` in its place by name among the lines that begin with `prefix`.
pub(super) fn with_line(text: &str, prefix: &str, line: &str) -> Option<String> {
    let name = |line: &str| {
        let rest = line.strip_prefix(prefix)?;
        Some(rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned())
    };
    let new = name(line)?;
    let (mut at, mut place) = (0, None);
    for present in text.split_inclusive('\n') {
        match name(present) {
            Some(present) if present > new => {
                place = Some(at);
                break;
            }
            Some(_) => place = Some(at + present.len()),
            None => {}
        }
        at += present.len();
    }
    place.map(|at| format!("{}{line}\n{}", &text[..at], &text[at..]))
}

/// `text` with `line` before the first place where `mark` stands.
pub(super) fn with_line_before(text: &str, mark: &str, line: &str) -> Option<String> {
    let at = text.find(mark)?;
    Some(format!("{}{line}\n{}", &text[..at], &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::{with_line, with_line_before, with_row};

    #[test]
    fn a_row_comes_behind_the_last_of_its_group_whatever_its_exceptions() {
        let table = "\
    http(
        \"a-b\",
        \"A.\",
    )
    .ports(&[
        Port::Cml,
    ]),
    Function {
        name: \"c-d\",
    },
];
";
        let with = with_row(table, "a-b", "    new,\n").expect("a-b is there");
        assert!(with.contains("    ]),\n    new,\n    Function {"), "{with}");
        assert_eq!(with_row(table, "c-d", "    new,\n"), None);
    }

    #[test]
    fn a_line_is_put_in_order_and_never_where_there_is_no_list() {
        let text = "use x;\nmod a;\nmod c;\n\nfn f() {}\n";
        assert_eq!(with_line(text, "mod ", "mod b;").as_deref(), Some("use x;\nmod a;\nmod b;\nmod c;\n\nfn f() {}\n"));
        assert_eq!(with_line(text, "mod ", "mod d;").as_deref(), Some("use x;\nmod a;\nmod c;\nmod d;\n\nfn f() {}\n"));
        assert_eq!(with_line(text, "pub mod ", "pub mod d;"), None);
        assert_eq!(
            with_line_before(text, "fn f", "// f").as_deref(),
            Some("use x;\nmod a;\nmod c;\n\n// f\nfn f() {}\n")
        );
    }
}
