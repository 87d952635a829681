//! The cml zone's binary: the functions that also reach CML controllers and their credentials. Lambda's `Handler` says which one.

use http_api::Zone;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    functions::run(Zone::Cml, async |environment, function| environment.cml_world(function).await).await
}
