//! What the SDKs' errors mean to the ports: by kind and code, never by the words of a message.

use std::error::Error;
use std::fmt;

use app::ports::Ec2Error;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

/// No answer within the time.
const TIMEOUT: &str = "timeout";
/// No answer, or half of one.
const CONNECTION: &str = "connection";

/// The meaning of a failed call.
pub(crate) fn ec2_error<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Ec2Error
where
    E: Error + ProvideErrorMetadata + 'static,
{
    if let Some(error) = refused_role(&error) {
        return error;
    }
    let (code, message) = match &error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            (code_or_status(service.err().code(), status), service.err().message().map(str::to_owned))
        }
        SdkError::TimeoutError(_) => (TIMEOUT.into(), None),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => (TIMEOUT.into(), None),
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => (CONNECTION.into(), None),
        // The request could not even be made: it never can.
        _ => ("InvalidRequest".into(), None),
    };
    let message = message.unwrap_or_else(|| DisplayErrorContext(error).to_string());
    Ec2Error { operation, code, message }
}

/// A load balancer in front of the service answers without any code; and an answer cut short is one
/// that says it went well, but cannot be read.
fn code_or_status(code: Option<&str>, status: u16) -> String {
    match (code, status) {
        (Some(code), _) => code.to_owned(),
        (None, ..400) => CONNECTION.into(),
        (None, 400..500) => format!("Http{status}"),
        (None, 500..) => "ServiceUnavailable".into(),
    }
}

/// Credentials are asked for within a call; when STS refuses them, it is its answer that counts, for
/// asking again will not help.
fn refused_role<E>(error: &SdkError<E, HttpResponse>) -> Option<Ec2Error>
where
    E: Error + 'static,
{
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(refusal) = next.downcast_ref::<AssumeRoleError>() {
            let code = refusal.code()?.to_owned();
            let message = refusal.message().unwrap_or_default().to_owned();
            return Some(Ec2Error { operation: "AssumeRole", code, message });
        }
        cause = next.source();
    }
    None
}

/// An answer that lacks what it must have.
pub(crate) fn incomplete(operation: &'static str, what: impl fmt::Display) -> Ec2Error {
    Ec2Error { operation, code: CONNECTION.into(), message: format!("The answer has no {what}.") }
}
