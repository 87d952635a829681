//! Conditions as DynamoDB expressions.

use std::collections::HashMap;

use app::ports::Condition;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::item::rounded_down;

/// A condition expression with its placeholders, in the form the request builders take: absent when
/// there are none, for DynamoDB refuses empty ones.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expression {
    pub(crate) text: Option<String>,
    pub(crate) values: Option<HashMap<String, AttributeValue>>,
}

impl Expression {
    pub(crate) fn of(condition: &Condition) -> Self {
        match condition {
            Condition::None => Self::default(),
            Condition::NotExists => Self::without_value("attribute_not_exists(pk)"),
            Condition::Exists => Self::without_value("attribute_exists(pk)"),
            Condition::Version(version) => Self::with_number("version = :number", version),
            Condition::NotExistsOrExpiredBefore(time) => Self::with_number(
                "attribute_not_exists(pk) OR expires_at < :number",
                // Kept rounded up, compared rounded down: never taken too early.
                &rounded_down(*time),
            ),
        }
    }

    /// The same for a check, which must have an expression: one that always holds, if need be.
    pub(crate) fn of_check(condition: &Condition) -> Self {
        match condition {
            Condition::None => Self::without_value("attribute_exists(pk) OR attribute_not_exists(pk)"),
            other => Self::of(other),
        }
    }

    fn without_value(text: &str) -> Self {
        Self { text: Some(text.into()), values: None }
    }

    fn with_number(text: &str, number: &impl ToString) -> Self {
        let values = HashMap::from([(":number".to_owned(), AttributeValue::N(number.to_string()))]);
        Self { text: Some(text.into()), values: Some(values) }
    }
}
