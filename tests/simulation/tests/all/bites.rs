//! Every protection, switched off: the simulation finds what it protects from.

use simulation::{Plan, Rule, Sabotage, simulate};

/// Seeds that are tried for one planted bug.
const SEEDS_MAX: u64 = 60;

/// Runs seeds until that rule, or one of those, is broken; and it is the sabotage that broke it, for without it the
/// same seed breaks none of them.
pub(crate) fn is_found(sabotage: Sabotage, rules: &[Rule]) {
    let breaks = |sabotage, seed| {
        let outcome = simulate(Plan { sabotage, ..Plan::of(seed) });
        outcome.violations.iter().any(|violation| rules.contains(&violation.rule))
    };
    let found = (0..SEEDS_MAX).find(|seed| breaks(sabotage, *seed));
    let seed = found.unwrap_or_else(|| panic!("{sabotage:?} was not found in {SEEDS_MAX} seeds"));
    assert!(!breaks(Sabotage::None, seed), "seed {seed} breaks {rules:?} without {sabotage:?} too");
}

#[test]
fn without_a_launch_token_a_worker_gets_two_machines() {
    is_found(Sabotage::NoLaunchToken, &[Rule::OneInstance]);
}

#[test]
fn without_version_checks_what_others_wrote_is_lost() {
    is_found(Sabotage::NoVersions, &[Rule::NothingOverwritten]);
}

#[test]
fn where_one_miss_is_enough_what_is_there_is_called_gone() {
    is_found(Sabotage::OneMissIsEnough, &[Rule::NotGoneWhileThere]);
}

#[test]
fn without_due_items_what_a_message_lost_is_never_looked_at_again() {
    is_found(Sabotage::NoDueItems, &[Rule::OperationsEnd, Rule::StaysDue]);
}

#[test]
fn grace_alone_keeps_from_doing_again_what_is_on_its_way_and_not_seen() {
    for seed in 0..20 {
        let outcome = simulate(Plan { sabotage: Sabotage::OperationsUnseen, ..Plan::of(seed) });
        let broken = outcome.violations.iter().find(|violation| violation.rule == Rule::OncePerGrace);
        assert_eq!(broken, None, "seed {seed}");
    }
}

#[test]
fn without_grace_what_is_on_its_way_is_done_again() {
    is_found(Sabotage::NoGrace, &[Rule::OncePerGrace]);
}

#[test]
fn without_groups_two_judge_one_worker_at_once() {
    is_found(Sabotage::NoGroups, &[Rule::JudgedOneAtATime]);
}

#[test]
fn without_a_look_at_certificates_credentials_go_to_whoever_has_the_address_now() {
    is_found(Sabotage::CertificatesUnread, &[Rule::CredentialsAtHome]);
}
