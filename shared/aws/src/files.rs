//! Topologies, backups and evidence in S3.

use std::fmt;

use app::ports::{Files, PortError};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;

use crate::error::port_error;

const GET: &str = "s3.GetObject";

/// Files in one bucket.
pub struct S3Files {
    client: Client,
    bucket: String,
}

impl fmt::Debug for S3Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Files").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl S3Files {
    /// The files of that bucket.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl Files for S3Files {
    async fn put(&self, key: &str, content: &[u8]) -> Result<(), PortError> {
        let body = ByteStream::from(content.to_vec());
        let call = self.client.put_object().bucket(&self.bucket).key(key).body(body);
        call.send().await.map_err(|error| port_error("s3.PutObject", error))?;
        Ok(())
    }

    async fn get(&self, key: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, PortError> {
        let mut answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Err(SdkError::ServiceError(error)) if matches!(error.err(), GetObjectError::NoSuchKey(_)) => {
                return Ok(None);
            }
            answer => answer.map_err(|error| port_error(GET, error))?,
        };
        let mut content = Vec::new();
        while let Some(chunk) = answer.body.try_next().await.map_err(|error| port_error(GET, error))? {
            if content.len() + chunk.len() > max_bytes {
                return Err(PortError::new(GET, format!("{key} is larger than {max_bytes} bytes")));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(Some(content))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let call = self.client.delete_object().bucket(&self.bucket).key(key);
        call.send().await.map_err(|error| port_error("s3.DeleteObject", error))?;
        Ok(())
    }
}
