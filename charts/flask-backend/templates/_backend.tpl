{{/* Names of the Secrets this chart owns. */}}
{{- define "flask-backend.signingKeySecret" -}}
{{- .Values.signingKey.existingSecret | default (include "common.name" (list . "flask-backend-keys")) -}}
{{- end -}}
{{- define "flask-backend.encryptionKeySecret" -}}
{{- .Values.encryptionKey.existingSecret | default (include "common.name" (list . "flask-backend-encryption")) -}}
{{- end -}}
{{- define "flask-backend.firstAdminSecret" -}}
{{- .Values.firstAdmin.existingSecret | default (include "common.name" (list . "flask-backend-first-admin")) -}}
{{- end -}}

{{/* Environment by which any command of the image finds the database. */}}
{{- define "flask-backend.databaseEnv" -}}
{{- $database := include "common.database" . | fromYaml -}}
- {name: ENVIRONMENT, value: {{ .Values.global.environment }}}
- {name: LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: DB_TYPE, value: {{ $database.type }}}
{{- if eq $database.type "sqlite" }}
- {name: DB_SQLITE_PATH, value: /var/lib/triptych/triptych.db}
{{- else }}
- {name: DB_HOST, value: {{ $database.host | quote }}}
- {name: DB_PORT, value: {{ $database.port | quote }}}
- {name: DB_NAME, value: {{ $database.name | quote }}}
- {name: DB_USER, value: {{ $database.user | quote }}}
- {name: DB_PASSWORD_FILE, value: /run/secrets/triptych/database-password}
- {name: DB_SSLMODE, value: {{ $database.sslMode }}}
{{- if $database.caSecret }}
- {name: DB_CA_FILE, value: /run/secrets/triptych/database-ca.crt}
{{- end }}
{{- end }}
{{- include "flask-backend.shardsEnv" . }}
{{- end -}}

{{/* Environment by which any command of the image finds the shards; empty without any. */}}
{{- define "flask-backend.shardsEnv" -}}
{{- $names := list -}}
{{- range .Values.shards -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if $names }}
- {name: SHARDS, value: {{ join "," $names | quote }}}
{{- end }}
{{- range .Values.shards }}
{{- $prefix := printf "SHARD_%s_DB" (.name | upper | replace "-" "_") }}
- {name: {{ $prefix }}_TYPE, value: {{ .type }}}
- {name: {{ $prefix }}_HOST, value: {{ .host | quote }}}
- {name: {{ $prefix }}_PORT, value: {{ include "flask-backend.shardPort" . | quote }}}
- {name: {{ $prefix }}_NAME, value: {{ .database | default "triptych" | quote }}}
- {name: {{ $prefix }}_USER, value: {{ .user | default "triptych" | quote }}}
- {name: {{ $prefix }}_PASSWORD_FILE, value: /run/secrets/triptych/shard-{{ .name }}-password}
- {name: {{ $prefix }}_SSLMODE, value: {{ .sslMode | default "prefer" }}}
{{- if .caSecret }}
- {name: {{ $prefix }}_CA_FILE, value: /run/secrets/triptych/shard-{{ .name }}-ca.crt}
{{- end }}
{{- end }}
{{- end -}}

{{/* Port of a shard. Usage: include "flask-backend.shardPort" $shard */}}
{{- define "flask-backend.shardPort" -}}
{{- .port | default (ternary 5432 3306 (eq .type "postgresql")) -}}
{{- end -}}

{{/* Environment of the server about its many connections: the other commands make one. */}}
{{- define "flask-backend.poolEnv" -}}
{{- $database := include "common.database" . | fromYaml }}
- {name: DB_POOL_SIZE, value: {{ .Values.database.poolSize | quote }}}
{{- if $database.replicaHost }}
- {name: DB_REPLICA_HOST, value: {{ $database.replicaHost | quote }}}
- {name: DB_REPLICA_PORT, value: {{ $database.replicaPort | quote }}}
{{- end }}
{{- end -}}

{{/* Environment of the command that makes the first administrator. */}}
{{- define "flask-backend.firstAdminEnv" -}}
- {name: FIRST_ADMIN_EMAIL, value: {{ .Values.firstAdmin.email | quote }}}
- {name: FIRST_ADMIN_PASSWORD_FILE, value: /run/secrets/triptych/first-admin-password}
{{- if not .Values.firstAdmin.mustChangePassword }}
- {name: FIRST_ADMIN_MUST_CHANGE_PASSWORD, value: "false"}
{{- end }}
{{- end -}}

{{/* Environment of the server alone. */}}
{{- define "flask-backend.serverEnv" -}}
- {name: PORT, value: "5000"}
{{- include "flask-backend.poolEnv" . }}
- {name: BACKGROUND, value: {{ include "flask-backend.workerEnabled" . | empty | ternary "embedded" "external" }}}
- {name: JWT_SIGNING_KEY_FILE, value: /run/secrets/triptych/signing.pem}
- {name: ENCRYPTION_KEY_FILE, value: /run/secrets/triptych/encryption.key}
{{- if .Values.global.redis.enabled }}
- {name: REDIS_HOST, value: {{ include "common.name" (list . "redis") }}}
- {name: REDIS_PORT, value: "6379"}
- {name: REDIS_PASSWORD_FILE, value: /run/secrets/triptych/redis-password}
{{- end }}
{{- if .Values.global.goBackend.enabled }}
{{ include "flask-backend.goBackendEnv" . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Not empty when background work has a Deployment of its own: it needs the shared queue and a shared database. */}}
{{- define "flask-backend.workerEnabled" -}}
{{- if and .Values.worker.enabled .Values.global.redis.enabled (ne .Values.global.database.engine "sqlite") -}}
true
{{- end -}}
{{- end -}}

{{/* Sources of the secrets volume: passwords and certificate authorities of the database and of shards. */}}
{{- define "flask-backend.databaseSecrets" -}}
{{- $database := include "common.database" . | fromYaml -}}
{{- with $database.secret }}
- secret:
    name: {{ . }}
    items:
      - {key: password, path: database-password}
{{- end }}
{{- with $database.caSecret }}
- secret:
    name: {{ . }}
    items:
      - {key: ca.crt, path: database-ca.crt}
{{- end }}
{{- range .Values.shards }}
- secret:
    name: {{ .existingSecret }}
    items:
      - {key: password, path: shard-{{ .name }}-password}
{{- if .caSecret }}
- secret:
    name: {{ .caSecret }}
    items:
      - {key: ca.crt, path: shard-{{ .name }}-ca.crt}
{{- end }}
{{- end }}
{{- end -}}

{{/* Source of the secrets volume: the first administrator's password. */}}
{{- define "flask-backend.firstAdminSecretSource" -}}
- secret:
    name: {{ include "flask-backend.firstAdminSecret" . }}
    items:
      - {key: password, path: first-admin-password}
{{- end -}}

{{/* Environment by which the Go backend is found. */}}
{{- define "flask-backend.goBackendEnv" -}}
- {name: GO_BACKEND_TARGET, value: "{{ include "common.name" (list . "go-backend") }}:{{ .Values.global.goBackend.grpcPort }}"}
{{- if include "common.goBackend.clientSecret" . }}
- {name: GO_BACKEND_TLS_CA_FILE, value: /run/secrets/triptych/go-backend-ca.crt}
- {name: GO_BACKEND_TLS_CERT_FILE, value: /run/secrets/triptych/go-backend.crt}
- {name: GO_BACKEND_TLS_KEY_FILE, value: /run/secrets/triptych/go-backend.key}
{{- end }}
{{- end -}}

{{/* Source of the secrets volume: what the Go backend asks of its clients; empty without TLS. */}}
{{- define "flask-backend.goBackendSecret" -}}
{{- if .Values.global.goBackend.enabled -}}
{{- with include "common.goBackend.clientSecret" . -}}
- secret:
    name: {{ . }}
    items:
      - {key: ca.crt, path: go-backend-ca.crt}
      - {key: tls.crt, path: go-backend.crt}
      - {key: tls.key, path: go-backend.key}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Sources of the secrets volume of the server alone. */}}
{{- define "flask-backend.serverSecrets" -}}
{{- with include "flask-backend.goBackendSecret" . }}
{{- . }}
{{ end -}}
- secret:
    name: {{ include "flask-backend.signingKeySecret" . }}
    items:
      - {key: signing.pem, path: signing.pem}
{{- /* They come and go while keys rotate: one source each, since a missing key leaves out its whole source. */}}
{{- range list "next.pem" "previous.pem" }}
- secret:
    name: {{ include "flask-backend.signingKeySecret" $ }}
    optional: true
    items:
      - {key: {{ . }}, path: {{ . }}}
{{- end }}
- secret:
    name: {{ include "flask-backend.encryptionKeySecret" . }}
    items:
      - {key: encryption.key, path: encryption.key}
{{- if .Values.global.redis.enabled }}
- secret:
    name: {{ include "common.redis.secret" . }}
    items:
      - {key: password, path: redis-password}
{{- end }}
{{- end -}}
