//! The variables of a function: those that `functions::environment` reads.

use app::ports::Queue;
use http_api::{Function, Port};
use serde_json::{Map, Value};

use super::parameters::queue_url;
use super::yaml::reference;

/// What every function reads: variable, parameter.
const SETTINGS: [(&str, &str); 27] = [
    ("TABLE_NAME", "TableName"),
    ("HOME_ACCOUNT_ID", "AWS::AccountId"),
    ("HOME_REGION", "AWS::Region"),
    ("SAFE_MODE", "SafeMode"),
    ("IDLE_SHUTDOWN", "IdleShutdown"),
    ("IDLE_TIMEOUT_MINUTES", "IdleTimeoutMinutes"),
    ("MINIMUM_UPTIME_MINUTES", "MinimumUptimeMinutes"),
    ("STOP_NOTICE_MINUTES", "StopNoticeMinutes"),
    ("MANUAL_CHANGE_HOLD_MINUTES", "ManualChangeHoldMinutes"),
    ("METRICS_INTERVAL_MINUTES", "MetricsIntervalMinutes"),
    ("LABS_INTERVAL_MINUTES", "LabsIntervalMinutes"),
    ("SAMPLE_RETENTION_DAYS", "SampleRetentionDays"),
    ("OPERATION_RETENTION_DAYS", "OperationRetentionDays"),
    ("BACKUP_RETENTION_DAYS", "BackupRetentionDays"),
    ("CML_ADDRESS", "NetworkMode"),
    ("AMI_NAMES_BY_REGION", "AmiNamesByRegion"),
    ("DEFAULT_AMI_NAME", "DefaultAmiName"),
    ("DEFAULT_INSTANCE_TYPE", "DefaultInstanceType"),
    ("FALLBACK_INSTANCE_TYPES", "FallbackInstanceTypes"),
    ("DISCOVERY_PLACES", "DiscoveryPlaces"),
    ("TRUSTED_IMAGE_OWNERS", "TrustedImageOwners"),
    ("PUBLIC_URL", "PublicUrl"),
    ("SESSION_IDLE_MINUTES", "SessionIdleMinutes"),
    ("SESSION_MAX_MINUTES", "SessionMaxMinutes"),
    ("VISIBILITY", "Visibility"),
    ("LAB_OWNERS", "LabOwners"),
    ("RUST_LOG", "LogLevel"),
];

/// What a function reads that publishes.
const BUS: [(&str, &str); 2] =
    [("EVENT_BUS_NAME", "EventBusName"), ("EVENTS_DEAD_LETTERS_URL", "EventsDeadLettersUrl")];

/// What a function reads that verifies tokens.
const ISSUER: [(&str, &str); 6] = [
    ("OIDC_ISSUER", "OidcIssuer"),
    ("OIDC_AUDIENCES", "OidcAudiences"),
    ("OIDC_JWKS_URL", "OidcJwksUrl"),
    ("OIDC_LEEWAY_SECS", "OidcLeewaySecs"),
    ("OIDC_ROLE_CLAIMS", "OidcRoleClaims"),
    ("OIDC_ROLE_NAMES", "OidcRoleNames"),
];

/// What a function reads that sends people to the issuer, or fetches tokens there.
const SIGN_IN: [(&str, &str); 5] = [
    ("OIDC_ISSUER", "OidcIssuer"),
    ("OIDC_INTERNAL_ISSUER", "OidcInternalIssuer"),
    ("OIDC_AUDIENCES", "OidcAudiences"),
    ("OIDC_CLIENT_ID", "OidcClientId"),
    ("OIDC_LOGOUT_URL", "OidcLogoutUrl"),
];

/// What a function reads that encrypts or decrypts.
const SEALER: [(&str, &str); 1] = [("KMS_KEY_ID", "SealingKeyArn")];

/// What a function reads that reads or sets CML credentials or licence tokens: their names begin with it.
const SECRETS: [(&str, &str); 1] = [("STACK_NAME", "Prefix")];

/// What a function reads that keeps files.
const FILES: [(&str, &str); 1] = [("FILES_BUCKET", "FilesBucketName")];

/// What a function reads that calls EC2 or `CloudWatch`, in this account or another.
const ACCOUNTS: [(&str, &str); 1] = [("ACCOUNT_ROLES", "AccountRoles")];

/// The variables that all functions of a stack share.
pub(super) fn shared() -> Value {
    variables(SETTINGS.into_iter().map(|(name, parameter)| (name.to_owned(), reference(parameter))))
}

/// The variables of this function beside the shared ones.
pub(super) fn own(function: &Function) -> Value {
    let fixed =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), reference(value))).collect();
    let of = |port: &Port| -> Vec<(String, Value)> {
        match port {
            Port::Send(queue) => vec![(queue_variable(*queue), reference(&queue_url(*queue)))],
            Port::Publish => fixed(&BUS),
            Port::Issuer => fixed(&ISSUER),
            Port::SignIn => fixed(&SIGN_IN),
            Port::Seal(_) | Port::Unseal(_) => fixed(&SEALER),
            Port::SecretsRead | Port::SecretsWrite | Port::TokensUse | Port::TokensWrite => fixed(&SECRETS),
            Port::FilesRead(_) | Port::FilesWrite(_) | Port::FilesDelete(_) => fixed(&FILES),
            Port::Ec2Read | Port::Ec2Write | Port::Ec2Import | Port::Ec2Console | Port::CloudWatch => fixed(&ACCOUNTS),
            Port::TableRead | Port::TableWrite | Port::CredentialUse | Port::Cml => vec![],
        }
    };
    variables(function.ports.iter().flat_map(of))
}

fn queue_variable(queue: Queue) -> String {
    format!("QUEUE_URL_{}", queue.name().to_ascii_uppercase().replace('-', "_"))
}

fn variables(pairs: impl Iterator<Item = (String, Value)>) -> Value {
    pairs.collect::<Map<_, _>>().into()
}
