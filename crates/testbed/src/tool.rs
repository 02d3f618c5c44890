//! Kafka's own admin tools, by their script names.

use crate::spec::Version;

/// The main class of `kafka-NAME.sh`. A name with a dot is a class already.
pub(crate) fn class(name: &str, version: Version) -> &str {
    match name {
        // Kafka 4 moved these two out of the broker's own package.
        "acls" if version.is_before_4() => "kafka.admin.AclCommand",
        "acls" => "org.apache.kafka.tools.AclCommand",
        "broker-api-versions" if version.is_before_4() => "kafka.admin.BrokerApiVersionsCommand",
        "broker-api-versions" => "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "topics" => "org.apache.kafka.tools.TopicCommand",
        "configs" => "kafka.admin.ConfigCommand",
        "reassign" => "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        "log-dirs" => "org.apache.kafka.tools.LogDirsCommand",
        "leader-election" => "org.apache.kafka.tools.LeaderElectionCommand",
        "groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "offsets" => "org.apache.kafka.tools.GetOffsetShell",
        "storage" => "kafka.tools.StorageTool",
        "quorum" => "org.apache.kafka.tools.MetadataQuorumCommand",
        "features" => "org.apache.kafka.tools.FeatureCommand",
        "cluster" => "org.apache.kafka.tools.ClusterTool",
        "zookeeper-shell" => "org.apache.zookeeper.ZooKeeperMain",
        class => class,
    }
}

/// The arguments that give a tool the cluster's address.
pub(crate) fn address(name: &str, bootstrap: String, zookeeper: String) -> Vec<String> {
    match name {
        "storage" => Vec::new(),
        "zookeeper-shell" => vec!["-server".into(), zookeeper],
        _ => vec!["--bootstrap-server".into(), bootstrap],
    }
}
