//! A controller that says what a test sets, to everyone, and remembers where credentials went.

use std::sync::Mutex;

use app::ports::{
    Cml, CmlCredentials, CmlError, CmlErrorKind, CmlLogins, CmlTarget, ControllerReading, FirstContact, LicenseToken,
    PortError, Secrets, SystemInformation,
};
use async_trait::async_trait;
use domain::Timestamp;
use domain::activity::TelemetryEvent;
use domain::metrics::CmlReading;

/// What every controller says.
pub(super) struct Says {
    pub(super) reachable: bool,
    pub(super) ready: bool,
    pub(super) certificate: &'static str,
    /// It refuses to sign anyone in.
    pub(super) denies: bool,
    pub(super) running_nodes: Option<u32>,
    /// Its whole history; null when the feed cannot be read.
    pub(super) telemetry: Option<Vec<TelemetryEvent>>,
}

pub(super) struct FakeCml {
    says: Mutex<Says>,
    asked: Mutex<u32>,
    credentials_sent: Mutex<Vec<CmlTarget>>,
}

impl Default for FakeCml {
    fn default() -> Self {
        let says = Says {
            reachable: true,
            ready: true,
            certificate: "aa11",
            denies: false,
            running_nodes: Some(0),
            telemetry: Some(vec![]),
        };
        Self { says: Mutex::new(says), asked: Mutex::default(), credentials_sent: Mutex::default() }
    }
}

impl FakeCml {
    /// Changes what it says.
    pub(super) fn set(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// Someone does something.
    pub(super) fn activity(&self, category: &str, at: Timestamp) {
        let event = TelemetryEvent { category: category.into(), at, user_id: Some("a-person".into()) };
        self.set(|says| says.telemetry.get_or_insert_default().push(event));
    }

    /// How often it was asked without credentials.
    pub(super) fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }

    /// Where credentials were sent, each time.
    pub(super) fn credentials_sent(&self) -> Vec<CmlTarget> {
        self.credentials_sent.lock().unwrap().clone()
    }
}

fn error(operation: &'static str, kind: CmlErrorKind) -> CmlError {
    CmlError { operation, status: None, kind, message: format!("{kind:?}") }
}

#[async_trait]
impl Cml for FakeCml {
    async fn system_information(&self, target: &CmlTarget) -> Result<FirstContact, CmlError> {
        *self.asked.lock().unwrap() += 1;
        let says = self.says.lock().unwrap();
        if !says.reachable {
            return Err(error("GET /system_information", CmlErrorKind::Unreachable));
        }
        if target.certificate_sha256.as_deref().is_some_and(|pinned| pinned != says.certificate) {
            return Err(error("GET /system_information", CmlErrorKind::CertificateChanged));
        }
        let information = SystemInformation { version: "2.9.1+build.47".into(), ready: says.ready };
        Ok(FirstContact { information, certificate_sha256: says.certificate.into() })
    }

    async fn read(
        &self,
        target: &CmlTarget,
        _: &CmlLogins,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError> {
        self.credentials_sent.lock().unwrap().push(target.clone());
        let says = self.says.lock().unwrap();
        if says.denies {
            return Err(error("POST /authenticate", CmlErrorKind::Denied));
        }
        let newer = |event: &TelemetryEvent| telemetry_after.is_none_or(|mark| event.at > mark);
        let telemetry = says.telemetry.as_ref().map(|all| all.iter().filter(|one| newer(one)).cloned().collect());
        let errors = if telemetry.is_some() { vec![] } else { vec![error("GET /telemetry", CmlErrorKind::Malformed)] };
        let cml = CmlReading {
            version: Some(information.version.clone()),
            ready: information.ready,
            labs: Some(3),
            running_nodes: says.running_nodes,
            total_nodes: Some(14),
            cpu_percent: Some(2.5),
            healthy: Some(true),
            ..CmlReading::default()
        };
        Ok(ControllerReading { cml, telemetry, our_user_id: Some("the-poller".into()), errors })
    }
}

/// The fleet's credentials, and no others.
pub(super) struct FleetSecret;

#[async_trait]
impl Secrets for FleetSecret {
    async fn cml_credentials(&self, reference: &str) -> Result<Option<CmlLogins>, PortError> {
        let fleet = CmlCredentials { username: "ccm".into(), password: "of-the-fleet".into() };
        Ok((reference == "fleet").then(|| fleet.into()))
    }

    async fn set_cml_credentials(&self, _: &str, _: &CmlCredentials) -> Result<(), PortError> {
        Err(PortError::new("secrets.Put", "read only"))
    }

    async fn put_token(&self, _: &str, _: &LicenseToken) -> Result<(), PortError> {
        Err(PortError::new("secrets.Put", "read only"))
    }

    async fn token(&self, _: &str) -> Result<Option<LicenseToken>, PortError> {
        Ok(None)
    }

    async fn delete_token(&self, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}
