//! What `keep` serves: metrics, and the page with each look and each plan's report.

use super::Args;
use crate::error::Error;
use crate::session::Session;
use crate::views::Page;
use execute::keep::Proposal;
use mapper::{Snapshot, check};
use operate::execution::read_plan;
use operate::http_server::{ServerNames, Tls, Token, host_name};
use operate::keep_page::{KeepPage, ShownLook, serve};
use operate::record_place::RecordPlace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The flags of what `keep` serves.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// Serve Prometheus' metrics here, at /metrics
    #[arg(long, value_name = "HOST:PORT", requires = "every")]
    listen: Option<String>,
    /// Accept requests to --listen under this name too; repeatable
    ///
    /// localhost and IP addresses are always accepted.
    #[arg(long, value_name = "NAME", requires = "listen", value_delimiter = ',', value_parser = host_name)]
    listen_host: Vec<String>,
    /// Serve --listen by TLS, with this chain of certificates (PEM)
    ///
    /// Both files may be replaced.
    #[arg(long, value_name = "FILE", requires = "listen", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Use this private key for --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve a page at /, too; answers there need this token
    ///
    /// It shows brokers, plans with their reasons, and what is carried out. The file may be replaced.
    #[arg(long, value_name = "FILE", requires = "listen")]
    token_file: Option<PathBuf>,
}

impl PageArgs {
    /// Serves metrics, and the page if there is a token for it.
    pub(super) fn serve(
        &self,
        notes: &RecordPlace,
        autothrottle: Option<String>,
        session: &Session<'_, '_>,
    ) -> Result<Option<Arc<KeepPage>>, Error> {
        let Some(address) = &self.listen else { return Ok(None) };
        let access = session.access_to(notes)?;
        let page = match &self.token_file {
            Some(file) => {
                let token = Token::in_file("--token-file", file)?;
                Some((KeepPage::new(notes.clone(), access, autothrottle), token))
            }
            None => None,
        };
        let names = ServerNames::of("--listen-host", &self.listen_host);
        serve(address, names, page.clone(), self.tls()?)?;
        Ok(page.map(|(page, _)| page))
    }

    fn tls(&self) -> Result<Option<Tls>, Error> {
        let Some((chain, key)) = self.tls_cert.as_deref().zip(self.tls_key.as_deref()) else {
            return Ok(None);
        };
        let of_key = key.to_owned();
        let wrong = move |path: &Path, problem| -> Error {
            let flag = if path == of_key { "--tls-key" } else { "--tls-cert" };
            local::Error::flag(flag, path.display().to_string(), problem).into()
        };
        Tls::open(chain, key, wrong).map(Some)
    }
}

impl Args {
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
