//! Smart Licensing of a controller. Everything here is for CML administrators only.

use std::fmt;

use async_trait::async_trait;
use domain::Timestamp;

use super::{CmlAccess, CmlError};

/// `GET /licensing`. CML writes its times without a zone; they are taken for UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicensingStatus {
    /// The registration with Smart Software Manager.
    pub registration: Registration,
    /// Whether what is used is paid for.
    pub authorization: Authorization,
    /// The features bought.
    pub features: Vec<LicenseFeature>,
    /// Licences are reserved instead of reported.
    pub reservation_mode: Option<bool>,
    /// The way to Smart Software Manager.
    pub transport: LicensingTransport,
    /// What Smart Software Manager knows the controller by.
    pub instance: ProductInstance,
    /// The kind of CML.
    pub product: ProductLicense,
}

/// The registration with Smart Software Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// `COMPLETED` when it is done.
    pub status: Option<String>,
    /// The account it is with.
    pub smart_account: Option<String>,
    /// The part of that account.
    pub virtual_account: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How registering went.
    pub registered: LicensingAttempt,
    /// How renewing went.
    pub renewed: LicensingAttempt,
}

/// Whether what is used is paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorization {
    /// `IN_COMPLIANCE` when it is.
    pub status: Option<String>,
    /// When that ends, unless it is renewed.
    pub expires_at: Option<Timestamp>,
    /// How renewing went.
    pub renewed: LicensingAttempt,
}

/// How something with Smart Software Manager went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicensingAttempt {
    /// When it last succeeded.
    pub succeeded_at: Option<Timestamp>,
    /// When it was last tried.
    pub attempted_at: Option<Timestamp>,
    /// When it is tried next.
    pub scheduled_at: Option<Timestamp>,
    /// CML's word for how it went.
    pub status: Option<String>,
    /// Why it failed, in CML's words; `OK` when it did not.
    pub failure: Option<String>,
    /// `SUCCESS`, or another word.
    pub success: Option<String>,
}

/// A feature bought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicenseFeature {
    /// Its id, by which its count is set.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What it gives.
    pub description: Option<String>,
    /// How many are in use.
    pub in_use: Option<u32>,
    /// Whether that is paid for: `IN_COMPLIANCE`.
    pub status: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The least count that can be set.
    pub min: Option<u32>,
    /// The largest count that can be set.
    pub max: Option<u32>,
}

/// The way to Smart Software Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicensingTransport {
    /// Its address, unless another is set.
    pub default_ssms: Option<String>,
    /// The address used.
    pub ssms: Option<String>,
    /// The proxy's address.
    pub proxy_server: Option<String>,
    /// The proxy's port.
    pub proxy_port: Option<u16>,
}

/// The way to Smart Software Manager as it shall be; null goes back to CML's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LicensingTransportChange<'a> {
    /// Its address.
    pub ssms: Option<&'a str>,
    /// The proxy's address.
    pub proxy_server: Option<&'a str>,
    /// The proxy's port.
    pub proxy_port: Option<u16>,
}

/// What Smart Software Manager knows the controller by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductInstance {
    /// Its name.
    pub hostname: Option<String>,
    /// Its identity; machines cloned from one image share it.
    pub product_uuid: Option<String>,
}

/// The kind of CML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductLicense {
    /// `CML_Enterprise`, `CML_Education`, `CML_Personal`, `CML_Personal40`.
    pub active: Option<String>,
    /// It is an Enterprise edition.
    pub is_enterprise: Option<bool>,
}

/// How many of a feature shall be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureCount {
    /// The feature's id.
    pub id: String,
    /// How many.
    pub count: u32,
}

/// How a deregistration ended. Refused because nodes run, or because something else is under way
/// (409), is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deregistration {
    /// The seat is free again (204).
    Done,
    /// The controller is deregistered, but Smart Software Manager did not answer it in time (202): the
    /// seat may still be taken, until someone frees it there.
    SeatMayBeTaken,
    /// There was no registration to end (400); CML's own words.
    NotRegistered {
        /// CML's own words.
        description: String,
    },
}

impl fmt::Display for Deregistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "deregistered",
            Self::SeatMayBeTaken => "deregistered on the controller; the seat may still be taken",
            Self::NotRegistered { description } => description,
        })
    }
}

/// A controller's licence.
#[async_trait]
pub trait CmlLicensing: Send + Sync {
    /// How it is licensed.
    async fn licensing(&self, access: CmlAccess<'_>) -> Result<LicensingStatus, CmlError>;

    /// Sets the way to Smart Software Manager.
    async fn set_licensing_transport(
        &self,
        access: CmlAccess<'_>,
        transport: LicensingTransportChange<'_>,
    ) -> Result<(), CmlError>;

    /// Sets the kind of CML: `CML_Enterprise`.
    async fn set_product_license(&self, access: CmlAccess<'_>, product: &str) -> Result<(), CmlError>;

    /// Asks for a registration; accepted at once and done later, as [`licensing`](Self::licensing) tells. The token is a
    /// secret.
    async fn register(&self, access: CmlAccess<'_>, token: &str, reregister: bool) -> Result<(), CmlError>;

    /// Asks for a renewal of the registration.
    async fn renew_registration(&self, access: CmlAccess<'_>) -> Result<(), CmlError>;

    /// Asks for a renewal of the authorization.
    async fn renew_authorization(&self, access: CmlAccess<'_>) -> Result<(), CmlError>;

    /// Gives the seat back; no node may run.
    async fn deregister(&self, access: CmlAccess<'_>) -> Result<Deregistration, CmlError>;

    /// Sets how many of one or two features shall be used.
    async fn set_features(&self, access: CmlAccess<'_>, features: &[FeatureCount]) -> Result<(), CmlError>;

    /// What Smart Licensing's support asks for, at most 1 MiB.
    async fn licensing_tech_support(&self, access: CmlAccess<'_>) -> Result<String, CmlError>;

    /// Reserves licences instead of reporting them, or no longer; not while registered.
    async fn set_reservation_mode(&self, access: CmlAccess<'_>, enabled: bool) -> Result<(), CmlError>;

    /// Begins a reservation; the request code to enter at Smart Software Manager.
    async fn request_reservation(&self, access: CmlAccess<'_>) -> Result<String, CmlError>;

    /// Ends it with the authorization code from there; the confirmation code.
    async fn complete_reservation(&self, access: CmlAccess<'_>, authorization_code: &str) -> Result<String, CmlError>;

    /// Gives up a reservation that was begun.
    async fn cancel_reservation(&self, access: CmlAccess<'_>) -> Result<(), CmlError>;

    /// Gives a reservation back; the return code to enter at Smart Software Manager.
    async fn release_reservation(&self, access: CmlAccess<'_>) -> Result<String, CmlError>;

    /// Gives back an authorization code whose reservation was given up; the return code.
    async fn discard_reservation(&self, access: CmlAccess<'_>, authorization_code: &str) -> Result<String, CmlError>;

    /// The confirmation code of the reservation, told once more.
    async fn reservation_confirmation_code(&self, access: CmlAccess<'_>) -> Result<String, CmlError>;

    /// Forgets it.
    async fn forget_confirmation_code(&self, access: CmlAccess<'_>) -> Result<(), CmlError>;

    /// The return code of the reservation given back, told once more.
    async fn reservation_return_code(&self, access: CmlAccess<'_>) -> Result<String, CmlError>;

    /// Forgets it.
    async fn forget_return_code(&self, access: CmlAccess<'_>) -> Result<(), CmlError>;
}
