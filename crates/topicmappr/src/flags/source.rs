//! Where the cluster's facts come from: exactly one place.

use crate::error::Error;
use crate::flags::storage::BrokerStorage;
use local::source::{Servers, Source, ZooKeeperPlace};
use std::path::PathBuf;

/// The flags that name a cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct SourceArgs {
    /// Read a snapshot file (.json, .json.gz); contact no server
    #[arg(long, value_name = "FILE", global = true)]
    snapshot: Option<PathBuf>,
    /// Connect to these Kafka brokers
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        global = true,
        visible_aliases = ["bootstrap-servers", "kafka-addr"]
    )]
    bootstrap_server: Option<String>,
    /// Read client properties of Kafka or librdkafka (TLS, SASL)
    #[arg(long, value_name = "FILE", global = true)]
    kafka_config: Option<PathBuf>,
    /// Connect to the ZooKeeper servers of a ZooKeeper-mode cluster
    ///
    /// Together with --bootstrap-server, they hold stored metrics and the lock of an execution.
    #[arg(long, value_name = "HOST:PORT,.../CHROOT", global = true, visible_alias = "zk-addr")]
    zookeeper: Option<String>,
    /// Read TLS and the login for ZooKeeper (zookeeper.ssl.*)
    ///
    /// The file has the names of Kafka's brokers, so that their server.properties works.
    #[arg(long, value_name = "FILE", global = true)]
    zookeeper_config: Option<PathBuf>,
    /// Set the cluster's chroot if --zookeeper does not contain it
    #[arg(long, value_name = "PATH", global = true)]
    zk_prefix: Option<String>,
    /// Set the znode that holds stored metrics
    #[arg(long, value_name = "PATH", global = true, default_value = "topicmappr")]
    zk_metrics_prefix: String,
    /// Set the storage of brokers: 1001=500GB,1002=2TiB, or a file
    ///
    /// The file holds such pairs, one per line. The used storage of these brokers is then the sum of their replicas.
    #[arg(long, value_name = "ID=SIZE,...|FILE", global = true)]
    pub(crate) broker_storage: Option<BrokerStorage>,
}

impl SourceArgs {
    /// The one place that the flags name.
    pub(crate) fn source(&self) -> Result<Source, Error> {
        self.source_if_any()?.ok_or(Error::from(local::Error::NoSource))
    }

    /// The place that the flags name, for commands that can do without.
    pub(crate) fn source_if_any(&self) -> Result<Option<Source>, Error> {
        let second = match (&self.bootstrap_server, &self.zookeeper) {
            (Some(_), _) => Some("--bootstrap-server"),
            (None, Some(_)) => Some("--zookeeper"),
            (None, None) => None,
        };
        match (&self.snapshot, second) {
            (Some(_), Some(second)) => Err(Error::TwoSources { second }),
            (Some(path), None) => Ok(Some(Source::File(path.clone()))),
            (None, _) => Ok(self.servers().map(Source::Live)),
        }
    }

    /// The flags that name the same cluster to another command of ours, by flag and value.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let words = [
            ("--snapshot", self.snapshot.as_ref().map(path)),
            ("--bootstrap-server", self.bootstrap_server.clone()),
            ("--kafka-config", self.kafka_config.as_ref().map(path)),
            ("--zookeeper", self.zookeeper.clone()),
            ("--zookeeper-config", self.zookeeper_config.as_ref().map(path)),
            ("--zk-prefix", self.zk_prefix.clone().filter(|prefix| !prefix.is_empty())),
        ];
        words.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
    }

    /// What Kafka's own tools need to reach the same cluster, as they spell it.
    pub(crate) fn kafka_tool_flags(&self) -> (Option<&str>, Option<&PathBuf>) {
        (self.bootstrap_server.as_deref(), self.kafka_config.as_ref())
    }

    fn servers(&self) -> Option<Servers> {
        let zookeeper = self.zookeeper.as_ref().map(|servers| ZooKeeperPlace {
            connect: servers.clone(),
            chroot: self.zk_prefix.clone().filter(|prefix| !prefix.is_empty()),
            config: self.zookeeper_config.clone(),
            metrics_prefix: self.zk_metrics_prefix.clone(),
        });
        match &self.bootstrap_server {
            Some(bootstrap) => Some(Servers::Kafka {
                bootstrap: bootstrap.clone(),
                properties: self.kafka_config.clone(),
                metrics: zookeeper,
            }),
            None => zookeeper.map(Servers::ZooKeeper),
        }
    }
}
