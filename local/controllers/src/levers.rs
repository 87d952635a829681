//! What the world does to a controller, for demonstrations and tests.

use std::sync::Arc;

use crate::failure::Failure;
use crate::faults::{ControllerFault, FaultOrder};
use crate::fleet::Controllers;
use crate::machine::Machine;
use crate::model::ControllerVersion;

impl Controllers {
    /// Makes something go wrong with the controller of a running instance. Orders are forgotten when
    /// the process ends; what they have done is not.
    ///
    /// # Errors
    /// The instance runs no controller, or its new certificate cannot be made or shown.
    pub async fn inject_fault(&self, instance_id: &str, order: FaultOrder) -> Result<(), String> {
        let machine = self.running_or_refusal(instance_id)?;
        let done = match order.fault {
            ControllerFault::TokensRevoked => machine.with(|turn| {
                turn.sessions().close_all();
                Ok(())
            }),
            ControllerFault::ChangedCertificate => match machine.change_certificate() {
                Ok(()) => self.restart(instance_id).await,
                Err(failure) => Err(failure),
            },
            _ => {
                machine.with_faults(|faults| faults.add(order));
                Ok(())
            }
        };
        done.map_err(|failure: Failure| failure.to_string())
    }

    /// Takes back every order that is not used up.
    ///
    /// # Errors
    /// The instance runs no controller.
    pub fn clear_faults(&self, instance_id: &str) -> Result<(), String> {
        self.running_or_refusal(instance_id)?.with_faults(|faults| faults.clear());
        Ok(())
    }

    /// Gives the controller of a running instance another version of CML, as an upgrade does.
    ///
    /// # Errors
    /// The instance runs no controller, or its state cannot be written.
    pub fn set_version(&self, instance_id: &str, version: ControllerVersion) -> Result<(), String> {
        let changed = self.running_or_refusal(instance_id)?.with(|turn| {
            turn.edit().version = version;
            Ok(())
        });
        changed.map_err(|failure| failure.to_string())
    }

    /// The instances whose controllers have a seat of the smart account: registered ones, and those that
    /// ended, or were deregistered unheard, without giving it back.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn taken_seats(&self) -> Result<Vec<String>, String> {
        self.seats().map_err(|failure| failure.to_string())
    }

    pub(crate) fn running_or_refusal(&self, instance_id: &str) -> Result<Arc<Machine>, String> {
        self.running(instance_id).ok_or_else(|| format!("instance {instance_id} is not running a controller"))
    }
}
