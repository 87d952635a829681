//! What the table is good for while the issuer does not answer, and what it must not spoil.

use app::ports::{Condition, Table, Write};
use app::testing::{ManualClock, MemoryTable};

use super::*;
use crate::token::Authenticator;
use crate::token::tests::issuer::{FakeSource, ISSUER, NOW, claims, claims_with, config, good, jwks, sign};

/// The table and the issuer, for environments that come and go.
struct World {
    table: Arc<MemoryTable>,
    issuer: Arc<FakeSource>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let issuer = Arc::<FakeSource>::default();
        issuer.show(Some(jwks(&[("first", 0)])));
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(NOW).expect("a time")));
        Self { table: Arc::default(), issuer, clock }
    }

    /// A new environment, which knows nothing yet.
    fn environment(&self, may_write: bool) -> Authenticator {
        let store = Store::new(self.table.clone());
        let keys = StoredKeys::new(ISSUER.into(), self.issuer.clone(), store, self.clock.clone(), may_write);
        Authenticator::new(config(), Arc::new(keys), self.clock.clone())
    }

    /// The status that a new environment answers a good token with; 200 when it is taken.
    async fn status(&self) -> u16 {
        status(&self.environment(true), &good()).await
    }
}

async fn status(environment: &Authenticator, token: &str) -> u16 {
    environment.authenticate(&format!("Bearer {token}")).await.map_or_else(|problem| problem.status, |_| 200)
}

#[tokio::test]
async fn an_environment_that_starts_while_the_issuer_is_down_serves_with_the_stored_keys() {
    let world = World::new();
    assert_eq!(world.status().await, 200);
    for answer in [None, Some("<html>Back soon".to_owned()), Some(r#"{"keys": []}"#.to_owned())] {
        world.issuer.show(answer);
        assert_eq!(status(&world.environment(false), &good()).await, 200);
        // And writes nothing over them that is worse.
        assert_eq!(world.status().await, 200);
    }
}

#[tokio::test]
async fn stored_keys_are_not_taken_for_the_issuers_word_on_an_unknown_one() {
    let world = World::new();
    world.status().await;
    world.issuer.show(None);
    let environment = world.environment(true);
    assert_eq!(status(&environment, &good()).await, 200);
    let new = sign("second", 1, &claims());
    assert_eq!(status(&environment, &new).await, 503);
    // Back with new keys.
    world.issuer.show(Some(jwks(&[("second", 1)])));
    world.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(status(&environment, &new).await, 200);
    assert_eq!(status(&environment, &good()).await, 401);
}

#[tokio::test]
async fn while_the_issuer_does_not_answer_us_newer_keys_that_others_read_are_found() {
    let world = World::new();
    let environment = world.environment(true);
    assert_eq!(status(&environment, &good()).await, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    world.issuer.show(Some(jwks(&[("second", 1)])));
    let new = sign("second", 1, &claims());
    assert_eq!(status(&world.environment(true), &new).await, 200);
    world.issuer.show(None);
    assert_eq!(status(&environment, &new).await, 200);
    assert_eq!(status(&environment, &good()).await, 401);
}

#[tokio::test]
async fn stored_keys_are_believed_for_a_day() {
    let world = World::new();
    world.status().await;
    world.issuer.show(None);
    let lasting = sign("first", 0, &claims_with(&serde_json::json!({"exp": NOW + 1_000_000})));
    world.clock.advance(BELIEVED_FOR - SignedDuration::from_secs(1));
    assert_eq!(status(&world.environment(true), &lasting).await, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status(&world.environment(true), &lasting).await, 503);
}

#[tokio::test]
async fn a_broken_item_is_no_outage_and_is_mended_by_the_next_reading() {
    let world = World::new();
    world.status().await;
    let good_item = world.table.items().remove(0);
    for (name, value) in [("jwks", "<html>".into()), ("jwks", 7.into()), ("read_at", "yesterday".into())] {
        let mut broken = good_item.clone();
        broken.attributes.insert(name.into(), value);
        world.table.write(Write::Put(broken.clone(), Condition::None)).await.expect("written");
        // The issuer is down as well: nobody is called a forger.
        world.issuer.show(None);
        assert_eq!(world.status().await, 503, "{broken:?}");
        world.issuer.show(Some(jwks(&[("first", 0)])));
        assert_eq!(world.status().await, 200, "{broken:?}");
        assert_eq!(world.table.items(), std::slice::from_ref(&good_item));
    }
}

#[tokio::test]
async fn a_table_that_does_not_take_the_keys_stops_nobody() {
    let world = World::new();
    world.table.fail_writes_after(0);
    assert_eq!(world.status().await, 200);
}

#[tokio::test]
async fn a_function_that_may_not_write_writes_nothing() {
    let world = World::new();
    assert_eq!(status(&world.environment(false), &good()).await, 200);
    assert!(world.table.items().is_empty());
}

#[tokio::test]
async fn the_keys_of_another_issuer_are_not_taken() {
    let world = World::new();
    world.status().await;
    world.issuer.show(None);
    let store = Store::new(world.table.clone());
    let other = StoredKeys::new("https://other.example".into(), world.issuer.clone(), store, world.clock.clone(), true);
    assert_eq!(other.remembered().await, None);
}
