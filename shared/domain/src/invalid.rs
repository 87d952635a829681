//! What is wrong with an input, by field.

use std::fmt;

/// One field and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// The field's path as the caller wrote it: `name`, `tags.owner`, `security_group_ids[2]`.
    pub field: String,
    /// What it must be, to follow the field's name: "must be ...".
    pub message: String,
}

impl InvalidField {
    /// Names a field and says what it must be.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The same complaint about a field of another name.
    #[must_use]
    pub fn at(self, field: impl Into<String>) -> Self {
        Self { field: field.into(), ..self }
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.message)
    }
}

impl std::error::Error for InvalidField {}

/// Everything wrong with one input at once, so that a caller mends it in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid(pub Vec<InvalidField>);

impl Invalid {
    /// Adds a complaint.
    pub fn push(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(InvalidField::new(field, message));
    }

    /// Keeps the value, or notes what is wrong with it.
    pub fn check<T>(&mut self, result: Result<T, InvalidField>) -> Option<T> {
        result.map_err(|e| self.0.push(e)).ok()
    }

    /// `value`, unless anything was wrong.
    ///
    /// # Errors
    /// All complaints so far.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, field) in self.0.iter().enumerate() {
            write!(f, "{}{field}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl From<InvalidField> for Invalid {
    fn from(field: InvalidField) -> Self {
        Self(vec![field])
    }
}
