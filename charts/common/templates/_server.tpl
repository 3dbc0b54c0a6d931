{{/*
Everything of a server with one pod and a data volume: service account, Service, StatefulSet and network policy.
Usage: include "common.statefulServer" (dict "root" . "name" "redis" "port" 6379 "dataPath" "/data" "secret" "redis-credentials"
         "files" (dict "password" "redis-password") "gracePeriod" 30 "clients" (list "flask-backend") "container" $yaml "volumes" $yaml)
  files      file below /run/secrets/triptych/ for each key of the Secret
  clients    components that may connect
  container  args and env, as YAML
  mounts     more volume mounts, as YAML; optional
  volumes    the volumes of those, as YAML; optional
*/}}
{{- define "common.statefulServer" -}}
{{- $id := list .root .name -}}
{{- $values := .root.Values -}}
{{ include "common.serviceAccount" $id }}
---
{{ include "common.service" (dict "root" .root "name" .name "port" .port "portName" .name) }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "common.metadata" $id | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ include "common.name" $id }}
  selector:
    matchLabels:
      {{- include "common.selectorLabels" $id | nindent 6 }}
  template:
    metadata:
      {{- include "common.podMetadata" $id | nindent 6 }}
    spec:
      {{- include "common.podDefaults" $id | nindent 6 }}
      terminationGracePeriodSeconds: {{ .gracePeriod }}
      containers:
        - name: {{ .name }}
          {{- include "common.container" .root | nindent 10 }}
          {{- .container | nindent 10 }}
          ports:
            - {name: {{ .name }}, containerPort: {{ .port }}}
          {{- include "common.tcpProbes" .name | nindent 10 }}
          volumeMounts:
            - {name: data, mountPath: {{ .dataPath }}}
            - {name: tmp, mountPath: /tmp}
            - {name: secrets, mountPath: /run/secrets/triptych, readOnly: true}
            {{- with .mounts }}
            {{- . | nindent 12 }}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        - name: secrets
          secret:
            secretName: {{ .secret }}
            defaultMode: 288 # 0440
            items:
              {{- range $key, $file := .files }}
              - {key: {{ $key }}, path: {{ $file }}}
              {{- end }}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
  volumeClaimTemplates:
    - {{- include "common.dataClaim" $values.persistence | nindent 6 }}
{{- if $values.global.networkPolicy.enabled }}
---
{{ include "common.serverNetworkPolicy" (dict "root" .root "name" .name "port" .name "from" .clients) }}
{{- end }}
{{- end -}}
