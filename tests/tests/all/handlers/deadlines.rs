//! A function whose time is nearly up answers for what it has, instead of being ended without a word.

use std::sync::Arc;
use std::time::Duration;

use app::Context;
use app::ports::{Item, ItemKey, Page, Query, Table, TableError, Write};
use async_trait::async_trait;
use domain::Role;
use functions::{InvokeError, World, invoke_within};
use futures::future::join_all;
use http_api::{FUNCTIONS, Port, Trigger};

use super::test_api::TestApi;
use super::{fixtures, tokens};

/// A function answers a second before its end.
const TIME: Duration = Duration::from_millis(1500);

/// A table that never answers.
struct Hangs;

#[async_trait]
impl Table for Hangs {
    async fn get(&self, _: &ItemKey) -> Result<Option<Item>, TableError> {
        std::future::pending().await
    }

    async fn get_many(&self, _: &[ItemKey]) -> Result<Vec<Item>, TableError> {
        std::future::pending().await
    }

    async fn query(&self, _: &Query) -> Result<Page, TableError> {
        std::future::pending().await
    }

    async fn write(&self, _: Write) -> Result<(), TableError> {
        std::future::pending().await
    }

    async fn transact(&self, _: Vec<Write>) -> Result<(), TableError> {
        std::future::pending().await
    }
}

async fn hanging() -> World {
    let api = TestApi::new().await;
    let has = &api.world.context;
    let (machine, settings) = (has.machine_clock.clone(), (*has.settings).clone());
    let table = Arc::new(Hangs);
    let context =
        Context::new(table, has.queues.clone(), has.fleet_clock.clone(), machine, has.random.clone(), settings);
    World { context, ..api.world.clone() }
}

#[tokio::test]
async fn every_function_answers_before_its_time_is_up() {
    let world = hanging().await;
    // A token says by itself whose it is: these touch nothing for it.
    let touching = FUNCTIONS
        .iter()
        .filter(|f| !["whoami", "set-fleet-cml-credentials"].contains(&f.name))
        .filter(|f| f.ports.contains(&Port::TableRead) || f.ports.contains(&Port::TableWrite));
    join_all(touching.map(async |function| {
        let name = function.name;
        let mut event = fixtures::event(name);
        if function.endpoint().is_some() {
            event["headers"]["authorization"] = format!("Bearer {}", tokens::token(Role::Admin)).into();
        }
        let request_id = event["requestContext"]["requestId"].clone();
        let messages = event["Records"].as_array().map_or(0, Vec::len);
        let given_up = tokio::time::timeout(TIME, invoke_within(function, &world, event, TIME)).await;
        let outcome = given_up.unwrap_or_else(|_| panic!("{name} does not answer in time"));
        match function.trigger {
            // Health tells what it depends on, and what of it does not answer.
            Trigger::Http(_) if name == "health" => assert_eq!(outcome.unwrap()["statusCode"], 503),
            Trigger::Http(_) => {
                let answer = outcome.unwrap();
                let problem: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                assert_eq!((&answer["statusCode"], &problem["status"]), (&503.into(), &503.into()), "{name}");
                assert_eq!(answer["headers"]["content-type"], "application/problem+json", "{name}");
                assert!(answer["headers"]["retry-after"].is_string(), "{name}: {answer}");
                assert_eq!((&problem["request_id"], &answer["headers"]["x-request-id"]), (&request_id, &request_id));
            }
            Trigger::Queue { .. } => {
                let answer = outcome.unwrap();
                assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), messages, "{name}: {answer}");
            }
            _ => assert!(matches!(outcome, Err(InvokeError::OutOfTime(of)) if of == name), "{name}: {outcome:?}"),
        }
    }))
    .await;
}
