//! The store of files on ministack's S3.

use app::testing::check_files;
use aws::S3Files;
use aws_sdk_s3::Client;

use super::set_up;

#[tokio::test]
async fn files_are_kept_in_s3() {
    let client = Client::new(&aws::sdk_config_for(&set_up("WIRE_MINISTACK_URL")));
    // An emulator may outlive a run, where somebody tries things by hand.
    let bucket = format!("files-{}", std::process::id());
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    check_files(&S3Files::new(client, bucket), "backups").await.unwrap();
}
