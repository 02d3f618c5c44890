//! Events: reports what was done to Datadog. No caller waits for the result.

use super::settings::DatadogSettings;
use crate::base_url::below;
use crate::http::Http;
use crate::http_settings::{BadSettings, HttpSettings};
use reqwest::Url;
use serde::Serialize;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

/// How many events may wait in the queue. More are dropped.
const QUEUE: usize = 100;

/// An event: something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// Tags in the form `name:value`.
    pub tags: Vec<String>,
}

/// The queue is full, and this event is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Datadog takes no events: {QUEUE} are waiting, and this one is lost")]
pub struct EventsFull;

/// A queue of events, and the task that sends them one at a time.
#[derive(Debug)]
pub struct Events {
    queue: Sender<Event>,
    task: JoinHandle<()>,
}

impl Events {
    /// Starts the task. Needs a running tokio runtime.
    ///
    /// # Errors
    /// If the keys cannot be sent as headers.
    pub fn start(settings: &DatadogSettings, http: &HttpSettings) -> Result<Self, BadSettings> {
        let http = settings.http(http)?;
        let url = below(&settings.url, "api/v1/events");
        let (queue, events) = mpsc::channel(QUEUE);
        Ok(Self { queue, task: tokio::spawn(send_all(http, url, events)) })
    }

    /// Puts an event into the queue. Never waits.
    ///
    /// # Errors
    /// [`EventsFull`].
    pub fn post(&self, event: Event) -> Result<(), EventsFull> {
        self.queue.try_send(event).map_err(|_| EventsFull)
    }

    /// Sends the queued events, for at most `patience`.
    pub async fn close(self, patience: Duration) {
        let Self { queue, task } = self;
        drop(queue);
        let stop = task.abort_handle();
        if tokio::time::timeout(patience, task).await.is_err() {
            stop.abort();
        }
    }
}

async fn send_all(http: Http, url: Url, mut events: Receiver<Event>) {
    while let Some(event) = events.recv().await {
        let sent = match serde_json::to_vec(&event) {
            Ok(json) => http.post(url.clone(), json).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, title = event.title, "cannot send an event to Datadog");
        }
    }
}
