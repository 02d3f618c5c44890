//! Texts in ConfigMaps: `NAME`, `NAME-1`, `NAME-2`, ..., each small enough for the API, each under its own version.
//!
//! A text stays in the ConfigMap that it is in. What outgrows one goes to a later one, which is written first: a writer
//! that is killed between leaves a text in both, never in none, and the later one counts.

mod dealing;

use crate::configmaps::ConfigMap;
use crate::connect::Kubernetes;
use crate::error::Error;
use crate::facts::{Keys, Name};
use dealing::{dealt, order, without_copies};
use std::collections::BTreeMap;

/// A writer that is gone may have had a write under way.
const CLAIMS: u32 = 5;

/// Texts by what they are about.
pub type Items = BTreeMap<String, String>;

/// How texts stand in one ConfigMap.
pub trait Form {
    /// Bytes of texts in one. A longer text has one of its own; the API takes 1 MiB with everything around it.
    const MOST: usize;
    /// Why a ConfigMap is not understood.
    type Problem;

    /// The texts in it.
    ///
    /// # Errors
    /// It is not what this program writes.
    fn items(&self, data: &Keys) -> Result<Items, Self::Problem>;

    /// What to write for these texts.
    fn data(&self, items: &Items) -> Keys;

    /// The labels of new ones.
    fn labels(&self) -> Keys;
}

/// The ConfigMaps of one set of texts, as we left them.
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
    /// What a killed writer has left in a later one, too.
    has_copies: bool,
}

/// Why texts are not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError<P> {
    /// Somebody else has written the ConfigMap since we read it.
    #[error("ConfigMap {name} is written by somebody else")]
    Taken {
        /// Which.
        name: Name,
        /// In the API's words.
        #[source]
        error: Box<Error>,
    },
    /// It is not what this program writes.
    #[error("ConfigMap {name}: {problem}")]
    Unreadable {
        /// Which.
        name: Name,
        /// Why.
        problem: P,
    },
    /// The API gives no answer that can be used.
    #[error(transparent)]
    Api(#[from] Error),
}

impl Shards {
    /// Reads all of them. Right: `get configmaps`, for each and for the one that would come next.
    ///
    /// # Errors
    /// Why nobody can say.
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

    /// Reads all of them and writes each again: whoever wrote them before can do so no more, if what [`Form::data`] makes
    /// of the same texts differs from writer to writer. Rights: `get`, `create`, `update configmaps`.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and [`ShardsError::Taken`] where somebody goes on writing.
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
                    tracing::info!(%name, "was being written: reading it again");
                    claims += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives each a new version.
    async fn mark<F: Form>(&mut self, form: &F) -> Result<(), ShardsError<F::Problem>> {
        for at in 0..self.shards.len() {
            let items = self.shards[at].items.clone();
            self.put(at, items, form).await?;
        }
        if self.shards.is_empty() {
            self.put(0, Items::new(), form).await?;
            // That the right to write it again is missing is found now, not when there is something to write.
            self.put(0, Items::new(), form).await?;
        }
        Ok(())
    }

    /// The first of them.
    pub fn first(&self) -> &Name {
        &self.first
    }

    /// What all of them say.
    pub fn items(&self) -> Items {
        let all = self.shards.iter().flat_map(|shard| &shard.items);
        all.map(|(about, text)| (about.clone(), text.clone())).collect()
    }

    /// The ConfigMaps, in their order.
    pub fn maps(&self) -> impl Iterator<Item = &ConfigMap> {
        self.shards.iter().map(|shard| &shard.map)
    }

    /// Makes these texts all there is, and writes what has changed. Rights: `create`, `update configmaps`.
    ///
    /// # Errors
    /// [`ShardsError::Taken`] if somebody has written one since; what the API says. Some may be written by then.
    pub async fn write<F: Form>(
        &mut self,
        now: Items,
        form: &F,
    ) -> Result<(), ShardsError<F::Problem>> {
        for at in 0..self.shards.len() {
            // Else a text that is removed from the later one could come back from the earlier one.
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

    /// Asks whether the first is as we left it.
    ///
    /// # Errors
    /// [`ShardsError::Taken`] if not; what the API says.
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

/// `app.kubernetes.io/managed-by`, as whoever looks for what a program has made expects it.
pub fn managed_by(program: &str) -> Keys {
    [("app.kubernetes.io/managed-by".to_owned(), program.to_owned())].into()
}
