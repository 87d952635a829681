//! The smart licence of a controller.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a registration lasts.
const REGISTERED_FOR: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long an authorization lasts.
const AUTHORIZED_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

/// The licence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Licence {
    /// When it was registered.
    pub(crate) registered_at: Timestamp,
    /// The product licence: `CML_Enterprise`.
    pub(crate) product: String,
}

impl Licence {
    /// An enterprise licence in good order.
    pub(crate) fn registered(now: Timestamp) -> Self {
        Self { registered_at: now, product: "CML_Enterprise".into() }
    }

    /// `GET /licensing`.
    pub(crate) fn describe(&self, hostname: &str, product_uuid: &str, nodes_in_use: u32) -> Value {
        let feature = |id: &str, name: &str, description: &str, in_use: u32, max: u32| {
            json!({
                "id": id, "name": name, "description": description, "in_use": in_use, "status": "IN_COMPLIANCE",
                "version": "1.0", "min": 0, "max": max, "minEndDate": null, "maxEndDate": null,
            })
        };
        let renewal = self.registered_at + SignedDuration::from_hours(24 * 180);
        let authorized = self.registered_at + SignedDuration::from_hours(24 * 30);
        json!({
            "registration": {
                "status": "COMPLETED",
                "smart_account": "Simulated smart account",
                "virtual_account": "Simulated virtual account",
                "expires": date(self.registered_at + REGISTERED_FOR),
                "register_time": times(Some(self.registered_at), None, Some("OK")),
                "renew_time": times(None, Some(renewal), None),
            },
            "authorization": {
                "status": "IN_COMPLIANCE",
                "expires": date(self.registered_at + AUTHORIZED_FOR),
                "renew_time": times(Some(self.registered_at), Some(authorized), None),
            },
            "features": [
                feature(
                    "regid.2019-10.com.cisco.CML_ENT_BASE,1.0_15d3393c-846c-4e00-a54e-1ea90f2b2160",
                    "CML - Enterprise License",
                    "Cisco Modeling Labs - Enterprise License with 20 nodes capacity included",
                    1,
                    1,
                ),
                feature(
                    "regid.2019-10.com.cisco.CML_NODE_COUNT,1.0_2607650b-6ca8-46d5-81e5-e6688b7383c4",
                    "CML - Expansion Node License",
                    "Cisco Modeling Labs - Expansion node capacity for CML Enterprise Servers",
                    nodes_in_use.saturating_sub(20),
                    500,
                ),
            ],
            "reservation_mode": false,
            "transport": {
                "default_ssms": "https://smartreceiver.cisco.com/licservice/license",
                "ssms": "https://smartreceiver.cisco.com/licservice/license",
                "proxy": { "server": null, "port": null },
            },
            "udi": { "hostname": hostname, "product_uuid": product_uuid },
            "product_license": { "active": self.product, "is_enterprise": self.product == "CML_Enterprise" },
        })
    }
}

fn times(attempted: Option<Timestamp>, scheduled: Option<Timestamp>, failure: Option<&str>) -> Value {
    json!({
        "succeeded": null, "attempted": attempted.map(date), "scheduled": scheduled.map(date), "status": null,
        "failure": failure, "success": "SUCCESS",
    })
}

/// Licensing writes its dates without a zone.
fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
