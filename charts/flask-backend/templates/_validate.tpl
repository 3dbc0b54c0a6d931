{{/* Contradictions in this chart's values. */}}
{{- define "flask-backend.validate" -}}
{{- include "common.validateAutoscaling" . -}}
{{- if eq .Values.global.database.engine "sqlite" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "flask-backend.replicas is %v but global.database.engine is sqlite, a file of one pod: set flask-backend.replicas to 1 or choose another engine" .Values.replicas) -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail "flask-backend.autoscaling.enabled is true but global.database.engine is sqlite, a file of one pod: set flask-backend.autoscaling.enabled to false or choose another engine" -}}
{{- end -}}
{{- end -}}
{{- $variables := dict -}}
{{- range .Values.shards -}}
{{- $variable := .name | replace "-" "_" -}}
{{- if hasKey $variables $variable -}}
{{- fail (printf "flask-backend.shards: %s and %s need the same environment variables: give each shard another name" (get $variables $variable) .name) -}}
{{- end -}}
{{- $_ := set $variables $variable .name -}}
{{- if and (eq (.sslMode | default "prefer") "verify-full") (not .caSecret) -}}
{{- fail (printf "flask-backend.shards: %s has sslMode verify-full: set its caSecret, with ca.crt" .name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.shards (eq .Values.global.database.engine "sqlite") -}}
{{- fail "flask-backend.shards is set but global.database.engine is sqlite: choose another engine before you add shards" -}}
{{- end -}}
{{- if and .Values.firstAdmin.password (ne .Values.global.environment "alpha") -}}
{{- fail (printf "flask-backend.firstAdmin.password is set but global.environment is %s, and a password in values is for alpha only: remove it (one is generated) or set flask-backend.firstAdmin.existingSecret" .Values.global.environment) -}}
{{- end -}}
{{- if and .Values.firstAdmin.password .Values.firstAdmin.existingSecret -}}
{{- fail "flask-backend.firstAdmin.password and flask-backend.firstAdmin.existingSecret are both set: keep one" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.global.networkPolicy.enabled (not .Values.global.networkPolicy.metricsPeers) -}}
{{- fail "flask-backend.podMonitor.enabled is true but global.networkPolicy.metricsPeers is empty, so that nobody may scrape: name your Prometheus in global.networkPolicy.metricsPeers" -}}
{{- end -}}
{{- end -}}
