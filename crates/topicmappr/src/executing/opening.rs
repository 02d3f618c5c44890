//! The way in that every command on an execution takes: the plan, the cluster that it is meant for, and the files.

use super::{Execution, Places, Terms};
use crate::error::Error;
use crate::flags::{ExecutionArgs, Meant};
use crate::live;
use crate::session::Session;
use mapper::Plan;

/// A plan, and a way into its cluster. Nothing is taken or written yet.
pub(crate) struct Opened {
    pub(crate) client: kafka::Client,
    /// Every submission is a move of its own.
    pub(crate) plan: Plan,
    pub(crate) plan_id: String,
    pub(crate) cluster_id: String,
    pub(crate) places: Places,
}

impl Opened {
    /// Connects; refuses any cluster but the plan's.
    pub(crate) async fn of(
        args: &ExecutionArgs,
        meant: Meant,
        session: &mut Session<'_, '_>,
    ) -> Result<Self, Error> {
        let (bootstrap, properties) = session.global.source.brokers()?;
        let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let Meant { plan, plan_id, .. } = meant;
        let cluster_id = args.cluster_id(&plan, client.cluster().id.clone())?;
        let places = args.places(&cluster_id);
        Ok(Self { client, plan, plan_id, cluster_id, places })
    }

    /// The execution, for this process alone; or only a look at what it would do.
    pub(crate) fn execution(&self, terms: Terms, dry_run: bool) -> Result<Execution<'_>, Error> {
        match dry_run {
            true => Execution::rehearse(self, terms),
            false => Execution::open(self, terms),
        }
    }
}
