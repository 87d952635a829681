use super::*;

const COMMON: [(&str, &str); 6] = [
    ("TABLE_NAME", "ccm"),
    ("HOME_ACCOUNT_ID", "111111111111"),
    ("QUEUE_URL_CML_OPERATIONS", "http://127.0.0.1/q"),
    ("QUEUE_URL_METRICS_AWS", "http://127.0.0.1/q"),
    ("QUEUE_URL_METRICS_CML", "http://127.0.0.1/q"),
    ("QUEUE_URL_OPERATIONS", "http://127.0.0.1/q"),
];

/// The variables that every test sets, and these.
fn with<T>(more: &[(&str, &str)], use_it: impl FnOnce(&Environment<'_>) -> T) -> T {
    let read = |name: &str| {
        let mut all = more.iter().chain(&COMMON).filter(|(has, _)| *has == name);
        all.next().map(|(_, value)| (*value).to_owned())
    };
    use_it(&Environment(&read))
}

fn function(name: &str) -> &'static Function {
    http_api::find(name).unwrap()
}

fn config() -> SdkConfig {
    aws::sdk_config_for("http://127.0.0.1:1")
}

#[test]
fn only_a_function_that_names_the_issuer_needs_its_variables() {
    with(&[], |environment| {
        assert!(environment.world(function("dispatch-metrics"), &config()).is_ok());
        let missing = environment.world(function("create-worker"), &config()).err().unwrap();
        assert!(matches!(&missing, EnvironmentError::Missing(name) if name.starts_with("OIDC_")), "{missing}");
    });
}

#[cfg(feature = "fleet")]
#[test]
fn a_fleet_function_has_the_clients_its_row_names_and_no_more() {
    let roles = ("ACCOUNT_ROLES", r#"{"222222222222": {"role_arn": "arn", "external_id": "x"}}"#);
    let equipped = |name: &str, more: &[(&str, &str)]| {
        with(more, |environment| {
            let mut world = environment.world(function(name), &config())?;
            fleet::equip(environment, function(name), &config(), &mut world)?;
            Ok::<_, EnvironmentError>(world)
        })
    };
    let world = equipped("control-power", &[roles, ("FILES_BUCKET", "b")]).unwrap();
    assert!(world.ec2.is_some() && world.files.is_some() && world.cloudwatch.is_none());
    let missing = equipped("control-power", &[roles]).err();
    assert!(matches!(missing, Some(EnvironmentError::Missing(name)) if name == "FILES_BUCKET"));
    assert!(equipped("run-import", &[roles]).unwrap().files.is_none());
}

#[cfg(feature = "fleet")]
#[test]
fn roles_that_cannot_be_read_are_told_by_the_name_of_their_variable() {
    for wrong in ["[]", r#"{"12": {"role_arn": "a", "external_id": "b"}}"#, r#"{"222222222222": {"role_arn": "a"}}"#] {
        with(&[("ACCOUNT_ROLES", wrong)], |environment| {
            let function = function("control-power");
            let mut world = environment.world(function, &config()).unwrap();
            let error = fleet::equip(environment, function, &config(), &mut world).unwrap_err();
            assert!(error.to_string().contains("ACCOUNT_ROLES"), "{error}");
        });
    }
}

#[cfg(feature = "cml")]
#[test]
fn a_cml_function_has_the_clients_its_row_names_and_needs_the_stacks_name_for_its_secrets() {
    let equipped = |more: &[(&str, &str)]| {
        with(more, |environment| {
            let function = function("collect-cml");
            let mut world = environment.world(function, &config())?;
            cml::equip(environment, function, &config(), &mut world)?;
            Ok::<_, EnvironmentError>(world)
        })
    };
    let world = equipped(&[("STACK_NAME", "ccm-test")]).unwrap();
    assert!(world.cml.is_some() && world.secrets.is_some() && world.ec2.is_none());
    assert!(matches!(equipped(&[]).err(), Some(EnvironmentError::Missing(name)) if name == "STACK_NAME"));
}

fn settings(more: &[(&str, &str)]) -> Result<Settings, EnvironmentError> {
    with(more, |environment| environment.settings())
}

#[test]
fn a_region_has_its_own_image_name_or_the_default_one() {
    let names = r#"{"eu-west-1": "cml-2.9*", "ap-south-1": "cml-beta"}"#;
    let settings = settings(&[("AMI_NAMES_BY_REGION", names), ("DEFAULT_AMI_NAME", "cml-2.8*")]).unwrap();
    let name = |region: &str| settings.ami_name(&region.parse().unwrap()).to_owned();
    assert_eq!(["eu-west-1", "ap-south-1", "us-east-1"].map(name), ["cml-2.9*", "cml-beta", "cml-2.8*"]);
}

#[test]
fn people_are_told_of_a_stop_so_many_minutes_before_or_not_at_all() {
    let ahead = |minutes| settings(&[("STOP_NOTICE_MINUTES", minutes)]).map(|settings| settings.power.notice_ahead);
    assert_eq!(ahead("25").unwrap(), SignedDuration::from_mins(25));
    assert_eq!(ahead("0").unwrap(), SignedDuration::ZERO);
    assert!(ahead("-1").unwrap_err().to_string().contains("STOP_NOTICE_MINUTES"));
    assert_eq!(settings(&[]).unwrap().power.notice_ahead, SignedDuration::from_mins(10));
}

#[test]
fn what_somebody_did_by_hand_is_left_for_so_many_minutes() {
    let hold = |given: &[(&str, &str)]| {
        let settings = settings(given).unwrap();
        (settings.reconcile.manual_change_hold, settings.reconcile_labs.manual_change_hold)
    };
    let hours = |hours| (SignedDuration::from_hours(hours), SignedDuration::from_hours(hours));
    assert_eq!(hold(&[]), hours(12));
    assert_eq!(hold(&[("MANUAL_CHANGE_HOLD_MINUTES", "60")]), hours(1));
}

#[test]
fn retention_is_in_days_and_the_address_by_its_kind() {
    let given = [
        ("SAMPLE_RETENTION_DAYS", "7"),
        ("OPERATION_RETENTION_DAYS", "365"),
        ("BACKUP_RETENTION_DAYS", "14"),
        ("CML_ADDRESS", "private"),
    ];
    let settings = settings(&given).unwrap();
    assert_eq!(settings.sample_retention, SignedDuration::from_hours(7 * 24));
    assert_eq!(settings.operation_retention, SignedDuration::from_hours(365 * 24));
    assert_eq!(settings.backups.keep_for, SignedDuration::from_hours(14 * 24));
    assert_eq!(settings.cml_address, CmlAddress::Private);
}

#[test]
fn a_setting_that_cannot_be_read_is_told_by_the_name_of_its_variable() {
    for (name, wrong) in [
        ("AMI_NAMES_BY_REGION", "cml-2.9*"),
        ("AMI_NAMES_BY_REGION", r#"["eu-west-1"]"#),
        ("AMI_NAMES_BY_REGION", r#"{"mars": "cml-2.9*"}"#),
        ("AMI_NAMES_BY_REGION", r#"{"eu-west-1": ""}"#),
        ("SAMPLE_RETENTION_DAYS", "0"),
        ("SAMPLE_RETENTION_DAYS", "a month"),
        ("OPERATION_RETENTION_DAYS", "4000000000"),
        ("IDLE_TIMEOUT_MINUTES", "-1"),
        ("CML_ADDRESS", "elsewhere"),
    ] {
        let error = settings(&[(name, wrong)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the environment variable {name} ")), "{wrong}: {error}");
    }
}
