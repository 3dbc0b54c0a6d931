{{/* Contradictions in this chart's values. */}}
{{- define "go-backend.validate" -}}
{{- if eq (int .Values.global.goBackend.grpcPort) (int .Values.global.goBackend.httpPort) -}}
{{- fail (printf "global.goBackend.grpcPort and global.goBackend.httpPort are both %v: set two different ports" .Values.global.goBackend.httpPort) -}}
{{- end -}}
{{- $tls := .Values.global.goBackend.tls -}}
{{- if ne (empty $tls.existingSecret) (empty $tls.clientSecret) -}}
{{- fail "global.goBackend.tls.existingSecret and global.goBackend.tls.clientSecret are the two sides of one connection: set both or none" -}}
{{- end -}}
{{- if and $tls.generate $tls.existingSecret -}}
{{- fail (printf "global.goBackend.tls.generate is true, but global.goBackend.tls.existingSecret is %s: set only one of them" $tls.existingSecret) -}}
{{- end -}}
{{- range .Values.ingest.ports -}}
{{- if has (int .) (list 68 546) -}}
{{- fail (printf "go-backend.ingest.ports has %d, on which a node gets its address by DHCP: leave it out" (int .)) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "socket" -}}
{{- include "go-backend.validateSocket" . -}}
{{- else -}}
{{- include "go-backend.validateHugepages" . -}}
{{- include "go-backend.validateNuma" . -}}
{{- end -}}
{{- end -}}

{{/* Values that only the fast path can honour. */}}
{{- define "go-backend.validateSocket" -}}
{{- range $key, $wrong := dict
      "guard.failSafePorts" (not (empty .Values.guard.failSafePorts))
      "guard.pin" .Values.guard.pin
      "guard.stateFolder" (not (empty .Values.guard.stateFolder))
      "numa.policy" (ne .Values.numa.policy "none")
      "probe.enabled" .Values.probe.enabled
      "nfd.enabled" .Values.nfd.enabled -}}
{{- if $wrong -}}
{{- fail (printf "go-backend.%s is of the fast path but go-backend.mode is socket, which runs on any node: set go-backend.mode to fast-path or remove go-backend.%s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "go-backend.validateHugepages" -}}
{{- if not (regexMatch "^[1-9][0-9]*(Mi|Gi)$" (toString .Values.hugepages.size)) -}}
{{- fail (printf "go-backend.hugepages.size is %q but global.goBackend.enabled is true, and the fast path needs hugepages: set go-backend.hugepages.size to memory in 2 MiB pages, such as 64Mi, or global.goBackend.enabled to false" (toString .Values.hugepages.size)) -}}
{{- end -}}
{{- if and (hasSuffix "Mi" .Values.hugepages.size) (mod (trimSuffix "Mi" .Values.hugepages.size | int) 2) -}}
{{- fail (printf "go-backend.hugepages.size is %s: set a multiple of 2Mi, the size of a page" .Values.hugepages.size) -}}
{{- end -}}
{{- end -}}

{{/* The kubelet binds CPUs and memory of pods only whose every container has whole CPUs and requests equal to limits. */}}
{{- define "go-backend.validateNuma" -}}
{{- if eq .Values.numa.policy "single-numa-node" -}}
{{- $requests := .Values.resources.requests -}}
{{- $limits := .Values.resources.limits -}}
{{- $fix := "set both to the same numbers with whole CPUs, such as go-backend.resources.requests and limits {cpu: \"2\", memory: 512Mi}, or go-backend.numa.policy to preferred" -}}
{{- range $resource := list "cpu" "memory" -}}
{{- $asked := get $requests $resource | toString -}}
{{- $most := get $limits $resource | toString -}}
{{- if ne $asked $most -}}
{{- fail (printf "go-backend.numa.policy is single-numa-node but go-backend.resources.requests.%s (%s) differs from go-backend.resources.limits.%s (%s): %s" $resource ($asked | default "none") $resource ($most | default "none") $fix) -}}
{{- end -}}
{{- if not $asked -}}
{{- fail (printf "go-backend.numa.policy is single-numa-node but go-backend.resources names no %s: %s" $resource $fix) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^[1-9][0-9]*$" (get $limits "cpu" | toString)) -}}
{{- fail (printf "go-backend.numa.policy is single-numa-node but go-backend.resources.limits.cpu is %v, no whole number: %s" (get $limits "cpu") $fix) -}}
{{- end -}}
{{- end -}}
{{- end -}}
