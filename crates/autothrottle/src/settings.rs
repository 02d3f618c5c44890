//! The flags, resolved once: no later code reads an argument.

use crate::backend::SECRETS;
use crate::capacity::{Networks, networks};
use crate::cli::{ApiArgs, Cli, ClusterArgs};
use crate::error::Error;
use crate::machines::MachineQuestion;
use crate::other_processes::{Executors, OtherProcesses};
use crate::place::{Place, TopicCluster};
use crate::sidecar::SidecarArgs;
use console::Environment;
use coordination::{Role, Store};
use mapper::Ratio;
use metrics::Backend;
use operate::http_server::{ServerNames, Tls, Token};
use operate::{live, stores};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use throttle::{HealthLimits, ThrottleLimits, ThrottleTerms};

const TOKEN_FLAG: &str = "--api-token-file";

/// The request of a run.
pub(crate) struct DaemonSettings {
    pub(crate) bootstrap: String,
    pub(crate) properties: Option<PathBuf>,
    pub(crate) limits: ThrottleLimits,
    pub(crate) networks: Networks,
    /// The question to Kubernetes about networks, if any.
    pub(crate) machines: Option<MachineQuestion>,
    pub(crate) metrics: metrics::MetricsSettings,
    /// Of events.
    pub(crate) tags: Vec<String>,
    pub(crate) interval: Duration,
    pub(crate) once: bool,
    pub(crate) dry_run: bool,
    pub(crate) keeps_throttles: bool,
    pub(crate) api: Option<ApiSettings>,
    pub(crate) sidecar: SidecarArgs,
    /// The names under which clients reach both servers.
    pub(crate) names: ServerNames,
    /// The pause between our own messages to a broker; `None` without the canary.
    pub(crate) canary: Option<Duration>,
    /// The command line that starts the daemon again.
    pub(crate) command_line: String,
}

/// Where the API listens, and which requests it accepts.
#[derive(Debug)]
pub(crate) struct ApiSettings {
    pub(crate) listen: String,
    pub(crate) token: Option<Token>,
    pub(crate) tls: Option<Tls>,
    pub(crate) insecure: bool,
}

impl DaemonSettings {
    /// The settings, and where ledger and overrides are.
    pub(crate) fn of(
        cli: Cli,
        args: &[OsString],
        environment: &Environment,
    ) -> Result<(Self, Place, OtherProcesses), Error> {
        let limits = limits(&cli)?;
        let metrics = metrics(&cli, environment)?;
        let networks = networks(&cli.rates)?;
        let machines = machines(&cli, environment)?;
        let (place, beside) = place(&cli, environment)?;
        let names = names(&cli.api);
        let settings = Self {
            bootstrap: cli.cluster.bootstrap_servers,
            properties: cli.cluster.kafka_config,
            limits,
            networks,
            machines,
            metrics,
            tags: cli.events.dd_event_tags.into_iter().filter(|tag| !tag.is_empty()).collect(),
            interval: cli.rounds.interval,
            once: cli.rounds.once,
            dry_run: cli.rounds.dry_run,
            keeps_throttles: cli.rounds.skip_auto_delete_throttles,
            api: api(cli.api, environment)?,
            sidecar: cli.sidecar,
            names,
            canary: cli.canary.canary.then_some(cli.canary.canary_interval),
            command_line: command_line(args),
        };
        Ok((settings, place, beside))
    }
}

/// The place that is named; else the Lease of a pod; else the topic. And where executions with the same flags keep their
/// ledger.
fn place(cli: &Cli, environment: &Environment) -> Result<(Place, OtherProcesses), Error> {
    let ClusterArgs { bootstrap_servers, kafka_config, state_file, zookeeper, .. } = &cli.cluster;
    let access = || live::data_plane(bootstrap_servers, kafka_config.as_deref());
    let topic = |role| Ok::<_, Error>(Store::Topic { access: access()?, role });
    if let Some(address) = zookeeper {
        let prefix = &cli.cluster.zk_config_prefix;
        let config = cli.cluster.zookeeper_config.as_deref();
        let address = live::secured(address.clone(), config)?;
        let store = stores::daemons_in_zookeeper(address.clone(), prefix);
        let executors = Executors::ZooKeeper(address);
        return Ok((Place::zookeeper(store, prefix), OtherProcesses::at(executors, Vec::new())));
    }
    let lease = cli.lease.store(environment, cli.cluster.state_topic).map(Store::Kubernetes);
    if let Some(file) = state_file {
        let others = lease.into_iter().chain([topic(Role::Daemon)?]).collect();
        let executors = Executors::Topic(topic(Role::Executor)?);
        let place = Place::of(Store::File { path: file.clone() });
        return Ok((place, OtherProcesses::at(executors, others)));
    }
    Ok(match lease {
        Some(store) => (Place::of(store), OtherProcesses::at(Executors::Unknown, Vec::new())),
        None => {
            let (bootstrap, properties) = (bootstrap_servers.clone(), kafka_config.clone());
            let place = Place::topic(topic(Role::Daemon)?, TopicCluster { bootstrap, properties });
            (place, OtherProcesses::at(Executors::Topic(topic(Role::Executor)?), Vec::new()))
        }
    })
}

/// A snapshot that knows the labels of nodes is not asked for them again.
fn machines(cli: &Cli, environment: &Environment) -> Result<Option<MachineQuestion>, Error> {
    let key = cli.rates.cap_label.as_deref().filter(|_| cli.rates.cap_snapshot.is_none());
    key.map(|key| cli.machines.question(key, cli.lease.api.access(environment))).transpose()
}

/// Whatever of them cannot be used is said now.
fn metrics(cli: &Cli, environment: &Environment) -> Result<metrics::MetricsSettings, Error> {
    let settings = cli.metrics.settings(&cli.keys.over(environment))?;
    Backend::new(settings.clone())?;
    Ok(settings)
}

/// As it was typed, but for secrets.
fn command_line(args: &[OsString]) -> String {
    let mut words = Vec::new();
    let mut hidden = false;
    for arg in args.iter().map(|arg| arg.to_string_lossy()) {
        let flag = arg.split_once('=').map_or(&*arg, |(flag, _)| flag);
        let secret = SECRETS.contains(&flag);
        words.push(match (hidden, secret && arg.contains('=')) {
            (true, _) => "...".to_owned(),
            (false, true) => format!("{flag}=..."),
            (false, false) => metrics::value_without_login(&arg),
        });
        hidden = secret && !arg.contains('=');
    }
    words.join(" ")
}

fn limits(cli: &Cli) -> Result<ThrottleLimits, Error> {
    let rates = &cli.rates;
    let terms = ThrottleTerms {
        min_rate: rates.min_rate,
        max_tx: rates.max_tx_rate,
        max_rx: rates.max_rx_rate,
        change_threshold: rates.change_threshold,
        failure_threshold: rates.failure_threshold,
        stalled_after: rates.stalled_after,
        pace_recovery: rates.pace_recovery,
        recovery_bytes: rates.recovery_bytes,
        pace_all: rates.pace_all,
        share: rates.share,
        health: HealthLimits {
            p99_produce: rates.max_p99_produce,
            p99_fetch: rates.max_p99_fetch,
            request_handler_idle: Some(rates.min_request_handler_idle)
                .filter(|idle| *idle > Ratio::ZERO),
            canary: rates.max_canary,
        },
        ..ThrottleTerms::default()
    };
    Ok(ThrottleLimits::new(terms)?)
}

fn api(args: ApiArgs, environment: &Environment) -> Result<Option<ApiSettings>, Error> {
    if args.api_listen == "none" {
        return Ok(None);
    }
    if !is_address(&args.api_listen) {
        return Err(local::Error::flag(
            "--api-listen",
            args.api_listen,
            "write HOST:PORT, or none",
        )
        .into());
    }
    let token = match &args.api_token_file {
        Some(path) => Some(Token::in_file(TOKEN_FLAG, path)?),
        None => environment
            .get("AUTOTHROTTLE_API_TOKEN")
            .map(|token| Token::given(TOKEN_FLAG, token))
            .transpose()?,
    };
    let wrong = |path: &Path, problem| Error::Tls { path: path.to_owned(), problem };
    let tls = match args.api_tls_cert.as_deref().zip(args.api_tls_key.as_deref()) {
        Some((chain, key)) => Some(Tls::open(chain, key, wrong)?),
        None => None,
    };
    Ok(Some(ApiSettings { listen: args.api_listen, token, tls, insecure: args.api_insecure }))
}

/// The listed names, and the name in the listen address.
fn names(args: &ApiArgs) -> ServerNames {
    let own = args.api_listen.rsplit_once(':').map(|(host, _)| host.to_owned());
    ServerNames::of("--api-host", args.api_host.iter().cloned().chain(own))
}

/// `HOST:PORT`; whether there is such a host is seen when it is listened at.
fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn settings(line: &str, variables: &[(&str, &str)]) -> Result<DaemonSettings, Error> {
        both(line, variables).map(|(settings, _)| settings)
    }

    fn both(line: &str, variables: &[(&str, &str)]) -> Result<(DaemonSettings, Place), Error> {
        all(line, variables).map(|(settings, place, _)| (settings, place))
    }

    fn all(
        line: &str,
        variables: &[(&str, &str)],
    ) -> Result<(DaemonSettings, Place, OtherProcesses), Error> {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment(variables.collect());
        DaemonSettings::of(Cli::try_parse_from(&args)?, &args, &environment)
    }

    /// Where the ledger is, in words.
    fn place(flags: &str, variables: &[(&str, &str)]) -> String {
        let (_, place, beside) =
            all(&format!("autothrottle --kafka-addr a:1{flags}"), variables).unwrap();
        let others: Vec<String> = beside.unasked().iter().map(Store::name).collect();
        assert_eq!(place.works_alone(), !others.is_empty());
        let name = place.candidate(true).name();
        if others.is_empty() { name } else { format!("{name} unless {}", others.join(" or ")) }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_with_exit_code_2() {
        for flag in ["--max-tx-rate=100", "--max-tx-rate=0", "--max-rx-rate=120", "--min-rate=0"] {
            let refused = settings(&format!("autothrottle --state-file s {flag}"), &[]);
            assert_eq!(refused.err().unwrap().status(), operate::Status::BadInput, "{flag}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_anybody_is_asked() {
        for wrong in ["8080", "localhost", ":8080", "localhost:99999"] {
            let refused =
                settings(&format!("autothrottle --state-file s --api-listen {wrong}"), &[]);
            assert_eq!(refused.err().unwrap().status(), operate::Status::BadInput, "{wrong}");
        }
        for right in ["none", "localhost:0", "[::1]:8080"] {
            assert!(
                settings(&format!("autothrottle --state-file s --api-listen {right}"), &[]).is_ok()
            );
        }
    }

    #[test]
    fn the_topic_keeps_the_ledger_where_no_other_place_is_asked_for() {
        let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        let topic = "the topic __mappr_state";
        for asked in ["", " --dry-run", " --state-topic"] {
            assert_eq!(place(asked, &[]), topic, "{asked}");
        }
        assert_eq!(place("", &pod), "lease autothrottle");
        assert_eq!(place(" --state-topic", &pod), topic);
        assert_eq!(place(" --state-file s", &[]), format!("s unless {topic}"));
        assert_eq!(
            place(" --state-file s", &pod),
            format!("s unless lease autothrottle or {topic}")
        );
        for other in ["--zookeeper zk1", "--lease n", "--state-file s"] {
            let two = both(&format!("autothrottle --state-topic {other}"), &[]);
            assert_eq!(two.err().unwrap().status(), operate::Status::BadInput, "{other}");
        }
    }

    #[test]
    fn one_place_keeps_the_ledger_and_the_flags_of_old_name_it() {
        let znodes = place(" --zk-addr zk1:2181,zk2 --zk-config-prefix of-events", &[]);
        assert_eq!(znodes, "zookeeper zk1:2181,zk2:2181, /of-events");
        let two = settings("autothrottle --zookeeper zk1 --lease n", &[]);
        assert_eq!(two.err().unwrap().status(), operate::Status::BadInput);
        let wrong = settings("autothrottle --zookeeper zk1:x", &[]);
        assert_eq!(wrong.err().unwrap().status(), operate::Status::BadInput);
    }

    #[test]
    fn limits_of_health_are_taken_and_nought_means_none() {
        let line = "autothrottle --dry-run --max-p99-produce 250ms --min-request-handler-idle";
        let health = |percent: &str| {
            settings(&format!("{line} {percent}"), &[]).unwrap().limits.terms().health
        };
        assert_eq!(health("0").request_handler_idle, None);
        assert_eq!(health("30").request_handler_idle, Some(Ratio::from_percent(30)));
        assert_eq!(health("30").p99_produce, Some(Duration::from_millis(250)));
        assert_eq!(health("30").p99_fetch, None);
    }

    #[test]
    fn a_canary_flies_where_it_is_asked_for() {
        let of = |flags: &str| settings(&format!("autothrottle --dry-run{flags}"), &[]).unwrap();
        assert_eq!(of("").canary, None);
        assert_eq!(of(" --canary").canary, Some(Duration::from_millis(200)));
        assert_eq!(of(" --canary=false").canary, None);
        let slower = of(" --canary --canary-interval 5s --max-canary 80ms");
        assert_eq!(slower.canary, Some(Duration::from_secs(5)));
        assert_eq!(slower.limits.terms().health.canary, Some(Duration::from_millis(80)));
        let refused = settings("autothrottle --dry-run --canary --canary-interval 10ms", &[]);
        assert_eq!(refused.err().unwrap().status(), operate::Status::BadInput);
    }

    #[test]
    fn the_token_comes_from_the_environment_and_is_never_shown() {
        let variables = [("AUTOTHROTTLE_API_TOKEN", "hunter2\n")];
        let api = settings("autothrottle --state-file s", &variables).unwrap().api.unwrap();
        assert!(api.token.as_ref().unwrap().is("hunter2"));
        assert!(!format!("{api:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_file_without_a_token_is_refused_at_the_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line =
            format!("autothrottle --state-file s --api-token-file {}", file.path().display());
        let refused = settings(&line, &[]).err().unwrap();
        assert!(refused.to_string().contains("there is no token in it"), "{refused}");
        std::fs::write(file.path(), " hunter2\n").unwrap();
        assert!(settings(&line, &[]).unwrap().api.unwrap().token.unwrap().is("hunter2"));
    }

    #[test]
    fn keys_are_not_part_of_what_is_shown() {
        let line = "autothrottle --dry-run --api-key k3y --app-key=s3cret --interval 5";
        let settings = settings(line, &[]).unwrap();
        assert_eq!(
            settings.command_line,
            "autothrottle --dry-run --api-key ... --app-key=... --interval 5"
        );
        let line = "autothrottle --dry-run --prometheus-url http://u:s3cret@p:9090";
        let with_url = self::settings(line, &[]).unwrap();
        assert_eq!(
            with_url.command_line,
            "autothrottle --dry-run --prometheus-url http://[hidden]@p:9090"
        );
        assert!(!format!("{:?}", with_url.metrics).contains("s3cret"));
        assert!(settings.metrics.datadog.is_some());
        let shown = format!("{:?}", settings.metrics);
        assert!(!shown.contains("k3y") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_label_is_asked_of_a_snapshot_or_of_kubernetes() {
        let refused = settings("autothrottle --dry-run --cap-label net", &[]).err().unwrap();
        assert!(refused.to_string().contains("no Kubernetes to ask"), "{refused}");
        assert_eq!(refused.status(), operate::Status::BadInput);
        let line = "autothrottle --dry-run --cap-label net --kubeconfig k --pod-labels app=kafka";
        assert!(settings(line, &[]).unwrap().machines.is_some());
        let in_pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        let line = "autothrottle --dry-run --state-file s";
        assert!(settings(line, &in_pod).unwrap().machines.is_none(), "nobody asks for a label");
        assert!(settings(&format!("{line} --cap-label net"), &in_pod).unwrap().machines.is_some());
    }

    #[test]
    fn a_backend_that_is_asked_for_and_not_set_up_is_refused() {
        let refused = settings("autothrottle --dry-run --metrics exporter", &[]).err().unwrap();
        assert!(refused.to_string().contains("--exporter-url"), "{refused}");
    }

    #[test]
    fn a_capacity_that_makes_no_sense_names_its_key() {
        let refused = settings("autothrottle --dry-run --cap-map {\"m\":-1}", &[]).err().unwrap();
        assert!(refused.to_string().contains("m: -1 MB/s is no capacity"), "{refused}");
    }
}
