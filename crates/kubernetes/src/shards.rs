//! Texts in ConfigMaps: `NAME`, `NAME-1`, `NAME-2`, ..., each small enough for the API, each with its own version.
//!
//! A text stays in its ConfigMap. When a ConfigMap is full, texts move to a later one, which is written first. A writer
//! that is killed in between leaves the text in both, never in none. The later one counts.

mod dealing;

use crate::configmaps::ConfigMap;
use crate::connect::Kubernetes;
use crate::error::Error;
use crate::facts::{Keys, Name};
use dealing::{dealt, order, without_copies};
use std::collections::BTreeMap;

/// How often to claim the ConfigMaps again. A writer that has ended may still have had a write in flight.
const CLAIMS: u32 = 5;

/// Texts by their keys.
pub type Items = BTreeMap<String, String>;

/// The format of texts in one ConfigMap.
pub trait Form {
    /// The most bytes of texts in one ConfigMap. A longer text gets its own. The API accepts 1 MiB, including
    /// everything else in the object.
    const MOST: usize;
    /// Why a ConfigMap cannot be parsed.
    type Problem;

    /// The texts in a ConfigMap.
    ///
    /// # Errors
    /// If it is not what this program writes.
    fn items(&self, data: &Keys) -> Result<Items, Self::Problem>;

    /// The data to write for these texts.
    fn data(&self, items: &Items) -> Keys;

    /// The labels of new ConfigMaps.
    fn labels(&self) -> Keys;
}

/// The ConfigMaps of one set of texts, as we last wrote or read them.
#[derive(Debug)]
pub struct Shards {
    kubernetes: Kubernetes,
    first: Name,
    shards: Vec<Shard>,
}

#[derive(Debug)]
struct Shard {
    map: ConfigMap,
    items: Items,
    /// Whether a later ConfigMap contains some of its texts, too, because a writer was killed.
    has_copies: bool,
}

/// Why texts could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError<P> {
    /// Another process has written the ConfigMap since we read it.
    #[error("another process has written ConfigMap {name}")]
    Taken {
        /// The ConfigMap.
        name: Name,
        /// The API's error.
        #[source]
        error: Box<Error>,
    },
    /// It is not what this program writes.
    #[error("ConfigMap {name}: {problem}")]
    Unreadable {
        /// The ConfigMap.
        name: Name,
        /// Why.
        problem: P,
    },
    /// The API gave no usable answer.
    #[error(transparent)]
    Api(#[from] Error),
}

impl Shards {
    /// Reads all ConfigMaps. Right: `get configmaps`, for each and for the next possible name.
    ///
    /// # Errors
    /// Why they could not be read.
    pub async fn read<F: Form>(
        kubernetes: Kubernetes,
        first: Name,
        form: &F,
    ) -> Result<Self, ShardsError<F::Problem>> {
        let mut shards = Self { kubernetes, first, shards: Vec::new() };
        loop {
            let name = shards.name(shards.shards.len());
            let Some(map) = shards.kubernetes.config_map(&name).await? else { break };
            let items = form
                .items(&map.data)
                .map_err(|problem| ShardsError::Unreadable { name, problem })?;
            shards.shards.push(Shard { map, items, has_copies: false });
        }
        let read = shards.shards.iter_mut().map(|shard| std::mem::take(&mut shard.items));
        let read = without_copies(read.collect());
        for (shard, (items, has_copies)) in shards.shards.iter_mut().zip(read) {
            (shard.items, shard.has_copies) = (items, has_copies);
        }
        Ok(shards)
    }

    /// Reads all ConfigMaps and writes each one again. The earlier writer can then write no more, provided that
    /// [`Form::data`] gives different data for each writer. Rights: `get`, `create`, `update configmaps`.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and [`ShardsError::Taken`] if another process keeps writing.
    pub async fn claim<F: Form>(
        kubernetes: Kubernetes,
        first: Name,
        form: &F,
    ) -> Result<Self, ShardsError<F::Problem>> {
        let mut claims = 1;
        loop {
            let mut shards = Self::read(kubernetes.clone(), first.clone(), form).await?;
            match shards.mark(form).await {
                Ok(()) => return Ok(shards),
                Err(ShardsError::Taken { name, .. }) if claims < CLAIMS => {
                    tracing::info!(%name, "another process has written this ConfigMap: reading it again");
                    claims += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives each ConfigMap a new version.
    async fn mark<F: Form>(&mut self, form: &F) -> Result<(), ShardsError<F::Problem>> {
        for at in 0..self.shards.len() {
            let items = self.shards[at].items.clone();
            self.put(at, items, form).await?;
        }
        if self.shards.is_empty() {
            self.put(0, Items::new(), form).await?;
            // The second write finds out now whether the right to update is missing.
            self.put(0, Items::new(), form).await?;
        }
        Ok(())
    }

    /// The texts of all ConfigMaps.
    pub fn items(&self) -> Items {
        let all = self.shards.iter().flat_map(|shard| &shard.items);
        all.map(|(about, text)| (about.clone(), text.clone())).collect()
    }

    /// The ConfigMaps, in order.
    pub fn maps(&self) -> impl Iterator<Item = &ConfigMap> {
        self.shards.iter().map(|shard| &shard.map)
    }

    /// Replaces all texts with these, and writes only the changed ConfigMaps. Rights: `create`, `update configmaps`.
    ///
    /// # Errors
    /// [`ShardsError::Taken`] if another process has written one since, or the API's error. Some ConfigMaps may be
    /// written by then.
    pub async fn write<F: Form>(
        &mut self,
        now: Items,
        form: &F,
    ) -> Result<(), ShardsError<F::Problem>> {
        for at in 0..self.shards.len() {
            // Otherwise a text that is removed from the later ConfigMap could return from the earlier one.
            if self.shards[at].has_copies {
                let items = self.shards[at].items.clone();
                self.put(at, items, form).await?;
            }
        }
        let before: Vec<&Items> = self.shards.iter().map(|shard| &shard.items).collect();
        let parts = dealt(&before, now, F::MOST);
        for at in order(before.len(), parts.len()) {
            let changed =
                self.shards.get(at).is_none_or(|shard| shard.map.data != form.data(&parts[at]));
            if changed {
                self.put(at, parts[at].clone(), form).await?;
            }
        }
        Ok(())
    }

    /// Checks that the first ConfigMap has not changed since our last write.
    ///
    /// # Errors
    /// [`ShardsError::Taken`] if it has; or the API's error.
    pub async fn confirm<P>(&self) -> Result<(), ShardsError<P>> {
        let found = self.kubernetes.config_map(&self.first).await?;
        let ours = self.shards.first().map(|shard| shard.map.version());
        match found.as_ref().map(ConfigMap::version) == ours {
            true => Ok(()),
            false => {
                let error = Box::new(Error::changed(&self.first));
                Err(ShardsError::Taken { name: self.first.clone(), error })
            }
        }
    }

    async fn put<F: Form>(
        &mut self,
        at: usize,
        items: Items,
        form: &F,
    ) -> Result<(), ShardsError<F::Problem>> {
        let (name, data) = (self.name(at), form.data(&items));
        let written = match self.shards.get(at) {
            Some(shard) => self.kubernetes.replace_config_map(&shard.map, data).await,
            None => self.kubernetes.create_config_map(&name, &form.labels(), data).await,
        };
        let map = match written {
            Ok(map) => map,
            Err(error @ (Error::Conflict { .. } | Error::NotFound { .. })) => {
                return Err(ShardsError::Taken { name, error: Box::new(error) });
            }
            Err(error) => return Err(error.into()),
        };
        let shard = Shard { map, items, has_copies: false };
        match self.shards.get_mut(at) {
            Some(old) => *old = shard,
            None => self.shards.push(shard),
        }
        Ok(())
    }

    fn name(&self, at: usize) -> Name {
        match at {
            0 => self.first.clone(),
            _ => Name::new(&self.first.namespace, &format!("{}-{at}", self.first.name)),
        }
    }
}

/// `app.kubernetes.io/managed-by`, the standard label for objects that a program has created.
pub fn managed_by(program: &str) -> Keys {
    [("app.kubernetes.io/managed-by".to_owned(), program.to_owned())].into()
}
