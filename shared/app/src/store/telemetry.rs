//! Readings: the latest by source, and the history.

use std::collections::BTreeMap;

use domain::{SignedDuration, Timestamp, WorkerId};

use super::telemetry_item::{AwsReadings, CmlReadings, Readings, Sample, hour_item, read_hour};
use super::{Store, keys, record};
use crate::error::AppError;
use crate::ports::{Condition, Query, TableError, Write};

/// The latest readings of a worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// From EC2 and CloudWatch.
    pub aws: AwsReadings,
    /// From CML.
    pub cml: CmlReadings,
}

/// Another reading of the same worker may write in between; then the new state is read once more.
const WRITE_ATTEMPTS: usize = 3;

impl Store {
    /// Adds a reading: `update` gets the latest one and returns the new one. One write.
    ///
    /// # Errors
    /// The table failed, or others kept writing.
    pub async fn add_reading<R: Readings>(
        &self,
        id: WorkerId,
        at: Timestamp,
        retention: SignedDuration,
        update: impl Fn(&R) -> R + Send + Sync,
    ) -> Result<R, AppError> {
        for _ in 0..WRITE_ATTEMPTS {
            let key = keys::telemetry(id, R::SOURCE, &keys::hour(at));
            let item = self.table.get(&key).await?;
            let before = match &item {
                Some(item) => read_hour::<R>(item)?.latest,
                None => self.latest::<R>(id).await?.unwrap_or_default(),
            };
            let latest = update(&before);
            let next = hour_item(id, item.as_ref(), &latest, at, retention)?;
            let condition = item.and_then(|item| item.version).map_or(Condition::NotExists, Condition::Version);
            match self.table.write(Write::Put(next, condition)).await {
                Ok(()) => return Ok(latest),
                Err(TableError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Busy(id))
    }

    /// The latest reading of one source, however old.
    ///
    /// # Errors
    /// The table failed.
    pub async fn latest<R: Readings>(&self, id: WorkerId) -> Result<Option<R>, AppError> {
        let query =
            Query::partition(keys::worker(id).pk).prefix(&format!("TELEMETRY#{}#", R::SOURCE)).newest_first().limit(1);
        let page = self.table.query(&query).await?;
        page.items.first().map(|item| read_hour(item).map(|hour| hour.latest)).transpose()
    }

    /// The latest readings of one worker, however old.
    ///
    /// # Errors
    /// The table failed.
    pub async fn telemetry(&self, id: WorkerId) -> Result<Telemetry, AppError> {
        Ok(Telemetry {
            aws: self.latest(id).await?.unwrap_or_default(),
            cml: self.latest(id).await?.unwrap_or_default(),
        })
    }

    /// The readings of this hour or the last, of many workers at once: a worker that runs has them,
    /// and of one that does not an old number would only mislead.
    ///
    /// # Errors
    /// The table failed.
    pub async fn recent_telemetry(
        &self,
        ids: &[WorkerId],
        now: Timestamp,
    ) -> Result<BTreeMap<WorkerId, Telemetry>, AppError> {
        // Older first, so that the newer hour replaces it below.
        let hours = [keys::hour(now - SignedDuration::from_hours(1)), keys::hour(now)];
        let mut found: BTreeMap<WorkerId, Telemetry> = BTreeMap::new();
        for chunk in ids.chunks(25) {
            let mut wanted = Vec::with_capacity(100);
            for id in chunk {
                for hour in &hours {
                    wanted.push(keys::telemetry(*id, AwsReadings::SOURCE, hour));
                    wanted.push(keys::telemetry(*id, CmlReadings::SOURCE, hour));
                }
            }
            let mut items = self.table.get_many(&wanted).await?;
            items.sort_by(|a, b| a.sk.cmp(&b.sk));
            let by_partition: BTreeMap<String, WorkerId> = chunk.iter().map(|id| (keys::worker(*id).pk, *id)).collect();
            for item in &items {
                let Some(id) = by_partition.get(&item.pk) else { continue };
                let telemetry = found.entry(*id).or_default();
                if item.sk.starts_with("TELEMETRY#aws#") {
                    telemetry.aws = read_hour(item)?.latest;
                } else {
                    telemetry.cml = read_hour(item)?.latest;
                }
            }
        }
        Ok(found)
    }

    /// The history of a worker between two times at most a day apart, oldest first, with the source
    /// of each sample.
    ///
    /// # Errors
    /// The table failed.
    pub async fn samples(
        &self,
        id: WorkerId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(&'static str, Sample)>, AppError> {
        let mut samples = self.samples_of::<AwsReadings>(id, from, to).await?;
        samples.extend(self.samples_of::<CmlReadings>(id, from, to).await?);
        samples.sort_by_key(|(_, sample)| sample.at);
        Ok(samples)
    }

    async fn samples_of<R: Readings>(
        &self,
        id: WorkerId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(&'static str, Sample)>, AppError> {
        let (first, last) =
            (keys::telemetry(id, R::SOURCE, &keys::hour(from)), keys::telemetry(id, R::SOURCE, &keys::hour(to)));
        let mut samples = Vec::new();
        let mut query = Query::partition(first.pk).between(first.sk, last.sk).limit(25);
        loop {
            let page = self.table.query(&query).await?;
            for hour in record::readable(&page.items, read_hour::<R>) {
                let within = hour.samples.into_iter().filter(|s| s.at >= from && s.at <= to);
                samples.extend(within.map(|s| (R::SOURCE, s)));
            }
            if page.next.is_none() {
                return Ok(samples);
            }
            query = query.after(page.next);
        }
    }
}
