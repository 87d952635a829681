use proptest::prelude::*;

use super::*;

fn seen(state: &LabState, converged: bool) -> Option<LabSeen<'_>> {
    Some(LabSeen { state, converged })
}

fn states() -> impl Strategy<Value = LabState> {
    prop::sample::select(vec!["DEFINED_ON_CORE", "STARTED", "STOPPED", "PAUSED"]).prop_map(LabState::from_name)
}

fn actions() -> impl Strategy<Value = LabAction> {
    let edit = LabEdit { title: Some("t".into()), ..LabEdit::default() };
    prop::sample::select(vec![
        LabAction::Start,
        LabAction::Stop,
        LabAction::Wipe,
        LabAction::Delete,
        LabAction::Update(edit),
    ])
}

#[test]
fn a_start_is_done_when_the_lab_has_converged_and_not_when_cml_has_accepted_it() {
    let (stopped, started) = (LabState::Stopped, LabState::Started);
    assert_eq!(next(&LabAction::Start, 0, seen(&stopped, true)), LabStep::Ask);
    assert_eq!(next(&LabAction::Start, 1, seen(&started, false)), LabStep::Wait("its nodes to boot".into()));
    assert_eq!(next(&LabAction::Start, 1, seen(&started, true)), LabStep::Done);
}

#[test]
fn a_start_is_asked_for_though_some_nodes_run_already() {
    let started = LabState::Started;
    for converged in [true, false] {
        assert_eq!(next(&LabAction::Start, 0, seen(&started, converged)), LabStep::Ask);
    }
    assert_eq!(next(&LabAction::Stop, 0, seen(&LabState::Stopped, true)), LabStep::Done);
}

#[test]
fn what_is_asked_for_later_contradicts_only_what_wants_the_lab_otherwise() {
    use LabAction::{Delete, Start, Stop, Update, Wipe};
    let title = |title: &str| Update(LabEdit { title: Some(title.into()), ..LabEdit::default() });
    let notes = || Update(LabEdit { notes: Some("n".into()), ..LabEdit::default() });
    for (older, newer) in [
        (Start, vec![Stop, Wipe, Delete]),
        (Stop, vec![Start]),
        (Wipe, vec![Start]),
        (Delete, vec![Start]),
        (title("a"), vec![title("b")]),
        (notes(), vec![notes()]),
    ] {
        for other in [Start, Stop, Wipe, Delete, title("b"), notes()] {
            assert_eq!(older.contradicted_by(&other), newer.contains(&other), "{older:?}, then {other:?}");
        }
    }
}

#[test]
fn a_lab_that_is_gone_is_deleted_and_nothing_else() {
    assert_eq!(next(&LabAction::Delete, 1, None), LabStep::Done);
    assert!(matches!(next(&LabAction::Start, 1, None), LabStep::Fail("lab_not_found", _)));
}

#[test]
fn a_text_is_what_cml_takes() {
    let edit = |title: &str| LabEdit { title: Some(title.into()), ..LabEdit::default() };
    assert!(edit("a").check().is_ok() && edit(&"é".repeat(64)).check().is_ok());
    for bad in [edit(""), edit(&"a".repeat(65)), edit("a\nb"), LabEdit::default()] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
    let long = LabEdit { notes: Some("n".repeat(32_769)), ..LabEdit::default() };
    assert_eq!(long.check().unwrap_err().to_string(), "notes must have at most 32768 characters");
}

#[test]
fn a_lab_beyond_the_licence_is_warned_of_and_the_unknown_is_not() {
    let warned = |nodes, running, product, bought| seats_warning(nodes, running, product, bought).is_some();
    assert!(!warned(Some(20), 0, Some("CML_Enterprise"), 0));
    assert!(warned(Some(21), 0, Some("CML_Enterprise"), 0));
    assert!(!warned(Some(21), 0, Some("CML_Enterprise"), 5));
    assert!(warned(Some(21), 5, Some("CML_Enterprise"), 5));
    assert!(!warned(Some(40), 0, Some("CML_Personal40"), 0));
    assert!(warned(Some(u32::MAX), u32::MAX, Some("CML_Personal"), u32::MAX - 30));
    assert!(!warned(None, 100, Some("CML_Personal"), 0) && !warned(Some(100), 0, None, 0));
    assert!(!warned(Some(100), 0, Some("CML_Something"), 0));
}

proptest! {
    #[test]
    fn every_state_gives_a_step_and_asking_ends(action in actions(), state in states(), converged: bool, asked in 0_u32..6) {
        let step = next(&action, asked, seen(&state, converged));
        if step == LabStep::Ask {
            prop_assert!(asked < ASKS_MAX);
            // A lab on its way is not pushed again.
            prop_assert!(asked == 0 || converged);
        }
    }

    #[test]
    fn a_state_reads_back(name in "\\PC{0,20}") {
        let state = LabState::from_name(&name);
        prop_assert_eq!(state.name(), name);
    }
}
