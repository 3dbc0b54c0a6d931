{{/*
Secrets to make where they are absent, by name: {keys: {key: {type, length | value}}} or {certificate: …}. An existingSecret
takes its entry away.
Usage: include "flask-backend.generatedSecrets" . | fromYaml
*/}}
{{- define "flask-backend.generatedSecrets" -}}
{{- $secrets := dict -}}
{{- $password := dict "type" "password" "length" 32 -}}
{{- $database := .Values.global.database -}}
{{- if and (has $database.engine (list "postgresql" "mysql")) (not $database.existingSecret) -}}
{{- $_ := set $secrets (include "common.database.secret" .) (dict "keys" (dict "admin-password" $password "password" $password)) -}}
{{- end -}}
{{- if and .Values.global.redis.enabled (not .Values.global.redis.existingSecret) -}}
{{- $_ := set $secrets (include "common.redis.secret" .) (dict "keys" (dict "password" $password)) -}}
{{- end -}}
{{- if not .Values.signingKey.existingSecret -}}
{{- $_ := set $secrets (include "flask-backend.signingKeySecret" .) (dict "keys" (dict "signing.pem" (dict "type" "ed25519"))) -}}
{{- end -}}
{{- if not .Values.encryptionKey.existingSecret -}}
{{- $_ := set $secrets (include "flask-backend.encryptionKeySecret" .) (dict "keys" (dict "encryption.key" (dict "type" "password" "length" 64))) -}}
{{- end -}}
{{- if not .Values.firstAdmin.existingSecret -}}
{{- $random := dict "type" "password" "length" 24 -}}
{{- $literal := dict "type" "literal" "value" .Values.firstAdmin.password -}}
{{- $_ := set $secrets (include "flask-backend.firstAdminSecret" .) (dict "keys" (dict "password" (ternary $literal $random (ne .Values.firstAdmin.password "")))) -}}
{{- end -}}
{{- if and .Values.global.goBackend.enabled .Values.global.goBackend.tls.generate -}}
{{- $authority := include "common.name" (list . "go-backend-ca") -}}
{{- $_ := set $secrets $authority (dict "certificate" dict) -}}
{{- /* localhost: for commands run in the server's pod. */ -}}
{{- $server := dict "authority" $authority "hosts" (list (include "common.name" (list . "go-backend")) "localhost") -}}
{{- $client := dict "authority" $authority "hosts" (list (include "common.name" (list . "flask-backend"))) -}}
{{- $_ := set $secrets (include "common.goBackend.secret" .) (dict "certificate" $server) -}}
{{- $_ := set $secrets (include "common.goBackend.clientSecret" .) (dict "certificate" $client) -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/*
The list that `backend bootstrap-secrets --file` reads. Labels hold no version: the file changes only with the Secrets.
Usage: include "flask-backend.secretsSpec" .
*/}}
{{- define "flask-backend.secretsSpec" -}}
{{- $labels := include "common.selectorLabels" (list . "generated-secret") | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "triptych" -}}
{{- $spec := list -}}
{{- range $name, $contents := include "flask-backend.generatedSecrets" . | fromYaml -}}
{{- $spec = append $spec (merge (dict "name" $name "labels" $labels) $contents) -}}
{{- end -}}
{{- toPrettyJson $spec -}}
{{- end -}}

{{/* Annotations of a hook that runs before every install and upgrade. Usage: include "flask-backend.secretsHook" -20 */}}
{{- define "flask-backend.secretsHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Pod of the Job that makes the Secrets. Usage: include "flask-backend.secretsTemplate" (list . $configMapName) */}}
{{- define "flask-backend.secretsTemplate" -}}
{{- $root := index . 0 -}}
{{- $name := "bootstrap-secrets" -}}
metadata:
  {{- include "common.podMetadata" (list $root $name) | nindent 2 }}
spec:
  {{- include "common.podDefaults" (list $root $name) | replace "automountServiceAccountToken: false" "automountServiceAccountToken: true" | nindent 2 }}
  restartPolicy: Never
  containers:
    - name: {{ $name }}
      {{- include "common.container" $root | nindent 6 }}
      args: [bootstrap-secrets, --file, /etc/triptych/secrets.json]
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: spec, mountPath: /etc/triptych, readOnly: true}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: spec
      configMap:
        name: {{ index . 1 }}
{{- end -}}
