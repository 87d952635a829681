//! The table on DynamoDB.

use std::collections::HashSet;

use app::ports::{Condition, IndexName, Item, ItemKey, Page, PortError, Query, Table, TableError, Write};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem};

use crate::attempts::Attempts;
use crate::conditions::Expression;
use crate::error::{malformed, port_error, table_error, transaction_error};
use crate::item::{Attributes, from_attributes, key_attributes, to_attributes};
use crate::position::{self, key_names};
use crate::schema::{GSI1, GSI2};

/// DynamoDB's own limits on one call.
const MOST_KEYS: usize = 100;
const MOST_WRITES: usize = 100;
const MOST_ITEMS_A_PAGE: u32 = 1000;

/// How often what `BatchGetItem` left out is asked for again. It answers at most 16 MB at once, so
/// that 100 of the largest items take three calls.
const MOST_BATCH_GETS: usize = 8;

/// The table on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: Client,
    table_name: String,
}

impl DynamoTable {
    /// The table of that name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { client, table_name: table_name.into() }
    }

    /// The request for a page; none when the bounds leave nothing to be found, which DynamoDB refuses.
    fn query_request(&self, query: &Query) -> Option<QueryFluentBuilder> {
        // DynamoDB also refuses empty bounds. All sort keys are greater than an empty one.
        let from = query.from.clone().filter(|from| !from.is_empty());
        let to = query.to.clone();
        if to.as_ref().is_some_and(|to| to.is_empty() || from.as_ref().is_some_and(|from| from > to)) {
            return None;
        }
        let bounds = match (&from, &to) {
            (None, None) => "",
            (Some(_), None) => " AND #sk >= :from",
            (None, Some(_)) => " AND #sk <= :to",
            (Some(_), Some(_)) => " AND #sk BETWEEN :from AND :to",
        };
        let (pk_name, sk_name) = key_names(query.index);
        let limit = i32::try_from(query.limit.clamp(1, MOST_ITEMS_A_PAGE)).ok();
        let mut request = self
            .client
            .query()
            .table_name(&self.table_name)
            .set_index_name(query.index.map(|index| index_name(index).to_owned()))
            // An index knows no strong consistency.
            .consistent_read(query.index.is_none())
            .scan_index_forward(!query.descending)
            .set_limit(limit)
            .key_condition_expression(format!("#pk = :pk{bounds}"))
            .expression_attribute_names("#pk", pk_name)
            .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()));
        if !bounds.is_empty() {
            request = request.expression_attribute_names("#sk", sk_name);
        }
        for (placeholder, bound) in [(":from", from), (":to", to)] {
            if let Some(bound) = bound {
                request = request.expression_attribute_values(placeholder, AttributeValue::S(bound));
            }
        }
        Some(request)
    }

    async fn put(&self, item: Item, condition: &Condition) -> Result<(), TableError> {
        let attributes = to_attributes(item)?;
        let expression = Expression::of(condition);
        let attempts = Attempts::default();
        let call = self.client.put_item().table_name(&self.table_name).set_item(Some(attributes.clone()));
        let call = call
            .set_return_values_on_condition_check_failure(expression.text.is_some().then_some(AllOld))
            .set_condition_expression(expression.text)
            .set_expression_attribute_values(expression.values);
        let Err(error) = call.customize().interceptor(attempts.clone()).send().await else { return Ok(()) };
        if attempts.repeated() && stored_by_itself(&error, attributes) {
            return Ok(());
        }
        Err(table_error("dynamodb.PutItem", error))
    }

    fn transact_item(&self, write: Write) -> Result<TransactWriteItem, TableError> {
        const OPERATION: &str = "dynamodb.TransactWriteItems";
        let item = TransactWriteItem::builder();
        let item = match write {
            Write::Put(put, condition) => {
                let expression = Expression::of(&condition);
                let put = Put::builder()
                    .table_name(&self.table_name)
                    .set_item(Some(to_attributes(put)?))
                    .set_condition_expression(expression.text)
                    .set_expression_attribute_values(expression.values)
                    .build();
                item.put(put.map_err(|error| TableError::Malformed(port_error(OPERATION, error)))?)
            }
            Write::Delete(key, condition) => {
                let expression = Expression::of(&condition);
                let delete = Delete::builder()
                    .table_name(&self.table_name)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(expression.text)
                    .set_expression_attribute_values(expression.values)
                    .build();
                item.delete(delete.map_err(|error| TableError::Malformed(port_error(OPERATION, error)))?)
            }
            Write::Check(key, condition) => {
                let expression = Expression::of_check(&condition);
                let check = ConditionCheck::builder()
                    .table_name(&self.table_name)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(expression.text)
                    .set_expression_attribute_values(expression.values)
                    .build();
                item.condition_check(check.map_err(|error| TableError::Malformed(port_error(OPERATION, error)))?)
            }
        };
        Ok(item.build())
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &ItemKey) -> Result<Option<Item>, TableError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table_name)
            .set_key(Some(key_attributes(key.clone())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| table_error("dynamodb.GetItem", error))?;
        answer.item.map(from_attributes).transpose()
    }

    async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        const OPERATION: &str = "dynamodb.BatchGetItem";
        distinct(OPERATION, keys.iter(), MOST_KEYS)?;
        let mut items = Vec::with_capacity(keys.len());
        let mut wanted: Vec<_> = keys.iter().cloned().map(key_attributes).collect();
        for _ in 0..MOST_BATCH_GETS {
            if wanted.is_empty() {
                return Ok(items);
            }
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let request = request.map_err(|error| TableError::Malformed(port_error(OPERATION, error)))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.table_name, request)
                .send()
                .await
                .map_err(|error| table_error(OPERATION, error))?;
            // One table was asked, so whatever is in the answer is its.
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                items.push(from_attributes(item)?);
            }
            wanted = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
        }
        if wanted.is_empty() {
            return Ok(items);
        }
        let left = format!("{} keys were left out {MOST_BATCH_GETS} times", wanted.len());
        Err(TableError::Unavailable(PortError::new(OPERATION, left)))
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let after = query.after.as_deref().map(|after| position::decode(after, query)).transpose()?;
        let Some(request) = self.query_request(query) else {
            return Ok(Page::default());
        };
        let answer = request
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(|error| table_error("dynamodb.Query", error))?;
        let next = answer.last_evaluated_key.filter(|key| !key.is_empty()).map(position::encode).transpose()?;
        let items = answer.items.unwrap_or_default().into_iter().map(from_attributes).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// A call whose answer is lost is sent again by the SDK, and its condition may then fail by its own
    /// success: a put sees that by what is stored; a delete, which leaves nothing to be seen, goes as a
    /// transaction, whose token DynamoDB knows again.
    async fn write(&self, write: Write) -> Result<(), TableError> {
        match write {
            Write::Put(item, condition) => self.put(item, &condition).await,
            Write::Delete(key, Condition::None) => {
                let call = self.client.delete_item().table_name(&self.table_name).set_key(Some(key_attributes(key)));
                call.send().await.map(drop).map_err(|error| table_error("dynamodb.DeleteItem", error))
            }
            // A check by itself has no call of its own.
            conditional @ (Write::Delete(..) | Write::Check(..)) => self.transact(vec![conditional]).await,
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        const OPERATION: &str = "dynamodb.TransactWriteItems";
        if writes.is_empty() {
            return Err(malformed(OPERATION, "a transaction has at least one write"));
        }
        let keys: Vec<_> = writes.iter().map(Write::key).collect();
        distinct(OPERATION, keys.iter(), MOST_WRITES)?;
        let items = writes.into_iter().map(|write| self.transact_item(write)).collect::<Result<Vec<_>, _>>()?;
        // The SDK adds a ClientRequestToken: its own retries never apply a transaction twice.
        self.client.transact_write_items().set_transact_items(Some(items)).send().await.map_err(transaction_error)?;
        Ok(())
    }
}

/// Whether a put was refused because the very item it puts is stored.
fn stored_by_itself<R>(error: &SdkError<PutItemError, R>, put: Attributes) -> bool {
    let Some(PutItemError::ConditionalCheckFailedException(refusal)) = error.as_service_error() else { return false };
    let Some(stored) = refusal.item().cloned() else { return false };
    // As items: DynamoDB spells numbers its own way.
    matches!((from_attributes(stored), from_attributes(put)), (Ok(stored), Ok(put)) if stored == put)
}

fn index_name(index: IndexName) -> &'static str {
    match index {
        IndexName::Gsi1 => GSI1,
        IndexName::Gsi2 => GSI2,
    }
}

/// What DynamoDB demands of the keys of one call, said before it is asked.
fn distinct<'a>(
    operation: &'static str,
    keys: impl ExactSizeIterator<Item = &'a ItemKey>,
    most: usize,
) -> Result<(), TableError> {
    let given = keys.len();
    let different = keys.collect::<HashSet<_>>().len();
    if given > most || different < given {
        let message = format!("{given} keys, of them {different} different; at most {most}, each once");
        return Err(malformed(operation, message));
    }
    Ok(())
}
