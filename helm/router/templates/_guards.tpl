{{/* Refuses what must not be. Each line has a test in tests/helm/test_router_guards.py. */}}
{{- define "router.guards" -}}
{{- $v := .Values }}
{{- range list "-blue" "-green" "-expand" }}
{{- if hasSuffix . $.Release.Name }}{{ fail (printf "release %s ends like a slot's: call the router's release APP" $.Release.Name) }}{{ end }}
{{- end }}
{{- include "router.guards.wanted" . }}
{{- include "router.guards.driver" . }}
{{- include "router.guards.live" . }}
{{- if and $v.tests.enabled (ne $v.driver "service") }}{{ fail (printf "tests.enabled: the driver %s has no active Service to ask; turn it off" $v.driver) }}{{ end }}
{{- if and $v.tests.enabled (not $v.tests.image) }}{{ fail "tests.enabled needs tests.image, by digest" }}{{ end }}
{{- end }}

{{- define "router.guards.wanted" -}}
{{- $v := .Values }}
{{- $beyond := or $v.weights $v.audience.slot $v.mirror }}
{{- if and (eq $v.driver "service") (or $beyond $v.preview.key) }}{{ fail "weights, audience, mirror and preview.key: the driver service has one selector for all users; take gateway or alb" }}{{ end }}
{{- if and (eq $v.driver "alb") $v.mirror }}{{ fail "mirror: an ALB copies no requests; take gateway" }}{{ end }}
{{- if and (eq $v.driver "alb") (gt (len $v.audience.headers) 1) }}{{ fail "audience.headers: an ALB rule asks for all its headers at once, and any one should be enough; name one" }}{{ end }}
{{- if and (or $beyond $v.allowSwitch) (not $v.activeSlot) }}{{ fail "a route is asked for and activeSlot is empty: name the slot that has the users" }}{{ end }}
{{- if $v.weights }}
{{- if ne (add (get $v.weights "blue" | default 0 | int) (get $v.weights "green" | default 0 | int) | int) 100 }}{{ fail "weights: the shares of blue and green must be 100 together, or some requests would find no slot" }}{{ end }}
{{- if not (get $v.weights $v.activeSlot) }}{{ fail (printf "weights give activeSlot %s no user: name the slot that has them" $v.activeSlot) }}{{ end }}
{{- end }}
{{- if ne (empty $v.audience.slot) (empty $v.audience.headers) }}{{ fail "audience needs a slot and headers: give both or none" }}{{ end }}
{{- if and $v.mirror (or (eq $v.mirror $v.activeSlot) (get $v.weights $v.mirror)) }}{{ fail (printf "mirror: slot %s has users, it cannot get copies of their requests too" $v.mirror) }}{{ end }}
{{- end }}

{{- define "router.guards.driver" -}}
{{- $v := .Values }}
{{- if and (eq $v.driver "gateway") (not $v.gateway.parents) }}{{ fail "driver gateway needs gateway.parents: name the Gateway" }}{{ end }}
{{- if and (eq $v.driver "alb") (ge (int $v.alb.deregistrationDelaySeconds) (int $v.alb.slotGraceSeconds)) }}{{ fail (printf "alb.deregistrationDelaySeconds %d is not less than alb.slotGraceSeconds %d: pods would be gone while the load balancer still sends" (int $v.alb.deregistrationDelaySeconds) (int $v.alb.slotGraceSeconds)) }}{{ end }}
{{- range $name, $text := $v.alb.annotations }}
{{- if regexMatch "^alb\\.ingress\\.kubernetes\\.io/(actions|conditions)\\." $name }}{{ fail (printf "alb.annotations: %s is the route; the release engine writes it" $name) }}{{ end }}
{{- end }}
{{- if and (eq $v.driver "service") (eq $v.service.type "LoadBalancer") }}
{{- $annotations := $v.service.annotations }}
{{- if or (eq (get $annotations "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type") "ip") (eq (get $annotations "service.beta.kubernetes.io/aws-load-balancer-type") "nlb-ip") (hasKey $annotations "cloud.google.com/neg") }}{{ fail "service.annotations ask for a load balancer that sends to pod IPs: when the selector moves it takes the old pods off before it has the new ones; take the driver alb or gateway" }}{{ end }}
{{- end }}
{{- if and (eq $v.driver "service") (.Capabilities.APIVersions.Has "elbv2.k8s.aws/v1beta1/TargetGroupBinding") }}
{{- range dig "items" list (lookup "elbv2.k8s.aws/v1beta1" "TargetGroupBinding" .Release.Namespace "") }}
{{- if eq (dig "spec" "serviceRef" "name" "" .) $.Release.Name }}{{ fail (printf "TargetGroupBinding %s sends to the pods of Service %s: when the selector moves it takes the old pods off before it has the new ones; take the driver alb" .metadata.name $.Release.Name) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "router.guards.live" -}}
{{- $v := .Values }}
{{- $live := include "router.live" . | fromJson }}
{{- if not $v.allowSwitch }}
{{- range $driver, $_ := include "router.present" . | fromJson }}
{{- if ne $driver $v.driver }}{{ fail (printf "the users come by the driver %s and this would take its route away for %s: finish on the old driver first, or set allowSwitch" $driver $v.driver) }}{{ end }}
{{- end }}
{{- if $live }}
{{- if or $live.slot $live.mirror (and $live.blue $live.green) }}{{ fail (printf "a release is under way (blue %d %%, green %d %%): finish or abort it first" (int $live.blue) (int $live.green)) }}{{ end }}
{{- if and $v.activeSlot (ne (include "router.wanted" .) (include "router.live" .)) }}{{ fail (printf "slot %s has the users and the values ask for another route (activeSlot %s): Helm moves nobody; take activeSlot out, or use the release engine, or set allowSwitch" (include "router.active" $live) $v.activeSlot) }}{{ end }}
{{- end }}
{{- end }}
{{- if include "router.answered" . }}
{{- if not (or $live $v.activeSlot) }}{{ fail "no route is there yet and activeSlot is empty: name the slot that the first users get" }}{{ end }}
{{- if and $live $v.allowSwitch }}
{{- range $slot := list "blue" "green" }}
{{- $share := get (include "router.wanted" $ | fromJson) $slot | int }}
{{- if and $share (not (dig "status" "readyReplicas" 0 (lookup "apps/v1" "Deployment" $.Release.Namespace (include "router.slotName" (list $ $slot))))) }}{{ fail (printf "slot %s has no pod that is ready and would get %d %% of the users" $slot $share) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
