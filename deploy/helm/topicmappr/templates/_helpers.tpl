{{- define "topicmappr.name" -}}{{ .Values.nameOverride }}{{- end -}}

{{- /* Labels of everything that is not the example of shipped rights. */ -}}
{{- define "topicmappr.labels" -}}
app.kubernetes.io/name: {{ include "topicmappr.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* What no container of ours may do. */ -}}
{{- define "topicmappr.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What an autothrottle with a --state-file leaves, for executions to know whose its rates are; and the ConfigMaps beside
the executors' Lease: some 5,000 configs set at a time. */}}
{{- define "topicmappr.executionRecords" -}}
- autothrottle-marks
- {{ include "topicmappr.name" . }}-execute-records
{{- range untilStep 1 16 1 }}
- {{ include "topicmappr.name" $ }}-execute-records-{{ . }}
{{- end }}
{{- end }}

{{/* The ledger of an autothrottle beside its Lease, for executions to read. */}}
{{- define "topicmappr.daemonRecords" -}}
- autothrottle-state
{{- range untilStep 1 8 1 }}
- autothrottle-state-{{ . }}
{{- end }}
{{- end }}
