//! The same for labs, the ends of workers, brakes and instances that others launched.

use simulation::{Rule, Sabotage};

use crate::bites::is_found;

#[test]
fn where_files_are_not_kept_labs_are_lost() {
    is_found(Sabotage::FilesVanish, &[Rule::LabsSaved]);
}

#[test]
fn where_licences_stay_taken_seats_are_lost() {
    is_found(Sabotage::SeatsStay, &[Rule::SeatsBack]);
}

#[test]
fn where_nobody_sees_that_a_worker_is_being_ended_its_labs_are_worked_on() {
    is_found(Sabotage::EndingsUnseen, &[Rule::NothingAtAnEnd, Rule::LabsSaved]);
}

#[test]
fn where_nobody_sees_that_an_end_was_taken_back_it_comes() {
    is_found(Sabotage::TakingBackUnseen, &[Rule::TakenBackStays]);
}

#[test]
fn where_safe_mode_is_not_read_something_is_changed() {
    is_found(Sabotage::SafeModeUnread, &[Rule::BrakesHold]);
}

#[test]
fn where_nobody_sees_that_the_fleet_is_frozen_something_is_destroyed() {
    is_found(Sabotage::FreezeUnseen, &[Rule::BrakesHold]);
}

#[test]
fn without_claims_one_instance_becomes_two_workers() {
    is_found(Sabotage::NoClaims, &[Rule::OneClaim]);
}

#[test]
fn where_what_people_do_to_labs_is_not_respected_it_is_undone() {
    is_found(Sabotage::LabHandsUnseen, &[Rule::LabHandRespected]);
}

#[test]
fn where_what_is_under_way_at_a_lab_is_not_seen_it_is_begun_again() {
    is_found(Sabotage::LabWorkUnseen, &[Rule::LabOncePerGrace]);
}
