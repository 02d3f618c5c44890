//! `controllers status`: voters and observers, their lag, and what may fail.

use crate::error::Error;
use crate::live::views::ControllersView;
use crate::session::Session;
use operate::Status;
use operate::controllers::{Controllers, ControllersReach};

pub(super) fn run(session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = super::brokers(session)?;
    session.global.talk.clone().wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let sight = Controllers::of(client, ControllersReach::default()).look(None).await?;
        let view = ControllersView::of(&sight);
        session.show(&view)?;
        Ok(if view.has_findings() { Status::Findings } else { Status::Done })
    })
}
