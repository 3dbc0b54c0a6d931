{{/* Contradictions in this chart's values. */}}
{{- define "webui.validate" -}}
{{- include "common.validateAutoscaling" . -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "webui.ingress.enabled is true but webui.ingress.host is empty: set webui.ingress.host" -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail "webui.service.nodePort is set but webui.service.type is ClusterIP: set webui.service.type to NodePort" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.global.networkPolicy.enabled .Values.networkPolicy.ingressPeers (not .Values.global.networkPolicy.metricsPeers) -}}
{{- fail "webui.podMonitor.enabled is true but webui.networkPolicy.ingressPeers lets nobody else in and global.networkPolicy.metricsPeers is empty: name your Prometheus in global.networkPolicy.metricsPeers" -}}
{{- end -}}
{{- end -}}
