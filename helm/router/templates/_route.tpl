{{/* What the values ask for, as JSON: shares of both slots, slot and headers of the audience, mirror; {} if nothing. */}}
{{- define "router.wanted" -}}
{{- if .Values.activeSlot }}
{{- $shares := .Values.weights | default (dict .Values.activeSlot 100) }}
{{- merge (dict "slot" .Values.audience.slot "headers" .Values.audience.headers "mirror" .Values.mirror) $shares | include "router.shape" }}
{{- else }}{}{{ end }}
{{- end }}

{{/* What is written, as JSON; {} where the route is left out. Helm moves no user unless allowSwitch says so. */}}
{{- define "router.route" -}}
{{- $live := include "router.live" . }}
{{- if .Values.allowSwitch }}{{ include "router.wanted" . }}
{{- else if ne $live "{}" }}{{ $live }}
{{- else if include "router.answered" . }}{{ include "router.wanted" . }}
{{- else }}{}{{ end }}
{{- end }}

{{/* The slot whose share is the larger one. */}}
{{- define "router.active" -}}
{{ ternary "blue" "green" (ge (int .blue) (int .green)) }}
{{- end }}
