{{/* Refuses what must not be. Each line has a test in tests/helm/test_slot_guards.py. */}}
{{- define "slot.guards" -}}
{{- $v := .Values }}
{{- if eq $v.render "slot" }}{{ include "slot.guards.slot" . }}{{ else }}{{ include "slot.guards.migration" . }}{{ end }}
{{- if not $v.image.repository }}{{ fail "image.repository is empty: name the image" }}{{ end }}
{{- if not (or $v.image.digest $v.image.tag) }}{{ fail "the image has neither digest nor tag: give image.digest, so that what was tested is what runs" }}{{ end }}
{{- if not $v.version }}{{ fail "version is empty: name the version, as the application's /version does" }}{{ end }}
{{- if and $v.secret $v.externalSecret.enabled }}{{ fail "secret and externalSecret.enabled: only one of them can fill the environment; take one away" }}{{ end }}
{{- if and $v.externalSecret.enabled (not (and $v.externalSecret.keys $v.externalSecret.store.name)) }}{{ fail "externalSecret.enabled needs externalSecret.store.name and externalSecret.keys" }}{{ end }}
{{- range $name, $_ := $v.externalSecret.keys }}
{{- if hasKey $v.config $name }}{{ fail (printf "%s is in config and in externalSecret.keys: one of them would win silently; keep one" $name) }}{{ end }}
{{- end }}
{{- end }}

{{- define "slot.guards.slot" -}}
{{- $v := .Values }}
{{- $least := include "slot.leastReplicas" . | int }}
{{- if not (hasSuffix (printf "-%s" $v.slot) .Release.Name) }}{{ fail (printf "release %s is not named after slot %s: call it APP-%s" .Release.Name $v.slot $v.slot) }}{{ end }}
{{- if eq (int $v.ports.traffic) (int $v.ports.admin) }}{{ fail (printf "ports.traffic and ports.admin are both %d: give them a port each, or set ports.admin to 0" (int $v.ports.admin)) }}{{ end }}
{{- range $kind, $probe := $v.probes }}
{{- if and $probe.enabled (eq $probe.port "admin") (not $v.ports.admin) }}{{ fail (printf "probes.%s asks the admin port and ports.admin is 0: ask traffic, or name the port" $kind) }}{{ end }}
{{- end }}
{{- if not $v.probes.readiness.enabled }}{{ fail "probes.readiness is off: a slot that is not ready would get users" }}{{ end }}
{{- if and $v.serviceMonitor.enabled (eq $v.serviceMonitor.port "admin") (not $v.ports.admin) }}{{ fail "serviceMonitor.port is admin and ports.admin is 0: scrape traffic, or name the port" }}{{ end }}
{{- if le (int $v.shutdown.graceSeconds) (add (int $v.shutdown.sleepSeconds) (int $v.shutdown.longestRequestSeconds) | int) }}{{ fail (printf "shutdown.graceSeconds is %d: requests would be cut; make it more than sleepSeconds + longestRequestSeconds, %d" (int $v.shutdown.graceSeconds) (add (int $v.shutdown.sleepSeconds) (int $v.shutdown.longestRequestSeconds))) }}{{ end }}
{{- if ge (int $v.minReadySeconds) (int $v.progressDeadlineSeconds) }}{{ fail (printf "minReadySeconds %d is not less than progressDeadlineSeconds %d: no pod could count in time" (int $v.minReadySeconds) (int $v.progressDeadlineSeconds)) }}{{ end }}
{{- include "slot.guards.scale" . }}
{{- if and (not (kindIs "invalid" $v.pdb.minAvailable)) (not (kindIs "invalid" $v.pdb.maxUnavailable)) }}{{ fail "pdb.minAvailable and pdb.maxUnavailable are both set: Kubernetes takes one; set the other to null" }}{{ end }}
{{- if and (kindIs "invalid" $v.pdb.minAvailable) (kindIs "invalid" $v.pdb.maxUnavailable) }}{{ fail "pdb.minAvailable and pdb.maxUnavailable are both null: every pod could be evicted at once; set one" }}{{ end }}
{{- if and (not (kindIs "invalid" $v.pdb.minAvailable)) (ge (int $v.pdb.minAvailable) $least) }}{{ fail (printf "pdb.minAvailable is %d of at least %d pods: no node could ever be drained; make it less" (int $v.pdb.minAvailable) $least) }}{{ end }}
{{- include "slot.guards.live" . }}
{{- end }}

{{- define "slot.guards.scale" -}}
{{- $scaling := .Values.autoscaling }}
{{- if ne $scaling.driver "none" }}
{{- if not (kindIs "invalid" .Values.replicas) }}{{ fail (printf "replicas is set and autoscaling.driver is %s: each upgrade would undo what the autoscaler did; leave replicas out" $scaling.driver) }}{{ end }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}{{ fail (printf "autoscaling.minReplicas %d is more than maxReplicas %d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}{{ end }}
{{- end }}
{{- if eq $scaling.driver "hpa" }}
{{- if not (or $scaling.cpuPercent $scaling.metrics) }}{{ fail "autoscaling.driver is hpa and nothing is measured: set autoscaling.cpuPercent or autoscaling.metrics" }}{{ end }}
{{- if and $scaling.cpuPercent (not (dig "requests" "cpu" "" .Values.resources)) }}{{ fail "autoscaling.cpuPercent is a share of resources.requests.cpu, which is not set: set it, or cpuPercent to 0" }}{{ end }}
{{- end }}
{{- if and (eq $scaling.driver "keda") (not $scaling.triggers) }}{{ fail "autoscaling.driver is keda and autoscaling.triggers is empty: name a trigger" }}{{ end }}
{{- end }}

{{/* A slot that has users keeps its pods: a new version goes to the other slot. */}}
{{- define "slot.guards.live" -}}
{{- if and (include "slot.live" .) (not .Values.allowLiveChange) }}
{{- $running := lookup "apps/v1" "Deployment" .Release.Namespace (include "slot.fullname" .) }}
{{- $annotations := dig "metadata" "annotations" dict $running }}
{{- $hash := include "slot.podTemplate" . | sha256sum }}
{{- if and $running (ne (get $annotations "slot/pod-template") $hash) }}{{ fail (printf "slot %s has users and this would replace their pods: release to the other slot, or set allowLiveChange" .Values.slot) }}{{ end }}
{{- if and $running (eq .Values.autoscaling.driver "none") (ne (include "slot.replicas" . | int) (dig "spec" "replicas" 1 $running | int)) }}{{ fail (printf "slot %s has users on %d pods and this would make it %s: set replicas to what runs, or set allowLiveChange" .Values.slot (dig "spec" "replicas" 1 $running | int) (include "slot.replicas" .)) }}{{ end }}
{{- end }}
{{- end }}

{{- define "slot.guards.migration" -}}
{{- $m := .Values.migration }}
{{- if not (hasSuffix "-expand" .Release.Name) }}{{ fail (printf "render is migration and release %s is not named APP-expand: a slot's own release would lose its slot" .Release.Name) }}{{ end }}
{{- if not $m.releaseId }}{{ fail "render is migration and migration.releaseId is empty: it names the Job, so that each release expands once" }}{{ end }}
{{- if not $m.command }}{{ fail "render is migration and migration.command is empty: say what expands the schema" }}{{ end }}
{{- if gt (len (include "slot.jobName" .)) 63 }}{{ fail (printf "the Job would be called %s: more than 63 characters; shorten migration.releaseId" (include "slot.jobName" .)) }}{{ end }}
{{- end }}

{{- define "slot.jobName" -}}
{{ include "slot.base" . }}-expand-{{ .Values.migration.releaseId }}
{{- end }}
