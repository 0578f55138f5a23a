{{/* "true" if a cluster answers `lookup`: every namespace has this ConfigMap. */}}
{{- define "router.answered" -}}
{{- if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" }}true{{ end }}
{{- end }}

{{/* Which drivers' routing objects are in the cluster, as JSON: {"service": true}. */}}
{{- define "router.present" -}}
{{- $present := dict }}
{{- if dig "spec" "selector" "slot" "" (lookup "v1" "Service" .Release.Namespace .Release.Name) }}{{ $_ := set $present "service" true }}{{ end }}
{{- if include "router.httproute" . | fromJson }}{{ $_ := set $present "gateway" true }}{{ end }}
{{- if lookup "networking.k8s.io/v1" "Ingress" .Release.Namespace .Release.Name }}{{ $_ := set $present "alb" true }}{{ end }}
{{- toJson $present }}
{{- end }}

{{- define "router.httproute" -}}
{{- if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/HTTPRoute" }}
{{- lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace .Release.Name | toJson }}
{{- else }}{}{{ end }}
{{- end }}

{{/* The route in the cluster in the shape of "router.wanted"; {} if there is none. */}}
{{- define "router.live" -}}
{{- if eq .Values.driver "service" }}{{ include "router.live.service" . }}
{{- else if eq .Values.driver "gateway" }}{{ include "router.live.gateway" . }}
{{- else }}{{ include "router.live.alb" . }}{{ end }}
{{- end }}

{{- define "router.live.service" -}}
{{- $slot := dig "spec" "selector" "slot" "" (lookup "v1" "Service" .Release.Namespace .Release.Name) }}
{{- if $slot }}{{ include "router.sole" $slot }}{{ else }}{}{{ end }}
{{- end }}

{{/* Any rule of ours but the users' plain one, and the previews, makes it a release under way. */}}
{{- define "router.live.gateway" -}}
{{- $route := include "router.httproute" . | fromJson }}
{{- $live := dict }}
{{- range dig "spec" "rules" list $route }}
{{- if eq (.name | default "") "users" }}
{{- range .backendRefs }}{{ $_ := set $live (.name | trimPrefix (printf "%s-" $.Release.Name)) (dig "weight" 1 . | int) }}{{ end }}
{{- else if not (hasPrefix "preview-" (.name | default "")) }}{{ $_ := set $live "slot" "under way" }}
{{- end }}
{{- end }}
{{- include "router.shape" $live }}
{{- end }}

{{- define "router.live.alb" -}}
{{- $annotations := dig "metadata" "annotations" dict (lookup "networking.k8s.io/v1" "Ingress" .Release.Namespace .Release.Name) }}
{{- $live := dict }}
{{- range dig "forwardConfig" "targetGroups" list (get $annotations (printf "alb.ingress.kubernetes.io/actions.%s" .Release.Name) | default "{}" | fromJson) }}
{{- $_ := set $live (.serviceName | trimPrefix (printf "%s-" $.Release.Name)) (dig "weight" 1 . | int) }}
{{- end }}
{{- if get $annotations (printf "alb.ingress.kubernetes.io/actions.%s-audience" .Release.Name) }}{{ $_ := set $live "slot" "under way" }}{{ end }}
{{- include "router.shape" $live }}
{{- end }}

{{- define "router.sole" -}}
{{- include "router.shape" (dict . 100) }}
{{- end }}

{{- define "router.shape" -}}
{{- if . }}{{ dict "blue" (get . "blue" | default 0 | int) "green" (get . "green" | default 0 | int) "slot" (get . "slot" | default "") "headers" (get . "headers" | default dict) "mirror" (get . "mirror" | default "") | toJson }}{{ else }}{}{{ end }}
{{- end }}
