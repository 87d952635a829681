//! What the region remembers, in memory and on disk. A change is written first, whole, in one
//! transaction, and counts only then: a process killed between two writes leaks nothing.

use std::collections::{BTreeMap, BTreeSet};

use app::ports::{Ec2Error, Random};
use domain::{InstanceId, Place, Timestamp};
use local_state::{Documents, StateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::instance::{Instance, State, Verb};
use crate::{addresses, internal, notice};

const INSTANCE: &str = "ec2-instance";
const TOKEN: &str = "ec2-client-token";
const NOTICE: &str = "ec2-notification";

/// What a client token is bound to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    #[serde(with = "crate::text")]
    pub(crate) instance: InstanceId,
    /// Stands for the parameters of the launch.
    pub(crate) fingerprint: String,
}

/// Changes that become true together.
#[derive(Default)]
pub(crate) struct Batch {
    instances: Vec<Instance>,
    tokens: Vec<(String, Token)>,
    notices: Vec<Value>,
    forgotten: Vec<Instance>,
}

impl Batch {
    pub(crate) fn put(&mut self, instance: Instance) {
        self.instances.push(instance);
    }

    /// The instance has just entered its state; EventBridge will say so.
    pub(crate) fn changed(&mut self, instance: Instance, random: &dyn Random) {
        self.notices.push(notice::state_change(&instance, instance.since, random.next()));
        self.put(instance);
    }

    pub(crate) fn bind(&mut self, key: String, token: Token) {
        self.tokens.push((key, token));
    }
}

pub(crate) struct Model {
    documents: Documents,
    instances: BTreeMap<InstanceId, Instance>,
    tokens: BTreeMap<String, Token>,
    /// Notifications not yet handed out, by the order they happened in.
    notices: BTreeMap<u64, Value>,
}

impl Model {
    pub(crate) fn open(documents: Documents) -> Result<Self, StateError> {
        let instances = documents.all::<Instance>(INSTANCE)?.into_iter().map(|(_, i)| (i.id.clone(), i)).collect();
        let tokens = documents.all(TOKEN)?.into_iter().collect();
        let notices = documents.all(NOTICE)?.into_iter().map(|(id, notice)| Ok((notice_number(&id)?, notice)));
        let notices = notices.collect::<Result<_, StateError>>()?;
        Ok(Self { documents, instances, tokens, notices })
    }

    /// Writes the changes, then lets them count.
    pub(crate) fn commit(&mut self, batch: Batch) -> Result<(), StateError> {
        let first = self.notices.last_key_value().map_or(0, |(last, _)| last + 1);
        let mut writes: Vec<(&str, String, String)> = Vec::new();
        for instance in &batch.instances {
            writes.push((INSTANCE, instance.id.to_string(), serde_json::to_string(instance)?));
        }
        for (key, token) in &batch.tokens {
            writes.push((TOKEN, key.clone(), serde_json::to_string(token)?));
        }
        for (number, notice) in (first..).zip(&batch.notices) {
            writes.push((NOTICE, notice_id(number), notice.to_string()));
        }
        let mut deletes: Vec<(&str, String)> = Vec::new();
        for instance in &batch.forgotten {
            deletes.push((INSTANCE, instance.id.to_string()));
            deletes.extend(instance.token.clone().map(|key| (TOKEN, key)));
        }
        self.write(&writes, &deletes)?;
        self.instances.extend(batch.instances.into_iter().map(|instance| (instance.id.clone(), instance)));
        self.tokens.extend(batch.tokens);
        self.notices.extend((first..).zip(batch.notices));
        for instance in batch.forgotten {
            self.instances.remove(&instance.id);
            instance.token.and_then(|key| self.tokens.remove(&key));
        }
        Ok(())
    }

    fn write(&self, writes: &[(&str, String, String)], deletes: &[(&str, String)]) -> Result<(), StateError> {
        if writes.is_empty() && deletes.is_empty() {
            return Ok(());
        }
        let mut connection = self.documents.connection();
        let transaction = connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO documents (kind, id, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            )?;
            for (kind, id, body) in writes {
                put.execute((kind, id, body))?;
            }
            let mut delete = transaction.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND id = ?2")?;
            for (kind, id) in deletes {
                delete.execute((kind, id))?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Moves every state machine on to now, in the order of time.
    pub(crate) fn settle(&mut self, now: Timestamp, random: &dyn Random) -> Result<(), StateError> {
        let mut batch = Batch::default();
        let mut moved: Vec<Instance> = Vec::new();
        for instance in self.instances.values() {
            match instance.due() {
                // No timed change leads to another one: one step is enough, however long nobody looked.
                Some((at, next)) if at <= now => {
                    let mut instance = instance.clone();
                    instance.enter(next, at);
                    moved.push(instance);
                }
                _ if instance.forgotten(now) => batch.forgotten.push(instance.clone()),
                _ => {}
            }
        }
        moved.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        for instance in moved {
            batch.changed(instance, random);
        }
        self.commit(batch)
    }

    /// Takes all notifications that wait, in order.
    pub(crate) fn take_notices(&mut self) -> Result<Vec<Value>, StateError> {
        let deletes: Vec<(&str, String)> = self.notices.keys().map(|number| (NOTICE, notice_id(*number))).collect();
        self.write(&[], &deletes)?;
        Ok(std::mem::take(&mut self.notices).into_values().collect())
    }

    /// The instances EC2 lists, by id.
    pub(crate) fn listed(&self, now: Timestamp) -> impl Iterator<Item = &Instance> {
        self.instances.values().filter(move |instance| instance.listed(now))
    }

    /// An instance EC2 lists, if the caller looks in the right place.
    pub(crate) fn find(
        &self,
        operation: &'static str,
        place: Option<&Place>,
        id: &str,
        now: Timestamp,
    ) -> Result<&Instance, Ec2Error> {
        id.parse::<InstanceId>()
            .ok()
            .and_then(|id| self.instances.get(&id))
            .filter(|instance| instance.listed(now) && place.is_none_or(|place| instance.is_in(place)))
            .ok_or_else(|| Ec2Error {
                operation,
                code: "InvalidInstanceID.NotFound".into(),
                message: format!("The instance ID '{id}' does not exist"),
            })
    }

    /// The token and its instance, even one that is no longer listed.
    pub(crate) fn token(&self, key: &str) -> Option<(&Token, &Instance)> {
        let token = self.tokens.get(key)?;
        Some((token, self.instances.get(&token.instance)?))
    }

    /// Starts, stops or terminates.
    pub(crate) fn ask(
        &mut self,
        verb: Verb,
        place: Option<&Place>,
        id: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(), Ec2Error> {
        let operation = verb.operation();
        let instance = self.find(operation, place, id, now)?;
        let Some(next) = instance.judge(verb)? else { return Ok(()) };
        let mut instance = instance.clone();
        if next == State::Pending {
            instance.public_ip = Some(self.public_ip(operation, instance.last_public_ip.as_deref(), random)?);
        }
        instance.enter(next, now);
        let mut batch = Batch::default();
        batch.changed(instance, random);
        self.commit(batch).map_err(|error| internal(operation, &error))
    }

    /// Changes what has nothing to do with the state.
    pub(crate) fn amend(
        &mut self,
        operation: &'static str,
        place: &Place,
        id: &InstanceId,
        now: Timestamp,
        change: impl FnOnce(&mut Instance) -> Result<(), Ec2Error>,
    ) -> Result<(), Ec2Error> {
        let mut instance = self.find(operation, Some(place), id.as_str(), now)?.clone();
        change(&mut instance)?;
        let mut batch = Batch::default();
        batch.put(instance);
        self.commit(batch).map_err(|error| internal(operation, &error))
    }

    /// A public address nobody has.
    pub(crate) fn public_ip(
        &self,
        operation: &'static str,
        previous: Option<&str>,
        random: &dyn Random,
    ) -> Result<String, Ec2Error> {
        let taken: BTreeSet<&str> = self.instances.values().filter_map(|i| i.public_ip.as_deref()).collect();
        addresses::public(&taken, previous, random.next()).ok_or_else(|| no_address(operation))
    }

    /// A private address nobody has.
    pub(crate) fn private_ip(&self, operation: &'static str, random: &dyn Random) -> Result<String, Ec2Error> {
        let taken: BTreeSet<&str> = self.instances.values().map(|i| i.private_ip.as_str()).collect();
        addresses::private(&taken, random.next()).ok_or_else(|| no_address(operation))
    }

    /// An id nobody has: `i-` and 17 hexadecimal digits.
    pub(crate) fn new_id(&self, random: &dyn Random) -> Result<InstanceId, domain::InvalidField> {
        let mut number = random.next() as u64;
        loop {
            let id: InstanceId = format!("i-0{number:016x}").parse()?;
            if !self.instances.contains_key(&id) {
                return Ok(id);
            }
            // The map is smaller than the number space, so this ends.
            number = number.wrapping_add(1);
        }
    }
}

fn no_address(operation: &'static str) -> Ec2Error {
    Ec2Error {
        operation,
        code: "InsufficientFreeAddressesInSubnet".into(),
        message: "The specified subnet does not have enough free addresses to satisfy the request.".into(),
    }
}

/// Padded, so that the order of ids is the order of numbers.
fn notice_id(number: u64) -> String {
    format!("{number:020}")
}

fn notice_number(id: &str) -> Result<u64, StateError> {
    id.parse().map_err(|error| StateError::Document(serde::de::Error::custom(format!("notification {id:?}: {error}"))))
}
