{{/* Refuses what must not be. Each line has a test in tests/helm/test_router_guards.py. */}}
{{- define "router.guards" -}}
{{- $v := .Values }}
{{- range list "-blue" "-green" "-expand" "-preview" }}
{{- if hasSuffix . $.Release.Name }}{{ fail (printf "release %s ends like a slot's: call the router's release APP" $.Release.Name) }}{{ end }}
{{- end }}
{{- if and (eq $v.driver "service") $v.preview.key }}{{ fail "preview.key: the driver service asks for no headers; its preview is the Service APP-preview" }}{{ end }}
{{- if and $v.alb.originKeys (ne $v.driver "alb") }}{{ fail (printf "alb.originKeys: the driver %s asks for no key, and lets everybody in who reaches it; take the driver alb" $v.driver) }}{{ end }}
{{- if and $v.tests.enabled (ne $v.driver "service") }}{{ fail (printf "tests.enabled: the driver %s has no active Service to ask; turn it off" $v.driver) }}{{ end }}
{{- if and $v.tests.enabled (not $v.tests.image) }}{{ fail "tests.enabled needs tests.image, by digest" }}{{ end }}
{{- include (printf "router.guards.%s" $v.driver) . }}
{{- range $driver, $_ := include "router.present" . | fromJson }}
{{- if and (ne $driver $v.driver) (not $v.allowDriverChange) }}{{ fail (printf "the users come by the driver %s, and Helm would take its route away: they would have none until the next release; set allowDriverChange if that is meant" $driver) }}{{ end }}
{{- end }}
{{- end }}

{{- define "router.guards.names" -}}
{{- $names := index . 1 }}
{{- if and $names (not (include "router.hosts" $names | fromJsonArray)) }}{{ fail (printf "%s.hostnames turns every name off, and none is every name: turn one on, or leave hostnames empty if every name is meant" (index . 0)) }}{{ end }}
{{- end }}

{{- define "router.guards.gateway" -}}
{{- if not .Values.gateway.parents }}{{ fail "driver gateway needs gateway.parents: name the Gateway" }}{{ end }}
{{- include "router.guards.names" (list "gateway" .Values.gateway.hostnames) }}
{{- end }}

{{- define "router.guards.alb" -}}
{{- $alb := .Values.alb }}
{{- if gt (len .Release.Name) 38 }}{{ fail (printf "release %s is longer than 38 characters: the annotations of the driver alb have its name in theirs, which end at 63" .Release.Name) }}{{ end }}
{{- if ge (int $alb.deregistrationDelaySeconds) (int $alb.slotGraceSeconds) }}{{ fail (printf "alb.deregistrationDelaySeconds %d is not less than alb.slotGraceSeconds %d: pods would be gone while the load balancer still sends" (int $alb.deregistrationDelaySeconds) (int $alb.slotGraceSeconds)) }}{{ end }}
{{- include "router.guards.names" (list "alb" $alb.hostnames) }}
{{- range $name, $text := $alb.annotations }}
{{- if regexMatch "^alb\\.ingress\\.kubernetes\\.io/(actions|conditions)\\." $name }}{{ fail (printf "alb.annotations: %s is the route; the release engine writes it" $name) }}{{ end }}
{{- end }}
{{- end }}

{{- define "router.guards.service" -}}
{{- $annotations := .Values.service.annotations }}
{{- if or (eq (get $annotations "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type") "ip") (eq (get $annotations "service.beta.kubernetes.io/aws-load-balancer-type") "nlb-ip") (contains "exposed_ports" (get $annotations "cloud.google.com/neg")) }}{{ fail "service.annotations ask for a load balancer that sends to pod IPs: when the selector moves it takes the old pods off before it has the new ones; take the driver alb or gateway" }}{{ end }}
{{- if .Capabilities.APIVersions.Has "elbv2.k8s.aws/v1beta1/TargetGroupBinding" }}
{{- range dig "items" list (lookup "elbv2.k8s.aws/v1beta1" "TargetGroupBinding" .Release.Namespace "") }}
{{- if eq (dig "spec" "serviceRef" "name" "" .) $.Release.Name }}{{ fail (printf "TargetGroupBinding %s sends to the pods of Service %s: when the selector moves it takes the old pods off before it has the new ones; take the driver alb" .metadata.name $.Release.Name) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
