//! Kafka's own admin tools, by their script names; and programs that check files.

use std::process::Command;

use crate::error::Error;
use crate::spec::Version;

/// Runs a program of a Debian package to its end, and returns what it printed.
pub(crate) fn output(mut command: Command, package: &'static str) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let out = command.output();
    let out = out.map_err(|source| Error::Missing { program: program.clone(), package, source })?;
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(Error::Tool { tool: program, args, status: out.status.to_string(), stdout, stderr })
}

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
