{{/*
Name of an object of a component, its own or a sibling's. At most 52 characters, so that what Kubernetes appends still
fits into 63; a long release name is cut, never the component's.
Usage: include "common.name" (list . "webui")
*/}}
{{- define "common.name" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- if $root.Values.global.plainNames -}}
{{- $component -}}
{{- else -}}
{{- $release := $root.Release.Name | trunc (sub 51 (len $component) | int) | trimSuffix "-" -}}
{{- printf "%s-%s" $release $component -}}
{{- end -}}
{{- end -}}

{{/*
Name with a hash of the object's content: new content makes a new object, so no immutable field is ever changed.
Usage: include "common.hashedName" (list . "flask-backend-migrate" $content)
*/}}
{{- define "common.hashedName" -}}
{{- printf "%s-%s" (include "common.name" .) (index . 2 | sha256sum | trunc 10) -}}
{{- end -}}

{{/*
Labels a selector may use: they never change between versions.
Usage: include "common.selectorLabels" (list . "webui")
*/}}
{{- define "common.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end -}}

{{/*
Labels of a pod template: nothing in them changes with the chart's version, so an upgrade restarts only what changed.
Usage: include "common.podLabels" (list . "webui")
*/}}
{{- define "common.podLabels" -}}
{{- $root := index . 0 -}}
{{- include "common.selectorLabels" . }}
app.kubernetes.io/part-of: triptych
{{- with $root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Labels of an object's own metadata.
Usage: include "common.labels" (list . "webui")
*/}}
{{- define "common.labels" -}}
{{- $root := index . 0 -}}
{{- include "common.selectorLabels" . }}
app.kubernetes.io/part-of: triptych
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/*
Metadata of an object: name and labels.
Usage: metadata: {{- include "common.metadata" (list . "webui") | nindent 2 }}
*/}}
{{- define "common.metadata" -}}
name: {{ include "common.name" . }}
labels:
  {{- include "common.labels" . | nindent 2 }}
{{- end -}}

{{/*
Metadata of a pod template: labels, and the annotations of the calling chart's values.
Usage: include "common.podMetadata" (list . "webui")
*/}}
{{- define "common.podMetadata" -}}
labels:
  {{- include "common.podLabels" . | nindent 2 }}
{{- with (index . 0).Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
