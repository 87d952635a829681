//! Protections switched off, one at a time, to see that the simulation misses them. Nothing of this is in the
//! product: a port between it and the world does less than it is asked to, or a policy is made void.

use app::Settings;
use app::ports::{Condition, Item, LaunchRequest, Outgoing, Query, Write};

use domain::SignedDuration;

use crate::executor::{Moment, Sim};

/// What does not protect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Everything is as it should be.
    #[default]
    None,
    /// EC2 is told another `ClientToken` at each call.
    NoLaunchToken,
    /// The power queue has no groups: two consumers judge one worker at once. Versions do not help either.
    NoGroups,
    /// Writes happen whatever version is stored.
    NoVersions,
    /// An instance that is missed counts as missed before.
    OneMissIsEnough,
    /// No index shows an operation of a worker, and none is remembered: what is under way is not seen, and grace is
    /// all that protects.
    OperationsUnseen,
    /// The same, and nothing is awaited after a launch or a start.
    NoGrace,
    /// What is due is not kept: only messages tell of it.
    NoDueItems,
    /// Addresses are given to others at once.
    AddressesReusedAtOnce,
    /// A controller's certificate is not compared with the one that is recorded. So that it matters, each address is
    /// given to others at once.
    CertificatesUnread,
    /// Files are taken and not kept.
    FilesVanish,
    /// A licence is said to be given back, and is not.
    SeatsStay,
    /// Nobody sees that a worker is being ended.
    EndingsUnseen,
    /// Nobody sees that the end of a worker was taken back.
    TakingBackUnseen,
    /// `SAFE_MODE` is not read.
    SafeModeUnread,
    /// Nobody sees that the fleet is frozen.
    FreezeUnseen,
    /// An instance can be claimed over another worker's claim.
    NoClaims,
    /// What people do to labs in CML is not respected.
    LabHandsUnseen,
    /// What is under way at a lab is not seen, and nothing is awaited.
    LabWorkUnseen,
}

impl Sabotage {
    /// Every one.
    pub const ALL: [Self; 19] = [
        Self::None,
        Self::NoLaunchToken,
        Self::NoGroups,
        Self::NoVersions,
        Self::OneMissIsEnough,
        Self::OperationsUnseen,
        Self::NoGrace,
        Self::NoDueItems,
        Self::AddressesReusedAtOnce,
        Self::CertificatesUnread,
        Self::FilesVanish,
        Self::SeatsStay,
        Self::EndingsUnseen,
        Self::TakingBackUnseen,
        Self::SafeModeUnread,
        Self::FreezeUnseen,
        Self::NoClaims,
        Self::LabHandsUnseen,
        Self::LabWorkUnseen,
    ];

    /// The settings as they are read.
    pub(crate) fn settings(self, settings: &mut Settings) {
        if self == Self::NoGrace {
            settings.reconcile.grace = SignedDuration::ZERO;
        }
        if self == Self::LabHandsUnseen {
            settings.reconcile_labs.manual_change_hold = SignedDuration::ZERO;
        }
        if self == Self::LabWorkUnseen {
            settings.reconcile_labs.grace = SignedDuration::ZERO;
        }
    }

    /// The request as EC2 gets it.
    pub(crate) fn launch(self, request: &LaunchRequest, unique: u128) -> LaunchRequest {
        let mut request = request.clone();
        if self == Self::NoLaunchToken {
            request.client_token = format!("{unique:032x}");
        }
        request
    }

    /// How long an address rests before somebody else gets it.
    pub(crate) fn address_rests(self, rests: Moment) -> Moment {
        if matches!(self, Self::AddressesReusedAtOnce | Self::CertificatesUnread) { 0 } else { rests }
    }

    /// Whether an index does not show what is asked for.
    pub(crate) fn hides(self, query: &Query) -> bool {
        matches!(self, Self::OperationsUnseen | Self::NoGrace | Self::LabWorkUnseen) && query.pk.starts_with("TARGET#")
    }

    /// The item as the table shows it.
    pub(crate) fn shown(self, item: Option<Item>) -> Option<Item> {
        let mut item = item?;
        match (self, item.sk.as_str()) {
            (Self::EndingsUnseen, "ENDING") => return None,
            (Self::TakingBackUnseen, "ENDING") => {
                item.attributes.remove("stage");
            }
            (Self::FreezeUnseen, "SENTINEL") => {
                item.attributes.remove("frozen_since");
            }
            _ => {}
        }
        Some(item)
    }

    /// Whether the record of what was done for a wish is not kept as it was written.
    pub(crate) fn takes_records(self) -> bool {
        matches!(self, Self::OperationsUnseen | Self::NoGrace | Self::NoDueItems)
    }

    /// The message as the queue gets it.
    pub(crate) fn message(self, message: Outgoing) -> Outgoing {
        if self == Self::NoGroups {
            return Outgoing { group: None, deduplication_id: None, ..message };
        }
        message
    }

    /// The writes as the table gets them.
    pub(crate) fn writes(self, writes: Vec<Write>, now: impl Fn() -> Moment) -> Vec<Write> {
        let keep = |write: &Write| self != Self::NoDueItems || !write.key().sk.starts_with("DUE#");
        writes.into_iter().filter(keep).map(|write| self.write(write, &now)).collect()
    }

    /// Whether nobody remembers which operation was begun for a wish.
    fn forgets_action(self, sk: &str) -> bool {
        match self {
            Self::OperationsUnseen | Self::NoGrace => sk == "DUE#power",
            Self::LabWorkUnseen => sk.starts_with("WISH#LAB#"),
            _ => false,
        }
    }

    fn write(self, write: Write, now: &impl Fn() -> Moment) -> Write {
        match (self, write) {
            (Self::NoVersions, Write::Put(item, Condition::Version(_) | Condition::NotExists)) => {
                Write::Put(item, Condition::None)
            }
            (Self::NoVersions, Write::Check(key, Condition::Version(_))) => Write::Check(key, Condition::None),
            (Self::OneMissIsEnough, Write::Put(mut item, condition)) => {
                if item.sk == "WORKER" && item.attributes.contains_key("missing_since") {
                    // So that the very next miss counts. Source: `MISSING_AGAIN_AFTER`.
                    let before = Sim::timestamp(now() - 5 * crate::executor::MINUTE).to_string();
                    item.attributes.insert("missing_since".into(), before.into());
                }
                Write::Put(item, condition)
            }
            (Self::NoClaims, Write::Put(item, Condition::NotExists)) if item.sk == "CLAIM" => {
                Write::Put(item, Condition::None)
            }
            (_, Write::Put(mut item, condition)) if self.forgets_action(&item.sk) => {
                let last = item.attributes.get_mut("record").and_then(|record| record.get_mut("last_action"));
                if let Some(last) = last.and_then(serde_json::Value::as_object_mut) {
                    last.remove("operation");
                }
                Write::Put(item, condition)
            }
            (_, write) => write,
        }
    }
}
