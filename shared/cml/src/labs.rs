//! Labs, as far as they are counted.

use app::ports::CmlError;

use crate::auth::Session;
use crate::errors::malformed;
use crate::transport::Call;

/// `show_all`: without it only the reading user's own labs are there.
const LABS: Call = Call { operation: "GET /labs", path: "/api/v0/labs?show_all=true" };

pub(crate) async fn count(session: &Session<'_>) -> Result<u32, CmlError> {
    let answer = session.json(LABS).await?;
    let labs = answer.as_array().ok_or_else(|| malformed(LABS.operation, "its answer is not a JSON array"))?;
    Ok(u32::try_from(labs.len()).unwrap_or(u32::MAX))
}
