complete -c autothrottle -l bootstrap-servers -l bootstrap-server -l kafka-addr -d 'Connect to these Kafka brokers' -r
complete -c autothrottle -l kafka-config -d 'Read client properties of Kafka or librdkafka (TLS, SASL)' -r -F
complete -c autothrottle -l state-file -d 'Keep the ledger and the overrides in this file' -r -F
complete -c autothrottle -l zookeeper -d 'Keep the ledger and the overrides in ZooKeeper' -r
complete -c autothrottle -l zookeeper-config -d 'Read TLS and the login for ZooKeeper (zookeeper.ssl.*)' -r -F
complete -c autothrottle -l zk-config-prefix -d 'Use this name in ZooKeeper; each cluster has its own' -r
complete -c autothrottle -l min-rate -d 'Compute no rate below this; a bare number is MB/s' -r
complete -c autothrottle -l max-tx-rate -d 'Let replication send this percentage of what clients leave free' -r
complete -c autothrottle -l max-rx-rate -d 'Let replication receive this percentage of what clients leave free' -r
complete -c autothrottle -l change-threshold -d 'Change a rate only if it differs by this percentage' -r
complete -c autothrottle -l failure-threshold -d 'Rounds without metrics before a broker falls back to --min-rate' -r
complete -c autothrottle -l share -d 'Choose how rates follow from free network capacity' -r -f -a "fair\t'Paths share, max-min fair: what one end cannot use goes elsewhere'
headroom\t'Each broker gets all its free capacity, as in kafka-kit\'s autothrottle'"
complete -c autothrottle -l cap-map -d 'Set network capacities in MB/s: JSON, or a file of it' -r
complete -c autothrottle -l cap-snapshot -d 'Read network capacities from this snapshot, where --cap-map has none' -r -F
complete -c autothrottle -l cap-label -d 'Read network capacities from this label of the brokers\' nodes' -r
complete -c autothrottle -l pace-recovery -d 'Throttle also replicas that fell behind without a reassignment' -r -f -a "true\t''
false\t''"
complete -c autothrottle -l recovery-bytes -d 'Throttle a recovery if at least this many bytes are missing' -r
complete -c autothrottle -l max-p99-produce -d 'Lower the rate of a broker with slower produce requests (99th percentile)' -r
complete -c autothrottle -l max-p99-fetch -d 'Lower the rate of a broker with slower consumer fetches (99th percentile)' -r
complete -c autothrottle -l max-canary -d 'Lower the rate of a broker with slower --canary messages' -r
complete -c autothrottle -l min-request-handler-idle -d 'Lower the rate of a broker whose request handlers are busier' -r
complete -c autothrottle -l stalled-after -d 'Report replicas that received no data for this long' -r
complete -c autothrottle -l metrics -d 'Choose the metrics system' -r
complete -c autothrottle -l sidecar-peers -d 'Read metrics from the sidecars at these URLs; repeatable' -r
complete -c autothrottle -l exporter-url -d 'Read metrics from the exporters at these URLs; repeatable' -r
complete -c autothrottle -l exporter-metric -d 'Choose the exporter\'s metric for a number; repeatable' -r
complete -c autothrottle -l prometheus-url -d 'Query Prometheus, or a server with the same API' -r
complete -c autothrottle -l prometheus-label -d 'Match series to brokers by this Prometheus label' -r
complete -c autothrottle -l prometheus-query -d 'Set the Prometheus query for a number; repeatable' -r
complete -c autothrottle -l prometheus-token-file -d 'Read the bearer token for Prometheus from this file' -r -F
complete -c autothrottle -l datadog-url -d 'Set the URL of Datadog\'s API' -r
complete -c autothrottle -l api-key-file -d 'Read Datadog\'s API key from this file' -r -F
complete -c autothrottle -l app-key-file -d 'Read Datadog\'s application key from this file' -r -F
complete -c autothrottle -l net-tx-query -d 'Set Datadog\'s query for what hosts send' -r
complete -c autothrottle -l net-rx-query -d 'Set Datadog\'s query for what hosts receive' -r
complete -c autothrottle -l broker-id-tag -d 'Read the broker id from this tag of a series or host' -r
complete -c autothrottle -l instance-type-tag -d 'Read the instance type from this tag of a host' -r
complete -c autothrottle -l metrics-window -d 'Average rates over this time; a bare number is seconds' -r
complete -c autothrottle -l metrics-timeout -d 'Wait this long for a metrics system; a bare number is seconds' -r
complete -c autothrottle -l metrics-ca -d 'Trust these certificates (PEM) for metrics systems, not the system\'s' -r -F
complete -c autothrottle -l api-key -d 'Set Datadog\'s API key' -r
complete -c autothrottle -l app-key -d 'Set Datadog\'s application key' -r
complete -c autothrottle -l dd-event-tags -d 'Add these tags to the events that Datadog receives' -r
complete -c autothrottle -l interval -d 'Wait this long between two rounds; a bare number is seconds' -r
complete -c autothrottle -l api-listen -d 'Serve the HTTP API at this address; "none": no API' -r
complete -c autothrottle -l api-host -d 'Accept API requests to this host name too; repeatable' -r
complete -c autothrottle -l api-token-file -d 'Read the bearer token for changes from this file' -r -F
complete -c autothrottle -l api-tls-cert -d 'Serve the API over HTTPS with this certificate chain (PEM)' -r -F
complete -c autothrottle -l api-tls-key -d 'Read the private key of the API\'s certificate from here (PEM)' -r -F
complete -c autothrottle -l lease -d 'Elect the leading daemon with this Lease' -r
complete -c autothrottle -l lease-duration -d 'Wait this long for a leader that has died' -r
complete -c autothrottle -l kubeconfig -d 'Read this kubeconfig file' -r -F
complete -c autothrottle -l context -d 'Use this Kubernetes context [default: the current one]' -r
complete -c autothrottle -l namespace -d 'Read broker pods in this namespace, for --cap-label' -r
complete -c autothrottle -l pod-labels -d 'Find broker pods by these labels (app=kafka)' -r
complete -c autothrottle -l identity -d 'Set the rules that find a pod\'s broker id' -r
complete -c autothrottle -l broker-id-base -d 'Add this base to pod ordinals' -r
complete -c autothrottle -l sidecar-listen -d 'Serve the pod\'s network and volume metrics at /sidecar: 0.0.0.0:8081' -r
complete -c autothrottle -l sidecar-log-dirs -d 'Read the broker\'s log dirs at these mount paths' -r -F
complete -c autothrottle -l sidecar-broker-id -d 'Set the broker\'s id if no log dir contains it' -r
complete -c autothrottle -l sidecar-root -d 'Find proc and sys in this folder' -r -F
complete -c autothrottle -l canary -d 'Measure latency with small messages, and slow down replication by it' -r -f -a "true\t''
false\t''"
complete -c autothrottle -l canary-interval -d 'Wait this long between two messages to one broker' -r
complete -c autothrottle -l kafka-api-request-timeout -d 'Accept and ignore this flag' -r
complete -c autothrottle -l cleanup-after -d 'Accept and ignore this flag' -r
complete -c autothrottle -l zk-prefix -d 'Accept and ignore this flag' -r
complete -c autothrottle -l log-format -d 'Choose the form of the log' -r -f -a "text\t'Lines to read'
json\t'One JSON object a line'"
complete -c autothrottle -l config -d 'Read flags from a YAML file; its keys are long flag names' -r -F
complete -c autothrottle -l state-topic -d 'Keep the ledger and the overrides in the topic __mappr_state'
complete -c autothrottle -l pace-all -d 'Throttle also the recovery of partitions in danger'
complete -c autothrottle -l once -d 'Run one round, and exit'
complete -c autothrottle -l dry-run -d 'Show what one round would change, and change nothing'
complete -c autothrottle -l skip-auto-delete-throttles -d 'Never remove a rate or a replica list; the ledger keeps them'
complete -c autothrottle -l api-insecure -d 'Allow other machines to use the API without a token'
complete -c autothrottle -l kafka-native-mode -d 'Accept and ignore this flag'
complete -c autothrottle -s v -l verbose -d 'Log more on stderr; -vv logs even more'
complete -c autothrottle -s q -l quiet -d 'Log errors only'
complete -c autothrottle -l man -d 'Print this help as a manual page, and exit'
complete -c autothrottle -s h -l help -d 'Print help (see more with \'--help\')'
complete -c autothrottle -s V -l version -d 'Print version'
