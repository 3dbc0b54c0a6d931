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
{{- if and .Values.firstAdmin.password (ne .Values.global.environment "alpha") -}}
{{- fail (printf "flask-backend.firstAdmin.password is set but global.environment is %s, and a password in values is for alpha only: remove it (one is generated) or set flask-backend.firstAdmin.existingSecret" .Values.global.environment) -}}
{{- end -}}
{{- if and .Values.firstAdmin.password .Values.firstAdmin.existingSecret -}}
{{- fail "flask-backend.firstAdmin.password and flask-backend.firstAdmin.existingSecret are both set: keep one" -}}
{{- end -}}
{{- end -}}
