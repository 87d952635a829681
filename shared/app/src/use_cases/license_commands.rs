//! Register, renew and give back a worker's licence: what is asked for is checked, and the operation started.

use domain::operation::cml::{RegisterLicenseTask, RegisterStep, RenewLicenseTask};
use domain::operation::{Operation, Task};
use domain::worker::{Command, command::Update};
use domain::{Invalid, OperationId, WorkerId};

use super::command::{Asked, check_version, into_app_error, record, replay, send, start};
use super::lab_access::running_worker;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{LicenseToken, Secrets};
use crate::store::Commit;

/// What the id of the feature begins with, after `regid.2019-10.com.cisco.`, whose seats are nodes beyond those of the
/// base licence. Source: a recording of CML 2.9.1.
const NODE_COUNT: &str = "CML_NODE_COUNT";
/// The most seats that can be asked for. Source: `max` of that feature in the same recording.
const NODE_COUNT_MAX: u32 = 500;
/// Longest token, in bytes. Source: CML's `OpenAPI` document, `POST /licensing/registration`.
const TOKEN_MAX_BYTES: usize = 256;
/// Longest address of Smart Software Manager or of a proxy, in bytes.
const URL_MAX_BYTES: usize = 256;

/// A registration as it is asked for.
#[derive(Debug)]
pub struct Registration {
    /// The token, from Smart Software Manager.
    pub token: LicenseToken,
    /// The product licence: `CML_Enterprise`.
    pub product: String,
    /// Seats for nodes beyond the base licence; null leaves them as they are.
    pub node_count: Option<u32>,
    /// Smart Software Manager on premises; null leaves the way there as it is.
    pub ssms_url: Option<String>,
    /// The proxy on the way there; null leaves it as it is.
    pub proxy: Option<Proxy>,
    /// Register although a registration stands.
    pub reregister: bool,
}

/// A proxy between a controller and Smart Software Manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
}

impl Registration {
    /// Whether CML will take it.
    ///
    /// # Errors
    /// Which fields are wrong; never what the token is.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut invalid = Invalid::default();
        // Source: CML's OpenAPI document, POST /licensing/registration: ^[a-zA-Z\d+/%=-]{1,256}$.
        let token_char = |c: u8| c.is_ascii_alphanumeric() || b"+/%=-".contains(&c);
        if !(1..=TOKEN_MAX_BYTES).contains(&self.token.0.len()) || !self.token.0.bytes().all(token_char) {
            invalid.push("token", format!("must have 1 to {TOKEN_MAX_BYTES} letters, digits or +/%=-"));
        }
        // Source: the same, PUT /licensing/product_license: ^\w{1,20}$.
        let product_char = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        if !(1..=20).contains(&self.product.len()) || !self.product.bytes().all(product_char) {
            invalid.push("product", "must be a product licence of CML's, such as CML_Enterprise");
        }
        if self.node_count.is_some_and(|count| count > NODE_COUNT_MAX) {
            invalid.push("features.node_count", format!("must be 0 to {NODE_COUNT_MAX}"));
        }
        if self.ssms_url.as_deref().is_some_and(|url| !is_url(url)) {
            invalid.push("ssms_url", "must begin with https:// or http:// and have no spaces");
        }
        if let Some(Proxy { server, port }) = &self.proxy {
            if !(1..=URL_MAX_BYTES).contains(&server.len()) || !server.bytes().all(|c| c.is_ascii_graphic()) {
                invalid.push("proxy.server", "must be a name or an address, without spaces");
            }
            if *port == 0 {
                invalid.push("proxy.port", "must be 1 to 65535");
            }
        }
        invalid.finish(Some(()))
    }
}

fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty()) && url.len() <= URL_MAX_BYTES && url.bytes().all(|b| b.is_ascii_graphic())
}

/// Starts a registration. The token is kept among the secrets until the operation has ended, and nowhere else.
///
/// # Errors
/// A field is wrong, the worker does not exist or does not run, the version or the key do not fit, or a port
/// failed.
pub async fn register_license(
    ctx: &Context,
    secrets: &dyn Secrets,
    asked: &Asked,
    id: WorkerId,
    wanted: Registration,
) -> Result<Operation, AppError> {
    wanted.check()?;
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    check_version(asked, &running_worker(ctx, id).await?)?;
    let now = ctx.now();
    let operation_id = OperationId::new(now, ctx.random.next());
    let token_ref = operation_id.to_string();
    let task = Task::RegisterLicense(RegisterLicenseTask {
        product: wanted.product,
        token_ref: token_ref.clone(),
        ssms_url: wanted.ssms_url,
        proxy: wanted.proxy.map(|proxy| (proxy.server, proxy.port)),
        features: wanted.node_count.map(|count| (NODE_COUNT.to_owned(), count)).into_iter().collect(),
        reregister: wanted.reregister,
        step: RegisterStep::Prepare,
        before: None,
        accepted: false,
    });
    let operation = Operation::new(operation_id, task, Some(id), asked.actor.clone(), now);
    // Before the operation, which is due from the moment it is recorded and needs it.
    secrets.put_token(&token_ref, &wanted.token).await.map_err(AppError::Unavailable)?;
    let recorded = record(ctx, &mut Commit::default(), &operation, asked).await;
    if matches!(&recorded, Ok(recorded) if recorded.id == operation_id) {
        send(ctx, &operation).await;
    } else if let Err(error) = secrets.delete_token(&token_ref).await {
        tracing::error!(%error, token_ref, "a licence token is kept that no operation deletes; delete it by hand");
    }
    recorded.map_err(into_app_error)
}

/// Starts the renewal of registration and authorization.
///
/// # Errors
/// The worker does not exist or does not run, the version or the key do not fit, or a port failed.
pub async fn renew_license(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    begin(ctx, asked, id, Task::RenewLicense(RenewLicenseTask::default())).await
}

/// Starts giving the licence's seats back.
///
/// # Errors
/// As [`renew_license`].
pub async fn deregister_license(ctx: &Context, asked: &Asked, id: WorkerId) -> Result<Operation, AppError> {
    begin(ctx, asked, id, Task::DeregisterLicense).await
}

async fn begin(ctx: &Context, asked: &Asked, id: WorkerId, task: Task) -> Result<Operation, AppError> {
    if let Some(done) = replay(ctx, asked).await? {
        return Ok(done);
    }
    running_worker(ctx, id).await?;
    start(ctx, asked, id, &Command::Update(Update::default()), |_| task.clone()).await
}
