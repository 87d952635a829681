//! The table's stream, as Lambda's event source mapping reads it: shard after shard, from where it was.
//!
//! The embedded DynamoDB, an emulator and the real one are read through the same SDK. How far a shard
//! has been read is kept in the data directory, so that a killed stack goes on where it was.

mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::ports::PortError;
use async_trait::async_trait;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodbstreams::types::{Shard, ShardIteratorType};
use local_state::Documents;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::dynamo::Trimmer;

/// The kind of document that tells how far a shard has been read.
const CHECKPOINT: &str = "stream-checkpoint";
/// That shard is closed and read to its end.
const END: &str = "end";
/// Records a call, at most; DynamoDB's own limit.
const PAGE: i32 = 1_000;

/// Some records of a shard, oldest first, as Lambda delivers them.
pub(crate) struct Page {
    /// Which shard.
    pub(crate) shard: String,
    /// The records.
    pub(crate) records: Vec<Value>,
}

/// Where a stream consumer's records come from.
#[async_trait]
pub(crate) trait Records: Send + Sync {
    /// The next records of every shard, after those that are done.
    async fn next(&self) -> Result<Vec<Page>, PortError>;

    /// All records of the shard up to the one with this sequence number are done.
    async fn done(&self, shard: &str, sequence_number: &str) -> Result<(), PortError>;
}

/// The stream of one table.
pub(crate) struct TableStream {
    client: Client,
    table_name: String,
    documents: Documents,
    /// Removes what is done, where nobody else does.
    trimmer: Option<Trimmer>,
    arn: OnceCell<String>,
    /// Where shards go on whose last page had no records.
    iterators: Mutex<BTreeMap<String, String>>,
}

impl TableStream {
    /// The stream of that table; how far it was read is kept in `documents`.
    pub(crate) fn new(
        client: Client,
        table_name: impl Into<String>,
        documents: Documents,
        trimmer: Option<Trimmer>,
    ) -> Self {
        let (arn, iterators) = (OnceCell::new(), Mutex::default());
        Self { client, table_name: table_name.into(), documents, trimmer, arn, iterators }
    }

    /// The stream's ARN. A table has one stream at a time; older ones of the same table are listed before it.
    async fn find(&self) -> Result<String, PortError> {
        let listed = self.client.list_streams().table_name(&self.table_name).send().await;
        let listed = listed.map_err(|error| failed("dynamodb.ListStreams", &error))?;
        let arn = listed.streams().iter().filter_map(|stream| stream.stream_arn()).next_back();
        arn.map(str::to_owned).ok_or_else(|| PortError::new("dynamodb.ListStreams", "the table has no stream"))
    }

    async fn shards(&self, arn: &str) -> Result<Vec<Shard>, PortError> {
        let (mut shards, mut after) = (Vec::new(), None);
        loop {
            let request = self.client.describe_stream().stream_arn(arn).set_exclusive_start_shard_id(after);
            let answer = request.send().await.map_err(|error| failed("dynamodb.DescribeStream", &error))?;
            let Some(description) = answer.stream_description else { return Ok(shards) };
            after = description.last_evaluated_shard_id;
            shards.extend(description.shards.unwrap_or_default());
            if after.is_none() {
                return Ok(shards);
            }
        }
    }

    /// The records of a shard after those that are done.
    async fn page(&self, arn: &str, shard: &str) -> Result<Page, PortError> {
        // None when the last page had records: how many of them are done, the checkpoint tells.
        let held = self.held().remove(shard);
        let at = match held {
            Some(at) => Some(at),
            None => self.start(arn, shard).await?,
        };
        let Some(at) = at else { return Ok(Page { shard: shard.to_owned(), records: Vec::new() }) };
        let answer = self.client.get_records().shard_iterator(at).limit(PAGE).send().await;
        let answer = answer.map_err(|error| failed("dynamodb.GetRecords", &error))?;
        let records = answer.records.unwrap_or_default();
        match answer.next_shard_iterator {
            _ if !records.is_empty() => {}
            // A page without records may be followed by one with some.
            Some(next) => drop(self.held().insert(shard.to_owned(), next)),
            None => self.keep(shard, END)?,
        }
        let records = records.into_iter().map(|record| record::json(record, arn)).collect::<Result<_, _>>()?;
        Ok(Page { shard: shard.to_owned(), records })
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.iterators.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An iterator that begins after what is done.
    async fn start(&self, arn: &str, shard: &str) -> Result<Option<String>, PortError> {
        let position = self.checkpoint(shard)?;
        let iterator = match self.iterator(arn, shard, position.as_deref()).await {
            // Forgotten meanwhile, as after 24 hours: go on with the oldest that is left.
            Err(Trimmed::Yes) => self.iterator(arn, shard, None).await,
            other => other,
        };
        iterator.map_err(Trimmed::into_error)
    }

    async fn iterator(&self, arn: &str, shard: &str, after: Option<&str>) -> Result<Option<String>, Trimmed> {
        let kind =
            if after.is_some() { ShardIteratorType::AfterSequenceNumber } else { ShardIteratorType::TrimHorizon };
        let request = self.client.get_shard_iterator().stream_arn(arn).shard_id(shard);
        let request = request.shard_iterator_type(kind).set_sequence_number(after.map(str::to_owned));
        match request.send().await {
            Ok(answer) => Ok(answer.shard_iterator),
            Err(error) if code(&error) == Some("TrimmedDataAccessException") => Err(Trimmed::Yes),
            Err(error) => Err(Trimmed::No(failed("dynamodb.GetShardIterator", &error))),
        }
    }

    /// A table made anew has another stream, whose shards may have the same names.
    fn id(&self, shard: &str) -> String {
        format!("{}/{shard}", self.arn.get().map_or("", String::as_str))
    }

    fn checkpoint(&self, shard: &str) -> Result<Option<String>, PortError> {
        self.documents
            .get(CHECKPOINT, &self.id(shard))
            .map_err(|error| PortError::new("stream checkpoint", error.to_string()))
    }

    fn keep(&self, shard: &str, position: &str) -> Result<(), PortError> {
        let kept = self.documents.put(CHECKPOINT, &self.id(shard), &position);
        kept.map_err(|error| PortError::new("stream checkpoint", error.to_string()))
    }
}

#[async_trait]
impl Records for TableStream {
    async fn next(&self) -> Result<Vec<Page>, PortError> {
        let arn = self.arn.get_or_try_init(|| self.find()).await?;
        let shards = self.shards(arn).await?;
        let mut unread: BTreeSet<String> = BTreeSet::new();
        for id in shards.iter().filter_map(Shard::shard_id) {
            if self.checkpoint(id)?.as_deref() != Some(END) {
                unread.insert(id.to_owned());
            }
        }
        let mut pages = Vec::new();
        for shard in &shards {
            let Some(id) = shard.shard_id().filter(|id| unread.contains(*id)) else { continue };
            // A shard goes on where its parent ended: an item's records are never read out of order.
            if shard.parent_shard_id().is_some_and(|parent| unread.contains(parent)) {
                continue;
            }
            pages.push(self.page(arn, id).await?);
        }
        Ok(pages)
    }

    async fn done(&self, shard: &str, sequence_number: &str) -> Result<(), PortError> {
        self.keep(shard, sequence_number)?;
        match &self.trimmer {
            Some(trimmer) => trimmer.trim(sequence_number),
            None => Ok(()),
        }
    }
}

/// Why there is no iterator.
enum Trimmed {
    /// What it would begin after is forgotten.
    Yes,
    /// Something else.
    No(PortError),
}

impl Trimmed {
    fn into_error(self) -> PortError {
        match self {
            Self::Yes => PortError::new("dynamodb.GetShardIterator", "the stream forgets faster than it is read"),
            Self::No(error) => error,
        }
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn failed(operation: &'static str, error: &(dyn std::error::Error + 'static)) -> PortError {
    PortError::new(operation, DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests;
