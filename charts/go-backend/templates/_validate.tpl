{{/* Contradictions in this chart's values. */}}
{{- define "go-backend.validate" -}}
{{- if not (regexMatch "^[1-9][0-9]*(Mi|Gi)$" (toString .Values.hugepages.size)) -}}
{{- fail (printf "go-backend.hugepages.size is %q but global.goBackend.enabled is true, and the fast path needs hugepages: set go-backend.hugepages.size to memory in 2 MiB pages, such as 64Mi, or global.goBackend.enabled to false" (toString .Values.hugepages.size)) -}}
{{- end -}}
{{- if and (hasSuffix "Mi" .Values.hugepages.size) (mod (trimSuffix "Mi" .Values.hugepages.size | int) 2) -}}
{{- fail (printf "go-backend.hugepages.size is %s: set a multiple of 2Mi, the size of a page" .Values.hugepages.size) -}}
{{- end -}}
{{- if eq (int .Values.global.goBackend.grpcPort) (int .Values.global.goBackend.httpPort) -}}
{{- fail (printf "global.goBackend.grpcPort and global.goBackend.httpPort are both %v: set two different ports" .Values.global.goBackend.httpPort) -}}
{{- end -}}
{{- end -}}
