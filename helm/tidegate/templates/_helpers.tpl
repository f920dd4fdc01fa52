{{/* The labels that Helm's charts have, beside the manifests' own. */}}
{{- define "tidegate.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* The objects of one of the manifests (the same files that kustomize reads), in the release's namespace. */}}
{{- define "tidegate.objects" -}}
{{- $root := .root }}
{{- range $text := splitList "\n---\n" ($root.Files.Get .file) }}
{{- $object := fromYaml (replace "tidegate-system" $root.Release.Namespace $text) }}
{{- if ne $object.kind "Namespace" }}
{{- $labels := merge (fromYaml (include "tidegate.labels" $root)) ($object.metadata.labels | default dict) }}
{{- $_ := set $object.metadata "labels" $labels }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
