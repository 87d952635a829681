//! Smart Licensing: the status, and what is asked of it.

use app::ports::{
    Authorization, CmlAccess, CmlError, CmlLicensing, Deregistration, FeatureCount, LicenseFeature, LicensingAttempt,
    LicensingStatus, LicensingTransport, LicensingTransportChange, ProductInstance, ProductLicense, Registration,
};
use async_trait::async_trait;
use domain::metrics::LicenseReading;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::CmlClient;
use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{bool_at, count_at, elements, id_of, object, text, text_at, time_at};
use crate::transport::BODY_BYTES;

const LICENSING: &str = "GET /licensing";
const DEREGISTER: &str = "DELETE /licensing/deregistration";
const TECH_SUPPORT: &str = "GET /licensing/tech_support";
/// What CML says when there is no registration to end. A 400 says the same of nodes that run, so here,
/// and nowhere else, words decide. Source: cloud-cml, documentation/AWS.md.
const NOT_REGISTERED: &str = "already been de-registered";

/// As much of it as a reading keeps.
pub(crate) async fn summary(session: &Session<'_>) -> Result<LicenseReading, CmlError> {
    let answer = licensing(session).await?;
    Ok(LicenseReading {
        registration: text_at(&answer, "/registration/status"),
        authorization: text_at(&answer, "/authorization/status"),
        product: text_at(&answer, "/product_license/active"),
        expires_at: time_at(&answer, "/registration/expires"),
    })
}

async fn licensing(session: &Session<'_>) -> Result<Value, CmlError> {
    object(LICENSING, session.json(&Call::new(LICENSING)?).await?)
}

fn status(answer: &Value) -> LicensingStatus {
    LicensingStatus {
        registration: Registration {
            status: text_at(answer, "/registration/status"),
            smart_account: text_at(answer, "/registration/smart_account"),
            virtual_account: text_at(answer, "/registration/virtual_account"),
            expires_at: time_at(answer, "/registration/expires"),
            registered: attempt(answer, "/registration/register_time"),
            renewed: attempt(answer, "/registration/renew_time"),
        },
        authorization: Authorization {
            status: text_at(answer, "/authorization/status"),
            expires_at: time_at(answer, "/authorization/expires"),
            renewed: attempt(answer, "/authorization/renew_time"),
        },
        features: elements(answer, "/features").filter_map(feature).collect(),
        reservation_mode: bool_at(answer, "/reservation_mode"),
        transport: LicensingTransport {
            default_ssms: text_at(answer, "/transport/default_ssms"),
            ssms: text_at(answer, "/transport/ssms"),
            proxy_server: text_at(answer, "/transport/proxy/server"),
            proxy_port: count_at(answer, "/transport/proxy/port").and_then(|port| port.try_into().ok()),
        },
        instance: ProductInstance {
            hostname: text_at(answer, "/udi/hostname"),
            product_uuid: text_at(answer, "/udi/product_uuid"),
        },
        product: ProductLicense {
            active: text_at(answer, "/product_license/active"),
            is_enterprise: bool_at(answer, "/product_license/is_enterprise"),
        },
    }
}

fn attempt(answer: &Value, pointer: &str) -> LicensingAttempt {
    let Some(attempt) = answer.pointer(pointer) else { return LicensingAttempt::default() };
    LicensingAttempt {
        succeeded_at: time_at(attempt, "/succeeded"),
        attempted_at: time_at(attempt, "/attempted"),
        scheduled_at: time_at(attempt, "/scheduled"),
        status: text_at(attempt, "/status"),
        failure: text_at(attempt, "/failure"),
        success: text_at(attempt, "/success"),
    }
}

fn feature(feature: &Value) -> Option<LicenseFeature> {
    Some(LicenseFeature {
        id: id_of(feature)?,
        name: text_at(feature, "/name"),
        description: text_at(feature, "/description"),
        in_use: count_at(feature, "/in_use"),
        status: text_at(feature, "/status"),
        version: text_at(feature, "/version"),
        min: count_at(feature, "/min"),
        max: count_at(feature, "/max"),
    })
}

async fn deregister(session: &Session<'_>) -> Result<Deregistration, CmlError> {
    match session.send(&Call::new(DEREGISTER)?).await {
        Ok(answer) if answer.status() == StatusCode::ACCEPTED => Ok(Deregistration::SeatMayBeTaken),
        Ok(_) => Ok(Deregistration::Done),
        Err(error) if error.status == Some(400) && error.message.contains(NOT_REGISTERED) => {
            Ok(Deregistration::NotRegistered { description: error.message })
        }
        Err(error) => Err(error),
    }
}

/// A code of a reservation: one JSON string.
async fn code(session: &Session<'_>, call: &Call) -> Result<String, CmlError> {
    text(call.operation, session.json(call).await?)
}

#[async_trait]
impl CmlLicensing for CmlClient {
    async fn licensing(&self, access: CmlAccess<'_>) -> Result<LicensingStatus, CmlError> {
        Ok(status(&licensing(&self.session(access).await?).await?))
    }

    async fn set_licensing_transport(
        &self,
        access: CmlAccess<'_>,
        transport: LicensingTransportChange<'_>,
    ) -> Result<(), CmlError> {
        // All of it each time: what is null goes back to CML's own choice.
        let proxy = json!({ "server": transport.proxy_server, "port": transport.proxy_port });
        let body = json!({ "ssms": transport.ssms, "proxy": proxy });
        self.session(access).await?.change(&Call::new("PUT /licensing/transport")?.json(body)).await
    }

    async fn set_product_license(&self, access: CmlAccess<'_>, product: &str) -> Result<(), CmlError> {
        let call = Call::new("PUT /licensing/product_license")?.json(product.into());
        self.session(access).await?.change(&call).await
    }

    async fn register(&self, access: CmlAccess<'_>, token: &str, reregister: bool) -> Result<(), CmlError> {
        let body = json!({ "token": token, "reregister": reregister });
        self.session(access).await?.change(&Call::new("POST /licensing/registration")?.json(body)).await
    }

    async fn renew_registration(&self, access: CmlAccess<'_>) -> Result<(), CmlError> {
        self.session(access).await?.change(&Call::new("PUT /licensing/registration/renew")?).await
    }

    async fn renew_authorization(&self, access: CmlAccess<'_>) -> Result<(), CmlError> {
        self.session(access).await?.change(&Call::new("PUT /licensing/authorization/renew")?).await
    }

    async fn deregister(&self, access: CmlAccess<'_>) -> Result<Deregistration, CmlError> {
        deregister(&self.session(access).await?).await
    }

    async fn set_features(&self, access: CmlAccess<'_>, features: &[FeatureCount]) -> Result<(), CmlError> {
        let counts = features.iter().map(|feature| json!({ "id": feature.id, "count": feature.count }));
        let call = Call::new("PATCH /licensing/features")?.json(counts.collect());
        self.session(access).await?.change(&call).await
    }

    async fn licensing_tech_support(&self, access: CmlAccess<'_>) -> Result<String, CmlError> {
        let report = self.session(access).await?.bytes_up_to(BODY_BYTES, &Call::new(TECH_SUPPORT)?).await?;
        String::from_utf8(report).map_err(|_| malformed(TECH_SUPPORT, "its answer is not UTF-8 text"))
    }

    async fn set_reservation_mode(&self, access: CmlAccess<'_>, enabled: bool) -> Result<(), CmlError> {
        let call = Call::new("PUT /licensing/reservation/mode")?.json(enabled.into());
        self.session(access).await?.change(&call).await
    }

    async fn request_reservation(&self, access: CmlAccess<'_>) -> Result<String, CmlError> {
        let call = Call::new("POST /licensing/reservation/request")?;
        code(&self.session(access).await?, &call).await
    }

    async fn complete_reservation(&self, access: CmlAccess<'_>, authorization_code: &str) -> Result<String, CmlError> {
        let call = Call::new("POST /licensing/reservation/complete")?.json(authorization_code.into());
        code(&self.session(access).await?, &call).await
    }

    async fn cancel_reservation(&self, access: CmlAccess<'_>) -> Result<(), CmlError> {
        self.session(access).await?.change(&Call::new("DELETE /licensing/reservation/cancel")?).await
    }

    async fn release_reservation(&self, access: CmlAccess<'_>) -> Result<String, CmlError> {
        let call = Call::new("DELETE /licensing/reservation/release")?;
        code(&self.session(access).await?, &call).await
    }

    async fn discard_reservation(&self, access: CmlAccess<'_>, authorization_code: &str) -> Result<String, CmlError> {
        let call = Call::new("POST /licensing/reservation/discard")?.json(authorization_code.into());
        code(&self.session(access).await?, &call).await
    }

    async fn reservation_confirmation_code(&self, access: CmlAccess<'_>) -> Result<String, CmlError> {
        let call = Call::new("GET /licensing/reservation/confirmation_code")?;
        code(&self.session(access).await?, &call).await
    }

    async fn forget_confirmation_code(&self, access: CmlAccess<'_>) -> Result<(), CmlError> {
        self.session(access).await?.change(&Call::new("DELETE /licensing/reservation/confirmation_code")?).await
    }

    async fn reservation_return_code(&self, access: CmlAccess<'_>) -> Result<String, CmlError> {
        let call = Call::new("GET /licensing/reservation/return_code")?;
        code(&self.session(access).await?, &call).await
    }

    async fn forget_return_code(&self, access: CmlAccess<'_>) -> Result<(), CmlError> {
        self.session(access).await?.change(&Call::new("DELETE /licensing/reservation/return_code")?).await
    }
}
