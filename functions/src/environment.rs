//! What a deployed function reads of its environment, once, with errors that name the variable.
//!
//! Only what the function's row in the table names is built, and only its variables must be set.

#![cfg_attr(
    not(any(feature = "api", feature = "fleet", feature = "cml")),
    allow(dead_code, reason = "the local stack reads none of it, and brings its own adapters")
)]

#[cfg(feature = "cml")]
mod cml;
#[cfg(any(feature = "cml", feature = "fleet"))]
mod files;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "api")]
mod identity;
mod issuer;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use app::ports::Queue;
use app::{Context, PublicUrl, Settings};
use aws::{DynamoTable, EventBridgeEvents, SqsQueues};
use aws_config::SdkConfig;
use domain::worker::{CmlAddress, spec};
use domain::{AccountId, Invalid, InvalidField, LabOwners, Place, Region, SignedDuration, Visibility};
use http_api::{Function, Port};

use crate::system::{OsRandom, SystemClock};
use crate::world::World;

/// A variable is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not set.
    #[error("the environment variable {0} is not set")]
    Missing(String),
    /// It is not what it must be.
    #[error("the environment variable {name} {message}")]
    Wrong {
        /// Which.
        name: String,
        /// What it must be.
        message: String,
    },
    /// A client could not be built.
    #[error(transparent)]
    Client(#[from] app::ports::PortError),
}

/// A week: what an idle timeout may be at most.
const MINUTES_MAX: i64 = 10_080;
/// 30 days: what a browser session may last at most.
const SESSION_MINUTES_MAX: i64 = 43_200;
/// Ten years.
const DAYS_MAX: i64 = 3650;

/// The variables of a process, or of a test.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    /// A variable that must be set.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &str) -> Result<String, EnvironmentError> {
        self.optional(name).ok_or_else(|| EnvironmentError::Missing(name.to_owned()))
    }

    fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr>(&self, name: &str, default: T, message: &str) -> Result<T, EnvironmentError> {
        self.optional(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| EnvironmentError::Wrong { name: name.to_owned(), message: message.to_owned() })
        })
    }

    fn minutes(&self, name: &str, default: SignedDuration) -> Result<SignedDuration, EnvironmentError> {
        Ok(SignedDuration::from_mins(self.whole(name, default.as_mins(), MINUTES_MAX, "minutes")?))
    }

    /// Minutes, or 0 for no notice at all.
    fn notice_ahead(&self, default: SignedDuration) -> Result<SignedDuration, EnvironmentError> {
        match self.optional("STOP_NOTICE_MINUTES").as_deref() {
            Some("0") => Ok(SignedDuration::ZERO),
            _ => self.minutes("STOP_NOTICE_MINUTES", default),
        }
    }

    fn days(&self, name: &str, default: SignedDuration) -> Result<SignedDuration, EnvironmentError> {
        Ok(SignedDuration::from_hours(24 * self.whole(name, default.as_hours() / 24, DAYS_MAX, "days")?))
    }

    fn whole(&self, name: &str, default: i64, max: i64, unit: &str) -> Result<i64, EnvironmentError> {
        let message = format!("must be a whole number of {unit}, 1 to {max}");
        let number = self.parsed(name, default, &message)?;
        if (1..=max).contains(&number) {
            Ok(number)
        } else {
            Err(EnvironmentError::Wrong { name: name.to_owned(), message })
        }
    }

    fn cml_address(&self, default: CmlAddress) -> Result<CmlAddress, EnvironmentError> {
        let name = "CML_ADDRESS";
        let Some(text) = self.optional(name) else { return Ok(default) };
        CmlAddress::from_name(&text).ok_or_else(|| EnvironmentError::Wrong {
            name: name.into(),
            message: format!("must be {}", CmlAddress::ALL.map(CmlAddress::name).join(", ")),
        })
    }

    /// `{"<region>": "<name pattern>"}`; regions that are not there have the default one.
    fn ami_names(&self) -> Result<BTreeMap<Region, String>, EnvironmentError> {
        let name = "AMI_NAMES_BY_REGION";
        let wrong = |message: String| EnvironmentError::Wrong { name: name.into(), message };
        let Some(text) = self.optional(name) else { return Ok(BTreeMap::new()) };
        let by_region: BTreeMap<String, String> = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("must be JSON, an image name pattern by region: {error}")))?;
        let checked = |(region, pattern): (String, String)| {
            let region: Region =
                region.parse().map_err(|error: InvalidField| wrong(format!("has {region:?}: {error}")))?;
            let mut invalid = Invalid::default();
            spec::check_ami_name(&pattern, &mut invalid);
            invalid.finish(Some(())).map_err(|error| wrong(format!("has {pattern:?}: {error}")))?;
            Ok((region, pattern))
        };
        by_region.into_iter().map(checked).collect()
    }

    /// The settings, with their defaults.
    ///
    /// # Errors
    /// A variable is missing or wrong.
    pub fn settings(&self) -> Result<Settings, EnvironmentError> {
        let account = self.required("HOME_ACCOUNT_ID")?.parse().map_err(|error: domain::InvalidField| {
            EnvironmentError::Wrong { name: "HOME_ACCOUNT_ID".into(), message: error.message }
        })?;
        let mut settings = Settings::new(account);
        settings.safe_mode = self.parsed("SAFE_MODE", false, "must be true or false")?;
        settings.power.idle_shutdown = self.parsed("IDLE_SHUTDOWN", true, "must be true or false")?;
        settings.power.idle_timeout = self.minutes("IDLE_TIMEOUT_MINUTES", settings.power.idle_timeout)?;
        settings.power.minimum_uptime = self.minutes("MINIMUM_UPTIME_MINUTES", settings.power.minimum_uptime)?;
        settings.reconcile.manual_change_hold =
            self.minutes("MANUAL_CHANGE_HOLD_MINUTES", settings.reconcile.manual_change_hold)?;
        settings.reconcile_labs.manual_change_hold = settings.reconcile.manual_change_hold;
        settings.sessions.idle = self.minutes("SESSION_IDLE_MINUTES", settings.sessions.idle)?;
        let most =
            self.whole("SESSION_MAX_MINUTES", settings.sessions.most.as_mins(), SESSION_MINUTES_MAX, "minutes")?;
        settings.sessions.most = SignedDuration::from_mins(most);
        settings.public_url = self.public_url()?;
        settings.visibility = self.visibility(settings.visibility)?;
        settings.lab_owners = self.lab_owners(settings.lab_owners)?;
        settings.power.metrics_interval = self.minutes("METRICS_INTERVAL_MINUTES", settings.power.metrics_interval)?;
        settings.power.notice_ahead = self.notice_ahead(settings.power.notice_ahead)?;
        settings.labs_interval = self.minutes("LABS_INTERVAL_MINUTES", settings.labs_interval)?;
        settings.sample_retention = self.days("SAMPLE_RETENTION_DAYS", settings.sample_retention)?;
        settings.operation_retention = self.days("OPERATION_RETENTION_DAYS", settings.operation_retention)?;
        settings.backups.keep_for = self.days("BACKUP_RETENTION_DAYS", settings.backups.keep_for)?;
        settings.cml_address = self.cml_address(settings.cml_address)?;
        if let Some(name) = self.optional("DEFAULT_AMI_NAME") {
            settings.default_ami_name = name;
        }
        settings.ami_names = self.ami_names()?;
        if let Some(name) = self.optional("DEFAULT_INSTANCE_TYPE") {
            settings.default_instance_type = name;
        }
        settings.fallback_instance_types = self.list("FALLBACK_INSTANCE_TYPES");
        settings.discovery_places = self.discovery_places(&settings.home_account)?;
        if let Some(owners) = self.optional("TRUSTED_IMAGE_OWNERS") {
            settings.trusted_image_owners = owners.split(',').map(|owner| owner.trim().to_owned()).collect();
        }
        Ok(settings)
    }

    /// What stands between commas.
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }

    /// `<region>` of the home account, or `<account>/<region>`; where this runs when none is named.
    fn discovery_places(&self, home: &AccountId) -> Result<Vec<Place>, EnvironmentError> {
        const NAME: &str = "DISCOVERY_PLACES";
        let mut named = self.list(NAME);
        if named.is_empty() {
            named.extend(self.optional("HOME_REGION"));
        }
        let place = |text: String| -> Result<Place, InvalidField> {
            let (account, region) = text.split_once('/').unwrap_or((home.as_str(), &text));
            Ok(Place { account: account.parse()?, region: region.parse()? })
        };
        let wrong = |error: InvalidField| EnvironmentError::Wrong {
            name: NAME.into(),
            message: format!("must be regions, or account/region, between commas: {}", error.message),
        };
        named.into_iter().map(|text| place(text).map_err(wrong)).collect()
    }

    fn visibility(&self, default: Visibility) -> Result<Visibility, EnvironmentError> {
        let name = "VISIBILITY";
        let Some(text) = self.optional(name) else { return Ok(default) };
        Visibility::from_name(&text).ok_or_else(|| EnvironmentError::Wrong {
            name: name.into(),
            message: format!("must be {}", Visibility::ALL.map(Visibility::name).join(" or ")),
        })
    }

    fn lab_owners(&self, default: LabOwners) -> Result<LabOwners, EnvironmentError> {
        let name = "LAB_OWNERS";
        let Some(text) = self.optional(name) else { return Ok(default) };
        text.parse()
            .map_err(|error: InvalidField| EnvironmentError::Wrong { name: name.into(), message: error.message })
    }

    fn public_url(&self) -> Result<Option<PublicUrl>, EnvironmentError> {
        const NAME: &str = "PUBLIC_URL";
        let wrong = |error: domain::InvalidField| EnvironmentError::Wrong { name: NAME.into(), message: error.message };
        self.optional(NAME).map(|text| text.parse().map_err(wrong)).transpose()
    }

    fn queue_urls(&self, function: &Function) -> Result<BTreeMap<Queue, String>, EnvironmentError> {
        let sends = function.ports.iter().filter_map(|port| match port {
            Port::Send(queue) => Some(*queue),
            _ => None,
        });
        sends.map(|queue| Ok((queue, self.required(&queue_variable(queue))?))).collect()
    }

    fn bus(&self, config: &SdkConfig) -> Result<EventBridgeEvents, EnvironmentError> {
        let (bus, queues) = (aws_sdk_eventbridge::Client::new(config), aws_sdk_sqs::Client::new(config));
        let (name, dead_letters) = (self.required("EVENT_BUS_NAME")?, self.required("EVENTS_DEAD_LETTERS_URL")?);
        Ok(EventBridgeEvents::new(bus, name, queues, dead_letters))
    }

    /// What a function of the api zone needs.
    ///
    /// # Errors
    /// A variable is missing or wrong.
    #[cfg(feature = "api")]
    pub async fn api_world(&self, function: &Function) -> Result<World, EnvironmentError> {
        let config = aws::sdk_config().await;
        let mut world = self.world(function, &config)?;
        identity::equip(self, function, &config, &mut world)?;
        if function.ports.contains(&Port::Publish) {
            world.events = Some(Arc::new(self.bus(&config)?));
        }
        Ok(world)
    }

    /// What a function of the fleet zone needs.
    ///
    /// # Errors
    /// A variable is missing or wrong.
    #[cfg(feature = "fleet")]
    pub async fn fleet_world(&self, function: &Function) -> Result<World, EnvironmentError> {
        let config = aws::sdk_config().await;
        let mut world = self.world(function, &config)?;
        fleet::equip(self, function, &config, &mut world)?;
        Ok(world)
    }

    /// What a function of the cml zone needs.
    ///
    /// # Errors
    /// A variable is missing or wrong.
    #[cfg(feature = "cml")]
    pub async fn cml_world(&self, function: &Function) -> Result<World, EnvironmentError> {
        let config = aws::sdk_config().await;
        let mut world = self.world(function, &config)?;
        cml::equip(self, function, &config, &mut world)?;
        Ok(world)
    }

    /// What functions of every zone need: the store, the queues, and the issuer for those that ask who calls.
    fn world(&self, function: &Function, config: &SdkConfig) -> Result<World, EnvironmentError> {
        let table = DynamoTable::new(aws_sdk_dynamodb::Client::new(config), self.required("TABLE_NAME")?);
        let queues = SqsQueues::new(aws_sdk_sqs::Client::new(config), self.queue_urls(function)?);
        let clock = Arc::new(SystemClock);
        let context =
            Context::new(Arc::new(table), Arc::new(queues), clock.clone(), clock, Arc::new(OsRandom), self.settings()?);
        let http = issuer::http(function)?;
        let auth = Arc::new(issuer::authenticator(self, function, &context.store, http.as_ref())?);
        let identity = issuer::provider(self, function, http.as_ref())?;
        Ok(World {
            context,
            auth,
            ec2: None,
            cloudwatch: None,
            cml: None,
            controllers: None,
            files: None,
            secrets: None,
            sealer: None,
            identity,
            events: None,
        })
    }
}

/// The variable that holds a queue's URL.
#[must_use]
pub fn queue_variable(queue: Queue) -> String {
    format!("QUEUE_URL_{}", queue.name().to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests;
