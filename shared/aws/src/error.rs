//! What the SDKs' errors mean to the ports: decided by code, never by the words of a message.

use app::ports::{PortError, TableError};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

/// A failure for the log, with all of its causes.
pub(crate) fn port_error<E>(operation: &'static str, error: E) -> PortError
where
    E: std::error::Error,
{
    PortError::new(operation, DisplayErrorContext(error).to_string())
}

/// An item, or a request made of one, that is not as it must be.
pub(crate) fn malformed(operation: &'static str, message: impl Into<String>) -> TableError {
    TableError::Malformed(PortError::new(operation, message))
}

/// The meaning of a failed call about one item, or of a read.
pub(crate) fn table_error<E, R>(operation: &'static str, error: SdkError<E, R>) -> TableError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("ConditionalCheckFailedException") => TableError::Condition { failed: vec![0] },
        Some("TransactionConflictException") => TableError::Conflict,
        Some("ValidationException" | "ItemCollectionSizeLimitExceededException") => {
            TableError::Malformed(port_error(operation, error))
        }
        _ => TableError::Unavailable(port_error(operation, error)),
    }
}

/// The meaning of a failed transaction, which has one reason for each write.
pub(crate) fn transaction_error<R>(error: SdkError<TransactWriteItemsError, R>) -> TableError
where
    R: std::fmt::Debug + 'static,
{
    const OPERATION: &str = "dynamodb.TransactWriteItems";
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return table_error(OPERATION, error);
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
    match verdict(&codes) {
        Verdict::Condition(failed) => TableError::Condition { failed },
        Verdict::Conflict => TableError::Conflict,
        Verdict::Malformed => TableError::Malformed(port_error(OPERATION, error)),
        Verdict::Unavailable => TableError::Unavailable(port_error(OPERATION, error)),
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Condition(Vec<usize>),
    Conflict,
    Malformed,
    Unavailable,
}

/// A condition that does not hold is final and comes first; a conflict may be tried again at once,
/// anything else (throttling) later.
fn verdict(codes: &[&str]) -> Verdict {
    let failed: Vec<usize> =
        codes.iter().enumerate().filter(|(_, code)| **code == "ConditionalCheckFailed").map(|(at, _)| at).collect();
    if !failed.is_empty() {
        Verdict::Condition(failed)
    } else if codes.iter().any(|code| matches!(*code, "ValidationError" | "ItemCollectionSizeLimitExceeded")) {
        Verdict::Malformed
    } else if codes.contains(&"TransactionConflict") {
        Verdict::Conflict
    } else {
        Verdict::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_is_judged_by_its_reasons() {
        assert_eq!(
            verdict(&["None", "ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed"]),
            Verdict::Condition(vec![1, 3])
        );
        assert_eq!(verdict(&["ThrottlingError", "TransactionConflict"]), Verdict::Conflict);
        assert_eq!(verdict(&["ValidationError", "None"]), Verdict::Malformed);
        assert_eq!(verdict(&["None", "ProvisionedThroughputExceeded"]), Verdict::Unavailable);
        assert_eq!(verdict(&[]), Verdict::Unavailable);
    }
}
