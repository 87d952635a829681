//! Licensing on the simulated controllers: seats that are held until they are given back.

use app::ports::{
    CmlAccess, CmlError, CmlErrorKind, CmlLicensing, Deregistration, FeatureCount, LicensingStatus,
    LicensingTransportChange,
};
use async_trait::async_trait;

use crate::cml::{registration, unused};
use crate::controllers::ControllerPark;
use crate::rules_labs::Touch;
use crate::sabotage::Sabotage;

#[async_trait]
impl CmlLicensing for ControllerPark {
    async fn licensing(&self, access: CmlAccess<'_>) -> Result<LicensingStatus, CmlError> {
        let id = self.reach("GET /licensing", access.target, true).await?;
        let mut status = LicensingStatus::default();
        let registered = self.with(&id, |one| one.registered_at.is_some());
        let told = registered && self.cloud.sabotage != Sabotage::SeatsStay;
        status.registration.status = Some(registration(told).into());
        Ok(status)
    }

    async fn deregister(&self, access: CmlAccess<'_>) -> Result<Deregistration, CmlError> {
        let operation = "DELETE /licensing/deregistration";
        let id = self.reach(operation, access.target, true).await?;
        if self.running_nodes(&id) > 0 {
            let message = "Cannot deregister while nodes are running".into();
            return Err(CmlError { operation, status: Some(400), kind: CmlErrorKind::Refused, message });
        }
        self.cloud.watch.touches("a deregistration", Touch::Destroys);
        let stays = self.cloud.sabotage == Sabotage::SeatsStay;
        let had_seat = self.with(&id, |one| if stays { one.registered_at } else { one.registered_at.take() }).is_some();
        self.answer(operation).await?;
        let description = "Not registered".into();
        Ok(if had_seat { Deregistration::Done } else { Deregistration::NotRegistered { description } })
    }

    async fn set_licensing_transport(&self, _: CmlAccess<'_>, _: LicensingTransportChange<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/transport")
    }

    async fn set_product_license(&self, _: CmlAccess<'_>, _: &str) -> Result<(), CmlError> {
        unused("PUT /licensing/product_license")
    }

    async fn register(&self, _: CmlAccess<'_>, _: &str, _: bool) -> Result<(), CmlError> {
        unused("POST /licensing/registration")
    }

    async fn renew_registration(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/registration/renew")
    }

    async fn renew_authorization(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("PUT /licensing/authorization/renew")
    }

    async fn set_features(&self, _: CmlAccess<'_>, _: &[FeatureCount]) -> Result<(), CmlError> {
        unused("PATCH /licensing/features")
    }

    async fn licensing_tech_support(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/tech_support")
    }

    async fn set_reservation_mode(&self, _: CmlAccess<'_>, _: bool) -> Result<(), CmlError> {
        unused("PUT /licensing/reservation/mode")
    }

    async fn request_reservation(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/request")
    }

    async fn complete_reservation(&self, _: CmlAccess<'_>, _: &str) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/complete")
    }

    async fn cancel_reservation(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/cancel")
    }

    async fn release_reservation(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("DELETE /licensing/reservation/release")
    }

    async fn discard_reservation(&self, _: CmlAccess<'_>, _: &str) -> Result<String, CmlError> {
        unused("POST /licensing/reservation/discard")
    }

    async fn reservation_confirmation_code(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/reservation/confirmation_code")
    }

    async fn forget_confirmation_code(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/confirmation_code")
    }

    async fn reservation_return_code(&self, _: CmlAccess<'_>) -> Result<String, CmlError> {
        unused("GET /licensing/reservation/return_code")
    }

    async fn forget_return_code(&self, _: CmlAccess<'_>) -> Result<(), CmlError> {
        unused("DELETE /licensing/reservation/return_code")
    }
}
