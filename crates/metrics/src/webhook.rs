//! Sends events to a webhook, in the format of Slack or of Alertmanager.
//!
//! The URL of a webhook is its secret. So errors show only its server.

use crate::datadog::Event;
use crate::error::MetricsError;
use crate::http::Http;
use crate::http_settings::{BadSettings, HttpSettings};
use reqwest::Url;
use serde_json::{Map, Value, json};
use std::fmt;

const FLAG: &str = "--webhook-file";

/// What the receiver reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// A message, as Slack's incoming webhooks take it. Mattermost and Rocket.Chat take the same.
    Slack,
    /// An alert, as Alertmanager takes it at `/api/v2/alerts`. It ends by `resolve_timeout`.
    Alertmanager,
}

/// A receiver of events.
pub struct Webhook {
    http: Http,
    url: Url,
    format: WebhookFormat,
}

impl Webhook {
    /// Prepares the receiver at this URL. Sends nothing.
    ///
    /// # Errors
    /// The text is no URL of HTTP.
    pub fn at(
        url: &str,
        format: WebhookFormat,
        settings: &HttpSettings,
    ) -> Result<Self, BadSettings> {
        let url = Url::parse(url.trim()).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let problem = "the file holds no URL: write https://HOST/PATH".to_owned();
        let url = url.ok_or(BadSettings { flag: FLAG, problem })?;
        Ok(Self { http: Http::new(settings, Vec::new())?, url, format })
    }

    /// Sends an event. Retries failures that may pass, all within one timeout.
    ///
    /// # Errors
    /// The receiver did not take it.
    pub async fn post(&self, event: &Event) -> Result<(), MetricsError> {
        let shown = self.url.origin().ascii_serialization();
        let json = self.body(event).to_string().into_bytes();
        let posted = self.http.post_patiently(&self.url, &shown, json).await;
        posted.map_err(|error| match error {
            // The server may repeat what it was asked for.
            MetricsError::Refused { url, status, message } => {
                let message = message.replace(self.url.path(), "/[hidden]");
                MetricsError::Refused { url, status, message }
            }
            other => other,
        })
    }

    fn body(&self, event: &Event) -> Value {
        let Event { title, text, tags } = event;
        match self.format {
            WebhookFormat::Slack => {
                let text = format!(
                    "*{}* ({})\n{}",
                    escaped(title),
                    escaped(&tags.join(", ")),
                    escaped(text)
                );
                json!({"text": text})
            }
            WebhookFormat::Alertmanager => {
                let tags = tags.iter().filter_map(|tag| tag.split_once(':'));
                let mut labels: Map<String, Value> =
                    tags.map(|(name, value)| (name.to_owned(), value.into())).collect();
                labels.insert("alertname".to_owned(), title.as_str().into());
                json!([{"labels": labels, "annotations": {"summary": text}}])
            }
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Slack's three control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
