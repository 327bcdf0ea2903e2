{{- define "podweir.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name, with the chart's where it does not say it. Room for "-resolver". */}}
{{- define "podweir.fullname" -}}
{{- $name := include "podweir.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $full | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "podweir.resolver" -}}
{{- printf "%s-resolver" (include "podweir.fullname" .) }}
{{- end }}

{{- define "podweir.serviceAccount" -}}
{{- $own := ternary (include "podweir.fullname" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $own }}
{{- end }}

{{- /* (dict "of" $ "part" "agent") */}}
{{- define "podweir.selector" -}}
app.kubernetes.io/name: {{ include "podweir.name" .of }}
app.kubernetes.io/instance: {{ .of.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "podweir.labels" -}}
{{ include "podweir.selector" . }}
app.kubernetes.io/version: {{ .of.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .of.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .of.Chart.Name .of.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "podweir.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* docs/privileges.md has what each is for. */}}
{{- define "podweir.capabilities" -}}
{{- $needed := ternary (list "BPF" "NET_ADMIN") (list "BPF" "NET_ADMIN" "SYS_PTRACE" "SYS_ADMIN") (eq .Values.profile "restricted") }}
{{- $settings := include "podweir.settings" . | fromYaml }}
{{- $drops := ((($settings.receivers).podweir).modules).drops }}
{{- if has (toString $drops) (list "on" "true") }}{{ $needed = append $needed "PERFMON" }}{{ end }}
{{- concat $needed .Values.extraCapabilities | uniq | toJson }}
{{- end }}

{{- define "podweir.configMap" -}}
{{- .Values.existingConfigMap | default (include "podweir.fullname" .) }}
{{- end }}

{{- /* Where the file of deploy/seccomp is on a node, below the kubelet's folder: each release and version has its own. */}}
{{- define "podweir.seccompFile" -}}
{{- printf "podweir/%s-%s-%s.json" .Release.Namespace .Release.Name (.Files.Get "files/seccomp.json" | sha256sum | trunc 12) }}
{{- end }}

{{- define "podweir.seccompProfile" -}}
{{- if eq .Values.seccomp.profile "localhost" -}}
{ type: Localhost, localhostProfile: {{ include "podweir.seccompFile" . }} }
{{- else -}}
{ type: {{ ternary "Unconfined" "RuntimeDefault" (eq .Values.seccomp.profile "unconfined") }} }
{{- end }}
{{- end }}
