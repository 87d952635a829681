//! The way to a worker's controller: where it is, as whom, and whether it may be asked at all.

use domain::worker::{Worker, WorkerStatus};
use domain::{SignedDuration, Timestamp};

use super::endpoint::check_endpoint;
use super::operation_run::Progress;
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlAccess, CmlError, CmlErrorKind, CmlLogins, CmlTarget, Controllers, Files, PortError, Secrets};
use crate::settings::FLEET_CREDENTIALS_REF;
use crate::store::{AwsReadings, PowerDue};

/// How long an address that EC2 told may be believed at a first contact, which nothing but the address leads to the
/// right controller: as long as it takes a judgement to look at EC2 and a message to come. This zone has no way to
/// EC2 itself.
const FIRST_CONTACT_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// What to do about a controller that does not take our credentials, or not for this.
pub const CREDENTIALS_HINT: &str = "Set credentials of a CML administrator that it takes: PUT \
    /api/workers/{worker_id}/cml-credentials, or PUT /api/cml-credentials for all workers without their own.";
/// How soon a controller that did not answer is asked again.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// What it takes to work at controllers.
#[derive(Clone, Copy)]
pub struct CmlPorts<'a> {
    /// The controllers.
    pub controllers: &'a dyn Controllers,
    /// Their credentials.
    pub secrets: &'a dyn Secrets,
    /// Files to import from and to save to.
    pub files: &'a dyn Files,
}

/// A controller that may be asked.
pub struct Way {
    target: CmlTarget,
    credentials: CmlLogins,
}

impl Way {
    /// For one call.
    #[must_use]
    pub fn access(&self) -> CmlAccess<'_> {
        CmlAccess { target: &self.target, credentials: &self.credentials }
    }

    /// The passwords we sign in with, to be masked in what is kept.
    pub(super) fn passwords(&self) -> Vec<&str> {
        let CmlLogins { current, previous } = &self.credentials;
        previous.iter().chain([current]).map(|login| login.password.as_str()).collect()
    }
}

/// Why a controller cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    /// The worker does not run.
    NotRunning(String),
    /// Not yet: what is missing comes by itself.
    NotYet(String),
    /// Not yet: nobody has been in contact with it since it was launched, taken over or given another address.
    NoContact(String),
    /// Not unless somebody does something.
    Closed(String),
}

impl NoWay {
    /// In words, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::NotRunning(why) | Self::NotYet(why) | Self::NoContact(why) | Self::Closed(why) => why,
        }
    }

    /// What it means to an operation.
    pub(super) fn progress(self, ctx: &Context) -> Progress {
        match self {
            Self::NotRunning(why) => Progress::failed("not_running", why),
            Self::NotYet(why) | Self::NoContact(why) => Progress::Waiting(why, ctx.now() + ASK_AGAIN_AFTER),
            Self::Closed(why) => Progress::failed("controller_closed", why),
        }
    }
}

impl From<NoWay> for AppError {
    /// What it means to a request, which does not wait.
    fn from(no_way: NoWay) -> Self {
        match no_way {
            NoWay::NotRunning(why) | NoWay::Closed(why) => Self::Conflict(why),
            NoWay::NotYet(why) | NoWay::NoContact(why) => Self::Unavailable(PortError::new("cml.reach", why)),
        }
    }
}

/// The way to the worker's controller. Credentials go only to an address that EC2 told lately, or an admin
/// set, and only to the certificate that is recorded: the first contact is for the metrics to make.
///
/// # Errors
/// The table or the secrets failed.
pub async fn reach(ctx: &Context, secrets: &dyn Secrets, worker: &Worker) -> Result<Result<Way, NoWay>, AppError> {
    if worker.status != WorkerStatus::Running {
        let why = format!("The worker is {}; its controller cannot be asked. Start it first.", worker.status.name());
        return Ok(Err(NoWay::NotRunning(why)));
    }
    let addresses = ctx.settings.cml_address;
    let Some(endpoint) = worker.endpoint(addresses) else {
        return Ok(Err(NoWay::NoContact(addresses.missing().into())));
    };
    let Some(certificate) = worker.certificate_sha256.clone() else {
        let what = "the first contact with the controller, which records its certificate";
        return Ok(Err(NoWay::NoContact(what.into())));
    };
    if let Err(why) = may_be_asked(ctx, worker, &endpoint, ctx.now()).await? {
        return Ok(Err(NoWay::NotYet(why)));
    }
    let reference = worker.cml_credentials_ref.as_deref().unwrap_or(FLEET_CREDENTIALS_REF);
    let Some(credentials) = secrets.cml_credentials(reference).await.map_err(AppError::Unavailable)? else {
        return Ok(Err(NoWay::Closed(format!("There are no CML credentials {reference:?}; set them first."))));
    };
    let target = CmlTarget { worker: worker.id, endpoint, certificate_sha256: Some(certificate) };
    Ok(Ok(Way { target, credentials }))
}

/// What a failed call means to an operation: what passes is waited for, the rest ends it in CML's own words.
pub(super) fn failed_call(ctx: &Context, error: &CmlError) -> Progress {
    let code = match error.kind {
        CmlErrorKind::Unreachable | CmlErrorKind::NotReady => {
            let what = format!("the controller to answer ({error})");
            return Progress::Waiting(what, ctx.now() + ASK_AGAIN_AFTER);
        }
        CmlErrorKind::CertificateChanged => "certificate_changed",
        CmlErrorKind::Denied => {
            return Progress::Failed("cml_denied".into(), format!("{} {CREDENTIALS_HINT}", error.message));
        }
        CmlErrorKind::Refused => "cml_refused",
        CmlErrorKind::Malformed => "cml_malformed",
    };
    Progress::Failed(code.into(), error.message.clone())
}

/// Whether the address may be asked at all: one that EC2 told must be fresh, before the first contact just told, and
/// one that an admin set must not lead inside.
///
/// # Errors
/// The table failed.
pub(super) async fn may_be_asked(
    ctx: &Context,
    worker: &Worker,
    endpoint: &str,
    now: Timestamp,
) -> Result<Result<(), String>, AppError> {
    if worker.cml_endpoint.is_some() {
        let checked = check_endpoint(endpoint, ctx.settings.allow_loopback_controllers);
        return Ok(checked.map_err(|error| error.to_string()));
    }
    if awaits_first_contact(worker) {
        return first_contact(ctx, worker, now).await;
    }
    // An address that EC2 told longer ago may be somebody else's by now; until then the certificate vouches for it.
    let valid_for = ctx.settings.power.reading_valid_for();
    let fresh = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) <= valid_for);
    // The start and the import read it themselves.
    if fresh(worker.running_since) || (worker.imported && fresh(Some(worker.created_at))) {
        return Ok(Ok(()));
    }
    let aws = ctx.store.latest::<AwsReadings>(worker.id).await?.unwrap_or_default();
    Ok(if fresh(aws.ec2_at) {
        Ok(())
    } else {
        Err("The address was not read from EC2 recently; it may be somebody else's by now.".into())
    })
}

/// It runs, and nobody was in contact with its controller yet: only the address that EC2 tells leads there.
pub(super) fn awaits_first_contact(worker: &Worker) -> bool {
    worker.status == WorkerStatus::Running && worker.certificate_sha256.is_none() && worker.cml_endpoint.is_none()
}

/// Whether EC2 has just told the address. If not, it is asked: the worker is judged at the next tick, and its first
/// contact is tried again right after.
async fn first_contact(ctx: &Context, worker: &Worker, now: Timestamp) -> Result<Result<(), String>, AppError> {
    let fresh = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) <= FIRST_CONTACT_WITHIN);
    let due = ctx.store.power(worker.id).await?;
    if fresh(Some(worker.status_since)) || fresh(due.as_ref().and_then(|due| due.shown_at)) {
        return Ok(Ok(()));
    }
    let aws = ctx.store.latest::<AwsReadings>(worker.id).await?.unwrap_or_default();
    if fresh(aws.ec2_at) {
        return Ok(Ok(()));
    }
    if due.as_ref().is_none_or(|due| due.due_at > now) {
        // Not sent: the private network has no way to the queue, and the tick is near.
        ctx.store.save_power(&PowerDue::hurried(worker.id, due, now)).await?;
    }
    Ok(Err("Before the first contact with its controller its address is read from EC2 once more.".into()))
}

#[cfg(test)]
mod tests;
