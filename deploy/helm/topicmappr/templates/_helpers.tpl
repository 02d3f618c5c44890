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
