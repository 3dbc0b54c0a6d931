{{/*
The agent's container, but for its security context and resources.
Usage: include "go-backend.container" (dict "root" . "args" (list "--xdp-mode=off") "hostPorts" false)
*/}}
{{- define "go-backend.container" -}}
{{- $ports := .root.Values.global.goBackend -}}
{{- $secret := include "common.goBackend.secret" .root -}}
image: {{ include "common.image" .root }}
imagePullPolicy: {{ .root.Values.global.image.pullPolicy }}
args:
  - serve
  {{- range .args }}
  - {{ . }}
  {{- end }}
  {{- if $secret }}
  - --tls-cert=/run/secrets/triptych/tls.crt
  - --tls-key=/run/secrets/triptych/tls.key
  - --tls-client-ca=/run/secrets/triptych/ca.crt
  {{- end }}
  {{- if .root.Values.pprof }}
  - --pprof
  {{- end }}
  {{- with include "go-backend.ingestFlags" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  - --http-address=:{{ $ports.httpPort }}
  - --log-level={{ .root.Values.logLevel }}
  - --node-name=$(NODE_NAME)
env:
  {{- include "go-backend.nodeName" . | nindent 2 }}
  # By the environment, so that commands run in the pod (kubectl exec) reach the server.
  - {name: GO_BACKEND_GRPC_ADDRESS, value: ":{{ $ports.grpcPort }}"}
  {{- if $secret }}
  {{- range $flag, $file := dict "CA" "ca.crt" "CLIENT_CERT" "tls.crt" "CLIENT_KEY" "tls.key" }}
  - {name: GO_BACKEND_TLS_{{ $flag }}, value: /run/secrets/triptych/{{ $file }}}
  {{- end }}
  {{- end }}
  {{- with include "go-backend.goMemory" .root }}
  - {name: GOMEMLIMIT, value: {{ . }}}
  {{- end }}
ports:
  {{- range $name, $port := dict "grpc" $ports.grpcPort "http" $ports.httpPort }}
  - {name: {{ $name }}, containerPort: {{ $port }}{{ if $.hostPorts }}, hostPort: {{ $port }}{{ end }}}
  {{- end }}
  {{- range .root.Values.ingest.ports }}
  - {name: udp-{{ . }}, containerPort: {{ . }}, protocol: UDP{{ if $.hostPorts }}, hostPort: {{ . }}{{ end }}}
  {{- end }}
{{- include "go-backend.probes" .root | nindent 0 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if $secret }}
  - {name: secrets, mountPath: /run/secrets/triptych, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Volumes of that container. */}}
{{- define "go-backend.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with include "common.goBackend.secret" . }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}

{{/* gRPC probes; with TLS, which a kubelet's gRPC probe cannot speak, HTTP ones. */}}
{{- define "go-backend.probes" -}}
{{- if include "common.goBackend.secret" . -}}
{{- include "common.httpProbes" . -}}
{{- else -}}
{{- $port := .Values.global.goBackend.grpcPort -}}
startupProbe:
  grpc:
    port: {{ $port }}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  grpc:
    port: {{ $port }}
  periodSeconds: 20
  timeoutSeconds: 5
readinessProbe:
  grpc:
    port: {{ $port }}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}
{{- end -}}

{{- define "go-backend.ingestFlags" -}}
{{- with .Values.ingest -}}
{{- if .ports -}}
- --ingest-ports={{ join "," .ports }}
- --ingest-mode={{ .mode }}
- --ingest-queues={{ .queues }}
- --ingest-subscriptions={{ .subscriptions }}
- --ingest-subscription-datagrams={{ .subscriptionDatagrams }}
- --ingest-datagram-bytes={{ .datagramBytes }}
- --ingest-verify-udp-checksum={{ .verifyUDPChecksum }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether any ingest port is below 1024: "true" or empty. */}}
{{- define "go-backend.lowPort" -}}
{{- range .Values.ingest.ports -}}
{{- if lt (int .) 1024 -}}true{{- break -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Capabilities of the agent on a node, as a JSON list: each only where something asks for it.
Usage: include "go-backend.capabilities" .
*/}}
{{- define "go-backend.capabilities" -}}
{{- /* Load the program and attach it. */ -}}
{{- $names := list "BPF" "NET_ADMIN" -}}
{{- if and .Values.ingest.ports (eq .Values.ingest.mode "auto") -}}
{{- /* AF_XDP sockets, and their locked memory. */ -}}
{{- $names = concat $names (list "NET_RAW" "IPC_LOCK") -}}
{{- end -}}
{{- if include "go-backend.lowPort" . -}}
{{- $names = append $names "NET_BIND_SERVICE" -}}
{{- end -}}
{{- if ne .Values.numa.policy "none" -}}
{{- /* Bind memory to a NUMA node, which the default seccomp profile ties to this. */ -}}
{{- $names = append $names "SYS_NICE" -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}

{{/*
Half of the memory limit, which Go's collector tries to keep to; from the rest take the kernel's tables of rules, more on
nodes with more CPUs, and what a large revision needs for a moment.
*/}}
{{- define "go-backend.goMemory" -}}
{{- $limit := get .Values.resources.limits "memory" | toString -}}
{{- if regexMatch "^[0-9]+[MG]i$" $limit -}}
{{- $unit := ternary 1024 1 (hasSuffix "Gi" $limit) -}}
{{- printf "%dMiB" (div (mul (regexFind "[0-9]+" $limit | int) $unit) 2) -}}
{{- end -}}
{{- end -}}

{{- define "go-backend.nodeName" -}}
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- end -}}

{{/*
Security context of a container that works on the node's own network with these capabilities, never privileged.
Usage: include "go-backend.nodeSecurity" "[BPF, NET_ADMIN]"
*/}}
{{- define "go-backend.nodeSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
# Capabilities given by name reach only root.
runAsUser: 0
capabilities:
  drop: [ALL]
  add: {{ . }}
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
