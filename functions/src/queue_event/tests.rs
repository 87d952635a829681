use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::*;

/// A message that says what becomes of it.
struct Told(String);

impl Message for Told {
    fn body(&self) -> String {
        self.0.clone()
    }

    fn read(body: &str) -> Result<Self, AppError> {
        Ok(Self(body.into()))
    }
}

/// A batch of `(id, group, what becomes of it)`; its ids that came back, and those that were begun.
async fn run(deadline: Deadline, messages: &[(&str, Option<&str>, &str)]) -> (Vec<String>, Vec<String>) {
    let records: Vec<_> = messages
        .iter()
        .map(|(id, group, fate)| {
            let attributes = group.map_or(json!({}), |group| json!({ "MessageGroupId": group }));
            json!({ "messageId": id, "body": format!("{id} {fate}"), "attributes": attributes })
        })
        .collect();
    let begun = Mutex::new(Vec::new());
    let answer = each(json!({ "Records": records }), deadline, |Told(body)| {
        let (id, fate) = body.split_once(' ').unwrap();
        begun.lock().unwrap().push(id.to_owned());
        assert_ne!(fate, "panics at once");
        let fate = fate.to_owned();
        async move {
            match fate.as_str() {
                "panics" => panic!("on purpose"),
                "fails" => Err(AppError::Conflict("on purpose".into())),
                "hangs" => std::future::pending().await,
                _ => Ok(()),
            }
        }
    })
    .await
    .unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let failed = failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    let mut begun = begun.into_inner().unwrap();
    begun.sort_unstable();
    (failed, begun)
}

/// One that is soon there, and late enough to begin everything before.
fn soon() -> Deadline {
    Deadline::before(Duration::from_millis(1500))
}

fn far() -> Deadline {
    Deadline::before(Duration::from_secs(3600))
}

#[tokio::test]
async fn of_a_standard_queue_only_what_is_not_done_in_time_comes_back() {
    let batch = [("a", None, "hangs"), ("b", None, "ends"), ("c", None, "hangs"), ("d", None, "ends")];
    let (failed, begun) = run(soon(), &batch).await;
    assert_eq!((failed, begun.len()), (vec!["a".to_owned(), "c".to_owned()], 4));
}

#[tokio::test]
async fn what_follows_an_unfinished_message_in_its_group_is_not_begun_and_comes_back() {
    let batch = [
        ("a1", Some("a"), "ends"),
        ("b1", Some("b"), "hangs"),
        ("a2", Some("a"), "ends"),
        ("b2", Some("b"), "ends"),
        ("c1", Some("c"), "ends"),
    ];
    let (failed, begun) = run(soon(), &batch).await;
    assert_eq!(
        (failed, begun),
        (vec!["b1".to_owned(), "b2".into()], ["a1", "a2", "b1", "c1"].map(String::from).into())
    );
}

#[tokio::test]
async fn a_failure_or_a_panic_brings_back_the_rest_of_its_group_and_no_more() {
    for fate in ["fails", "panics", "panics at once"] {
        let batch = [
            ("a1", Some("a"), "ends"),
            ("a2", Some("a"), fate),
            ("b1", Some("b"), "ends"),
            ("a3", Some("a"), "ends"),
            ("b2", Some("b"), "ends"),
        ];
        let (failed, begun) = run(far(), &batch).await;
        assert_eq!((failed, begun.len()), (vec!["a2".to_owned(), "a3".to_owned()], 4), "{fate}");
        let alone = [("a", None, "ends"), ("b", None, fate), ("c", None, "ends")];
        assert_eq!(run(far(), &alone).await.0, ["b"], "{fate}");
    }
}

#[tokio::test]
async fn after_the_deadline_nothing_is_begun() {
    let batch = [("a", None, "ends"), ("b1", Some("b"), "ends"), ("b2", Some("b"), "ends")];
    let (failed, begun) = run(Deadline::before(Duration::ZERO), &batch).await;
    assert_eq!((failed, begun), (["a", "b1", "b2"].map(String::from).into(), vec![]));
}
