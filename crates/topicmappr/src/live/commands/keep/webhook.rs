//! A webhook that hears which plans wait for an approval, begin and end.

use crate::error::Error;
use console::{NamedValue, one_of};
use local::files;
use local::words::quoted;
use metrics::{Event, HttpSettings, Webhook, WebhookFormat};
use operate::cluster::ClusterAccess;
use operate::record_place::RecordPlace;
use std::path::{Path, PathBuf};

/// The flags of a webhook.
#[derive(Debug, clap::Args)]
pub(super) struct WebhookArgs {
    /// Tell the webhook whose URL is in this file about plans
    ///
    /// It hears of plans that wait for an approval, begin and end. The file is read each time.
    #[arg(long, value_name = "FILE")]
    webhook_file: Option<PathBuf>,
    /// Choose what the webhook reads
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = one_of(&FORMATS),
        default_value = "slack",
        requires = "webhook_file"
    )]
    webhook_format: WebhookFormat,
}

const FORMATS: [NamedValue<WebhookFormat>; 2] = [
    ("slack", WebhookFormat::Slack, "A message for Slack, Mattermost or Rocket.Chat"),
    ("alertmanager", WebhookFormat::Alertmanager, "An alert for Alertmanager, at /api/v2/alerts"),
];

/// The command that approves a plan.
pub(in crate::live::commands) fn approval(
    plan_id: &str,
    notes: &RecordPlace,
    access: &ClusterAccess,
) -> String {
    let cluster = match notes {
        RecordPlace::StateTopic => format!(" --bootstrap-server {}", quoted(&access.bootstrap)),
        RecordPlace::File(_) | RecordPlace::ConfigMap(_) => String::new(),
    };
    let notes = quoted(&notes.to_string());
    format!("topicmappr plans approve {plan_id} --notes {notes}{cluster}")
}

impl WebhookArgs {
    /// Whether the file holds a URL.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.webhook_file.as_deref().map_or(Ok(()), |file| self.open(file).map(drop))
    }

    fn open(&self, file: &Path) -> Result<Webhook, Error> {
        let url = files::read_text(file)?;
        Ok(Webhook::at(&url, self.webhook_format, &HttpSettings::default())?)
    }

    /// Tells the webhook, if there is one. What it does not take is only logged: the plan matters more.
    pub(super) async fn tell(&self, event: Event) {
        let Some(file) = &self.webhook_file else { return };
        let told = match self.open(file) {
            Ok(webhook) => webhook.post(&event).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            tracing::warn!(%error, event = event.title, "the webhook did not take an event");
        }
    }
}
