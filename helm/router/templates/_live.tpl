{{/* Which drivers' routing objects are in the cluster, as JSON: {"service": true}. */}}
{{- define "router.present" -}}
{{- $present := dict }}
{{- if dig "spec" "selector" "slot" "" (lookup "v1" "Service" .Release.Namespace .Release.Name) }}{{ $_ := set $present "service" true }}{{ end }}
{{- if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/HTTPRoute" }}
{{- if lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace .Release.Name }}{{ $_ := set $present "gateway" true }}{{ end }}
{{- end }}
{{- if lookup "networking.k8s.io/v1" "Ingress" .Release.Namespace .Release.Name }}{{ $_ := set $present "alb" true }}{{ end }}
{{- toJson $present }}
{{- end }}
