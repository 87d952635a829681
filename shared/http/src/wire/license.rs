//! A worker's licence over the wire.

use app::ports::LicenseToken;
use app::use_cases::license_commands::{Proxy, Registration};
use app::use_cases::read_license::LicenseDetails;
use domain::license::Feature;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::maybe_time;

/// A worker's licence, as its controller says now, or as it was read last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkerLicense {
    /// The registration's status with Smart Licensing: `COMPLETED` when it stands.
    pub registration: Option<String>,
    /// The authorization's status: `IN_COMPLIANCE` when what is used is paid for.
    pub status: Option<String>,
    /// The product licence: `CML_Enterprise`.
    pub product: Option<String>,
    /// When the registration ends.
    pub expires_at: Option<String>,
    /// When the authorization ends, unless it is renewed; null when it was not read just now.
    pub authorization_expires_at: Option<String>,
    /// What was bought; null when it was not read just now.
    pub features: Option<Vec<LicenseFeatureView>>,
    /// What somebody should do something about.
    pub warnings: Vec<String>,
    /// When it was read; null when it never was.
    pub read_at: Option<String>,
    /// Why it was not read just now; null when it was.
    pub not_live: Option<String>,
}

/// A feature that was bought.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LicenseFeature)]
pub struct LicenseFeatureView {
    /// CML's id of it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Seats in use.
    pub in_use: Option<u32>,
    /// The most seats that can be asked for.
    pub max: Option<u32>,
    /// Whether they are paid for: `IN_COMPLIANCE`.
    pub status: Option<String>,
}

impl From<&LicenseDetails> for WorkerLicense {
    fn from(details: &LicenseDetails) -> Self {
        let license = details.license.clone().unwrap_or_default();
        Self {
            registration: license.reading.registration,
            status: license.reading.authorization,
            product: license.reading.product,
            expires_at: maybe_time(license.reading.expires_at),
            authorization_expires_at: maybe_time(license.authorization_expires_at),
            features: license.features.map(|features| features.into_iter().map(LicenseFeatureView::from).collect()),
            warnings: details.warnings.clone(),
            read_at: maybe_time(details.read_at),
            not_live: details.not_live.clone(),
        }
    }
}

impl From<Feature> for LicenseFeatureView {
    fn from(feature: Feature) -> Self {
        let Feature { id, name, in_use, max, status } = feature;
        Self { id, name, in_use, max, status }
    }
}

/// A registration with Smart Licensing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterLicense {
    /// The token from Smart Software Manager; never returned, and deleted when the operation ends.
    #[schema(format = Password, write_only)]
    pub token: String,
    /// The product licence: `CML_Enterprise`, `CML_Education`, `CML_Personal` or `CML_Personal40`.
    pub product: String,
    /// Seats to take; left out, they stay as they are.
    #[serde(default, deserialize_with = "object")]
    pub features: LicenseSeats,
    /// Smart Software Manager on premises; left out, the address that the controller has stays.
    pub ssms_url: Option<String>,
    /// The proxy on the way there; left out, the one that the controller has stays.
    #[serde(default, deserialize_with = "maybe_object")]
    pub proxy: Option<LicenseProxy>,
    /// Register although a registration stands.
    #[serde(default)]
    pub reregister: bool,
}

/// A proxy between a controller and Smart Software Manager.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LicenseProxy {
    /// Its name or address.
    pub server: String,
    /// Its port, 1 to 65535.
    pub port: u16,
}

/// Seats to take.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LicenseSeats {
    /// Nodes beyond those of the base licence, 0 to 500.
    pub node_count: Option<u32>,
}

/// Fields by name: serde would take a list for them too.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let fields = serde_json::Map::deserialize(deserializer)?;
    T::deserialize(fields).map_err(D::Error::custom)
}

/// The same, or null.
fn maybe_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let fields = Option::<serde_json::Map<_, _>>::deserialize(deserializer)?;
    fields.map(T::deserialize).transpose().map_err(D::Error::custom)
}

impl From<RegisterLicense> for Registration {
    fn from(body: RegisterLicense) -> Self {
        Self {
            token: LicenseToken(body.token),
            product: body.product,
            node_count: body.features.node_count,
            ssms_url: body.ssms_url,
            proxy: body.proxy.map(|proxy| Proxy { server: proxy.server, port: proxy.port }),
            reregister: body.reregister,
        }
    }
}
