//! The flags of the daemon: their docs are its help.

use crate::backend::KeyArgs;
use crate::lease_args::LeaseArgs;
use crate::machines::MachineArgs;
use crate::sidecar::SidecarArgs;
use clap::ArgAction;
use console::{LogArgs, MetricsArgs, NamedValue, one_of};
use mapper::{Bytes, Rate, Ratio};
use std::path::PathBuf;
use std::time::Duration;
use throttle::Share;

/// Keep a Kafka cluster's replication as fast as its clients allow.
#[derive(Debug, clap::Parser)]
#[command(
    name = "autothrottle",
    version,
    max_term_width = 100,
    long_about = "Keep a Kafka cluster's replication as fast as its clients allow.\n\n\
                  The daemon looks at the cluster in each interval, and whenever a reassignment begins or ends. It \
                  decides a rate for each broker and direction, and sets it with an exact list of throttled replicas. \
                  It records each value in its ledger before it sets it (--state-topic). It leaves values of others \
                  alone. When no replica is copied any more, it restores the original values.",
    after_help = "You can also set each flag in the environment (AUTOTHROTTLE_MIN_RATE) or in the --config file \
                  (min-rate: ...).\nFlags override the environment. The environment overrides the file. One dash \
                  before a long name is enough.\n\n\
                  SIGTERM, SIGHUP and SIGINT end the daemon. While replicas are copied, their rates stay, and the next \
                  start takes them over.\nOtherwise the daemon restores the original values first.\n\n\
                  Exit codes: 0 done (--once), 2 wrong input, 3 outside failure, 5 --dry-run found something to do,\n\
                  7 another daemon or run holds the lock, 130/143 signals."
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
    /// Read flags from a YAML file; its keys are long flag names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print this help as a manual page, and exit
    #[arg(long)]
    pub(crate) man: bool,
}

/// The cluster, and where its ledger is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// Connect to these Kafka brokers
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        default_value = "localhost:9092",
        visible_aliases = ["bootstrap-server", "kafka-addr"]
    )]
    pub(crate) bootstrap_servers: String,
    /// Read client properties of Kafka or librdkafka (TLS, SASL)
    #[arg(long, value_name = "FILE")]
    pub(crate) kafka_config: Option<PathBuf>,
    /// Keep the ledger and the overrides in this file
    ///
    /// The ledger lists what the daemon has set in the cluster, and the original values. Each cluster has its own
    /// file. No other process finds it: such a daemon works alone, and ends if another one leads.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["zookeeper", "lease", "state_topic"])]
    pub(crate) state_file: Option<PathBuf>,
    /// Keep the ledger and the overrides in ZooKeeper
    ///
    /// Overrides are where kafka-kit's autothrottle keeps them. A second daemon waits until the first one ends.
    #[arg(long, value_name = "HOST:PORT,...", alias = "zk-addr", conflicts_with = "lease")]
    pub(crate) zookeeper: Option<zookeeper::ZooKeeperAddress>,
    /// Read TLS and the login for ZooKeeper (zookeeper.ssl.*)
    ///
    /// The file has the names of Kafka's brokers, so that their server.properties works.
    #[arg(long, value_name = "FILE")]
    pub(crate) zookeeper_config: Option<PathBuf>,
    /// Keep the ledger and the overrides in the topic __mappr_state
    ///
    /// The topic is in the cluster itself; the first use creates it. A second daemon waits until the first one ends.
    /// This is the default outside of a pod if no other place is named.
    #[arg(long, conflicts_with_all = ["zookeeper", "lease"])]
    pub(crate) state_topic: bool,
    /// Use this name in ZooKeeper; each cluster has its own
    #[arg(long, value_name = "NAME", default_value = zookeeper::DEFAULT_OVERRIDES_PREFIX)]
    pub(crate) zk_config_prefix: String,
}

/// The bounds of the rates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rates")]
pub(crate) struct RateArgs {
    /// Compute no rate below this; a bare number is MB/s
    ///
    /// A broker gets this rate if its metrics or its capacity are unknown.
    #[arg(long, value_name = "RATE", default_value = "10", value_parser = rate)]
    pub(crate) min_rate: Rate,
    /// Let replication send this percentage of what clients leave free
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub(crate) max_tx_rate: Ratio,
    /// Let replication receive this percentage of what clients leave free
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub(crate) max_rx_rate: Ratio,
    /// Change a rate only if it differs by this percentage
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    pub(crate) change_threshold: Ratio,
    /// Rounds without metrics before a broker falls back to --min-rate
    #[arg(long, value_name = "ROUNDS", default_value_t = 1)]
    pub(crate) failure_threshold: u32,
    /// Choose how rates follow from free network capacity
    #[arg(long, value_name = "HOW", default_value = "fair", value_parser = one_of(&SHARES))]
    pub(crate) share: Share,
    /// Set network capacities in MB/s: JSON, or a file of it
    ///
    /// Keys are broker ids, instance types or "default": {"i3.4xlarge": 1250, "1001": {"tx": 500, "rx": 400}}.
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) cap_map: Option<String>,
    /// Read network capacities from this snapshot, where --cap-map has none
    ///
    /// The command topicmappr snapshot writes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) cap_snapshot: Option<PathBuf>,
    /// Read network capacities from this label of the brokers' nodes
    ///
    /// The value is in MB/s (1250, or 1250-625 for sending and receiving), or a type in --cap-map. The daemon asks
    /// Kubernetes, and reads an annotation if there is no such label. With --cap-snapshot it reads labels in MB/s
    /// from the snapshot instead.
    #[arg(long, value_name = "LABEL")]
    pub(crate) cap_label: Option<String>,
    /// Throttle also replicas that fell behind without a reassignment
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          action = ArgAction::Set)]
    pub(crate) pace_recovery: bool,
    /// Throttle a recovery if at least this many bytes are missing
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = console::units::size)]
    pub(crate) recovery_bytes: Bytes,
    /// Throttle also the recovery of partitions in danger
    ///
    /// These are partitions below their min.insync.replicas, and partitions with one replica in sync.
    #[arg(long)]
    pub(crate) pace_all: bool,
    /// Lower the rate of a broker with slower produce requests (99th percentile)
    #[arg(long, value_name = "TIME", value_parser = console::units::duration)]
    pub(crate) max_p99_produce: Option<Duration>,
    /// Lower the rate of a broker with slower consumer fetches (99th percentile)
    #[arg(long, value_name = "TIME", value_parser = console::units::duration)]
    pub(crate) max_p99_fetch: Option<Duration>,
    /// Lower the rate of a broker with slower --canary messages
    ///
    /// The time is that of a message to the broker and back. Default: three times what is usual there, and at least
    /// 10ms.
    #[arg(long, value_name = "TIME", value_parser = console::units::duration)]
    pub(crate) max_canary: Option<Duration>,
    /// Lower the rate of a broker whose request handlers are busier
    ///
    /// The value is the least idle time of the request handlers in percent. 0: idle time does not count.
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = percent)]
    pub(crate) min_request_handler_idle: Ratio,
    /// Report replicas that received no data for this long
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
    pub(crate) stalled_after: Duration,
}

/// How rates follow from what networks can spare.
const SHARES: [NamedValue<Share>; 2] = [
    ("fair", Share::Fair, "Paths share, max-min fair: what one end cannot use goes elsewhere"),
    (
        "headroom",
        Share::Headroom,
        "Each broker gets all its free capacity, as in kafka-kit's autothrottle",
    ),
];

/// Our own messages, which measure the latency that clients see.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Canary")]
pub(crate) struct CanaryArgs {
    /// Measure latency with small messages, and slow down replication by it
    ///
    /// The daemon sends messages to each broker and reads them back, in the topic __mappr_canary. It creates and
    /// maintains the topic. A broker where messages take long gets a lower rate. --once and --dry-run send none.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true",
          action = ArgAction::Set)]
    pub(crate) canary: bool,
    /// Wait this long between two messages to one broker
    ///
    /// After a slow message the next one goes sooner.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = canary_interval)]
    pub(crate) canary_interval: Duration,
}

/// Where else the daemon reports.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct EventArgs {
    /// Add these tags to the events that Datadog receives
    ///
    /// Datadog receives events if its keys are set.
    #[arg(long, value_name = "NAME:VALUE,...", value_delimiter = ',')]
    pub(crate) dd_event_tags: Vec<String>,
}

/// When a round runs, and what it may change.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rounds")]
pub(crate) struct RoundArgs {
    /// Wait this long between two rounds; a bare number is seconds
    ///
    /// When a reassignment begins or ends, the next round begins earlier.
    #[arg(long, value_name = "TIME", default_value = "180", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// Run one round, and exit
    #[arg(long)]
    pub(crate) once: bool,
    /// Show what one round would change, and change nothing
    ///
    /// The exit code is 5 if there is something to change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Never remove a rate or a replica list; the ledger keeps them
    ///
    /// This includes those that the daemon set.
    #[arg(long)]
    pub(crate) skip_auto_delete_throttles: bool,
}

/// The HTTP API.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ApiArgs {
    /// Serve the HTTP API at this address; "none": no API
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:8080")]
    pub(crate) api_listen: String,
    /// Accept API requests to this host name too; repeatable
    ///
    /// For example autothrottle.kafka.svc. It applies to the sidecar's page too. localhost and IP addresses are
    /// always accepted. Requests to other names are refused, because a foreign web page could have sent them.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = operate::http_server::host_name)]
    pub(crate) api_host: Vec<String>,
    /// Read the bearer token for changes from this file
    ///
    /// Without it, the token is AUTOTHROTTLE_API_TOKEN in the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) api_token_file: Option<PathBuf>,
    /// Serve the API over HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "api_tls_key")]
    pub(crate) api_tls_cert: Option<PathBuf>,
    /// Read the private key of the API's certificate from here (PEM)
    #[arg(long, value_name = "FILE", requires = "api_tls_cert")]
    pub(crate) api_tls_key: Option<PathBuf>,
    /// Allow other machines to use the API without a token
    #[arg(long)]
    pub(crate) api_insecure: bool,
}

/// Flags of kafka-kit's autothrottle that have no meaning here.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Without a meaning here")]
struct OldArgs {
    /// Accept and ignore this flag
    #[arg(long)]
    kafka_native_mode: bool,
    /// Accept and ignore this flag
    #[arg(long, value_name = "SECONDS")]
    kafka_api_request_timeout: Option<String>,
    /// Accept and ignore this flag
    #[arg(long, value_name = "INTERVALS")]
    cleanup_after: Option<String>,
    /// Accept and ignore this flag
    #[arg(long, value_name = "PATH")]
    zk_prefix: Option<String>,
}

/// `10` is MB/s (10^6 bytes); `10MB/s`, `10MiB/s`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    match text.trim().parse::<f64>() {
        Ok(megabytes) => Rate::from_megabytes(megabytes)
            .filter(|rate| *rate > Rate::default())
            .ok_or_else(|| "write a rate above 0: 10 (MB/s) or 10MiB/s".to_owned()),
        Err(_) => console::units::rate(text),
    }
}

/// `90`, `90%`.
fn percent(text: &str) -> Result<Ratio, String> {
    let number = text.trim().trim_end_matches('%').trim().parse::<f64>();
    let ratio = number.ok().and_then(|percent| Ratio::from_f64(percent / 100.0));
    ratio.ok_or_else(|| "write a percentage: 90".to_owned())
}

/// `1s`. Less would be a load on brokers, more would find a slow broker too late.
fn canary_interval(text: &str) -> Result<Duration, String> {
    let time = console::units::duration(text)?;
    let sound = (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time);
    if sound { Ok(time) } else { Err("write a time from 100ms to 1m".to_owned()) }
}

/// `180`, `3m`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let time = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => console::units::duration(text)?,
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
    fn a_help_line_has_at_most_twelve_words() {
        let command = Cli::command();
        let text = |help: Option<&clap::builder::StyledStr>| {
            help.map(ToString::to_string).unwrap_or_default()
        };
        let mut lines = vec![text(command.get_about())];
        for arg in command.get_arguments() {
            let values = arg.get_possible_values();
            lines.extend(
                values.iter().filter_map(|value| value.get_help()).map(ToString::to_string),
            );
            lines.push(text(arg.get_help()));
        }
        for line in lines {
            let words = line.split_whitespace().count();
            assert!((1..=12).contains(&words), "{line:?}, {words} words");
        }
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

    /// Packages install these files. The daemon does not carry the code that writes them.
    #[test]
    fn the_stored_completions_are_those_of_the_flags() {
        use clap_complete::{Shell, generate};
        let folder =
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/completions"));
        for (shell, name) in [(Shell::Bash, "bash"), (Shell::Fish, "fish"), (Shell::Zsh, "zsh")] {
            let mut script = Vec::new();
            generate(shell, &mut Cli::command(), "autothrottle", &mut script);
            let path = folder.join(format!("autothrottle.{name}"));
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &script).unwrap();
            }
            let stored = std::fs::read(&path).unwrap_or_default();
            let hint = "run: BLESS=1 cargo test -p mappr-autothrottle completions";
            assert!(stored == script, "{} is out of date; {hint}", path.display());
        }
    }
}
