//! API keys, what is left of their secrets, and what their use leaves behind.

use domain::{ApiKey, ApiKeyId, KeyKind, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::{self, bad_field, corrupt};
use super::{Listed, Store, keys};
use crate::error::AppError;
use crate::ports::{Condition, IndexName, Item, Query, TableError, Write};

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    /// What it is checked with.
    pub secret: KeySecret,
    /// Counts its changes.
    pub version: u64,
}

impl StoredKey {
    /// What a signing secret is sealed for: one copied into another key's item does not open.
    #[must_use]
    pub fn context(id: &ApiKeyId) -> String {
        keys::api_key(id).pk
    }
}

/// What a key is checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySecret {
    /// SHA-256 of the whole key, hexadecimal: the key itself is nowhere.
    Hash(String),
    /// The secrets requests may be signed with, sealed, newest first: two while they are rotated.
    Signing(Vec<SigningSecret>),
}

/// One secret of a signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// The secret, sealed for the key's id.
    pub sealed: String,
    /// From when on it is not accepted any more, machine time.
    pub valid_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct KeyItem {
    schema: u32,
    name: String,
    kind: String,
    owner: String,
    owner_username: String,
    role: String,
    scopes: Vec<String>,
    worker: Option<String>,
    created_at: Timestamp,
    ends_at: Option<Timestamp>,
    hash: Option<String>,
    #[serde(default)]
    signing: Vec<SigningSecret>,
}

#[derive(Serialize, Deserialize)]
struct UseItem {
    schema: u32,
    at: Timestamp,
}

fn item(stored: &StoredKey) -> Item {
    let StoredKey { key, secret, version } = stored;
    let (hash, signing) = match secret {
        KeySecret::Hash(hash) => (Some(hash.clone()), vec![]),
        KeySecret::Signing(secrets) => (None, secrets.clone()),
    };
    let record = KeyItem {
        schema: 1,
        name: key.name.clone(),
        kind: key.kind.name().into(),
        owner: key.owner.clone(),
        owner_username: key.owner_username.clone(),
        role: key.role.name().into(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        worker: key.worker.map(|id| id.to_string()),
        created_at: key.created_at,
        ends_at: key.expires_at,
        hash,
        signing,
    };
    let at = keys::api_key(&key.id);
    let sort = format!("{}#{}", keys::sortable(key.created_at), key.id);
    Item {
        pk: at.pk,
        sk: at.sk,
        gsi1: Some((keys::API_KEYS.into(), sort.clone())),
        gsi2: Some((keys::api_keys_of(&key.owner), sort)),
        version: Some(*version),
        // Gone some time after its end: until then its owner sees why it does not work any more.
        expires_at: key.expires_at,
        attributes: record::attributes(&record),
    }
}

fn read(item: &Item) -> Result<StoredKey, AppError> {
    let record: KeyItem = record::read(item)?;
    let id = item.pk.rsplit('#').next().unwrap_or_default().parse().map_err(bad_field)?;
    let unknown = |what: &str| corrupt(item, &format!("the {what} is unknown"));
    let kind = KeyKind::from_name(&record.kind).ok_or_else(|| unknown("kind"))?;
    let secret = match (kind, record.hash) {
        (KeyKind::Bearer, Some(hash)) => KeySecret::Hash(hash),
        (KeyKind::Signing, None) => KeySecret::Signing(record.signing),
        _ => return Err(unknown("secret")),
    };
    let scopes: Result<Vec<Scope>, _> = record.scopes.iter().map(|text| text.parse()).collect();
    let key = ApiKey {
        id,
        name: record.name,
        kind,
        owner: record.owner,
        owner_username: record.owner_username,
        role: Role::from_name(&record.role).ok_or_else(|| unknown("role"))?,
        scopes: scopes.map_err(bad_field)?,
        worker: record.worker.map(|id| id.parse()).transpose().map_err(bad_field)?,
        created_at: record.created_at,
        expires_at: record.ends_at,
    };
    Ok(StoredKey { key, secret, version: item.version.unwrap_or(0) })
}

impl Store {
    /// The key, and when it was last used; none when there is no such key.
    ///
    /// # Errors
    /// The table failed.
    pub async fn api_key(&self, id: &ApiKeyId) -> Result<Option<(StoredKey, Option<Timestamp>)>, AppError> {
        let (key, last_use) = (keys::api_key(id), keys::api_key_use(id));
        let items = self.table.get_many(&[key.clone(), last_use.clone()]).await?;
        let find = |wanted| items.iter().find(|item| item.key() == wanted);
        let Some(stored) = find(key) else { return Ok(None) };
        let used: Option<UseItem> = find(last_use).map(record::read).transpose()?;
        Ok(Some((read(stored)?, used.map(|used| used.at))))
    }

    /// Writes a key, new or changed: its version is the one that was read, and 0 for a new one. False when
    /// somebody else wrote it first.
    ///
    /// # Errors
    /// The table failed.
    pub async fn save_api_key(&self, stored: &mut StoredKey) -> Result<bool, AppError> {
        let condition = if stored.version == 0 { Condition::NotExists } else { Condition::Version(stored.version) };
        stored.version += 1;
        match self.table.write(Write::Put(item(stored), condition)).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a key. What it was used for last goes with it.
    ///
    /// # Errors
    /// The table failed.
    pub async fn remove_api_key(&self, id: &ApiKeyId) -> Result<(), AppError> {
        let gone = [keys::api_key(id), keys::api_key_use(id)].map(|key| Write::Delete(key, Condition::None));
        Ok(self.table.transact(gone.into()).await?)
    }

    /// A page of keys, newest first; of one owner if one is given.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the table failed.
    pub async fn list_api_keys(
        &self,
        owner: Option<&str>,
        limit: u32,
        after: Option<String>,
    ) -> Result<Listed<(ApiKey, Option<Timestamp>)>, AppError> {
        let query = match owner {
            Some(owner) => Query::index(IndexName::Gsi2, keys::api_keys_of(owner)),
            None => Query::index(IndexName::Gsi1, keys::API_KEYS),
        };
        let page = self.table.query(&query.newest_first().limit(limit).after(after)).await?;
        let stored = record::readable(&page.items, read);
        let mut items = Vec::with_capacity(stored.len());
        // As many at once as the table takes.
        for some in stored.chunks(100) {
            let wanted: Vec<_> = some.iter().map(|stored| keys::api_key_use(&stored.key.id)).collect();
            let uses = self.table.get_many(&wanted).await?;
            for (stored, key) in some.iter().zip(wanted) {
                let used = uses.iter().find(|item| item.key() == key).map(record::read::<UseItem>).transpose()?;
                items.push((stored.key.clone(), used.map(|used| used.at)));
            }
        }
        Ok(Listed { items, next: page.next })
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// The table failed.
    pub async fn note_api_key_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), AppError> {
        let key = keys::api_key_use(id);
        let attributes = record::attributes(&UseItem { schema: 1, at });
        let item = Item { pk: key.pk, sk: key.sk, attributes, ..Item::default() };
        Ok(self.table.write(Write::Put(item, Condition::None)).await?)
    }

    /// Takes a nonce of a key, until a time. False when it was taken before.
    ///
    /// # Errors
    /// The table failed.
    pub async fn take_nonce(
        &self,
        id: &ApiKeyId,
        hash: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, AppError> {
        let key = keys::nonce(id, hash);
        let item = Item {
            pk: key.pk,
            sk: key.sk,
            expires_at: Some(until),
            attributes: record::attributes(&UseItem { schema: 1, at: now }),
            ..Item::default()
        };
        match self.table.write(Write::Put(item, Condition::NotExistsOrExpiredBefore(now))).await {
            Ok(()) => Ok(true),
            Err(TableError::Condition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
