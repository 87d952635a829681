//! Stands between an adapter and a service, and fails as told: HTTP/1.1, one request a connection.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{Server, start};

/// What becomes of one call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Not forwarded; refused with this code, as AWS refuses.
    Refuse(u16, &'static str),
    /// Carried out, and never answered.
    Withhold,
    /// Carried out; the connection ends in the middle of the answer.
    Cut,
    /// Neither carried out nor answered.
    Hang,
}

/// The proxy; it ends with the test.
pub(super) struct FaultProxy {
    pub(super) url: String,
    script: Arc<Script>,
    _server: Server,
}

struct Script {
    upstream: String,
    state: Mutex<State>,
    /// By EC2's `ClientToken`; held while one is carried out.
    tokens: tokio::sync::Mutex<BTreeMap<String, Launch>>,
}

/// The parameters of a launch, and its answer.
type Launch = (Vec<String>, Vec<u8>);

#[derive(Default)]
struct State {
    /// What comes next, by operation.
    faults: BTreeMap<String, VecDeque<Fault>>,
    /// How often each operation was asked for.
    asked: BTreeMap<String, usize>,
}

impl FaultProxy {
    /// In front of the service at that address.
    pub(super) async fn to(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let script = Arc::new(Script { upstream, state: Mutex::default(), tokens: Default::default() });
        let serving = Arc::clone(&script);
        let server = start(|listener| accept(listener, serving)).await;
        Self { url: server.url.clone(), script, _server: server }
    }

    /// The next calls of `operation` fail so, one after the other; those that follow do not.
    pub(super) fn next(&self, operation: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.script.state.lock().unwrap();
        state.faults.entry(operation.into()).or_default().extend(faults);
    }

    /// How often `operation` was asked for.
    pub(super) fn asked(&self, operation: &str) -> usize {
        self.script.state.lock().unwrap().asked.get(operation).copied().unwrap_or(0)
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let script = Arc::clone(&script);
        // A connection that breaks is what this proxy is for.
        connections.spawn(async move { script.serve(stream).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

impl Script {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(request) = Request::read(&mut client).await? else { return Ok(()) };
        let fault = self.note(&request.operation);
        match fault {
            None => client.write_all(&self.forward(&request).await?).await?,
            Some(Fault::Refuse(status, code)) => client.write_all(&request.refusal(status, code)).await?,
            Some(Fault::Cut) => {
                let answer = self.forward(&request).await?;
                client.write_all(&answer[..answer.len() - answer.len().min(2)]).await?;
            }
            Some(fault @ (Fault::Withhold | Fault::Hang)) => {
                if matches!(fault, Fault::Withhold) {
                    self.forward(&request).await?;
                }
                // Until the client gives up.
                while client.read(&mut [0; 64]).await? > 0 {}
            }
        }
        client.shutdown().await
    }

    fn note(&self, operation: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        *state.asked.entry(operation.to_owned()).or_default() += 1;
        state.faults.get_mut(operation)?.pop_front()
    }

    /// The answer. A launch whose `ClientToken` was seen gets the answer it got then, as EC2 does: moto
    /// would launch again.
    async fn forward(&self, request: &Request) -> io::Result<Vec<u8>> {
        let Some(token) = request.parameter("ClientToken") else { return self.exchange(request).await };
        let mut tokens = self.tokens.lock().await;
        match tokens.get(&token) {
            Some((parameters, answer)) if *parameters == request.form => Ok(answer.clone()),
            Some(_) => Ok(request.refusal(400, "IdempotentParameterMismatch")),
            None => {
                let answer = self.exchange(request).await?;
                tokens.insert(token, (request.form.clone(), answer.clone()));
                Ok(answer)
            }
        }
    }

    async fn exchange(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut service = TcpStream::connect(&self.upstream).await?;
        service.write_all(&request.bytes).await?;
        let mut answer = Vec::new();
        service.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// A request, as it is forwarded.
struct Request {
    bytes: Vec<u8>,
    operation: String,
    /// EC2's parameters, decoded.
    form: Vec<String>,
}

impl Request {
    /// None when the client closed instead.
    async fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut received = Vec::new();
        let end_of_head = loop {
            if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if client.read_buf(&mut received).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&received[..end_of_head]).into_owned();
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while received.len() < end_of_head + 4 + length {
            if client.read_buf(&mut received).await? == 0 {
                return Ok(None);
            }
        }
        let body = received.split_off(end_of_head + 4);
        let form = match header("x-amz-target") {
            Some(_) => Vec::new(),
            None => String::from_utf8_lossy(&body).split('&').map(decoded).collect(),
        };
        // With the end of the connection the answer ends.
        let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let head: String = kept.map(|line| format!("{line}\r\n")).collect();
        let bytes = [format!("{head}connection: close\r\n\r\n").as_bytes(), &body].concat();
        let mut request = Self { bytes, operation: String::new(), form };
        let target = header("x-amz-target").and_then(|target| Some(target.split_once('.')?.1.to_owned()));
        request.operation = target.or_else(|| request.parameter("Action")).unwrap_or_default();
        Ok(Some(request))
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.form.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    /// In the service's own form: EC2 speaks XML, DynamoDB and SQS JSON.
    fn refusal(&self, status: u16, code: &str) -> Vec<u8> {
        let (kind, body) = if self.form.is_empty() {
            ("application/x-amz-json-1.0", format!(r#"{{"__type":"com.amazonaws#{code}","message":"as told"}}"#))
        } else {
            let error = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>");
            ("text/xml", format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"))
        };
        let head = format!("HTTP/1.1 {status} As-Told\r\ncontent-type: {kind}\r\nconnection: close\r\n");
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

fn decoded(pair: &str) -> String {
    percent_decode_str(&pair.replace('+', " ")).decode_utf8_lossy().into_owned()
}
