{{- define "slot.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.security.runAsUser }}
runAsGroup: {{ .Values.security.runAsGroup }}
fsGroup: {{ .Values.security.runAsGroup }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "slot.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: {{ .Values.security.readOnlyRootFilesystem }}
{{- end }}

{{- define "slot.probe" -}}
httpGet: {path: {{ .path | quote }}, port: {{ .port }}}
periodSeconds: {{ .periodSeconds }}
timeoutSeconds: {{ .timeoutSeconds }}
failureThreshold: {{ .failureThreshold }}
{{- end }}

{{/* Image, rights, resources and folders of a container of ours. */}}
{{- define "slot.container" -}}
image: {{ include "slot.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- include "slot.containerSecurity" . | nindent 2 }}
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- with .Values.writable }}
volumeMounts:
  {{- range $name, $folder := . }}
  - {name: {{ $name }}, mountPath: {{ $folder.path | quote }}}
  {{- end }}
{{- end }}
{{- end }}

{{/* What every pod of this release has, whatever runs in it. */}}
{{- define "slot.podBasics" -}}
serviceAccountName: {{ include "slot.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "slot.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range $name, $used := . }}
  {{- if $used }}
  - name: {{ $name }}
  {{- end }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- range $name, $toleration := . }}
  - {{ toJson $toleration }}
  {{- end }}
{{- end }}
{{- with .Values.writable }}
volumes:
  {{- range $name, $folder := . }}
  - name: {{ $name }}
    emptyDir: {sizeLimit: {{ $folder.size | quote }}{{ if $folder.memory }}, medium: Memory{{ end }}}
  {{- end }}
{{- end }}
{{- end }}

{{- define "slot.podSpec" -}}
{{ include "slot.podBasics" . }}
terminationGracePeriodSeconds: {{ .Values.shutdown.graceSeconds }}
{{- with .Values.spread }}
topologySpreadConstraints:
  {{- range $label, $otherwise := . }}
  - topologyKey: {{ $label }}
    maxSkew: 1
    whenUnsatisfiable: {{ $otherwise }}
    labelSelector:
      matchLabels: {{- include "slot.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
containers:
  - name: app
    {{- include "slot.container" . | nindent 4 }}
    {{- with .Values.command }}
    command: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.args }}
    args: {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - {name: traffic, containerPort: {{ .Values.ports.traffic }}}
      {{- if .Values.ports.admin }}
      - {name: admin, containerPort: {{ .Values.ports.admin }}}
      {{- end }}
    {{- if or .Values.config (include "slot.secretName" .) }}
    envFrom:
      {{- if .Values.config }}
      - configMapRef: {name: {{ include "slot.configName" . }}}
      {{- end }}
      {{- with include "slot.secretName" . }}
      - secretRef: {name: {{ . }}}
      {{- end }}
    {{- end }}
    {{- range $kind, $probe := .Values.probes }}
    {{- if $probe.enabled }}
    {{ $kind }}Probe: {{- include "slot.probe" $probe | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with .Values.shutdown.sleepSeconds }}
    lifecycle:
      preStop: {sleep: {seconds: {{ . }}}} # by the kubelet: the image needs no shell
    {{- end }}
{{- end }}

{{/* The pod template without labels that Helm or the chart's version change. */}}
{{- define "slot.podTemplate" -}}
metadata:
  labels: {{- include "slot.podLabels" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec: {{- include "slot.podSpec" . | nindent 2 }}
{{- end }}
