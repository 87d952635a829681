//! The fleet zone's binary: the functions that also reach EC2 and CloudWatch. Lambda's `Handler` says which one.

use http_api::Zone;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    functions::run(Zone::Fleet, async |environment, function| environment.fleet_world(function).await).await
}
