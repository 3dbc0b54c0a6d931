{{/*
Service account of a component, with the annotations of the calling chart's values; its token is never mounted by default.
Usage: include "common.serviceAccount" (list . "webui")
*/}}
{{- define "common.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "common.metadata" . | nindent 2 }}
  {{- with (index . 0).Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{/*
Service with one TCP port. A headless one publishes the pods' own addresses.
Usage: include "common.service" (dict "root" . "name" "redis" "port" 6379 "portName" "redis" "type" "ClusterIP")
*/}}
{{- define "common.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" (list .root .name) | nindent 2 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .type | default "ClusterIP" }}
  selector:
    {{- include "common.selectorLabels" (list .root .name) | nindent 4 }}
  ports:
    - name: {{ .portName }}
      port: {{ .port }}
      targetPort: {{ .portName }}
      {{- with .nodePort }}
      nodePort: {{ . }}
      {{- end }}
{{- end -}}

{{/*
Disruption budget of a Deployment with more than one replica; empty for one, which it could only block. The number is the
third argument, or what the calling chart's values say.
Usage: include "common.podDisruptionBudget" (list . "webui")
*/}}
{{- define "common.podDisruptionBudget" -}}
{{- $values := (index . 0).Values -}}
{{- $least := ternary $values.autoscaling.minReplicas $values.replicas $values.autoscaling.enabled -}}
{{- if gt (len .) 2 -}}
{{- $least = index . 2 -}}
{{- end -}}
{{- if gt (int $least) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/*
Horizontal autoscaler of a Deployment on CPU; empty unless autoscaling.enabled.
Usage: include "common.horizontalPodAutoscaler" (list . "webui")
*/}}
{{- define "common.horizontalPodAutoscaler" -}}
{{- $autoscaling := (index . 0).Values.autoscaling -}}
{{- if $autoscaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "common.name" . }}
  minReplicas: {{ $autoscaling.minReplicas }}
  maxReplicas: {{ $autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $autoscaling.targetCPUUtilizationPercentage }}
{{- end -}}
{{- end -}}

{{/*
PodMonitor of a component's port called http, for the Prometheus operator; empty unless podMonitor.enabled.
Usage: include "common.podMonitor" (list . "webui")
*/}}
{{- define "common.podMonitor" -}}
{{- $monitor := (index . 0).Values.podMonitor -}}
{{- if $monitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  {{- include "common.metadata" . | nindent 2 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  podMetricsEndpoints:
    - port: http
      path: /metrics
      interval: {{ $monitor.interval }}
      relabelings:
        - sourceLabels: [__meta_kubernetes_pod_node_name]
          targetLabel: node
{{- end -}}
{{- end -}}

{{/*
Volume claim template called data. No labels: a claim template can never be changed.
Usage: include "common.dataClaim" .Values.persistence
*/}}
{{- define "common.dataClaim" -}}
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .size }}
{{- end -}}

{{/*
Checks that autoscaling has a range to move in.
Usage: include "common.validateAutoscaling" .
*/}}
{{- define "common.validateAutoscaling" -}}
{{- $autoscaling := .Values.autoscaling -}}
{{- if and $autoscaling.enabled (gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas (%v) is above %s.autoscaling.maxReplicas (%v): lower minReplicas or raise maxReplicas" .Chart.Name $autoscaling.minReplicas .Chart.Name $autoscaling.maxReplicas) -}}
{{- end -}}
{{- end -}}
