//! The table's contract on Amazon's own DynamoDB Local, which is the reference, and on ministack.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use aws::DynamoTable;
use aws_sdk_dynamodb::Client;
use futures::FutureExt;

use super::set_up;
use crate::table_contract::{Shared, with_cases};

/// What ministack gets wrong: the case, and what it does instead. A case that passes by now fails as
/// well, so that it leaves the list.
const MINISTACK_FAILS: [(&str, &str); 0] = [];

/// A table of its own in the emulator that the variable names.
async fn table(variable: &str, case: &str) -> Shared {
    let client = Client::new(&aws::sdk_config_for(&set_up(variable)));
    // An emulator may outlive a run, where somebody tries things by hand.
    let name = format!("{case}-{}", std::process::id());
    aws::create_table(&client, &name).await.unwrap();
    Arc::new(DynamoTable::new(client, name))
}

fn on_ministack(case: &str, outcome: Result<(), Box<dyn Any + Send>>) {
    let listed = MINISTACK_FAILS.iter().find(|(fails, _)| *fails == case);
    match (listed, outcome) {
        (None, Ok(())) | (Some(_), Err(_)) => {}
        (None, Err(failure)) => resume_unwind(failure),
        (Some((_, why)), Ok(())) => panic!("{case} passes on ministack now; take it off the list ({why})"),
    }
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
            use super::{AssertUnwindSafe, FutureExt};

            $(#[tokio::test]
            async fn $case() {
                let table = super::table("WIRE_MINISTACK_URL", stringify!($case)).await;
                let outcome = AssertUnwindSafe(crate::table_contract::$case(table)).catch_unwind().await;
                super::on_ministack(stringify!($case), outcome);
            })*
        }

        #[test]
        fn what_ministack_fails_are_cases_of_the_contract() {
            let cases = [$(stringify!($case)),*];
            for (fails, _) in MINISTACK_FAILS {
                assert!(cases.contains(&fails), "{fails}");
            }
        }
    };
}

with_cases!(on_emulators);
