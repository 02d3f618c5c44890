#compdef autothrottle

autoload -U is-at-least

_autothrottle() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--bootstrap-servers=[Connect to these Kafka brokers]:HOST:PORT,...:_default' \
'--bootstrap-server=[Connect to these Kafka brokers]:HOST:PORT,...:_default' \
'--kafka-addr=[Connect to these Kafka brokers]:HOST:PORT,...:_default' \
'--kafka-config=[Read client properties of Kafka or librdkafka (TLS, SASL)]:FILE:_files' \
'(--zookeeper --lease --state-topic)--state-file=[Keep the ledger and the overrides in this file]:FILE:_files' \
'(--lease)--zookeeper=[Keep the ledger and the overrides in ZooKeeper]:HOST:PORT,...:_default' \
'--zookeeper-config=[Read TLS and the login for ZooKeeper (zookeeper.ssl.*)]:FILE:_files' \
'--zk-config-prefix=[Use this name in ZooKeeper; each cluster has its own]:NAME:_default' \
'--min-rate=[Compute no rate below this; a bare number is MB/s]:RATE:_default' \
'--max-tx-rate=[Let replication send this percentage of what clients leave free]:PERCENT:_default' \
'--max-rx-rate=[Let replication receive this percentage of what clients leave free]:PERCENT:_default' \
'--change-threshold=[Change a rate only if it differs by this percentage]:PERCENT:_default' \
'--failure-threshold=[Rounds without metrics before a broker falls back to --min-rate]:ROUNDS:_default' \
'--share=[Choose how rates follow from free network capacity]:HOW:((fair\:"Paths share, max-min fair\: what one end cannot use goes elsewhere"
headroom\:"Each broker gets all its free capacity, as in kafka-kit'\''s autothrottle"))' \
'--cap-map=[Set network capacities in MB/s\: JSON, or a file of it]:JSON|FILE:_default' \
'--cap-snapshot=[Read network capacities from this snapshot, where --cap-map has none]:FILE:_files' \
'--cap-label=[Read network capacities from this label of the brokers'\'' nodes]:LABEL:_default' \
'--pace-recovery=[Throttle also replicas that fell behind without a reassignment]::BOOL:(true false)' \
'--recovery-bytes=[Throttle a recovery if at least this many bytes are missing]:SIZE:_default' \
'--max-p99-produce=[Lower the rate of a broker with slower produce requests (99th percentile)]:TIME:_default' \
'--max-p99-fetch=[Lower the rate of a broker with slower consumer fetches (99th percentile)]:TIME:_default' \
'--max-canary=[Lower the rate of a broker with slower --canary messages]:TIME:_default' \
'--min-request-handler-idle=[Lower the rate of a broker whose request handlers are busier]:PERCENT:_default' \
'--stalled-after=[Report replicas that received no data for this long]:TIME:_default' \
'--metrics=[Choose the metrics system]:BACKEND:_default' \
'*--sidecar-peers=[Read metrics from the sidecars at these URLs; repeatable]:URL|ID=URL:_default' \
'*--exporter-url=[Read metrics from the exporters at these URLs; repeatable]:URL|ID=URL:_default' \
'*--exporter-metric=[Choose the exporter'\''s metric for a number; repeatable]:NUMBER=SELECTOR:_default' \
'--prometheus-url=[Query Prometheus, or a server with the same API]:URL:_default' \
'--prometheus-label=[Match series to brokers by this Prometheus label]:LABEL:_default' \
'*--prometheus-query=[Set the Prometheus query for a number; repeatable]:NUMBER=PROMQL:_default' \
'--prometheus-token-file=[Read the bearer token for Prometheus from this file]:FILE:_files' \
'--datadog-url=[Set the URL of Datadog'\''s API]:URL:_default' \
'--api-key-file=[Read Datadog'\''s API key from this file]:FILE:_files' \
'--app-key-file=[Read Datadog'\''s application key from this file]:FILE:_files' \
'--net-tx-query=[Set Datadog'\''s query for what hosts send]:QUERY:_default' \
'--net-rx-query=[Set Datadog'\''s query for what hosts receive]:QUERY:_default' \
'--broker-id-tag=[Read the broker id from this tag of a series or host]:TAG:_default' \
'--instance-type-tag=[Read the instance type from this tag of a host]:TAG:_default' \
'--metrics-window=[Average rates over this time; a bare number is seconds]:TIME:_default' \
'--metrics-timeout=[Wait this long for a metrics system; a bare number is seconds]:TIME:_default' \
'--metrics-ca=[Trust these certificates (PEM) for metrics systems, not the system'\''s]:FILE:_files' \
'--api-key=[Set Datadog'\''s API key]:KEY:_default' \
'--app-key=[Set Datadog'\''s application key]:KEY:_default' \
'*--dd-event-tags=[Add these tags to the events that Datadog receives]:NAME:VALUE,...:_default' \
'--interval=[Wait this long between two rounds; a bare number is seconds]:TIME:_default' \
'--api-listen=[Serve the HTTP API at this address; "none"\: no API]:HOST:PORT:_default' \
'*--api-host=[Accept API requests to this host name too; repeatable]:NAME:_default' \
'--api-token-file=[Read the bearer token for changes from this file]:FILE:_files' \
'--api-tls-cert=[Serve the API over HTTPS with this certificate chain (PEM)]:FILE:_files' \
'--api-tls-key=[Read the private key of the API'\''s certificate from here (PEM)]:FILE:_files' \
'--lease=[Elect the leading daemon with this Lease]:NAMESPACE/NAME:_default' \
'--lease-duration=[Wait this long for a leader that has died]:TIME:_default' \
'--kubeconfig=[Read this kubeconfig file]:FILE:_files' \
'--context=[Use this Kubernetes context \[default\: the current one\]]:NAME:_default' \
'--namespace=[Read broker pods in this namespace, for --cap-label]:NAME:_default' \
'--pod-labels=[Find broker pods by these labels (app=kafka)]:KEY=VALUE,...:_default' \
'*--identity=[Set the rules that find a pod'\''s broker id]:RULE,...:_default' \
'--broker-id-base=[Add this base to pod ordinals]:N:_default' \
'--sidecar-listen=[Serve the pod'\''s network and volume metrics at /sidecar\: 0.0.0.0\:8081]:HOST:PORT:_default' \
'*--sidecar-log-dirs=[Read the broker'\''s log dirs at these mount paths]:DIR,...:_files' \
'--sidecar-broker-id=[Set the broker'\''s id if no log dir contains it]:ID:_default' \
'--sidecar-root=[Find proc and sys in this folder]:DIR:_files' \
'--canary=[Measure latency with small messages, and slow down replication by it]::BOOL:(true false)' \
'--canary-interval=[Wait this long between two messages to one broker]:TIME:_default' \
'--kafka-api-request-timeout=[Accept and ignore this flag]:SECONDS:_default' \
'--cleanup-after=[Accept and ignore this flag]:INTERVALS:_default' \
'--zk-prefix=[Accept and ignore this flag]:PATH:_default' \
'--log-format=[Choose the form of the log]:FORM:((text\:"Lines to read"
json\:"One JSON object a line"))' \
'--config=[Read flags from a YAML file; its keys are long flag names]:FILE:_files' \
'(--zookeeper --lease)--state-topic[Keep the ledger and the overrides in the topic __mappr_state]' \
'--pace-all[Throttle also the recovery of partitions in danger]' \
'--once[Run one round, and exit]' \
'--dry-run[Show what one round would change, and change nothing]' \
'--skip-auto-delete-throttles[Never remove a rate or a replica list; the ledger keeps them]' \
'--api-insecure[Allow other machines to use the API without a token]' \
'--kafka-native-mode[Accept and ignore this flag]' \
'*-v[Log more on stderr; -vv logs even more]' \
'*--verbose[Log more on stderr; -vv logs even more]' \
'-q[Log errors only]' \
'--quiet[Log errors only]' \
'--man[Print this help as a manual page, and exit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
&& ret=0
}

(( $+functions[_autothrottle_commands] )) ||
_autothrottle_commands() {
    local commands; commands=()
    _describe -t commands 'autothrottle commands' commands "$@"
}

if [ "$funcstack[1]" = "_autothrottle" ]; then
    _autothrottle "$@"
else
    compdef _autothrottle autothrottle
fi
