{{/* The release has the application's name; the slots are APP-blue and APP-green. */}}
{{- define "router.slotName" -}}
{{ (index . 0).Release.Name }}-{{ index . 1 }}
{{- end }}

{{- define "router.deployerName" -}}
{{ .Values.deployer.serviceAccount | default (printf "%s-deployer" .Release.Name) }}
{{- end }}
