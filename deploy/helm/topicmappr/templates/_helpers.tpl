{{- define "topicmappr.name" -}}{{ .Values.nameOverride }}{{- end -}}

{{- /* Labels of everything that is not the example of shipped rights. */ -}}
{{- define "topicmappr.labels" -}}
app.kubernetes.io/name: {{ include "topicmappr.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* The image of both programs: by its digest, if there is one. */ -}}
{{- define "topicmappr.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* What no container of ours may do: Pod Security "restricted", and a file system that nobody writes to. */ -}}
{{- define "topicmappr.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The same for a pod that has only containers of ours: the image's own user. */ -}}
{{- define "topicmappr.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- /* The Lease that claims the cluster: executions, heals and rolls all take this one. */ -}}
{{- define "topicmappr.lease" -}}{{ include "topicmappr.name" . }}-execute{{- end -}}

{{/* The ConfigMaps beside the executors' Lease: some 5,000 configs set at a time. */}}
{{- define "topicmappr.executionRecords" -}}
- {{ include "topicmappr.lease" . }}-records
{{- range untilStep 1 16 1 }}
- {{ include "topicmappr.lease" $ }}-records-{{ . }}
{{- end }}
{{- end }}

{{/* The ledger of an autothrottle beside its Lease, for executions to read. */}}
{{- define "topicmappr.daemonRecords" -}}
- autothrottle-state
{{- range untilStep 1 8 1 }}
- autothrottle-state-{{ . }}
{{- end }}
{{- end }}

{{- /* Flags by their long names as arguments. toYaml quotes a map in JSON, which has colons; toJson writes large numbers in full. */ -}}
{{- define "topicmappr.arguments" -}}
{{- $arguments := list -}}
{{- range $flag, $value := . -}}
{{- $text := ternary $value (toJson $value) (kindIs "string" $value) -}}
{{- $arguments = append $arguments (printf "--%s=%s" $flag $text) -}}
{{- end -}}
{{- with $arguments }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- /* 16 bytes that follow from a text, as Kafka writes its ids. */ -}}
{{- define "topicmappr.uuid" -}}{{ . | sha256sum | trunc 16 | b64enc | trimSuffix "==" }}{{- end -}}

{{- /* The cluster's id: given, or the same for each installation of this release. */ -}}
{{- define "topicmappr.clusterId" -}}
{{ .Values.brokers.clusterId | default (include "topicmappr.uuid" (printf "%s/%s" .Release.Namespace .Release.Name)) }}
{{- end -}}

{{- /* The controllers that the chart runs, dedicated or combined, as JSON: id and host of each. */ -}}
{{- define "topicmappr.controllers" -}}
{{- $nodes := list -}}
{{- $c := .Values.controllers -}}
{{- range $ordinal := until (int $c.replicas) -}}
{{- $host := printf "%s-%d.%s.%s.svc" $c.name $ordinal $c.name $.Release.Namespace -}}
{{- $nodes = append $nodes (dict "id" (add $c.idBase $ordinal) "host" $host) -}}
{{- end -}}
{{- range $set := .Values.brokers.sets -}}
{{- if $set.controllers -}}
{{- range $ordinal := until (int $set.replicas) -}}
{{- $host := printf "%s-%d.%s.%s.svc" $set.name $ordinal $set.name $.Release.Namespace -}}
{{- $nodes = append $nodes (dict "id" (add $set.idBase $ordinal) "host" $host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $nodes -}}
{{- end -}}

{{- /* host:port,... of these controllers; empty: the chart runs none. */ -}}
{{- define "topicmappr.quorum" -}}
{{- $hosts := list -}}
{{- range include "topicmappr.controllers" . | fromJsonArray -}}
{{- $hosts = append $hosts (printf "%s:9093" .host) -}}
{{- end -}}
{{- join "," $hosts -}}
{{- end -}}

{{- /* The first voters: id@host:port:directory,... . A disk that was lost gets another directory id, so that it cannot vote. */ -}}
{{- define "topicmappr.firstVoters" -}}
{{- $voters := list -}}
{{- $cluster := include "topicmappr.clusterId" . -}}
{{- range include "topicmappr.controllers" . | fromJsonArray -}}
{{- $directory := include "topicmappr.uuid" (printf "%s/%d" $cluster (int .id)) -}}
{{- $voters = append $voters (printf "%d@%s:9093:%s" (int .id) .host $directory) -}}
{{- end -}}
{{- join "," $voters -}}
{{- end -}}

{{- /* Which of the three keeps the metadata: "kraft" or "zookeeper"; two of them at once are refused. */ -}}
{{- define "topicmappr.mode" -}}
{{- $b := .Values.brokers -}}
{{- $own := include "topicmappr.quorum" . -}}
{{- $combined := false -}}
{{- range $b.sets }}{{- if .controllers }}{{- $combined = true }}{{- end }}{{- end -}}
{{- if and $own (or $b.quorumVoters $b.zookeeper) -}}
{{- fail "controllers of the chart (controllers.replicas, brokers.sets[].controllers) go with neither brokers.quorumVoters nor brokers.zookeeper" -}}
{{- end -}}
{{- if and (int .Values.controllers.replicas) $combined -}}
{{- fail "controllers.replicas and brokers.sets[].controllers: dedicated or combined controllers, not both" -}}
{{- end -}}
{{- if or $own $b.quorumVoters -}}kraft{{- else -}}zookeeper{{- end -}}
{{- end -}}

{{- /* TLS and SASL that contradict each other are refused. "true" with TLS. */ -}}
{{- define "topicmappr.tls" -}}
{{- $s := .Values.security -}}
{{- if and $s.saslMechanism (not $s.tlsSecret) -}}
{{- fail "security.saslMechanism needs security.tlsSecret: passwords go over TLS only" -}}
{{- end -}}
{{- if and $s.tlsSecret (not .Values.kafka.configSecret) -}}
{{- fail "security.tlsSecret needs kafka.configSecret, the Secret with client.properties: without it, no client of this chart reaches Kafka" -}}
{{- end -}}
{{- if $s.tlsSecret }}true{{ end -}}
{{- end -}}

{{- /* The protocol of each listener. */ -}}
{{- define "topicmappr.protocols" -}}
{{- $tls := include "topicmappr.tls" . -}}
{{- $clients := ternary (ternary "SASL_SSL" "SSL" (ne .Values.security.saslMechanism "")) "PLAINTEXT" (ne $tls "") -}}
{{- $map := printf "INTERNAL:%s,EXTERNAL:%s" $clients $clients -}}
{{- if $tls }}{{ $map = printf "%s,BROKERS:SSL" $map }}{{ end -}}
{{- if eq (include "topicmappr.mode" .) "kraft" }}{{ $map = printf "%s,CONTROLLER:%s" $map (ternary "SSL" "PLAINTEXT" (ne $tls "")) }}{{ end -}}
{{- $map -}}
{{- end -}}

{{- /* What brokers and controllers need for TLS and SASL. */ -}}
{{- define "topicmappr.securityProperties" -}}
{{- $s := .Values.security -}}
ssl.keystore.type=PEM
ssl.truststore.type=PEM
ssl.truststore.location=/tls/ca.crt
# Brokers and controllers prove to each other who they are, by their certificates.
listener.name.brokers.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
{{- if $s.saslMechanism }}
sasl.enabled.mechanisms={{ $s.saslMechanism }}
{{- if ne $s.saslMechanism "PLAIN" }}
{{- range list "internal" "external" }}
listener.name.{{ . }}.{{ lower $s.saslMechanism }}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Properties of every broker and controller. */ -}}
{{- define "topicmappr.properties" -}}
{{- $b := .Values.brokers -}}
{{- $quorum := include "topicmappr.quorum" . -}}
log.dirs=/data/0
{{- if eq (include "topicmappr.mode" .) "kraft" }}
{{- if $quorum }}
controller.quorum.bootstrap.servers={{ $quorum }}
{{- else }}
controller.quorum.voters={{ $b.quorumVoters }}
{{- end }}
controller.listener.names=CONTROLLER
# The controllers' pods may start later than the brokers'.
initial.broker.registration.timeout.ms=300000
{{- else }}
zookeeper.connect={{ $b.zookeeper }}
broker.id.generation.enable=false
{{- end }}
listener.security.protocol.map={{ include "topicmappr.protocols" . }}
{{- if include "topicmappr.tls" . }}
{{ include "topicmappr.securityProperties" . }}
{{- end }}
# Where leaders are is decided by plans, not by a timer.
auto.leader.rebalance.enable=false
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
controlled.shutdown.enable=true
{{- range $key, $value := $b.properties }}
{{ $key }}={{ $value }}
{{- end }}
{{- end -}}

{{- /* Writes the config of a node, then formats its storage or starts it. */ -}}
{{- define "topicmappr.start" -}}
#!/bin/sh
# start.sh format | start.sh run. The node's own lines are last: they win.
set -eu
host="$POD_NAME.$SERVICE.$POD_NAMESPACE.svc"
ordinal="${POD_NAME##*-}"
listeners=""
advertised=""
listen() {
  listeners="$listeners${listeners:+,}$1://:$2"
  advertised="$advertised${advertised:+,}$1://$3"
}
{{- if include "topicmappr.tls" . }}
# Key and certificate in one file: as they are, if the Secret has them so (they then change without a restart), else a copy.
keystore=/tls/tls-combined.pem
if [ ! -f "$keystore" ]; then
  keystore=/keys/keystore.pem
  cat /tls/tls.key /tls/tls.crt > "$keystore"
fi
{{- end }}
{
  cat /config/server.properties
  {{- if include "topicmappr.tls" . }}
  echo "ssl.keystore.location=$keystore"
  {{- end }}
  if [ "$ROLES" = controller ]; then
    echo "node.id=$((ID_BASE + ordinal))"
  else
    cat /init/broker.properties
    echo "inter.broker.listener.name={{ ternary "BROKERS" "INTERNAL" (ne (include "topicmappr.tls" .) "") }}"
    listen INTERNAL 9092 "$host:9092"
    {{- if include "topicmappr.tls" . }}
    listen BROKERS 9091 "$host:9091"
    {{- end }}
    {{- if eq .Values.security.saslMechanism "PLAIN" }}
    # A quoted value in a value of a properties file: backslashes twice.
    module="org.apache.kafka.common.security.plain.PlainLoginModule required"
    for user in /users/*; do
      password="$(sed 's/[\\"]/\\&/g; s/\\/\\\\/g' "$user")"
      module="$module user_${user##*/}=\"$password\""
    done
    for listener in internal external; do
      printf '%s\n' "listener.name.$listener.plain.sasl.jaas.config=$module;"
    done
    {{- end }}
    [ "$NODE_PORT_BASE" -eq 0 ] || listen EXTERNAL 9094 "$NODE_IP:$((NODE_PORT_BASE + ordinal))"
  fi
  case "$ROLES" in *controller*)
    listen CONTROLLER 9093 "$host:9093"
    # With an empty disk it joins the quorum again by itself (Kafka 4.2 and later).
    echo "controller.quorum.auto.join.enable=true"
    ;;
  esac
  [ -z "$ROLES" ] || echo "process.roles=$ROLES"
  printf 'listeners=%s\nadvertised.listeners=%s\n' "$listeners" "$advertised"
} > /tmp/server.properties
[ "$1" = format ] || exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
if [ -f /data/0/meta.properties ]; then
  echo "/data/0 is formatted: nothing to do"
  exit 0
fi
if [ -n "$(ls -A /data/0 2> /dev/null)" ]; then
  echo "/data/0 has files and no meta.properties, so it is not formatted: look what they are, or empty it" >&2
  exit 1
fi
set -- --cluster-id "$CLUSTER_ID" --config /tmp/server.properties
case "$ROLES" in *controller*)
  if [ "$NEW_CLUSTER" = true ] && [ ! -e /in-use/since ]; then
    set -- "$@" --initial-controllers "$FIRST_VOTERS"
    {{- if hasPrefix "SCRAM" .Values.security.saslMechanism }}
    # The first users. Later ones: kafka-configs.sh --alter --entity-type users.
    for user in /users/*; do
      set -- "$@" --add-scram "{{ .Values.security.saslMechanism }}=[name=${user##*/},password=$(cat "$user")]"
    done
    {{- end }}
  else
    # In a cluster that is in use, a controller with an empty disk has forgotten what it voted for: it joins as a new one.
    set -- "$@" --no-initial-controllers
  fi
  ;;
esac
exec /opt/kafka/bin/kafka-storage.sh format "$@"
{{- end -}}

{{- /* A short hash of configs and start: pods change with them, so that topicmappr roll sees it. */ -}}
{{- define "topicmappr.configHash" -}}
{{ printf "%s\n%s" (include "topicmappr.properties" .) (include "topicmappr.start" .) | sha256sum | trunc 16 }}
{{- end -}}

{{- /* The config of ZooKeeper's servers. */ -}}
{{- define "topicmappr.zooCfg" -}}
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/data
clientPort=2181
# Without these two, old snapshots fill the disk.
autopurge.snapRetainCount=5
autopurge.purgeInterval=12
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,mntr
{{- range $i := until (int .Values.zookeeper.replicas) }}
server.{{ add $i 1 }}=zookeeper-{{ $i }}.zookeeper.{{ $.Release.Namespace }}.svc:2888:3888
{{- end }}
{{- end -}}

{{- /* Environment of start.sh: (dict "root" . "name" SET "roles" ROLES "idBase" N "nodePortBase" N). */ -}}
{{- define "topicmappr.startEnv" -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: NODE_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
- {name: SERVICE, value: {{ .name }}}
- {name: ROLES, value: {{ .roles | quote }}}
- {name: ID_BASE, value: {{ .idBase | quote }}}
- {name: NODE_PORT_BASE, value: {{ .nodePortBase | default 0 | quote }}}
{{- with .root.Values.brokers.jvmOptions }}
- {name: KAFKA_JVM_PERFORMANCE_OPTS, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- /* The init container that formats an empty disk, once. The same dict as startEnv. */ -}}
{{- define "topicmappr.format" -}}
{{- $b := .root.Values.brokers -}}
- name: format
  image: {{ $b.image }}
  command: [/bin/sh, /config/start.sh, format]
  env:
    {{- include "topicmappr.startEnv" . | nindent 4 }}
    - {name: CLUSTER_ID, value: {{ include "topicmappr.clusterId" .root | quote }}}
    {{- if contains "controller" .roles }}
    - {name: NEW_CLUSTER, value: {{ $b.bootstrapNewCluster | quote }}}
    - {name: FIRST_VOTERS, value: {{ include "topicmappr.firstVoters" .root | quote }}}
    {{- end }}
    - {name: KAFKA_HEAP_OPTS, value: "-Xmx128m -XX:TieredStopAtLevel=1"}
  resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 512Mi}}
  volumeMounts:
    - {name: data, mountPath: /data}
    {{- if ne .roles "controller" }}
    - {name: init, mountPath: /init, readOnly: true}
    {{- end }}
    - {name: config, mountPath: /config, readOnly: true}
    {{- if contains "controller" .roles }}
    - {name: in-use, mountPath: /in-use, readOnly: true}
    {{- end }}
    - {name: tmp, mountPath: /tmp}
    {{- with include "topicmappr.keyMounts" .root }}
    {{- . | nindent 4 }}
    {{- end }}
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
{{- end -}}

{{- /* Keys and users of a node: mounts of Kafka's containers. */ -}}
{{- define "topicmappr.keyMounts" -}}
{{- if include "topicmappr.tls" . -}}
- {name: tls, mountPath: /tls, readOnly: true}
- {name: keys, mountPath: /keys}
{{- if .Values.security.saslMechanism }}
- {name: users, mountPath: /users, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The volumes of these mounts. Copies of keys stay in memory. */ -}}
{{- define "topicmappr.keyVolumes" -}}
{{- if include "topicmappr.tls" . -}}
- {name: tls, secret: {secretName: {{ .Values.security.tlsSecret }}, defaultMode: 0440}}
- {name: keys, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
{{- if .Values.security.saslMechanism }}
- {name: users, secret: {secretName: {{ .Values.security.usersSecret }}, defaultMode: 0440}}
{{- end }}
{{- end }}
{{- end -}}

{{- /* How a container of ours in a broker's pod logs in: environment, mount and volume. */ -}}
{{- define "topicmappr.clientEnv" -}}
{{- if .Values.kafka.configSecret -}}
- {name: TOPICMAPPR_KAFKA_CONFIG, value: /etc/kafka-client/client.properties}
{{- end }}
{{- end -}}
{{- define "topicmappr.clientMount" -}}
{{- if .Values.kafka.configSecret -}}
- {name: kafka-client, mountPath: /etc/kafka-client, readOnly: true}
{{- end }}
{{- end -}}
{{- define "topicmappr.clientVolume" -}}
{{- if .Values.kafka.configSecret -}}
- {name: kafka-client, secret: {secretName: {{ .Values.kafka.configSecret }}}}
{{- end }}
{{- end -}}

{{- /* What Kafka's containers of every pod run as. */ -}}
{{- define "topicmappr.kafkaUser" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}
