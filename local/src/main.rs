//! `local`: the whole product on one machine.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use local::{Options, Stack};
use tracing_subscriber::EnvFilter;

/// Quiet where nothing of ours happens; the table answers a second `CreateTable` with an error, as it should.
const LOG: &str = "info,dynoxide=error,hyper=warn,rustls=warn,aws=warn,aws_config=warn,aws_runtime=warn";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Box::pin(run(Options::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let options = options.with_environment()?;
    let stopped = stop_signal()?;
    let stack = Stack::start(options.clone()).await?;
    greet(&stack.base_url(), &options);
    stopped.await;
    tracing::info!("stopping");
    stack.shutdown().await;
    Ok(())
}

/// Ctrl-C, or SIGTERM where there is such a thing.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _signal = tokio::signal::ctrl_c().await;
    })
}

/// What a person who started it wants to know; the log goes to stderr.
fn greet(url: &str, options: &Options) {
    let data_dir = options.data_dir.display();
    let speed = options.speed;
    let sign_in = sign_in(url, options);
    // Whoever read the first lines may have gone (`local | head`): that must not end the product.
    let _unread = writeln!(
        std::io::stdout(),
        r#"
CML Cloud Manager is at {url}   (documentation: {url}/api/docs, levers: {url}/dev)
Fleet time runs {speed} times as fast as yours. Data: {data_dir}
{sign_in}
  curl -s {url}/api/workers -H "Authorization: Bearer $TOKEN"
  curl -si {url}/api/workers -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: first" \
    -H "Content-Type: application/json" -d '{{"name": "my-worker", "region": "us-east-1"}}'
  curl -s {url}/dev/cloud/instances

Stop it with Ctrl-C; started again, it goes on where it was.
"#
    );
}

/// Who may sign in, and how to come by a token.
fn sign_in(url: &str, options: &Options) -> String {
    let by_browser = format!("By browser: {url}/api/auth/login?return_to=/api/docs");
    match &options.issuer {
        Some(issuer) => {
            format!("Users are those of {issuer}. {by_browser}\n\nTry, with an access token of it in TOKEN:")
        }
        None => format!(
            r#"Users: admin, manager, user; password: test. {by_browser}

Try:
  TOKEN=$(curl -s {url}/dev/oidc/token -d grant_type=password -d client_id={client} \
    -d username=admin -d password=test | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"#,
            client = local::CLIENT_ID,
        ),
    }
}
