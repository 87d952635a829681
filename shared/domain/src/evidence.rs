//! Evidence of failures: what a machine or a controller had to say when something failed, kept for a while.
//!
//! Such texts can hold secrets. What is known or looks like one is masked ([`masked`]); what is not
//! recognised stays, so only managers may read them.

use jiff::{SignedDuration, Timestamp};

use crate::drift::DriftKind;
use crate::id::{EvidenceId, LabId, OperationId, WorkerId};

/// The folder of all evidence's files.
pub const EVIDENCE_FOLDER: &str = "evidence";
/// The largest text that is kept, in bytes. EC2 has at most the last 64 KB of a console (EC2 API reference,
/// `GetConsoleOutput`); what CML tells of a lab of a hundred nodes is about as much again.
pub const EVIDENCE_MAX_BYTES: usize = 256 * 1024;
/// How long it is kept: time enough for a support case. The lifecycle rule of the bucket of files says the same.
pub const EVIDENCE_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * EVIDENCE_KEPT_DAYS);
/// [`EVIDENCE_KEPT_FOR`] in days.
pub const EVIDENCE_KEPT_DAYS: i64 = 30;
/// Nodes of a lab whose consoles are kept after a failure, at most.
pub const NODE_CONSOLES_MAX: usize = 3;

/// What was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// What the instance wrote on its console, as EC2 keeps it.
    ConsoleOutput,
    /// What the controller tells of its inside.
    CmlDiagnostics,
    /// What a node wrote on its console.
    NodeConsole,
}

impl EvidenceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ConsoleOutput, Self::CmlDiagnostics, Self::NodeConsole];

    /// The name in items and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConsoleOutput => "console_output",
            Self::CmlDiagnostics => "cml_diagnostics",
            Self::NodeConsole => "node_console",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An operation, with the code of its error.
    Operation {
        /// Which.
        id: OperationId,
        /// Its error's code.
        code: String,
    },
    /// Something that was not as wished, and not by anybody's wish.
    Drift {
        /// Which.
        kind: DriftKind,
        /// Since when.
        since: Timestamp,
    },
}

/// A text that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its id: the same for the same cause, however often it is taken.
    pub id: EvidenceId,
    /// The worker it is about.
    pub worker_id: WorkerId,
    /// What it is.
    pub kind: EvidenceKind,
    /// What failed.
    pub cause: Cause,
    /// The lab it is about, if it is about one.
    pub lab_id: Option<LabId>,
    /// The label of the node it is about, if it is about one.
    pub node: Option<String>,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// From when on it is gone.
    pub expires_at: Timestamp,
    /// How large it is, in bytes.
    pub size_bytes: u64,
    /// Its beginning was cut off.
    pub truncated: bool,
}

impl Evidence {
    /// Where its text is kept.
    #[must_use]
    pub fn file_key(&self) -> String {
        file_key(self.id)
    }

    /// What points to it.
    #[must_use]
    pub fn pointer(&self) -> EvidencePointer {
        let &Self { id, kind, taken_at, expires_at, size_bytes, .. } = self;
        EvidencePointer { id, kind, taken_at, expires_at, size_bytes }
    }
}

/// Where the text of an evidence is kept.
#[must_use]
pub fn file_key(id: EvidenceId) -> String {
    format!("{EVIDENCE_FOLDER}/{id}.txt")
}

/// What an operation or a worker says of evidence that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidencePointer {
    /// Its id.
    pub id: EvidenceId,
    /// What it is.
    pub kind: EvidenceKind,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// From when on it is gone.
    pub expires_at: Timestamp,
    /// How large it is, in bytes.
    pub size_bytes: u64,
}

/// The end of a text: as many whole lines as `max_bytes` have room for, or the end of its last line. True when
/// something was cut off.
#[must_use]
pub fn end_of(text: &str, max_bytes: usize) -> (&str, bool) {
    if text.len() <= max_bytes {
        return (text, false);
    }
    let mut from = text.len() - max_bytes;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let kept = &text[from..];
    // A cut between two lines needs no more.
    if text[..from].ends_with('\n') {
        return (kept, true);
    }
    let whole = kept.split_once('\n').map(|(_, rest)| rest).filter(|rest| !rest.is_empty());
    (whole.unwrap_or(kept), true)
}

/// What stands where a secret was.
pub const MASK: &str = "[masked]";
/// Words after which a secret stands, in lower case.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "passphrase", "secret", "token"];
/// Characters in a row, of those that base64 and percent-encoding use, that are taken for a token: a Smart
/// Licensing token has about 130, SHA-512 in hexadecimal is as long and told by its lower case.
const TOKEN_MIN_CHARS: usize = 80;

/// The text without the secrets given, and without what looks like one: a long token, and in a line whatever
/// follows a word like `password` and `:`, `=` or a type as network devices write it (`secret 9 ...`).
#[must_use]
pub fn masked(text: &str, known: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in known.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, MASK);
    }
    text.split_inclusive('\n').map(|line| without_tokens(&without_named_secret(line))).collect()
}

/// The line up to where a secret begins, by the word before it.
fn without_named_secret(line: &str) -> String {
    let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
    // Only ASCII changes, so every position stays what it was.
    let lower = content.to_ascii_lowercase();
    let begins = SECRET_WORDS.iter().flat_map(|word| lower.match_indices(word).map(|(at, _)| at + word.len()));
    let begin = begins.filter_map(|after| secret_begins(content, after)).min();
    match begin.filter(|begin| !content[*begin..].trim().is_empty()) {
        Some(begin) => format!("{}{MASK}{end}", &content[..begin]),
        None => line.to_owned(),
    }
}

/// Where the secret begins after the word that ends there, if one does.
fn secret_begins(line: &str, after: usize) -> Option<usize> {
    let rest = line[after..].trim_start_matches(['"', '\'', ' ']);
    let value = match rest.strip_prefix([':', '=']) {
        Some(value) => value,
        None => {
            let value = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if value.len() == rest.len() || rest.len() == line[after..].len() || !value.starts_with(' ') {
                return None;
            }
            value
        }
    };
    Some(line.len() - value.trim_start_matches(' ').len())
}

fn without_tokens(line: &str) -> String {
    let in_token = |c: char| c.is_ascii_alphanumeric() || "+/=%_-".contains(c);
    let is_token = |run: &str| {
        let has = |what: fn(&u8) -> bool| run.as_bytes().iter().any(what);
        run.len() >= TOKEN_MIN_CHARS
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    };
    let (mut whole, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(first) = rest.chars().next() {
        let same = in_token(first);
        let end = rest.find(|c: char| in_token(c) != same).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        whole.push_str(if is_token(run) { MASK } else { run });
        rest = after;
    }
    whole
}

#[cfg(test)]
mod tests;
