use app::ports::{Ec2, Ec2Error};
use domain::operation::retry::ErrorClass;

use super::wire::{Answer, Wire};
use super::{home, instance_id};
use crate::AwsEc2;

async fn error_of(answer: Answer) -> Ec2Error {
    let wire = Wire::new([answer]);
    AwsEc2::new(wire.clients([])).start(&home(), &instance_id(1)).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_its_words() {
    let error = error_of(Answer::refusal(400, "InsufficientInstanceCapacity", "We do not have enough.")).await;
    let expected = ("StartInstances", "InsufficientInstanceCapacity", "We do not have enough.");
    assert_eq!((error.operation, error.code.as_str(), error.message.as_str()), expected);
    assert_eq!(error.class(), ErrorClass::Capacity);
    // Words that speak of throttling do not make it so.
    let error = error_of(Answer::refusal(403, "UnauthorizedOperation", "RequestLimitExceeded Throttling")).await;
    assert!(!error.retryable());
}

#[tokio::test]
async fn each_code_of_ec2_has_its_class() {
    use ErrorClass::{Capacity, Terminal, Throttled, Transient, Unavailable};
    for (code, class) in [
        ("InsufficientInstanceCapacity", Capacity),
        ("RequestLimitExceeded", Throttled),
        ("IncorrectInstanceState", Transient),
        // Just launched, and not known everywhere yet.
        ("InvalidInstanceID.NotFound", Transient),
        ("RequestExpired", Unavailable),
        ("ExpiredToken", Unavailable),
        ("InternalError", Unavailable),
        ("UnauthorizedOperation", Terminal),
        ("AuthFailure", Terminal),
        ("VcpuLimitExceeded", Terminal),
        ("InvalidAMIID.NotFound", Terminal),
        ("IdempotentParameterMismatch", Terminal),
    ] {
        let error = error_of(Answer::refusal(400, code, "words")).await;
        assert_eq!((error.code.as_str(), error.class()), (code, class));
    }
}

#[tokio::test]
async fn without_a_code_it_is_how_the_call_failed_that_counts() {
    assert_eq!(error_of(Answer::Late).await.code, "timeout");
    assert_eq!(error_of(Answer::Broken).await.code, "connection");
    assert_eq!(error_of(Answer::ok("<not xml")).await.class(), ErrorClass::Unavailable);
    assert_eq!(error_of(Answer::Http(503, b"<html>".to_vec())).await.class(), ErrorClass::Unavailable);
    assert_eq!(error_of(Answer::Http(403, Vec::new())).await.class(), ErrorClass::Terminal);
}
