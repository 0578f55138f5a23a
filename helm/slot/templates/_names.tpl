{{/* Name of every object of this release. Helm keeps a release's name under 54 characters. */}}
{{- define "slot.fullname" -}}
{{ .Release.Name }}
{{- end }}

{{/* Name of the application: that of the release without the slot. The router's release has it. */}}
{{- define "slot.base" -}}
{{ .Release.Name | trimSuffix "-expand" | trimSuffix (printf "-%s" .Values.slot) }}
{{- end }}

{{/* Name of the configuration: another one as soon as anything in it is another. */}}
{{- define "slot.configName" -}}
{{ include "slot.fullname" . }}-{{ include "slot.configData" . | sha256sum | trunc 10 }}
{{- end }}

{{- define "slot.configData" -}}
{{- range $name, $text := .Values.config }}
{{ $name }}: {{ tpl $text $ | quote }}
{{- end }}
{{- end }}

{{- define "slot.secretName" -}}
{{- if .Values.externalSecret.enabled }}{{ include "slot.fullname" . }}{{ else }}{{ .Values.secret }}{{ end }}
{{- end }}

{{- define "slot.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "slot.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "slot.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{/* Pods that there are at least. */}}
{{- define "slot.leastReplicas" -}}
{{- if eq .Values.autoscaling.driver "none" }}{{ include "slot.replicas" . }}{{ else }}{{ .Values.autoscaling.minReplicas | int }}{{ end }}
{{- end }}

{{- define "slot.replicas" -}}
{{- if kindIs "invalid" .Values.replicas }}2{{ else }}{{ .Values.replicas | int }}{{ end }}
{{- end }}
