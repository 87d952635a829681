//! A controller's own API, as far as it is passed through.

use super::row::{USER, handler, http};
use crate::endpoints as e;
use crate::function::{Function, Port, Zone};

pub(super) const ROWS: &[Function] = &[http(
    "query-cml",
    ("GET", "/api/workers/{worker_id}/cml/{path+}"),
    "cml",
    USER,
    (200, None),
    handler!(query_cml),
    "Read of its controller's own API what is listed in docs/LABS.md; some of it needs admin.",
)
.zone(Zone::Cml)
.ports(&[Port::Cml, Port::CredentialUse, Port::Issuer, Port::SecretsRead, Port::TableRead])];
