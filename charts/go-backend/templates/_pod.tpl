{{/*
The agent's container, but for its security context and resources.
Usage: include "go-backend.container" (dict "root" . "args" (list "--xdp-mode=off") "hostPorts" false)
*/}}
{{- define "go-backend.container" -}}
{{- $ports := .root.Values.global.goBackend -}}
image: {{ include "common.image" .root }}
imagePullPolicy: {{ .root.Values.global.image.pullPolicy }}
args:
  - serve
  {{- range .args }}
  - {{ . }}
  {{- end }}
  - --grpc-address=:{{ $ports.grpcPort }}
  - --http-address=:{{ $ports.httpPort }}
  - --log-level={{ .root.Values.logLevel }}
  - --node-name=$(NODE_NAME)
env:
  {{- include "go-backend.nodeName" . | nindent 2 }}
ports:
  {{- range $name, $port := dict "grpc" $ports.grpcPort "http" $ports.httpPort }}
  - {name: {{ $name }}, containerPort: {{ $port }}{{ if $.hostPorts }}, hostPort: {{ $port }}{{ end }}}
  {{- end }}
startupProbe:
  grpc:
    port: {{ $ports.grpcPort }}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  grpc:
    port: {{ $ports.grpcPort }}
  periodSeconds: 20
  timeoutSeconds: 5
readinessProbe:
  grpc:
    port: {{ $ports.grpcPort }}
  periodSeconds: 5
  timeoutSeconds: 3
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "go-backend.nodeName" -}}
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- end -}}

{{/*
Security context of a container that works on the node's own network with these capabilities, never privileged.
Usage: include "go-backend.nodeSecurity" (list "BPF" "NET_ADMIN")
*/}}
{{- define "go-backend.nodeSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
# Capabilities given by name reach only root.
runAsUser: 0
capabilities:
  drop: [ALL]
  add: {{ . | toJson }}
{{- end -}}

{{/*
What the pods on the node's own network have in common.
Usage: include "go-backend.nodePod" (list . "go-backend")
*/}}
{{- define "go-backend.nodePod" -}}
serviceAccountName: {{ include "common.name" . }}
enableServiceLinks: false
# The node's own interface is what this is about.
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
securityContext:
  seccompProfile:
    type: RuntimeDefault
{{- end -}}
