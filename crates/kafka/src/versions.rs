//! Negotiates the version of each request between a broker and us.

use crate::error::ProtocolFault;
use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::protocol::{Message, Request};
use std::collections::BTreeMap;

/// What a broker offers: the first and last version of each request, by API key; and the cluster's features.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    offered: BTreeMap<i16, (i16, i16)>,
    /// The finalized level of each feature (KIP-584). A feature at level 0 is left out.
    features: BTreeMap<String, i16>,
}

impl Versions {
    pub(crate) fn new(answer: &ApiVersionsResponse) -> Self {
        let range = |api: &kafka_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, (api.min_version, api.max_version))
        };
        let finalized = answer.finalized_features.iter();
        let features = finalized.map(|one| (one.name.to_string(), one.max_version_level));
        Self { offered: answer.api_keys.iter().map(range).collect(), features: features.collect() }
    }

    /// The finalized level of this feature; 0 if it is not in use.
    pub(crate) fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or_default()
    }

    /// Every request, with its first and last version, in order.
    pub(crate) fn all(&self) -> Vec<(i16, i16, i16)> {
        self.offered.iter().map(|(key, (first, last))| (*key, *first, *last)).collect()
    }

    /// The newest version that both sides speak.
    pub(crate) fn pick<R: Request>(&self) -> Result<i16, ProtocolFault> {
        let api = api_name::<R>();
        let theirs = *self.offered.get(&R::KEY).ok_or(ProtocolFault::NotOffered { api })?;
        let ours = <R as Message>::VERSIONS;
        let newest = theirs.1.min(ours.max);
        if newest < theirs.0.max(ours.min) {
            let ours = (ours.min, ours.max);
            return Err(ProtocolFault::NoCommonVersion { api, theirs, ours });
        }
        Ok(newest)
    }
}

/// The request's name in Kafka's protocol guide: `Metadata` for `MetadataRequest`.
pub(crate) fn api_name<R>() -> &'static str {
    let path = std::any::type_name::<R>();
    let name = path.rsplit("::").next().unwrap_or(path);
    name.strip_suffix("Request").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{DescribeLogDirsRequest, MetadataRequest};

    fn offering(range: (i16, i16)) -> Versions {
        let offered = [(MetadataRequest::KEY, range)].into();
        Versions { offered, ..Versions::default() }
    }

    #[test]
    fn the_newest_common_version_is_picked() {
        assert_eq!(offering((0, 5)).pick::<MetadataRequest>(), Ok(5));
        assert_eq!(offering((0, 99)).pick::<MetadataRequest>(), Ok(MetadataRequest::VERSIONS.max));
    }

    #[test]
    fn ranges_that_do_not_meet_are_named_with_the_request() {
        let fault = offering((98, 99)).pick::<MetadataRequest>();
        assert!(matches!(
            fault,
            Err(ProtocolFault::NoCommonVersion { api: "Metadata", theirs: (98, 99), .. })
        ));
        let fault = offering((0, 5)).pick::<DescribeLogDirsRequest>();
        assert_eq!(fault, Err(ProtocolFault::NotOffered { api: "DescribeLogDirs" }));
    }
}
