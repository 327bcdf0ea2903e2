{{- /* What the agent reads: what the chart has to say, then `config`. */}}
{{- define "podweir.settings" -}}
{{- $own := include "podweir.ownSettings" . | fromYaml }}
{{- $given := tpl (toYaml .Values.config) . | fromYaml }}
{{- $whole := mergeOverwrite $own $given }}
{{- /* Lists are replaced, and the kubelet's probes need this one. */}}
{{- $extensions := ($whole.service).extensions | default (list "api") }}
{{- $service := merge (dict "extensions" (append $extensions "health_check" | uniq)) ($whole.service | default dict) }}
{{- set $whole "service" $service | toYaml }}
{{- end }}

{{- define "podweir.ownSettings" -}}
receivers:
  podweir:
    {{- if eq .Values.profile "restricted" }}
    attach: host
    {{- end }}
    {{- if .Values.uninstall.takeOff }}
    on_stop: keep
    {{- end }}
    kubernetes:
      auth_type: serviceAccount
extensions:
  health_check: { endpoint: "localhost:{{ .Values.health.port }}" }
service:
  extensions: [api, health_check]
  {{- with .Values.clusterName }}
  telemetry:
    resource: { k8s.cluster.name: {{ . | quote }} }
  {{- end }}
{{- end }}
