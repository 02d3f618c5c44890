//! A cache of host tags. It expires, because a replaced host has other tags or none.

use super::settings::DatadogSettings;
use super::wire;
use crate::base_url::below;
use crate::error::MetricsError;
use crate::http::{self, Http};
use futures::StreamExt;
use mapper::BrokerId;
use reqwest::Url;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long to keep tags that contain everything we need.
const WHOLE: Duration = Duration::from_secs(3600);
/// How long to keep incomplete tags, which an operator may be about to add.
const PARTIAL: Duration = Duration::from_secs(300);
const MOST_BYTES: usize = 1 << 20;
/// How many hosts are requested in parallel, because Datadog limits the request rate.
const AT_ONCE: usize = 8;

/// The facts in a host's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostFacts {
    pub(super) id: Option<BrokerId>,
    pub(super) instance_type: Option<String>,
}

/// The tags of the hosts that the last round saw, and no others.
#[derive(Debug, Default)]
pub(super) struct HostTags(BTreeMap<String, (HostFacts, Instant)>);

impl HostTags {
    /// The facts about `hosts`. Requests those that are not in the cache.
    pub(super) async fn of(
        &mut self,
        http: &Http,
        settings: &DatadogSettings,
        hosts: &BTreeSet<&str>,
    ) -> BTreeMap<String, Result<HostFacts, MetricsError>> {
        self.0.retain(|host, (known, at)| {
            let whole = known.id.is_some() && known.instance_type.is_some();
            hosts.contains(host.as_str()) && at.elapsed() < if whole { WHOLE } else { PARTIAL }
        });
        let missing = hosts.iter().filter(|host| !self.0.contains_key(**host));
        let asked = missing.map(|host| async { (*host, ask(http, settings, host).await) });
        let answers: Vec<_> =
            futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        let mut all = BTreeMap::new();
        for (host, answer) in answers {
            if let Ok(known) = &answer {
                self.0.insert(host.to_owned(), (known.clone(), Instant::now()));
            }
            all.insert(host.to_owned(), answer);
        }
        all.extend(self.0.iter().map(|(host, (known, _))| (host.clone(), Ok(known.clone()))));
        all
    }
}

async fn ask(
    http: &Http,
    settings: &DatadogSettings,
    host: &str,
) -> Result<HostFacts, MetricsError> {
    let url = url(settings, host);
    let shown = http::shown(&url);
    let body = http.get_patiently(url, MOST_BYTES).await?;
    let tags = wire::tags(&body)
        .map_err(|problem| MetricsError::Malformed { url: shown, problem: http.fit(&problem) })?;
    let tag = |name: &str| {
        tags.iter().filter_map(|tag| tag.split_once(':')).find(|(key, _)| *key == name)
    };
    Ok(HostFacts {
        id: tag(&settings.broker_id_tag).and_then(|(_, id)| id.parse().ok()),
        instance_type: tag(&settings.instance_type_tag).map(|(_, of)| of.to_owned()),
    })
}

/// A host name is untrusted data, so it must stay one segment of the path.
fn url(settings: &DatadogSettings, host: &str) -> Url {
    let mut url = below(&settings.url, "api/v1/tags/hosts");
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(host);
    }
    url
}
