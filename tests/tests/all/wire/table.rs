//! The table's contract on Amazon's own DynamoDB Local, which is the reference, and on ministack.

use std::sync::Arc;

use aws::DynamoTable;
use aws_sdk_dynamodb::Client;

use super::set_up;
use crate::table_contract::{Shared, with_cases};

/// A table of its own in the emulator that the variable names.
async fn table(variable: &str, case: &str) -> Shared {
    let client = Client::new(&aws::sdk_config_for(&set_up(variable)));
    // An emulator may outlive a run, where somebody tries things by hand.
    let name = format!("{case}-{}", std::process::id());
    aws::create_table(&client, &name).await.unwrap();
    Arc::new(DynamoTable::new(client, name))
}

macro_rules! on_emulators {
    ($($case:ident),* $(,)?) => {
        mod dynamodb_local {
            $(#[tokio::test]
            async fn $case() {
                let table = super::table("WIRE_DYNAMODB_LOCAL_URL", stringify!($case)).await;
                crate::table_contract::$case(table).await;
            })*
        }
        mod ministack {
            $(#[tokio::test]
            async fn $case() {
                let table = super::table("WIRE_MINISTACK_URL", stringify!($case)).await;
                crate::table_contract::$case(table).await;
            })*
        }
    };
}

with_cases!(on_emulators);
