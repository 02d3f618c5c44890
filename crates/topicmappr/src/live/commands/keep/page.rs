//! The page of `keep`: each look, and each plan with its report.

use super::Args;
use crate::error::Error;
use crate::session::Session;
use crate::views::Page;
use execute::keep::Proposal;
use mapper::{Snapshot, check};
use operate::execution::read_plan;
use operate::http_server::{ServerNames, Token};
use operate::keep_page::{KeepPage, ShownLook, serve};
use std::sync::Arc;

impl Args {
    /// Serves metrics, and the page if there is a token for it.
    pub(super) fn serve(&self, session: &Session<'_, '_>) -> Result<Option<Arc<KeepPage>>, Error> {
        let Some(address) = &self.listen else { return Ok(None) };
        let access = session.global.kubernetes.access(session.environment);
        let page = match &self.token_file {
            Some(file) => {
                let token = Token::in_file("--token-file", file)?;
                Some((KeepPage::new(self.notes.clone(), access), token))
            }
            None => None,
        };
        let names = ServerNames::of("--listen-host", &self.listen_host);
        serve(address, names, page.clone())?;
        Ok(page.map(|(page, _)| page))
    }

    /// Shows a look. A plan gets its report when it is first seen.
    pub(super) fn show(
        &self,
        page: &KeepPage,
        look: ShownLook,
        proposals: &[Proposal],
        (now, later): (&Snapshot, Option<&Snapshot>),
    ) {
        page.looked(look);
        for proposal in proposals {
            let Some(planned) = &proposal.plan else { continue };
            if page.knows(&planned.plan_id) {
                continue;
            }
            // The page without a report is still worth something.
            let Ok((plan, id)) = read_plan(&self.proposed(&proposal.need)) else { continue };
            let snapshot = proposal.need.seen_in(now, later);
            let judged = Some((snapshot, check(snapshot, &plan)));
            page.show(&id, &plan, Page { plan: &plan, snapshot: judged }.to_string());
        }
    }
}
