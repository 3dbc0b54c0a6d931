{{/*
Image reference of the calling chart: global.image.registry, then image.repository, image.tag (default: appVersion) and
image.digest.
Usage: image: {{ include "common.image" . }}
*/}}
{{- define "common.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- with .Values.global.image.registry -}}
{{- trimSuffix "/" . }}/
{{- end -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/*
What every pod has: a service account of its own without its token, the restricted security context, scheduling.
Usage: include "common.podDefaults" (list . "webui")
*/}}
{{- define "common.podDefaults" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "common.name" . }}
automountServiceAccountToken: false
# Services named redis or postgresql would otherwise inject REDIS_PORT=tcp://... into every container.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- include "common.scheduling" $root }}
{{- end -}}

{{/* Pull secrets and scheduling, from the calling chart's values. */}}
{{- define "common.scheduling" -}}
{{- with .Values.global.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Security context of a container under the "restricted" Pod Security Standard. */}}
{{- define "common.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Image, pull policy, security context and resources of a container of the calling chart.
Usage: include "common.container" .
*/}}
{{- define "common.container" -}}
image: {{ include "common.image" . }}
imagePullPolicy: {{ .Values.global.image.pullPolicy }}
securityContext:
  {{- include "common.containerSecurityContext" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{/*
Spread replicas as the calling chart's values say, each constraint over the component's own pods unless it says otherwise;
by default over nodes and zones, softly.
Usage: include "common.topologySpread" (list . "webui")
*/}}
{{- define "common.topologySpread" -}}
{{- $selector := include "common.selectorLabels" . -}}
topologySpreadConstraints:
  {{- with (index . 0).Values.topologySpreadConstraints }}
  {{- range . }}
  - {{- toYaml . | nindent 4 }}
    {{- if not (hasKey . "labelSelector") }}
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
    {{- end }}
  {{- end }}
  {{- else }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* TCP probes for servers whose protocol has no HTTP: never an exec. Usage: include "common.tcpProbes" "postgresql" */}}
{{- define "common.tcpProbes" -}}
startupProbe:
  tcpSocket:
    port: {{ . }}
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  tcpSocket:
    port: {{ . }}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  tcpSocket:
    port: {{ . }}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{/* HTTP probes of /healthz and /readyz on the port called http. */}}
{{- define "common.httpProbes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 20
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 5
  timeoutSeconds: 4
{{- end -}}
