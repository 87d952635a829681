//! The port: one question without credentials, one reading with them.

use std::sync::Arc;

use app::ports::{
    Clock, Cml, CmlAccess, CmlError, CmlErrorKind, CmlLogins, CmlTarget, ControllerReading, FirstContact,
    SystemInformation,
};
use async_trait::async_trait;
use domain::Timestamp;
use domain::metrics::CmlReading;
use rustls::crypto::CryptoProvider;

use crate::auth::Session;
use crate::cache::{Cache, Connection};
use crate::errors::failure;
use crate::system::{Health, Stats};
use crate::transport::{Timeouts, Transport};
use crate::{lab, licensing, system, telemetry};

/// Controllers that are spoken to at a time without signing in anew.
const CONNECTIONS: usize = 256;

/// CML controllers over HTTPS.
pub struct CmlClient {
    clock: Arc<dyn Clock>,
    timeouts: Timeouts,
    provider: Arc<CryptoProvider>,
    cache: Cache,
    route: Option<Box<Route>>,
}

/// Where a target is really found.
type Route = dyn Fn(&CmlTarget) -> Result<CmlTarget, CmlError> + Send + Sync;

impl CmlClient {
    /// A client that judges the life of tokens by `clock`, which is machine time.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_timeouts(clock, Timeouts::default())
    }

    /// The same, with other limits of patience.
    #[must_use]
    pub fn with_timeouts(clock: Arc<dyn Clock>, timeouts: Timeouts) -> Self {
        // Given to every configuration by hand: a library installs nothing for the whole process.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Self { clock, timeouts, provider, cache: Cache::new(CONNECTIONS), route: None }
    }

    /// The same, on a network where targets are found elsewhere than their endpoint says.
    #[must_use]
    pub fn routed(self, route: impl Fn(&CmlTarget) -> Result<CmlTarget, CmlError> + Send + Sync + 'static) -> Self {
        Self { route: Some(Box::new(route)), ..self }
    }

    fn transport(&self, target: &CmlTarget) -> Result<Transport, CmlError> {
        Transport::new(&target.endpoint, target.certificate_sha256.as_deref(), self.timeouts, &self.provider)
    }

    fn connection(&self, target: &CmlTarget) -> Result<Arc<Connection>, CmlError> {
        self.cache.get(target, || self.transport(target))
    }

    fn found(&self, target: &CmlTarget) -> Result<CmlTarget, CmlError> {
        self.route.as_ref().map_or_else(|| Ok(target.clone()), |route| route(target))
    }

    /// Signs in, unless there is a token; only with a controller whose certificate is recorded.
    pub(crate) async fn session<'a>(&self, access: CmlAccess<'a>) -> Result<Session<'a>, CmlError> {
        let target = self.found(access.target)?;
        if target.certificate_sha256.is_none() {
            let message = "credentials are only sent to a controller whose certificate is recorded";
            return Err(failure("connect", CmlErrorKind::Denied, message));
        }
        Session::begin(self.connection(&target)?, access.credentials, Arc::clone(&self.clock)).await
    }
}

#[async_trait]
impl Cml for CmlClient {
    async fn system_information(&self, target: &CmlTarget) -> Result<FirstContact, CmlError> {
        let target = &self.found(target)?;
        let (information, certificate_sha256) = if target.certificate_sha256.is_some() {
            system::information(&self.connection(target)?.transport).await?
        } else {
            // Never kept: the certificate told must be the one of this very connection.
            system::information(&self.transport(target)?).await?
        };
        Ok(FirstContact { information, certificate_sha256 })
    }

    async fn read(
        &self,
        target: &CmlTarget,
        credentials: &CmlLogins,
        information: &SystemInformation,
        telemetry_after: Option<Timestamp>,
    ) -> Result<ControllerReading, CmlError> {
        let session = self.session(CmlAccess { target, credentials }).await?;
        let (health, stats, license, labs, telemetry) = futures::join!(
            Health::read(&session),
            Stats::read(&session),
            licensing::summary(&session),
            lab::count(&session),
            telemetry::events(&session, target.worker, telemetry_after),
        );

        let mut cml = CmlReading {
            version: Some(information.version.clone()),
            ready: information.ready,
            ..CmlReading::default()
        };
        let mut parts = Parts::default();
        if let Some(health) = parts.take(health) {
            health.fill(&mut cml);
        }
        if let Some(stats) = parts.take(stats) {
            stats.fill(&mut cml);
        }
        cml.license = parts.take(license);
        cml.labs = parts.take(labs);
        let telemetry = parts.take(telemetry);
        let errors = parts.errors()?;
        Ok(ControllerReading { cml, telemetry, our_user_id: session.user_id().await, errors })
    }
}

/// The parts of a reading: each stands alone, but if none came, nothing was read.
#[derive(Default)]
struct Parts {
    any: bool,
    errors: Vec<CmlError>,
}

impl Parts {
    fn take<T>(&mut self, part: Result<T, CmlError>) -> Option<T> {
        match part {
            Ok(part) => {
                self.any = true;
                Some(part)
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// The errors beside what was read; or, when nothing was, the one that tells most.
    fn errors(mut self) -> Result<Vec<CmlError>, CmlError> {
        if self.any || self.errors.is_empty() {
            return Ok(self.errors);
        }
        let changed = self.errors.iter().position(|error| error.kind == CmlErrorKind::CertificateChanged);
        Err(self.errors.swap_remove(changed.unwrap_or(0)))
    }
}
