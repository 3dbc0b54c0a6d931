{{/*
The chosen database as its clients see it: {type, host, port, name, user, secret, sslMode, caSecret, replicaHost, replicaPort};
SQLite has a type only.
Usage: include "common.database" . | fromYaml
*/}}
{{- define "common.database" -}}
{{- $database := .Values.global.database -}}
{{- $external := $database.external -}}
{{- $ports := dict "postgresql" 5432 "mysql" 3306 -}}
{{- if eq $database.engine "sqlite" -}}
type: sqlite
{{- else if eq $database.engine "external" -}}
type: {{ $external.type }}
host: {{ $external.host }}
{{- $port := $external.port | default (get $ports $external.type) }}
port: {{ $port }}
name: {{ $external.name }}
user: {{ $external.user }}
secret: {{ $external.existingSecret }}
sslMode: {{ $external.sslMode }}
caSecret: {{ $external.caSecret | quote }}
replicaHost: {{ $external.replica.host | quote }}
replicaPort: {{ $external.replica.port | default $port }}
{{- else -}}
type: {{ $database.engine }}
host: {{ include "common.name" (list . $database.engine) }}
port: {{ get $ports $database.engine }}
name: triptych
user: triptych
secret: {{ include "common.database.secret" . }}
sslMode: disable
caSecret: ""
replicaHost: ""
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the in-cluster server's passwords: admin-password and password. */}}
{{- define "common.database.secret" -}}
{{- $database := .Values.global.database -}}
{{- $database.existingSecret | default (include "common.name" (list . (printf "%s-credentials" $database.engine))) -}}
{{- end -}}

{{/* Names of the Secrets with the certificates of the Go backend's gRPC API and of its clients; empty without TLS. */}}
{{- define "common.goBackend.secret" -}}
{{- $tls := .Values.global.goBackend.tls -}}
{{- if $tls.generate }}{{ include "common.name" (list . "go-backend-tls") }}{{ else }}{{ $tls.existingSecret }}{{ end -}}
{{- end -}}
{{- define "common.goBackend.clientSecret" -}}
{{- $tls := .Values.global.goBackend.tls -}}
{{- if $tls.generate }}{{ include "common.name" (list . "go-backend-client-tls") }}{{ else }}{{ $tls.clientSecret }}{{ end -}}
{{- end -}}

{{/* Name of the Secret with the cache's password. */}}
{{- define "common.redis.secret" -}}
{{- .Values.global.redis.existingSecret | default (include "common.name" (list . "redis-credentials")) -}}
{{- end -}}

{{/*
Refuses `<chart>.enabled` that contradicts the chosen engine.
Usage: include "common.validateEngine" .  (in a database chart)
*/}}
{{- define "common.validateEngine" -}}
{{- $engine := .Values.global.database.engine -}}
{{- $chosen := eq $engine .Chart.Name -}}
{{- if and (hasKey .Values "enabled") (ne (toString .Values.enabled) (toString $chosen)) -}}
{{- fail (printf "%s.enabled is %v but global.database.engine is %s: choose the database by global.database.engine alone and remove %s.enabled" .Chart.Name .Values.enabled $engine .Chart.Name) -}}
{{- end -}}
{{- end -}}
