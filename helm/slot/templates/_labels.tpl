{{/* What Services select by: never a version, which would empty them in the middle of an upgrade. */}}
{{- define "slot.selector" -}}
app.kubernetes.io/name: {{ include "slot.base" . }}
app.kubernetes.io/instance: {{ include "slot.base" . }}
slot: {{ .Values.slot }}
{{- end }}

{{/* What pods have besides. A migration's pods have no slot: no Service selects them. */}}
{{- define "slot.podLabels" -}}
{{- if eq .Values.render "slot" }}
{{- include "slot.selector" . }}
{{- else -}}
app.kubernetes.io/name: {{ include "slot.base" . }}
app.kubernetes.io/instance: {{ include "slot.base" . }}
{{- end }}
app.kubernetes.io/component: {{ .Values.render }}
app.kubernetes.io/part-of: {{ include "slot.base" . }}
app.kubernetes.io/version: {{ .Values.version | quote }}
{{- end }}

{{- define "slot.labels" -}}
{{ include "slot.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
