//! Roles of other accounts, at moto, which keeps accounts apart by the credentials it gave out.

use app::ports::{Ec2, InstanceFilter};
use aws_fleet::{AccountRole, FixedRoles};

use super::ec2::{HOME, ec2, ec2_at, image, launch_request, place, unique};
use super::set_up;

const OTHER: &str = "222222222222";
const REGION: &str = "ca-central-1";

fn roles(arn: &str) -> FixedRoles {
    let role = AccountRole { role_arn: arn.into(), external_id: "fleet-42".into() };
    FixedRoles([(OTHER.parse().unwrap(), role)].into())
}

#[tokio::test]
async fn what_is_launched_through_a_role_is_in_its_account_and_in_no_other() {
    let name = unique("other-account");
    let ec2 = ec2_at(&set_up("WIRE_MOTO_URL"), roles("arn:aws:iam::222222222222:role/ccm"));
    // Of everybody's images, for our own are of our own account.
    let images = ec2.images(&place(OTHER, REGION), "ubuntu/*", &["099720109477".to_owned()]).await.unwrap();
    let launched = ec2.run_instance(&place(OTHER, REGION), &launch_request(&images[0].id, &name)).await.unwrap();
    let filter = InstanceFilter::Tag("ccm:worker-id".into(), Some(name));
    let there = ec2.describe(&place(OTHER, REGION), &filter).await.unwrap();
    assert_eq!(there.iter().map(|one| &one.id).collect::<Vec<_>>(), [&launched.id]);
    assert_eq!(ec2.describe(&place(HOME, REGION), &filter).await.unwrap(), []);
}

#[tokio::test]
async fn what_the_home_account_has_the_other_does_not() {
    let name = unique("home-account");
    let ami = image(REGION, &name).await;
    ec2().run_instance(&place(HOME, REGION), &launch_request(&ami, &name)).await.unwrap();
    let both = ec2_at(&set_up("WIRE_MOTO_URL"), roles("arn:aws:iam::222222222222:role/ccm"));
    let filter = InstanceFilter::Tag("ccm:worker-id".into(), Some(name));
    assert_eq!(both.describe(&place(HOME, REGION), &filter).await.unwrap().len(), 1);
    assert_eq!(both.describe(&place(OTHER, REGION), &filter).await.unwrap(), []);
}
