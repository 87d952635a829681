use app::ports::{Ec2, InstanceFilter};

use super::wire::{Answer, Wire};
use super::{home, place};
use crate::{AccountRole, AwsEc2};

const OTHER: &str = "222222222222";
const NOTHING: &str = "<DescribeInstancesResponse/>";

fn role(arn: &str) -> [(&'static str, AccountRole); 1] {
    [(OTHER, AccountRole { role_arn: arn.into(), external_id: "fleet-42".into() })]
}

fn credentials() -> Answer {
    Answer::ok(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>OTHER</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>",
    )
}

fn mine() -> InstanceFilter {
    InstanceFilter::Tag("ccm:managed".into(), None)
}

#[tokio::test]
async fn another_account_is_entered_by_its_role_once_for_all_of_its_regions() {
    let answers = [credentials(), Answer::ok(NOTHING), Answer::ok(NOTHING), Answer::ok(NOTHING)];
    let wire = Wire::new(answers);
    let ec2 = AwsEc2::new(wire.clients(role("arn:aws:iam::222222222222:role/ccm")));
    for place in [place(OTHER, "us-west-2"), place(OTHER, "eu-west-1"), home()] {
        ec2.describe(&place, &mine()).await.unwrap();
    }
    let asked = wire.asked();
    assert_eq!(asked.len(), 4);
    for parameter in [
        "Action=AssumeRole",
        "RoleArn=arn:aws:iam::222222222222:role/ccm",
        "ExternalId=fleet-42",
        "RoleSessionName=ccm-111111111111-run-operation",
    ] {
        assert!(asked[0].has(parameter), "{parameter}");
    }
    let told = asked.iter().map(|one| {
        let key = one.authorization.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
        (one.host.as_str(), key.unwrap_or_default())
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("sts.us-east-1.amazonaws.com", "HOME"),
            ("ec2.us-west-2.amazonaws.com", "OTHER"),
            ("ec2.eu-west-1.amazonaws.com", "OTHER"),
            ("ec2.eu-central-1.amazonaws.com", "HOME"),
        ]
    );
}

#[tokio::test]
async fn a_refused_role_is_told_as_sts_told_it_and_is_not_asked_for_again_and_again() {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not trusted</Message></Error>\
        </ErrorResponse>";
    let wire = Wire::new([Answer::Http(403, body.into())]);
    let ec2 = AwsEc2::new(wire.clients(role("arn:aws:iam::222222222222:role/ccm")));
    let error = ec2.describe(&place(OTHER, "us-west-2"), &mine()).await.unwrap_err();
    let expected = ("AssumeRole", "AccessDenied", "not trusted");
    assert_eq!((error.operation, error.code.as_str(), error.message.as_str()), expected);
    assert!(!error.retryable());
}

#[tokio::test]
async fn an_account_without_a_role_or_with_another_accounts_role_is_never_called() {
    let wire = Wire::new([]);
    let there = place(OTHER, "us-west-2");
    let error = AwsEc2::new(wire.clients([])).describe(&there, &mine()).await.unwrap_err();
    assert_eq!(error.code, "NoRole");
    let wrong = wire.clients(role("arn:aws:iam::333333333333:role/ccm"));
    let error = AwsEc2::new(wrong).describe(&there, &mine()).await.unwrap_err();
    assert_eq!(error.code, "WrongRole");
    assert!(wire.asked().is_empty());
}
