//! Where to ask EC2 next when it has no capacity, and when to ask the same again.
//!
//! A shortage is a fact about a type in a zone, not about a worker: it is known to all workers of the
//! account and region, and after it one of them at a time asks again, once a step. The wish stays what it
//! was; what was taken in its place is said in the worker's reason.

use crate::id::Place;
use crate::operation::retry::ErrorClass;
use crate::worker::{Offer, Worker};
use jiff::{SignedDuration, Timestamp};

/// What a zone does not offer is asked for again so much later: subnets get addresses back, and zones types.
const NOT_OFFERED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A shortage that nobody met for so long after its step is forgotten, and with it how often it was met.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Where capacity is had or lacking: one type in one zone, as one account sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Market {
    /// Account and region.
    pub place: Place,
    /// The EC2 type.
    pub instance_type: String,
    /// The zone that a stopped instance is bound to. Of a launch its subnet, which lies in one zone, or `any`.
    pub zone: String,
}

impl Market {
    /// Where an offer is asked for; `zone` is that of an instance that exists.
    #[must_use]
    pub fn of(worker: &Worker, offer: &Offer, zone: Option<&str>) -> Self {
        let zone = zone.or(offer.subnet_id.as_deref()).unwrap_or("any").to_owned();
        Self { place: worker.place.clone(), instance_type: offer.instance_type.clone(), zone }
    }
}

/// What an error code says of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarcity {
    /// No capacity now; it comes back.
    Exhausted,
    /// Not to be had there; waiting does not help, another offer may.
    NotOffered,
}

impl Scarcity {
    /// By EC2's code; none when it is about something else.
    /// Source: EC2 API reference, "Error codes for the Amazon EC2 API".
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "Unsupported" | "InsufficientFreeAddressesInSubnet" => Some(Self::NotOffered),
            _ => (ErrorClass::of(code) == ErrorClass::Capacity).then_some(Self::Exhausted),
        }
    }
}

/// A shortage that EC2 told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// EC2's code.
    pub code: String,
    /// How often in a row it was met.
    pub refusals: u32,
    /// Until when nobody asks again.
    pub until: Timestamp,
}

impl Shortage {
    /// EC2 refused, with that code, after what was known `before`. None when the code is about something else.
    #[must_use]
    pub fn after(before: Option<&Self>, code: &str, now: Timestamp, random: u128) -> Option<Self> {
        let scarcity = Scarcity::of(code)?;
        let refusals = before.map_or(0, |shortage| shortage.refusals).saturating_add(1);
        let wait = match scarcity {
            Scarcity::Exhausted => ErrorClass::Capacity.backoff(refusals, random),
            Scarcity::NotOffered => NOT_OFFERED_FOR,
        };
        Some(Self { code: code.to_owned(), refusals, until: now + wait })
    }

    /// One worker asks again: nobody else does in the meantime, not even when this one is never heard of again.
    #[must_use]
    pub fn probed(&self, now: Timestamp, random: u128) -> Self {
        Self { until: now + ErrorClass::Capacity.backoff(self.refusals, random), ..self.clone() }
    }

    /// It says nothing any longer.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.until) >= FORGOTTEN_AFTER
    }
}

/// Which of several offers to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one, by its position.
    Ask(usize),
    /// None yet: the one that may be asked for first, and when.
    Wait {
        /// Its position.
        offer: usize,
        /// When.
        until: Timestamp,
    },
    /// None at all: what is asked for is not offered, the first one's position.
    NotOffered(usize),
}

/// The first offer that may be asked for now, of those in the order of preference; `known` tells what is known of
/// each.
#[must_use]
pub fn choose(known: &[Option<Shortage>], now: Timestamp) -> Choice {
    let short = |shortage: &Option<Shortage>| shortage.clone().filter(|shortage| shortage.until > now);
    let mut soonest: Option<(usize, Timestamp)> = None;
    for (offer, known) in known.iter().enumerate() {
        let Some(shortage) = short(known) else { return Choice::Ask(offer) };
        let comes_back = Scarcity::of(&shortage.code) != Some(Scarcity::NotOffered);
        if comes_back && soonest.is_none_or(|(_, until)| shortage.until < until) {
            soonest = Some((offer, shortage.until));
        }
    }
    soonest.map_or(Choice::NotOffered(0), |(offer, until)| Choice::Wait { offer, until })
}

/// What may be asked for at a launch, best first: the type counts more than the zone. The parameters of a launch
/// that nobody knows the outcome of stay as they are: its token is bound to them.
#[must_use]
pub fn launch_offers(worker: &Worker) -> Vec<Offer> {
    let spec = &worker.spec;
    let wished = || Offer { instance_type: spec.instance_type.clone(), subnet_id: spec.subnet_id.clone() };
    if worker.has_open_launch() {
        return vec![worker.launch_offer.clone().unwrap_or_else(wished)];
    }
    let types = std::iter::once(&spec.instance_type).chain(&spec.fallback_instance_types);
    let mut offers: Vec<Offer> = Vec::new();
    for instance_type in types {
        let subnets = std::iter::once(spec.subnet_id.clone()).chain(spec.fallback_subnet_ids.iter().cloned().map(Some));
        offers.extend(subnets.map(|subnet_id| Offer { instance_type: instance_type.clone(), subnet_id }));
    }
    without_repeats(offers)
}

/// What may be asked for at the start of a stopped instance, best first. It is bound to its zone, so only its type
/// can change: the one it has comes first, for somebody may have chosen it by hand.
#[must_use]
pub fn start_offers(worker: &Worker) -> Vec<Offer> {
    let spec = &worker.spec;
    let has = worker.instance.as_ref().map_or(&spec.instance_type, |facts| &facts.instance_type);
    let mut types = vec![has];
    if !spec.fallback_instance_types.is_empty() {
        types.push(&spec.instance_type);
        types.extend(&spec.fallback_instance_types);
    }
    without_repeats(types.into_iter().map(|of| Offer { instance_type: of.clone(), subnet_id: None }).collect())
}

fn without_repeats(offers: Vec<Offer>) -> Vec<Offer> {
    let mut kept: Vec<Offer> = Vec::with_capacity(offers.len());
    for offer in offers {
        if !kept.contains(&offer) {
            kept.push(offer);
        }
    }
    kept
}

/// Why another offer than the first was taken, for people; none when it was the first.
#[must_use]
pub fn fallback_reason(verb: &str, by: &str, offers: &[(Market, Option<Shortage>)], chosen: usize) -> Option<String> {
    let (wished, shortage) = offers.first()?;
    let (taken, _) = offers.get(chosen).filter(|_| chosen > 0)?;
    let code = shortage.as_ref().map_or("no capacity", |shortage| shortage.code.as_str());
    Some(format!("{verb} for {by} as {}, because EC2 had no {} ({code}).", words(taken), words(wished)))
}

/// A type and where, for people.
#[must_use]
pub fn words(market: &Market) -> String {
    match market.zone.as_str() {
        "any" => format!("{} in {}", market.instance_type, market.place.region),
        zone => format!("{} in {zone}", market.instance_type),
    }
}

#[cfg(test)]
mod tests;
