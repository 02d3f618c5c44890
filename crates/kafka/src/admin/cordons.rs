//! Cordons of one broker's log dirs (KIP-1066), from its config `cordoned.log.dirs`.

use super::resources::BROKER;
use super::text;
use crate::client::{Client, Target};
use crate::error::{Error, Operation};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use mapper::snapshot::EVERY_LOG_DIR;
use mapper::{BrokerId, ThrottleKey};
use std::collections::BTreeMap;
use std::time::Duration;

const CORDONED: &str = ThrottleKey::CordonedLogDirs.as_str();
const LOG_DIRS: &str = "log.dirs";
/// The key that a broker uses if `log.dirs` is not set.
const LOG_DIR: &str = "log.dir";

/// The first DescribeLogDirs version that reports cordons. Our codec does not support it yet. A broker that does not
/// offer it (before Kafka 4.3) has no cordons.
const TELLS_CORDONS: i16 = 5;

/// The log dirs of a broker that get no new replicas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cordons {
    /// As in the config: paths, or `*`.
    pub log_dirs: Vec<String>,
    /// Whether they are all of the broker's log dirs.
    pub every: bool,
}

impl Cordons {
    /// Whether this log dir gets no new replicas.
    pub fn covers(&self, log_dir: &str) -> bool {
        self.every || self.log_dirs.iter().any(|path| path == log_dir)
    }

    fn of(configs: &BTreeMap<String, String>) -> Self {
        let paths = |key: &str| {
            let value = configs.get(key).map(String::as_str).unwrap_or_default();
            let paths = value.split(',').map(str::trim).filter(|path| !path.is_empty());
            paths.map(str::to_owned).collect::<Vec<String>>()
        };
        let log_dirs = paths(CORDONED);
        let all = Some(paths(LOG_DIRS)).filter(|all| !all.is_empty()).unwrap_or(paths(LOG_DIR));
        let covered = !all.is_empty() && all.iter().all(|path| log_dirs.contains(path));
        let every = covered || log_dirs.iter().any(|path| path == EVERY_LOG_DIR);
        Self { log_dirs, every }
    }
}

impl Client {
    /// The cordoned log dirs of a broker; none before Kafka 4.3. Needs DescribeConfigs on the cluster.
    ///
    /// # Errors
    /// As any call; [`Error::Timeout`] after `patience`, which includes connecting.
    pub async fn cordons(&self, broker: BrokerId, patience: Duration) -> Result<Cordons, Error> {
        let target = Target::Broker(broker);
        let (asked, late) = (self.ask_cordons(broker), |error| error);
        self.within::<DescribeConfigsRequest, _, _>(target, patience, late, asked).await
    }

    /// Whether the version of a broker has cordons: Kafka 4.3 and later.
    ///
    /// # Errors
    /// As any call; [`Error::Timeout`] after `patience`, which includes connecting.
    pub async fn has_cordons(&self, broker: BrokerId, patience: Duration) -> Result<bool, Error> {
        let target = Target::Broker(broker);
        let (asked, late) = (self.tells_cordons(target), |error| error);
        self.within::<ApiVersionsRequest, _, _>(target, patience, late, asked).await
    }

    async fn tells_cordons(&self, target: Target) -> Result<bool, Error> {
        let offered = self.offered(target).await?;
        let tells = |(key, _, last): &(i16, i16, i16)| {
            *key == DescribeLogDirsRequest::KEY && *last >= TELLS_CORDONS
        };
        Ok(offered.iter().any(tells))
    }

    async fn ask_cordons(&self, broker: BrokerId) -> Result<Cordons, Error> {
        let target = Target::Broker(broker);
        if !self.tells_cordons(target).await? {
            return Ok(Cordons::default());
        }
        let keys = [CORDONED, LOG_DIRS, LOG_DIR].map(StrBytes::from_static_str).to_vec();
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_string(broker.to_string()))
            .with_configuration_keys(Some(keys));
        let request = |_| DescribeConfigsRequest::default().with_resources(vec![resource.clone()]);
        let answer = self.ask(target, request).await?;
        let mut configs = BTreeMap::new();
        for result in answer.results {
            if let Some(code) = ResponseError::try_from_code(result.error_code) {
                let (message, operation) = (text(result.error_message), Operation::DescribeConfigs);
                return Err(
                    self.refused_to::<DescribeConfigsRequest>(target, operation, code, message)
                );
            }
            let told = result.configs.into_iter();
            configs.extend(told.filter_map(|c| Some((c.name.to_string(), c.value?.to_string()))));
        }
        Ok(Cordons::of(&configs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cordons(of: &[(&str, &str)]) -> Cordons {
        let owned = of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Cordons::of(&owned.collect())
    }

    #[test]
    fn a_broker_is_cordoned_where_the_config_names_all_its_log_dirs() {
        assert_eq!(cordons(&[(LOG_DIRS, "/a,/b"), (CORDONED, "")]), Cordons::default());
        let one = cordons(&[(LOG_DIRS, "/a, /b"), (CORDONED, "/b")]);
        assert!(!one.every && one.covers("/b") && !one.covers("/a"));
        assert!(cordons(&[(LOG_DIRS, "/a,/b"), (CORDONED, "/b,/a")]).every);
        assert!(cordons(&[(LOG_DIR, "/a"), (CORDONED, "/a")]).every);
        assert!(cordons(&[(CORDONED, "*")]).every && !cordons(&[(CORDONED, "/a")]).every);
    }
}
