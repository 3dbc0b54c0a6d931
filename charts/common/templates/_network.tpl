{{/*
Pods of named components of this release, as one NetworkPolicy peer.
Usage: include "common.peer" (list . "webui" "smoke-test")
*/}}
{{- define "common.peer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/name
        operator: In
        values: {{ rest . | toJson }}
{{- end -}}

{{/* Egress rule to the cluster's DNS, over UDP and TCP (long answers). */}}
{{- define "common.dnsEgress" -}}
- to:
    {{- toYaml .Values.global.networkPolicy.dnsPeers | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* Ingress rule for the metrics scraper to the port called http; empty unless global.networkPolicy.metricsPeers. */}}
{{- define "common.metricsIngress" -}}
{{- with .Values.global.networkPolicy.metricsPeers -}}
- from:
    {{- toYaml . | nindent 4 }}
  ports:
    - {port: http, protocol: TCP}
{{- end -}}
{{- end -}}

{{/*
Policy of a server that takes connections from some components on one port and makes none.
Usage: include "common.serverNetworkPolicy" (dict "root" . "name" "redis" "port" "redis" "from" (list "flask-backend"))
*/}}
{{- define "common.serverNetworkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "common.metadata" (list .root .name) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selectorLabels" (list .root .name) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- include "common.peer" (prepend .from .root) | nindent 8 }}
      ports:
        - {port: {{ .port }}, protocol: TCP}
{{- end -}}
