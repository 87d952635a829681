//! Register a licence: step by step, and the token once.

use domain::operation::cml::{RegisterLicenseTask, RegisterStep};
use domain::operation::{Operation, Task};

use super::{COMPLETED, brake, done, look_again, registration, spelled};
use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, FeatureCount, LicenseToken, LicensingStatus, LicensingTransportChange};
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::{Progress, keep};

/// Steps in one run: more than there are, so that only waiting ends it.
const STEPS_PER_RUN: usize = 8;
/// CML's word for what is paid for.
const IN_COMPLIANCE: &str = "IN_COMPLIANCE";

/// Whether a run goes on with the next step.
enum Next {
    Step(RegisterStep),
    Stop(Box<Progress>),
}

fn stop(progress: Progress) -> Next {
    Next::Stop(Box::new(progress))
}

/// A registration at a controller.
struct Registering<'a> {
    ctx: &'a Context,
    ports: CmlPorts<'a>,
    way: &'a Way,
}

pub(in super::super) async fn register(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    mut task: RegisterLicenseTask,
) -> Result<Progress, AppError> {
    if let Some(held) = brake(ctx) {
        return Ok(held);
    }
    let at = Registering { ctx, ports, way };
    for _ in 0..STEPS_PER_RUN {
        let next = match task.step {
            RegisterStep::Prepare => at.prepare(operation, &task).await?,
            RegisterStep::Register => at.send_token(operation, &mut task).await?,
            RegisterStep::AwaitRegistration => at.await_registration(&mut task).await?,
            RegisterStep::SetFeatures => at.set_features(&task).await,
            RegisterStep::AwaitCompliance => at.await_compliance(operation).await?,
        };
        match next {
            Next::Step(step) => task.step = step,
            Next::Stop(progress) => {
                operation.task = Task::RegisterLicense(task);
                return Ok(*progress);
            }
        }
    }
    operation.task = Task::RegisterLicense(task);
    Ok(look_again(ctx, "its next step"))
}

impl Registering<'_> {
    async fn status(&self) -> Result<LicensingStatus, Next> {
        self.ports.controllers.licensing(self.way.access()).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &CmlError) -> Next {
        stop(failed_call(self.ctx, error))
    }

    /// The way to Smart Software Manager, where one is given, and the kind of CML: set as often as it takes. Of a
    /// controller whose registration stands nothing is changed, unless that is asked for.
    async fn prepare(&self, operation: &mut Operation, task: &RegisterLicenseTask) -> Result<Next, AppError> {
        let status = match self.status().await {
            Ok(status) => status,
            Err(next) => return Ok(next),
        };
        if registration(&status) == COMPLETED && !task.reregister {
            operation.warn(
                "It was registered already: nothing was changed, and the token was not used. Ask with reregister to \
                 register it anew.",
            );
            return Ok(stop(done(self.ctx, operation, &status).await?));
        }
        let controllers = self.ports.controllers;
        if let Some(transport) = transport(&status, task)
            && let Err(error) = controllers.set_licensing_transport(self.way.access(), transport).await
        {
            return Ok(self.failed(&error));
        }
        Ok(match controllers.set_product_license(self.way.access(), &task.product).await {
            Ok(()) => Next::Step(RegisterStep::Register),
            Err(error) => self.failed(&error),
        })
    }

    /// Sends the token, unless a registration stands or is under way already. That it is sent is written down
    /// before: whoever comes next asks CML what became of it.
    async fn send_token(&self, operation: &mut Operation, task: &mut RegisterLicenseTask) -> Result<Next, AppError> {
        let status = match self.status().await {
            Ok(status) => status,
            Err(next) => return Ok(next),
        };
        if registration(&status) == COMPLETED && !task.reregister {
            if task.before.is_none() {
                operation.warn("It was registered by somebody else meanwhile; the token was not used.");
            }
            return Ok(Next::Step(RegisterStep::SetFeatures));
        }
        let Some(token) = self.token(task).await? else {
            let message = "The token was not kept, or was deleted. Ask again with the token.";
            return Ok(stop(Progress::failed("token_missing", message)));
        };
        task.step = RegisterStep::AwaitRegistration;
        task.before = Some(shown(&status));
        operation.task = Task::RegisterLicense(task.clone());
        if !keep(self.ctx, operation).await? {
            return Ok(stop(Progress::Overtaken));
        }
        let sent = self.ports.controllers.register(self.way.access(), &token.0, task.reregister).await;
        // Whatever is wrong, its words may repeat the token.
        let sent = sent.map_err(|error| CmlError { message: redacted(&error.message, &token), ..error });
        Ok(match sent {
            Ok(()) => {
                task.accepted = true;
                stop(look_again(self.ctx, "Smart Licensing to answer"))
            }
            // Another one is under way, or this one is, by a request whose answer was lost.
            Err(error) if error.outcome_unknown() || error.status == Some(409) => {
                stop(look_again(self.ctx, format!("CML to tell what became of the registration ({error})")))
            }
            Err(error) => {
                task.step = RegisterStep::Register;
                self.failed(&error)
            }
        })
    }

    async fn token(&self, task: &RegisterLicenseTask) -> Result<Option<LicenseToken>, AppError> {
        self.ports.secrets.token(&task.token_ref).await.map_err(AppError::Unavailable)
    }

    /// What became of the token. Where CML shows what it showed before, it never came: it is sent again.
    async fn await_registration(&self, task: &mut RegisterLicenseTask) -> Result<Next, AppError> {
        let status = match self.status().await {
            Ok(status) => status,
            Err(next) => return Ok(next),
        };
        let word = registration(&status);
        if task.before.as_deref() == Some(shown(&status).as_str()) {
            if !task.accepted {
                // At the next look, not at once: what CML shows may be a moment late.
                task.step = RegisterStep::Register;
            }
            let what = format!("Smart Licensing to take the token on (it shows {word})");
            return Ok(stop(look_again(self.ctx, what)));
        }
        Ok(match word {
            COMPLETED => Next::Step(RegisterStep::SetFeatures),
            "FAILED" => {
                let why = status.registration.registered.failure.as_deref();
                let why = why.unwrap_or("Smart Licensing gives no reason.");
                let why = self.token(task).await?.map_or_else(|| why.to_owned(), |token| redacted(why, &token));
                stop(Progress::Failed("registration_failed".into(), why))
            }
            other => stop(look_again(self.ctx, format!("the registration to be {COMPLETED} (it is {other})"))),
        })
    }

    /// Seats, by a part of their feature's id: what is before and after it differs from product to product.
    async fn set_features(&self, task: &RegisterLicenseTask) -> Next {
        if task.features.is_empty() {
            return Next::Step(RegisterStep::AwaitCompliance);
        }
        let status = match self.status().await {
            Ok(status) => status,
            Err(next) => return next,
        };
        let mut counts = Vec::new();
        for (part, count) in &task.features {
            let Some(feature) = status.features.iter().find(|feature| feature.id.contains(part.as_str())) else {
                let message = format!("It is registered, and {} has no feature {part} to set seats of.", task.product);
                return stop(Progress::failed("no_such_feature", message));
            };
            counts.push(FeatureCount { id: feature.id.clone(), count: *count });
        }
        match self.ports.controllers.set_features(self.way.access(), &counts).await {
            Ok(()) => Next::Step(RegisterStep::AwaitCompliance),
            Err(error) => self.failed(&error),
        }
    }

    async fn await_compliance(&self, operation: &Operation) -> Result<Next, AppError> {
        let status = match self.status().await {
            Ok(status) => status,
            Err(next) => return Ok(next),
        };
        let word = status.authorization.status.as_deref().unwrap_or("unknown");
        if word != IN_COMPLIANCE {
            let what = format!("the authorization to be {IN_COMPLIANCE} (it is {word})");
            return Ok(stop(look_again(self.ctx, what)));
        }
        Ok(stop(done(self.ctx, operation, &status).await?))
    }
}

/// The way to Smart Software Manager with what was given of it; CML takes all of it or nothing, so the rest is as
/// CML shows it. Null when nothing was given.
fn transport<'a>(status: &'a LicensingStatus, task: &'a RegisterLicenseTask) -> Option<LicensingTransportChange<'a>> {
    if task.ssms_url.is_none() && task.proxy.is_none() {
        return None;
    }
    let now = &status.transport;
    let (proxy_server, proxy_port) = match &task.proxy {
        Some((server, port)) => (Some(server.as_str()), Some(*port)),
        None => (now.proxy_server.as_deref(), now.proxy_port),
    };
    let ssms = task.ssms_url.as_deref().or(now.ssms.as_deref());
    Some(LicensingTransportChange { ssms, proxy_server, proxy_port })
}

fn redacted(text: &str, token: &LicenseToken) -> String {
    text.replace(&token.0, "[token]")
}

/// All that CML shows of registrations.
fn shown(status: &LicensingStatus) -> String {
    format!("{} {}", registration(status), spelled(&status.registration.registered))
}
