//! The api zone's binary: every HTTP endpoint and the dispatchers. Lambda's `Handler` says which one.

use http_api::Zone;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    functions::run(Zone::Api, async |environment, function| environment.api_world(function).await).await
}
