//! A controller on the loopback: real TLS, as little HTTP as it takes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::certificate::sha256_hex;

pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["cml-controller".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        Self { certificate: made.cert.der().clone(), key }
    }

    /// The certificate of one, which anyone can copy, with the key of another.
    pub(super) fn forged(certificate: &CertificateDer<'static>) -> Self {
        Self { certificate: certificate.clone(), key: Self::new().key }
    }

    pub(super) fn sha256(&self) -> String {
        sha256_hex(&self.certificate)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `GET /api/v0/labs?show_all=true`.
    pub(super) line: String,
    pub(super) token: Option<String>,
    pub(super) content_type: Option<String>,
    /// The names of its headers, in small letters.
    pub(super) headers: Vec<String>,
    pub(super) body: String,
}

pub(super) enum Answer {
    /// A status and a body.
    Whole(u16, String),
    /// 200, a content type and a body.
    Typed(&'static str, String),
    /// The connection ends without an answer.
    Cut,
    /// A redirect to that address.
    Redirect(String),
    /// 200, and a body without end.
    Endless,
    /// 200, half a body, and silence.
    Stalled,
}

impl Answer {
    pub(super) fn json(body: &serde_json::Value) -> Self {
        Self::Whole(200, body.to_string())
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// Answers until it is dropped.
pub(super) struct Server {
    pub(super) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(
        identity: Identity,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(identity.key).unwrap();
        let resolver = SingleCertAndKey::from(CertifiedKey::new(vec![identity.certificate], key));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        let task = tokio::spawn(async move {
            // Dropped with this task, and with it every connection.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, seen, handler) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&handler));
                connections.spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(tcp).await {
                        while let Some(request) = receive(&mut stream).await {
                            seen.lock().unwrap().push(request.clone());
                            if answer(&mut stream, handler(&request)).await.is_err() {
                                break;
                            }
                        }
                    }
                });
            }
        });
        Self { endpoint, requests, task }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn count(&self, line: &str) -> usize {
        self.requests().iter().filter(|request| request.line == line).count()
    }
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    let token = header("authorization").map(|value| value.trim_start_matches("Bearer ").to_owned());
    let headers = head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0.to_ascii_lowercase())).collect();
    let content_type = header("content-type");
    Some(Request { line, token, content_type, headers, body: String::from_utf8(body).unwrap() })
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Whole(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await?;
        }
        Answer::Typed(content_type, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).await?;
        }
        Answer::Cut => return Err(std::io::ErrorKind::BrokenPipe.into()),
        Answer::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            // Ends when the client hangs up.
            while stream.write_all(&[b' '; 8_192]).await.is_ok() {}
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        Answer::Stalled => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"version\":").await?;
            stream.flush().await?;
            std::future::pending::<()>().await;
        }
    }
    stream.flush().await
}
