//! The licence.

use app::ports::CmlError;
use domain::metrics::LicenseReading;
use serde_json::Value;

use crate::auth::Session;
use crate::json::{object, text_at, time};
use crate::transport::Call;

const LICENSING: Call = Call { operation: "GET /licensing", path: "/api/v0/licensing" };

pub(crate) async fn licensing(session: &Session<'_>) -> Result<LicenseReading, CmlError> {
    Ok(reading(&object(LICENSING.operation, session.json(LICENSING).await?)?))
}

fn reading(answer: &Value) -> LicenseReading {
    LicenseReading {
        registration: text_at(answer, "/registration/status"),
        authorization: text_at(answer, "/authorization/status"),
        product: text_at(answer, "/product_license/active"),
        expires_at: answer.pointer("/registration/expires").and_then(time),
    }
}
