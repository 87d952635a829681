use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// The status of `GET path`.
async fn get(stack: &Stack, path: &str) -> String {
    let mut stream = TcpStream::connect(stack.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", stack.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_stack_answers_keeps_others_off_its_data_and_starts_again_on_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::for_test(directory.path(), 600);
    let stack = Box::pin(Stack::start(options.clone())).await.unwrap();
    for (path, status) in [("/api/health", "200"), ("/api/workers", "401"), ("/", "303"), ("/api/nope", "404")] {
        assert_eq!(get(&stack, path).await, status, "{path}");
    }
    for path in
        ["/dev", "/dev/queues", "/dev/events", "/dev/cloud/instances", "/dev/oidc/.well-known/openid-configuration"]
    {
        assert_eq!(get(&stack, path).await, "200", "{path}");
    }
    assert!(matches!(Box::pin(Stack::start(options.clone())).await, Err(StackError::InUse(_))));
    stack.shutdown().await;
    let again = Box::pin(Stack::start(options.clone())).await.unwrap();
    assert_eq!(get(&again, "/api/health").await, "200");
    // Dropped without a word, it lets go of everything too.
    drop(again);
    Box::pin(Stack::start(options)).await.unwrap().shutdown().await;
}
