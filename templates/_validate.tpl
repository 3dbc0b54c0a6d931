{{/* Contradictions between charts. */}}
{{- define "triptych.validate" -}}
{{- range $chart, $key := dict "redis" "redis" "go-backend" "goBackend" -}}
{{- if hasKey (index $.Values $chart | default dict) "enabled" -}}
{{- fail (printf "%s.enabled switches nothing: other charts need to know, so set global.%s.enabled" $chart $key) -}}
{{- end -}}
{{- end -}}
{{- $database := .Values.global.database -}}
{{- $external := $database.external -}}
{{- if eq $database.engine "external" -}}
{{- if not $external.host -}}
{{- fail "global.database.engine is external but global.database.external.host is empty: set the server's host name" -}}
{{- end -}}
{{- if not $external.existingSecret -}}
{{- fail "global.database.engine is external but global.database.external.existingSecret is empty: make a Secret with the key password and name it there" -}}
{{- end -}}
{{- if $database.existingSecret -}}
{{- fail "global.database.existingSecret is for the in-cluster servers but global.database.engine is external: use global.database.external.existingSecret" -}}
{{- end -}}
{{- if and (eq $external.sslMode "verify-full") (not $external.caSecret) -}}
{{- fail "global.database.external.sslMode is verify-full but global.database.external.caSecret is empty: name a Secret with the key ca.crt there" -}}
{{- end -}}
{{- else -}}
{{- range $key := list "host" "existingSecret" "caSecret" -}}
{{- if get $external $key -}}
{{- fail (printf "global.database.external.%s is set but global.database.engine is %s: set global.database.engine to external or remove global.database.external.%s" $key $database.engine $key) -}}
{{- end -}}
{{- end -}}
{{- if $external.replica.host -}}
{{- fail (printf "global.database.external.replica.host is set but global.database.engine is %s: set global.database.engine to external or remove global.database.external.replica.host" $database.engine) -}}
{{- end -}}
{{- end -}}
{{- if and $external.replica.port (not $external.replica.host) -}}
{{- fail "global.database.external.replica.port is set but global.database.external.replica.host is empty: set the replica's host name or remove the port" -}}
{{- end -}}
{{- end -}}
