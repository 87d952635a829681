use super::*;
use crate::fixture::{at, draft, open_launch, worker};
use crate::worker::{DesiredState, WorkerStatus};
use proptest::prelude::*;

const CAPACITY: &str = "InsufficientInstanceCapacity";

fn offer(instance_type: &str, subnet_id: Option<&str>) -> Offer {
    Offer { instance_type: instance_type.into(), subnet_id: subnet_id.map(Into::into) }
}

fn spoilt_for_choice(mut worker: Worker) -> Worker {
    worker.spec.instance_type = "m5zn.metal".into();
    worker.spec.fallback_instance_types = vec!["c5.metal".into(), "m5zn.metal".into()];
    worker.spec.subnet_id = Some("subnet-a".into());
    worker.spec.fallback_subnet_ids = vec!["subnet-b".into()];
    worker
}

fn short(until_minute: i64, code: &str) -> Option<Shortage> {
    Some(Shortage { code: code.into(), refusals: 1, until: at(until_minute) })
}

#[test]
fn codes_of_capacity_lead_elsewhere_and_others_do_not() {
    for (code, scarcity) in [
        (CAPACITY, Some(Scarcity::Exhausted)),
        ("InsufficientHostCapacity", Some(Scarcity::Exhausted)),
        ("InsufficientReservedInstanceCapacity", Some(Scarcity::Exhausted)),
        ("Unsupported", Some(Scarcity::NotOffered)),
        ("InsufficientFreeAddressesInSubnet", Some(Scarcity::NotOffered)),
        ("RequestLimitExceeded", None),
        ("VcpuLimitExceeded", None),
        ("UnauthorizedOperation", None),
        ("timeout", None),
    ] {
        assert_eq!(Scarcity::of(code), scarcity, "{code}");
        assert_eq!(Shortage::after(None, code, at(0), 0).is_some(), scarcity.is_some(), "{code}");
    }
}

#[test]
fn a_launch_tries_the_type_in_every_zone_before_the_next_type_and_nothing_twice() {
    assert_eq!(
        launch_offers(&spoilt_for_choice(draft())),
        [
            offer("m5zn.metal", Some("subnet-a")),
            offer("m5zn.metal", Some("subnet-b")),
            offer("c5.metal", Some("subnet-a")),
            offer("c5.metal", Some("subnet-b")),
        ]
    );
}

#[test]
fn a_launch_of_which_nobody_knows_the_outcome_is_repeated_as_it_was() {
    let open = spoilt_for_choice(open_launch(DesiredState::Running));
    assert_eq!(launch_offers(&open), [offer("m5zn.metal", Some("subnet-a"))]);
    let second = Worker { launch_offer: Some(offer("c5.metal", Some("subnet-b"))), ..open };
    assert_eq!(launch_offers(&second), [offer("c5.metal", Some("subnet-b"))]);
    let refused = Worker { launch_refused: true, ..second };
    assert_eq!(launch_offers(&refused).len(), 4);
}

#[test]
fn a_stopped_instance_keeps_its_type_first_and_changes_it_only_where_alternatives_are_named() {
    let mut stopped = worker(WorkerStatus::Stopped, DesiredState::Running);
    stopped.instance.as_mut().unwrap().instance_type = "r5.metal".into();
    assert_eq!(start_offers(&stopped), [offer("r5.metal", None)]);
    let types: Vec<String> =
        start_offers(&spoilt_for_choice(stopped)).into_iter().map(|offer| offer.instance_type).collect();
    assert_eq!(types, ["r5.metal", "m5zn.metal", "c5.metal"]);
}

#[test]
fn the_first_offer_that_may_be_asked_for_is_taken_and_otherwise_the_soonest_is_waited_for() {
    let now = at(10);
    for (known, choice) in [
        (vec![None, None], Choice::Ask(0)),
        (vec![short(11, CAPACITY), None], Choice::Ask(1)),
        // Its step has passed: it is asked for again.
        (vec![short(10, CAPACITY), None], Choice::Ask(0)),
        (vec![short(19, CAPACITY), short(15, CAPACITY)], Choice::Wait { offer: 1, until: at(15) }),
        // What is not offered is not waited for as long as something else may come back.
        (vec![short(12, "Unsupported"), short(15, CAPACITY)], Choice::Wait { offer: 1, until: at(15) }),
        (vec![short(12, "Unsupported"), short(15, "Unsupported")], Choice::NotOffered(0)),
    ] {
        assert_eq!(choose(&known, now), choice, "{known:?}");
    }
}

#[test]
fn the_reason_names_what_was_taken_what_was_wished_for_and_ec2s_code() {
    let worker = spoilt_for_choice(draft());
    let offers: Vec<(Market, Option<Shortage>)> =
        launch_offers(&worker).iter().map(|offer| (Market::of(&worker, offer, None), short(15, CAPACITY))).collect();
    assert_eq!(fallback_reason("Launched", "alice", &offers, 0), None);
    assert_eq!(
        fallback_reason("Launched", "alice", &offers, 2).unwrap(),
        "Launched for alice as c5.metal in subnet-a, because EC2 had no m5zn.metal in subnet-a \
         (InsufficientInstanceCapacity)."
    );
}

proptest! {
    /// Lesson 24: 2,700 machines asked for and dropped, because a shortage was known and asked again all the same.
    #[test]
    fn however_often_workers_look_a_step_of_a_shortage_has_one_attempt(
        looks in prop::collection::vec(0_i64..120, 1..400), random: u128,
    ) {
        let mut now = at(0);
        let mut known = Shortage::after(None, CAPACITY, now, random);
        let mut steps = vec![];
        for seconds in looks {
            now += SignedDuration::from_secs(seconds);
            if choose(std::slice::from_ref(&known), now) == Choice::Ask(0) {
                let before = known.take().unwrap();
                // While it asks, nobody else does.
                let probed = before.probed(now, random);
                let waits = matches!(choose(&[Some(probed.clone())], now), Choice::Wait { .. });
                prop_assert!(waits);
                known = Shortage::after(Some(&probed), CAPACITY, now, random);
                steps.push(known.as_ref().unwrap().until.duration_since(now));
            }
        }
        prop_assert!(steps.is_sorted() && steps.iter().all(|step| *step >= SignedDuration::from_secs(120)));
    }

    #[test]
    fn a_choice_is_always_one_of_the_offers_and_never_one_whose_step_runs(
        untils in prop::collection::vec(prop::option::of((0_i64..60, any::<bool>())), 1..8), now in 0_i64..60,
    ) {
        let code = |offered: bool| if offered { CAPACITY } else { "Unsupported" };
        let known: Vec<_> = untils.iter().map(|of| of.and_then(|(until, offered)| short(until, code(offered)))).collect();
        match choose(&known, at(now)) {
            Choice::Ask(n) => prop_assert!(known[n].as_ref().is_none_or(|shortage| shortage.until <= at(now))),
            Choice::Wait { offer, until } => {
                prop_assert!(until > at(now));
                prop_assert_eq!(known[offer].as_ref().unwrap().until, until);
            }
            Choice::NotOffered(n) => prop_assert_eq!(&known[n].as_ref().unwrap().code, "Unsupported"),
        }
    }
}
