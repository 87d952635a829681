//! An issuer whose keys come slowly, broken, from elsewhere or without end, over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::https::client_within;

const JWKS: &str = r#"{"keys": []}"#;
/// Long after every limit of the client; nothing here comes near it unless a limit is missing.
const FAR_TOO_LONG: Duration = Duration::from_secs(30);

/// What a server does with a connection, once it has been asked.
type Answer = Arc<dyn Fn(TcpStream) -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

/// A server on loopback, which ends with the test's runtime.
struct Server {
    url: String,
    calls: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/certs", listener.local_addr().unwrap());
        let calls = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let _asked = connection.read(&mut [0; 4096]).await;
                    answer(connection).await;
                });
            }
        });
        Self { url, calls }
    }

    /// One that answers this text, and closes.
    async fn saying(text: String) -> Self {
        Self::start(Arc::new(move |mut connection| {
            let text = text.clone();
            Box::pin(async move { drop(connection.write_all(text.as_bytes()).await) })
        }))
        .await
    }

    /// One that answers this text and then goes on for as long as it is listened to.
    async fn endless(text: String, written: Arc<AtomicUsize>) -> Self {
        Self::start(Arc::new(move |mut connection| {
            let (text, written) = (text.clone(), Arc::clone(&written));
            Box::pin(async move {
                let mut sent = connection.write_all(text.as_bytes()).await;
                while sent.is_ok() {
                    sent = connection.write_all(&[b' '; 16 * 1024]).await;
                    written.fetch_add(16 * 1024, Ordering::SeqCst);
                }
            })
        }))
        .await
    }

    /// How often it was called.
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// What reading the keys there comes to, for a client with little time.
    async fn fetch(&self, time: Duration) -> Result<String, PortError> {
        let keys = HttpKeys { client: client_within(time).unwrap(), url: self.url.clone() };
        tokio::time::timeout(FAR_TOO_LONG, keys.fetch()).await.expect("it ends by itself")
    }

    async fn failure(&self, time: Duration) -> String {
        self.fetch(time).await.expect_err("refused").to_string()
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

const ENDLESS_OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn keys_that_are_there_are_read() {
    assert_eq!(Server::saying(ok(JWKS)).await.fetch(FAR_TOO_LONG).await.unwrap(), JWKS);
}

#[tokio::test]
async fn an_issuer_that_takes_the_call_and_does_not_answer_is_given_up() {
    let server = Server::start(Arc::new(|connection| {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(connection);
        })
    }))
    .await;
    server.failure(Duration::from_millis(200)).await;
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn an_issuer_that_answers_byte_by_byte_is_given_up() {
    let server = Server::start(Arc::new(|mut connection| {
        Box::pin(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            let mut sent = connection.write_all(ENDLESS_OK.as_bytes()).await;
            while sent.is_ok() {
                tick.tick().await;
                sent = connection.write_all(b" ").await;
            }
        })
    }))
    .await;
    server.failure(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn a_broken_answer_is_an_error_and_not_keys() {
    for broken in [
        format!("HTTP/1.1 500 Oops\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{JWKS}", JWKS.len()),
        format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{JWKS}", JWKS.len()),
        // Cut short; no HTTP at all; nothing at all.
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{JWKS}"),
        "\u{1}\u{2}\u{3}\r\n\r\n".into(),
        String::new(),
    ] {
        Server::saying(broken).await.failure(FAR_TOO_LONG).await;
    }
    let no_text = Server::start(Arc::new(|mut connection| {
        Box::pin(async move {
            let body = [ENDLESS_OK.as_bytes(), &[0xff, 0xfe]].concat();
            drop(connection.write_all(&body).await);
        })
    }));
    assert!(no_text.await.failure(FAR_TOO_LONG).await.contains("not text"));
}

#[tokio::test]
async fn an_issuer_that_redirects_to_another_host_is_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"] {
        let elsewhere = Server::saying(ok(JWKS)).await;
        let text = format!(
            "HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            elsewhere.url
        );
        let server = Server::saying(text).await;
        let failure = server.failure(FAR_TOO_LONG).await;
        assert!(failure.contains(&status[..3]), "{failure}");
        assert_eq!((server.calls(), elsewhere.calls()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_up_to_the_limit() {
    let written = Arc::<AtomicUsize>::default();
    let server = Server::endless(ENDLESS_OK.into(), Arc::clone(&written)).await;
    assert!(server.failure(FAR_TOO_LONG).await.contains("more than 262144 bytes"));
    // What is between the two ends is more than what was read, but no more than the sockets' buffers.
    assert!(written.load(Ordering::SeqCst) < 64 * MAX_BYTES, "{written:?}");
}

#[tokio::test]
async fn a_redirect_with_a_body_without_an_end_is_not_read() {
    let written = Arc::<AtomicUsize>::default();
    let elsewhere = Server::saying(ok(JWKS)).await;
    let text = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nConnection: close\r\n\r\n", elsewhere.url);
    let server = Server::endless(text, Arc::clone(&written)).await;
    assert!(server.failure(FAR_TOO_LONG).await.contains("302"));
    assert_eq!(elsewhere.calls(), 0);
    assert!(written.load(Ordering::SeqCst) < 64 * MAX_BYTES, "{written:?}");
}

#[tokio::test]
async fn an_error_does_not_repeat_the_address() {
    let keys = HttpKeys { client: client_within(FAR_TOO_LONG).unwrap(), url: "http://127.0.0.1:9/secret-path".into() };
    let failure = keys.fetch().await.unwrap_err().to_string();
    assert!(!failure.contains("secret-path"), "{failure}");
}
