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
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
{{- else }}
zookeeper.connect={{ $b.zookeeper }}
broker.id.generation.enable=false
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT
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
{
  cat /config/server.properties
  if [ "$ROLES" = controller ]; then
    echo "node.id=$((ID_BASE + ordinal))"
  else
    cat /init/broker.properties
    echo "inter.broker.listener.name=INTERNAL"
    listen INTERNAL 9092 "$host:9092"
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
voters=""
case "$ROLES" in *controller*)
  # In a cluster that is in use, a controller with an empty disk has forgotten what it voted for: it joins as a new one.
  voters="--no-initial-controllers"
  [ "$NEW_CLUSTER" != true ] || [ -e /in-use/since ] || voters="--initial-controllers $FIRST_VOTERS"
  ;;
esac
exec /opt/kafka/bin/kafka-storage.sh format --cluster-id "$CLUSTER_ID" --config /tmp/server.properties $voters
{{- end -}}

{{- /* A short hash of configs and start: pods change with them, so that topicmappr roll sees it. */ -}}
{{- define "topicmappr.configHash" -}}
{{ printf "%s\n%s" (include "topicmappr.properties" .) (include "topicmappr.start" .) | sha256sum | trunc 16 }}
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
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
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
