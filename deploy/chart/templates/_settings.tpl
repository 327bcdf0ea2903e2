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
      {{- if .Values.resolver.enabled }}
      peers: resolver
      resolver:
        endpoint: {{ include "podweir.resolver" . }}.{{ .Release.Namespace }}:{{ .Values.resolver.port }}
        tls: { ca_file: /var/run/secrets/podweir-resolver/ca.crt }
        token_file: /var/run/secrets/podweir-resolver/token
      {{- end }}
extensions:
  health_check: { endpoint: "localhost:{{ .Values.health.port }}" }
service:
  extensions: [api, health_check]
  {{- with .Values.clusterName }}
  telemetry:
    resource: { k8s.cluster.name: {{ . | quote }} }
  {{- end }}
{{- end }}

{{- define "podweir.resolverSettings" -}}
receivers:
  podweir:
    kubernetes:
      auth_type: serviceAccount
      # Those that agents' scope may look at.
      labels: {{ (((.Values.config.receivers).podweir).kubernetes).labels | default list | toJson }}
resolver:
  endpoint: 0.0.0.0:{{ .Values.resolver.port }}
  tls: { cert_file: /var/run/secrets/podweir-tls/tls.crt, key_file: /var/run/secrets/podweir-tls/tls.key }
  token_review:
    service_accounts: [{{ .Release.Namespace }}/{{ include "podweir.serviceAccount" . }}]
extensions:
  health_check: { endpoint: "0.0.0.0:{{ .Values.health.port }}" }
service:
  extensions: [health_check]
{{- end }}
