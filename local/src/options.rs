//! What the command line may choose.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// The whole product on one machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "local", about = "CML Cloud Manager on one machine: no account, no container, no other service.")]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Where everything is kept: table, queues, simulated EC2 and CML, certificates, signing key.
    #[arg(long, default_value = ".local")]
    pub data_dir: PathBuf,
    /// How many times as fast as the wall clock the fleet lives: boots, schedules, idle timeouts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub speed: u32,
    /// Begin without the demonstration fleet.
    #[arg(long)]
    pub empty: bool,
    /// Which table and queues to use.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    pub backend: Backend,
    /// Which EC2 and CloudWatch to use.
    #[arg(long, value_enum, default_value_t = Cloud::Simulated)]
    pub cloud: Cloud,
    /// Sign in at this issuer (OpenID Connect, for example <http://127.0.0.1:8080/realms/cml-cloud-manager>)
    /// instead of the development issuer, which is off then, and with it the demonstration fleet.
    #[arg(long)]
    pub issuer: Option<String>,
    /// What that issuer calls us. Its tokens must be for this client.
    #[arg(long, default_value = crate::CLIENT_ID, requires = "issuer")]
    pub client_id: String,
    /// Decide and record, act on nothing; set by the environment variable `SAFE_MODE`.
    #[arg(skip)]
    pub safe_mode: bool,
}

/// Which table and queues to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// DynamoDB and queues in this process, in files under the data directory.
    Embedded,
    /// The real adapters with the usual AWS settings; `AWS_ENDPOINT_URL` is honoured.
    Aws,
}

/// Which EC2 and CloudWatch to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// A region in this process, with a CML controller for each instance that runs.
    Simulated,
    /// The real adapters on the stand-in for AWS that `AWS_ENDPOINT_URL` names. Nothing answers at its
    /// instances' addresses: there is no CML. Needs the cargo feature `fleet`.
    Aws,
}

impl Options {
    /// The defaults, with everything under `data_dir`, on a free port and without a demonstration
    /// fleet: what a test wants.
    pub fn for_test(data_dir: impl Into<PathBuf>, speed: u32) -> Self {
        Self {
            port: 0,
            data_dir: data_dir.into(),
            speed,
            empty: true,
            backend: Backend::Embedded,
            cloud: Cloud::Simulated,
            issuer: None,
            client_id: crate::CLIENT_ID.into(),
            safe_mode: false,
        }
    }

    /// These, with what the environment says.
    ///
    /// # Errors
    /// `SAFE_MODE` is neither true nor false: a brake that was meant must not be missed.
    pub fn with_environment(mut self) -> Result<Self, String> {
        #[expect(clippy::disallowed_methods, reason = "the edge reads the environment, here alone")]
        let safe_mode = std::env::var("SAFE_MODE");
        self.safe_mode = match safe_mode.as_deref().map(str::trim) {
            Err(std::env::VarError::NotPresent) | Ok("" | "false" | "0") => false,
            Ok("true" | "1") => true,
            Ok(_) | Err(_) => return Err("SAFE_MODE must be true or false".into()),
        };
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation_and_the_speed_is_bounded() {
        let options = Options::try_parse_from(["local"]).unwrap();
        assert_eq!((options.port, options.speed, options.empty), (8000, 1, false));
        assert_eq!((options.backend, options.cloud), (Backend::Embedded, Cloud::Simulated));
        assert_eq!((options.issuer, options.client_id.as_str()), (None, crate::CLIENT_ID));
        assert!(Options::try_parse_from(["local", "--client-id", "other"]).is_err(), "the development issuer has one");
        assert!(Options::try_parse_from(["local", "--speed", "0"]).is_err());
        assert!(Options::try_parse_from(["local", "--speed", "3601"]).is_err());
        assert!(Options::try_parse_from(["local", "--backend", "aws", "--speed", "3600"]).is_ok());
    }
}
