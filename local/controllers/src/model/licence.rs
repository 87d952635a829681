//! The smart licence of a controller: who it is registered to, and how many nodes that lets run.

use domain::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use renewal::Renewal;

mod renewal;

/// How long a registration lasts.
const REGISTERED_FOR: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long an authorization lasts.
const AUTHORIZED_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);
/// From the request to register until it is answered, in fleet time: 5 to 90 s are told of real ones.
const REGISTERS_IN: SignedDuration = SignedDuration::from_secs(15);
/// From the registration until the features are authorized.
const AUTHORIZES_IN: SignedDuration = SignedDuration::from_secs(5);
/// The one token that registers; every other one is refused.
pub const LICENCE_TOKEN: &str = "simulated-smart-account-token";
/// What it says of one that it cannot reach the smart account for.
const UNHEARD: &str = "Communication send error: the smart account cannot be reached.";
const SMART_RECEIVER: &str = "https://smartreceiver.cisco.com/licservice/license";
const ENTERPRISE: &str = "CML_Enterprise";
/// Expansion nodes that a controller of the demo fleet has, beside the 20 of its base licence.
const DEMO_EXPANSION: u32 = 100;
/// The most expansion nodes there are. Source: a recording of 2.9.1.
const MOST_EXPANSION: u32 = 500;
/// Feature ids of an enterprise licence. Source: a recording of 2.9.1.
const BASE_ID: &str = "regid.2019-10.com.cisco.CML_ENT_BASE,1.0_15d3393c-846c-4e00-a54e-1ea90f2b2160";
const NODE_COUNT_ID: &str = "regid.2019-10.com.cisco.CML_NODE_COUNT,1.0_2607650b-6ca8-46d5-81e5-e6688b7383c4";

/// Products and the nodes that each lets run.
const PRODUCTS: [(&str, u32); 4] =
    [("CML_Education", 20), (ENTERPRISE, 20), ("CML_Personal", 20), ("CML_Personal40", 40)];

/// How it stands with the smart account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum Standing {
    /// What a state without this says: all controllers were registered once.
    #[default]
    Registered,
    Unregistered,
    /// Under way, and how it will end.
    Asked {
        at: Timestamp,
        refusal: Option<String>,
    },
    Failed {
        at: Timestamp,
        why: String,
    },
}

/// How the smart account is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transport {
    pub(crate) ssms: Option<String>,
    pub(crate) proxy_server: Option<String>,
    pub(crate) proxy_port: Option<u16>,
}

impl Default for Transport {
    fn default() -> Self {
        Self { ssms: Some(SMART_RECEIVER.into()), proxy_server: None, proxy_port: None }
    }
}

/// What CML says after "Licensing issue: ", and whether another request is in the way (409).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) why: String,
    pub(crate) conflict: bool,
}

impl Refusal {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), conflict: false }
    }

    /// Why the smart account refuses a token: every one but [`LICENCE_TOKEN`].
    fn of(token: &str) -> Option<String> {
        let why = match token {
            LICENCE_TOKEN => return None,
            token if token.contains("expired") => "The registration token has expired.",
            token if token.contains("invalid") => "The registration token is not valid.",
            _ => return Some(format!("The registration token {token} was not found.")),
        };
        Some(why.into())
    }
}

/// The licence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Licence {
    /// The last registration that succeeded.
    registered_at: Timestamp,
    /// The product licence: `CML_Enterprise`.
    product: String,
    #[serde(default)]
    standing: Standing,
    #[serde(default = "demo_expansion")]
    expansion_nodes: u32,
    #[serde(default)]
    pub(crate) transport: Transport,
    #[serde(default)]
    registration_renewal: Renewal,
    #[serde(default)]
    authorization_renewal: Renewal,
}

fn demo_expansion() -> u32 {
    DEMO_EXPANSION
}

impl Licence {
    /// An enterprise licence in good order.
    pub(crate) fn registered(now: Timestamp) -> Self {
        Self {
            registered_at: now,
            product: ENTERPRISE.into(),
            standing: Standing::Registered,
            expansion_nodes: DEMO_EXPANSION,
            transport: Transport::default(),
            registration_renewal: Renewal::default(),
            authorization_renewal: Renewal::default(),
        }
    }

    /// Whether a registration stands.
    pub(crate) fn is_registered(&self) -> bool {
        self.standing == Standing::Registered
    }

    /// Whether the product is the enterprise one.
    pub(crate) fn is_enterprise(&self) -> bool {
        self.product == ENTERPRISE
    }

    fn is_authorized(&self, now: Timestamp) -> bool {
        self.is_registered() && now.duration_since(self.registered_at) >= AUTHORIZES_IN
    }

    /// How many nodes may run.
    pub(crate) fn node_limit(&self) -> u32 {
        if !self.is_registered() {
            return 0;
        }
        let base = PRODUCTS.iter().find(|(product, _)| *product == self.product).map_or(0, |(_, nodes)| *nodes);
        base + if self.is_enterprise() { self.expansion_nodes } else { 0 }
    }

    /// Sets the product; whether there is such a product.
    pub(crate) fn set_product(&mut self, product: &str) -> bool {
        let known = PRODUCTS.iter().any(|(known, _)| *known == product);
        if known {
            self.product = product.to_owned();
        }
        known
    }

    /// Asks the smart account for a registration. It answers later: see [`Licence::settle`].
    pub(crate) fn register(&mut self, token: &str, again: bool, now: Timestamp) -> Result<(), Refusal> {
        match self.standing {
            Standing::Asked { .. } => {
                return Err(Refusal { why: "A registration is in progress.".into(), conflict: true });
            }
            Standing::Registered if !again => {
                return Err(Refusal::because("The product has already been registered."));
            }
            _ => {}
        }
        self.standing = Standing::Asked { at: now, refusal: Refusal::of(token) };
        Ok(())
    }

    /// The smart account cannot be reached for what it was asked.
    pub(crate) fn lose_registration(&mut self) {
        if let Standing::Asked { refusal, .. } = &mut self.standing {
            *refusal = Some(UNHEARD.into());
        }
    }

    /// Takes the smart account's answer when it is due; whether it came.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Standing::Asked { at, refusal } = &self.standing else { return None };
        let answered_at = *at + REGISTERS_IN;
        if now < answered_at {
            return None;
        }
        self.standing = match refusal.clone() {
            Some(why) => Standing::Failed { at: answered_at, why },
            None => {
                self.registered_at = answered_at;
                self.expansion_nodes = 0;
                self.registration_renewal = Renewal::default();
                self.authorization_renewal = Renewal::default();
                Standing::Registered
            }
        };
        Some(answered_at)
    }

    fn must_be_registered(&self) -> Result<(), Refusal> {
        match self.standing {
            Standing::Registered => Ok(()),
            Standing::Asked { .. } => Err(Refusal { why: "A registration is in progress.".into(), conflict: true }),
            _ => Err(Refusal::because("The product is not registered.")),
        }
    }

    /// Asks for a renewal of the registration; `heard` unless the smart account cannot be reached for it.
    pub(crate) fn renew_registration(&mut self, now: Timestamp, heard: bool) -> Result<(), Refusal> {
        self.must_be_registered()?;
        self.registration_renewal.ask(now, heard)
    }

    /// Asks for a renewal of the authorization, likewise.
    pub(crate) fn renew_authorization(&mut self, now: Timestamp, heard: bool) -> Result<(), Refusal> {
        self.must_be_registered()?;
        self.authorization_renewal.ask(now, heard)
    }

    /// Gives the registration back. The words are recorded ones.
    pub(crate) fn deregister(&mut self, running_nodes: u32) -> Result<(), Refusal> {
        match self.standing {
            Standing::Asked { .. } => self.must_be_registered(),
            Standing::Registered if running_nodes > 0 => {
                Err(Refusal::because("Cannot de-register when nodes are running."))
            }
            Standing::Registered => {
                self.standing = Standing::Unregistered;
                self.expansion_nodes = 0;
                Ok(())
            }
            Standing::Unregistered | Standing::Failed { .. } => {
                Err(Refusal::because("The product has already been de-registered."))
            }
        }
    }

    /// Asks for seats: all that were named, or none.
    pub(crate) fn set_features(&mut self, counts: &[(String, u32)]) -> Result<(), Refusal> {
        self.must_be_registered()?;
        for (id, count) in counts {
            let most = match id.as_str() {
                BASE_ID if self.is_enterprise() => 1,
                NODE_COUNT_ID if self.is_enterprise() => MOST_EXPANSION,
                _ => return Err(Refusal::because(format!("Feature {id} does not exist."))),
            };
            if *count > most {
                return Err(Refusal::because(format!("Count {count} of feature {id} is more than {most}.")));
            }
        }
        if let Some((_, count)) = counts.iter().find(|(id, _)| id == NODE_COUNT_ID) {
            self.expansion_nodes = *count;
        }
        Ok(())
    }

    /// `GET /licensing`.
    pub(crate) fn describe(&self, hostname: &str, product_uuid: &str, now: Timestamp) -> Value {
        let Transport { ssms, proxy_server, proxy_port } = &self.transport;
        json!({
            "registration": self.describe_registration(now),
            "authorization": self.describe_authorization(now),
            "features": self.describe_features(now),
            "reservation_mode": false,
            "transport": {
                "default_ssms": SMART_RECEIVER,
                "ssms": ssms,
                "proxy": { "server": proxy_server, "port": proxy_port },
            },
            "udi": { "hostname": hostname, "product_uuid": product_uuid },
            "product_license": { "active": self.product, "is_enterprise": self.is_enterprise() },
        })
    }

    /// The words other than `COMPLETED` are not recorded ones: no recording shows another.
    fn describe_registration(&self, now: Timestamp) -> Value {
        let (status, asked, failure, success) = match &self.standing {
            Standing::Registered => ("COMPLETED", Some(self.registered_at), Some("OK"), Some("SUCCESS")),
            Standing::Unregistered => ("NOT_REGISTERED", None, None, None),
            Standing::Asked { at, .. } => ("IN_PROGRESS", Some(*at), None, None),
            Standing::Failed { at, why } => ("FAILED", Some(*at), Some(why.as_str()), Some("FAILED")),
        };
        let stands = self.is_registered();
        let since = self.registration_renewal.succeeded_at(now).unwrap_or(self.registered_at);
        let next = since + SignedDuration::from_hours(24 * 180);
        json!({
            "status": status,
            "smart_account": stands.then_some("Simulated smart account"),
            "virtual_account": stands.then_some("Simulated virtual account"),
            "expires": stands.then(|| date(since + REGISTERED_FOR)),
            "register_time": {
                "succeeded": null, "attempted": asked.map(date), "scheduled": null, "status": null,
                "failure": failure, "success": success,
            },
            "renew_time": self.registration_renewal.describe(None, stands.then_some(next), now),
        })
    }

    fn describe_authorization(&self, now: Timestamp) -> Value {
        let stands = self.is_authorized(now);
        let since = self.authorization_renewal.succeeded_at(now).unwrap_or(self.registered_at);
        let next = since + SignedDuration::from_hours(24 * 30);
        json!({
            "status": if stands { "IN_COMPLIANCE" } else { "EVAL" },
            "expires": stands.then(|| date(since + AUTHORIZED_FOR)),
            "renew_time": self.authorization_renewal.describe(stands.then_some(since), stands.then_some(next), now),
        })
    }

    fn describe_features(&self, now: Timestamp) -> Value {
        let registered = self.is_registered();
        let status = if self.is_authorized(now) { "IN_COMPLIANCE" } else { "INIT" };
        let feature = |id: &str, name: &str, description: &str, in_use: u32, max: u32| {
            json!({
                "id": id, "name": name, "description": description, "in_use": in_use, "status": status,
                "version": "1.0", "min": 0, "max": max, "minEndDate": null, "maxEndDate": null,
            })
        };
        if !self.is_enterprise() {
            let id = format!("regid.2019-10.com.cisco.{},1.0_00000000-0000-4000-a000-000000000001", self.product);
            let description = format!("Cisco Modeling Labs - {}", self.product);
            return json!([feature(&id, &self.product, &description, u32::from(registered), 1)]);
        }
        json!([
            feature(
                BASE_ID,
                "CML - Enterprise License",
                "Cisco Modeling Labs - Enterprise License with 20 nodes capacity included",
                u32::from(registered),
                1,
            ),
            feature(
                NODE_COUNT_ID,
                "CML - Expansion Node License",
                "Cisco Modeling Labs - Expansion node capacity for CML Enterprise Servers",
                self.expansion_nodes,
                MOST_EXPANSION,
            ),
        ])
    }
}

/// Licensing writes its dates without a zone.
fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
