//! The flags of the daemon: their docs are its help.

use crate::backend::KeyArgs;
use crate::machines::MachineArgs;
use crate::place::LeaseArgs;
use crate::sidecar::SidecarArgs;
use clap::ArgAction;
use mapper::{Bytes, Rate, Ratio};
use std::path::PathBuf;
use std::time::Duration;
use topicmappr::shared::{self, LogArgs, MetricsArgs};

/// Keeps the replication of a Kafka cluster as fast as its clients allow.
#[derive(Debug, clap::Parser)]
#[command(
    name = "autothrottle",
    version,
    max_term_width = 100,
    long_about = "Keeps the replication of a Kafka cluster as fast as its clients allow.\n\n\
                  Each interval, and whenever a reassignment begins or ends, it looks at what is being copied, decides a \
                  rate for each broker and direction, and sets it, with exact lists of the replicas that it counts for. \
                  What it sets it writes down first (--state-topic); what it finds set by others it leaves as it is. \
                  When nothing is copied any more, every value is as it was before.",
    after_help = "Every flag may also stand in the environment (AUTOTHROTTLE_MIN_RATE) or in the file of --config \
                  (min-rate: ...).\nA flag outranks the environment, the environment the file. One dash before a long \
                  name is enough.\n\n\
                  SIGTERM, SIGHUP and SIGINT end it: while replicas are copied, their rates stay, and the next start takes \
                  them over;\notherwise everything is put back first.\n\n\
                  Exit codes: 0 done (--once), 2 wrong input, 3 outside failure, 5 --dry-run found something to do,\n\
                  7 held by another, 130/143 signals."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) rates: RateArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    #[command(flatten)]
    pub(crate) events: EventArgs,
    #[command(flatten)]
    pub(crate) rounds: RoundArgs,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(flatten)]
    pub(crate) lease: LeaseArgs,
    #[command(flatten)]
    pub(crate) machines: MachineArgs,
    #[command(flatten)]
    pub(crate) sidecar: SidecarArgs,
    #[command(flatten)]
    pub(crate) canary: CanaryArgs,
    #[command(flatten)]
    old: OldArgs,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    /// YAML file of flags: keys are long flag names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints this help as a manual page, and ends
    #[arg(long)]
    pub(crate) man: bool,
}

/// Which cluster, and where to remember what was done to it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// Kafka brokers to ask
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        default_value = "localhost:9092",
        visible_aliases = ["bootstrap-server", "kafka-addr"]
    )]
    pub(crate) bootstrap_servers: String,
    /// Client properties of Kafka or librdkafka (TLS, SASL)
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_config: Option<PathBuf>,
    /// File of what is set in the cluster, what stood there before, and overrides; one for each cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) state_file: Option<PathBuf>,
    /// With --state-file: says that nobody else sets rates in this cluster, also no execution. Else a mark of whose they are
    /// is left where executions find it: in ZooKeeper with --zookeeper, in a pod in the ConfigMap autothrottle-marks, else in
    /// the topic __mappr_state, made on first use
    #[arg(long, requires = "state_file")]
    pub(crate) sole_daemon: bool,
    /// The same in ZooKeeper, with overrides where kafka-kit's autothrottle has them; a second daemon then waits for its turn
    #[arg(long, value_name = "HOST:PORT,...", alias = "zk-addr", conflicts_with = "lease")]
    pub(crate) zookeeper: Option<zookeeper::Address>,
    /// The same in the topic __mappr_state of the cluster itself, made on first use; a second daemon then waits for its turn
    /// [default, unless it runs in a pod or another place is named]
    #[arg(long, conflicts_with_all = ["zookeeper", "lease"])]
    pub(crate) state_topic: bool,
    /// Where in ZooKeeper: one for each cluster
    #[arg(long, value_name = "NAME", default_value = zookeeper::DEFAULT_OVERRIDES_PREFIX)]
    pub(crate) zk_config_prefix: String,
}

/// Within which bounds rates are decided.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rates")]
pub(crate) struct RateArgs {
    /// No computed rate is below this; what is given where metrics or a capacity are unknown. A bare number is MB/s
    #[arg(long, value_name = "RATE", default_value = "10", value_parser = rate)]
    pub(crate) min_rate: Rate,
    /// Percent of what clients leave of a network that replication may send
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub(crate) max_tx_rate: Ratio,
    /// Percent of what clients leave of a network that replication may take in
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub(crate) max_rx_rate: Ratio,
    /// A rate is written when it differs from the one that stands by this many percent of it
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    pub(crate) change_threshold: Ratio,
    /// For so many rounds without metrics a broker keeps its rate; then it gets the least one
    #[arg(long, value_name = "ROUNDS", default_value_t = 1)]
    pub(crate) failure_threshold: u32,
    /// How rates follow from what networks can spare
    #[arg(long, value_enum, value_name = "HOW", default_value = "fair")]
    pub(crate) share: ShareArg,
    /// What a network can carry: MB/s by broker id, instance type or "default", {"i3.4xlarge": 1250, "1001": {"tx": 500,
    /// "rx": 400}}, or a file of it
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) cap_map: Option<String>,
    /// A snapshot (topicmappr snapshot) that knows what networks can carry, where --cap-map does not
    #[arg(long, value_name = "FILE")]
    pub(crate) cap_snapshot: Option<PathBuf>,
    /// The label of brokers' nodes that says it: MB/s (1250, or 1250-625: sends, receives), or a type that --cap-map has.
    /// Kubernetes is asked, then also for an annotation; with --cap-snapshot the snapshot, for labels in MB/s
    #[arg(long, value_name = "LABEL")]
    pub(crate) cap_label: Option<String>,
    /// Paces replicas that fell behind without a reassignment, too
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          action = ArgAction::Set)]
    pub(crate) pace_recovery: bool,
    /// From how many missing bytes on a recovery is paced
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = shared::size)]
    pub(crate) recovery_bytes: Bytes,
    /// Paces also the recovery of partitions that are under their min.insync.replicas, or have one replica in sync
    #[arg(long)]
    pub(crate) pace_all: bool,
    /// A broker whose produce requests take longer (99th percentile) gets less
    #[arg(long, value_name = "TIME", value_parser = shared::duration)]
    pub(crate) max_p99_produce: Option<Duration>,
    /// A broker whose consumers' fetches take longer (99th percentile) gets less
    #[arg(long, value_name = "TIME", value_parser = shared::duration)]
    pub(crate) max_p99_fetch: Option<Duration>,
    /// A broker to which the messages of --canary take longer, to it and back, gets less [default: three times what is
    /// usual there, and at least 10ms]
    #[arg(long, value_name = "TIME", value_parser = shared::duration)]
    pub(crate) max_canary: Option<Duration>,
    /// A broker whose request handlers are idle for less of their time (percent) gets less; 0: does not count
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = percent)]
    pub(crate) min_request_handler_idle: Ratio,
    /// A copy that has grown by nothing for so long is reported
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
    pub(crate) stalled_after: Duration,
}

/// How rates follow from what networks can spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ShareArg {
    /// Paths share, max-min fair: what one end cannot use goes to others
    Fair,
    /// Each broker gets all that it can spare, as kafka-kit's autothrottle had it
    Headroom,
}

/// Messages of our own, to feel what clients feel.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Canary")]
pub(crate) struct CanaryArgs {
    /// Sends small messages to each broker and reads them back, in the topic __mappr_canary, which it makes and keeps; a
    /// broker where they take long gets less. Not in a single round
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true",
          action = ArgAction::Set)]
    pub(crate) canary: bool,
    /// Between two messages to one broker; sooner after a slow one
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = canary_interval)]
    pub(crate) canary_interval: Duration,
}

/// Whom else it tells.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct EventArgs {
    /// More tags of the events that Datadog is told, where its keys are given
    #[arg(long, value_name = "NAME:VALUE,...", value_delimiter = ',')]
    pub(crate) dd_event_tags: Vec<String>,
}

/// When it looks, and what it may do.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rounds")]
pub(crate) struct RoundArgs {
    /// Between two rounds; a bare number is seconds. A reassignment that begins or ends is seen earlier
    #[arg(long, value_name = "TIME", default_value = "180", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// One round, and no more
    #[arg(long)]
    pub(crate) once: bool,
    /// Shows what one round would change; exit code 5 if there is something
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Never removes a rate or a list, not even its own: the ledger keeps them
    #[arg(long)]
    pub(crate) skip_auto_delete_throttles: bool,
}

/// The HTTP API.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ApiArgs {
    /// Where the HTTP API listens; "none": nowhere
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:8080")]
    pub(crate) api_listen: String,
    /// Another name under which the API, or the sidecar's page, is asked (autothrottle.kafka.svc), besides localhost and any
    /// IP address; repeatable. Requests for other names are refused: a foreign page could have sent them
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = shared::host_name)]
    pub(crate) api_host: Vec<String>,
    /// File of the bearer token that changes need; or AUTOTHROTTLE_API_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) api_token_file: Option<PathBuf>,
    /// Certificate chain (PEM): the API then speaks HTTPS
    #[arg(long, value_name = "FILE", requires = "api_tls_key")]
    pub(crate) api_tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "api_tls_cert")]
    pub(crate) api_tls_key: Option<PathBuf>,
    /// Listens beyond this machine without a token
    #[arg(long)]
    pub(crate) api_insecure: bool,
}

/// Flags of old that have no meaning here.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Without a meaning here")]
struct OldArgs {
    /// Taken and ignored
    #[arg(long)]
    kafka_native_mode: bool,
    /// Taken and ignored
    #[arg(long, value_name = "SECONDS")]
    kafka_api_request_timeout: Option<String>,
    /// Taken and ignored
    #[arg(long, value_name = "INTERVALS")]
    cleanup_after: Option<String>,
    /// Taken and ignored
    #[arg(long, value_name = "PATH")]
    zk_prefix: Option<String>,
}

/// `10` is MB/s (10^6 bytes); `10MB/s`, `10MiB/s`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    match text.trim().parse::<f64>() {
        Ok(megabytes) => Rate::from_megabytes(megabytes)
            .filter(|rate| *rate > Rate::default())
            .ok_or_else(|| "write a rate above 0: 10 (MB/s) or 10MiB/s".to_owned()),
        Err(_) => shared::rate(text).map(Rate),
    }
}

/// `90`, `90%`.
fn percent(text: &str) -> Result<Ratio, String> {
    let number = text.trim().trim_end_matches('%').trim().parse::<f64>();
    let ratio = number.ok().and_then(|percent| Ratio::from_f64(percent / 100.0));
    ratio.ok_or_else(|| "write a percentage: 90".to_owned())
}

/// `1s`; not so often that it would be a load, nor so seldom that it says nothing.
fn canary_interval(text: &str) -> Result<Duration, String> {
    let time = shared::duration(text)?;
    let sound = (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time);
    if sound { Ok(time) } else { Err("write a time from 100ms to 1m".to_owned()) }
}

/// `180`, `3m`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let time = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => shared::duration(text)?,
    };
    if time.is_zero() {
        Err("write a time above 0: 180 (seconds) or 3m".to_owned())
    } else {
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_do_not_deny_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_number_is_the_unit_of_old() {
        assert_eq!(rate("10"), Ok(Rate(10_000_000)));
        assert_eq!(rate("1MiB/s"), Ok(Rate(1 << 20)));
        assert!(rate("0").is_err() && rate("-1").is_err() && rate("NaN").is_err());
        assert_eq!(percent("90"), Ok(Ratio::from_percent(90)));
        assert!(percent("-1").is_err());
        assert_eq!(seconds("180"), Ok(Duration::from_secs(180)));
        assert_eq!(seconds("3m"), Ok(Duration::from_secs(180)));
        assert!(seconds("0").is_err());
    }
}
