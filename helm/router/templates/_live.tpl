{{/* Which drivers' routing objects are in the cluster, as JSON: {"service": true}. */}}
{{- define "router.present" -}}
{{- $present := dict }}
{{- if dig "spec" "selector" "slot" "" (lookup "v1" "Service" .Release.Namespace .Release.Name) }}{{ $_ := set $present "service" true }}{{ end }}
{{- if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/HTTPRoute" }}
{{- if include "router.ours" (list . (lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace .Release.Name)) }}{{ $_ := set $present "gateway" true }}{{ end }}
{{- end }}
{{- if include "router.ours" (list . (lookup "networking.k8s.io/v1" "Ingress" .Release.Namespace .Release.Name)) }}{{ $_ := set $present "alb" true }}{{ end }}
{{- toJson $present }}
{{- end }}

{{/* "true" if this chart made an object, or the release engine wrote it: another's may have the same name. */}}
{{- define "router.ours" -}}
{{- $notes := dig "metadata" "annotations" dict (index . 1) }}
{{- if or (hasKey $notes "primetrade/port") (hasKey $notes "primetrade/run") (eq (get $notes "meta.helm.sh/release-name") (index . 0).Release.Name) }}true{{ end }}
{{- end }}
