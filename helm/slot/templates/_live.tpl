{{/* "true" if users are sent to this slot, as the routing objects in the cluster say; "" if not, or without a cluster. */}}
{{- define "slot.live" -}}
{{- $name := include "slot.fullname" . }}
{{- $base := include "slot.base" . }}
{{- $found := dict }}
{{- $service := lookup "v1" "Service" .Release.Namespace $base }}
{{- if eq (dig "spec" "selector" "slot" "" $service) .Values.slot }}{{ $_ := set $found "live" true }}{{ end }}
{{- if .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/HTTPRoute" }}
{{- range dig "spec" "rules" list (lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace $base) }}
{{- range ternary list (.backendRefs | default list) (hasPrefix "preview-" (.name | default "")) }}
{{- if and (eq .name $name) (gt (dig "weight" 1 . | int) 0) }}{{ $_ := set $found "live" true }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $ingress := lookup "networking.k8s.io/v1" "Ingress" .Release.Namespace $base }}
{{- range list $base (printf "%s-audience" $base) }}
{{- $action := get (dig "metadata" "annotations" dict $ingress) (printf "alb.ingress.kubernetes.io/actions.%s" .) }}
{{- range dig "forwardConfig" "targetGroups" list ($action | default "{}" | fromJson) }}
{{- if and (eq .serviceName $name) (gt (dig "weight" 1 . | int) 0) }}{{ $_ := set $found "live" true }}{{ end }}
{{- end }}
{{- end }}
{{- if $found.live }}true{{ end }}
{{- end }}
