//! The stored form of what is done about a licence.

use domain::operation::Task;
use domain::operation::cml::{RegisterLicenseTask, RegisterStep, RenewLicenseTask, RenewStep};
use serde::{Deserialize, Serialize};

use super::TaskRecord;
use crate::error::AppError;

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum RegisterStepRecord {
    Prepare,
    Register,
    AwaitRegistration,
    SetFeatures,
    AwaitCompliance,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum RenewStepRecord {
    #[default]
    Registration,
    Authorization,
}

pub(super) fn register_record(task: &RegisterLicenseTask) -> TaskRecord {
    TaskRecord::RegisterLicense {
        product: task.product.clone(),
        token_ref: task.token_ref.clone(),
        ssms_url: task.ssms_url.clone(),
        proxy: task.proxy.clone(),
        features: task.features.clone(),
        reregister: task.reregister,
        step: match task.step {
            RegisterStep::Prepare => RegisterStepRecord::Prepare,
            RegisterStep::Register => RegisterStepRecord::Register,
            RegisterStep::AwaitRegistration => RegisterStepRecord::AwaitRegistration,
            RegisterStep::SetFeatures => RegisterStepRecord::SetFeatures,
            RegisterStep::AwaitCompliance => RegisterStepRecord::AwaitCompliance,
        },
        before: task.before.clone(),
        accepted: task.accepted,
    }
}

pub(super) fn renew_record(task: &RenewLicenseTask) -> TaskRecord {
    TaskRecord::RenewLicense {
        step: match task.step {
            RenewStep::Registration => RenewStepRecord::Registration,
            RenewStep::Authorization => RenewStepRecord::Authorization,
        },
        before: task.before.clone(),
        accepted: task.accepted,
    }
}

/// One of the two above.
pub(super) fn read(record: TaskRecord) -> Result<Task, AppError> {
    Ok(match record {
        TaskRecord::RegisterLicense {
            product,
            token_ref,
            ssms_url,
            proxy,
            features,
            reregister,
            step,
            before,
            accepted,
        } => Task::RegisterLicense(RegisterLicenseTask {
            product,
            token_ref,
            ssms_url,
            proxy,
            features,
            reregister,
            step: match step {
                RegisterStepRecord::Prepare => RegisterStep::Prepare,
                RegisterStepRecord::Register => RegisterStep::Register,
                RegisterStepRecord::AwaitRegistration => RegisterStep::AwaitRegistration,
                RegisterStepRecord::SetFeatures => RegisterStep::SetFeatures,
                RegisterStepRecord::AwaitCompliance => RegisterStep::AwaitCompliance,
            },
            before,
            accepted,
        }),
        TaskRecord::RenewLicense { step, before, accepted } => Task::RenewLicense(RenewLicenseTask {
            step: match step {
                RenewStepRecord::Registration => RenewStep::Registration,
                RenewStepRecord::Authorization => RenewStep::Authorization,
            },
            before,
            accepted,
        }),
        other => super::read_task(other)?,
    })
}
