{{/* Names and labels, the same for every object of the chart. */}}

{{- define "councilor-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Not longer than 40 characters: longest suffix and the 63 of a label's value. */}}
{{- define "councilor-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "councilor-operator.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "councilor-operator.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a part's objects: the operator has the release's own name, the others a suffix. Arguments: root, component. */}}
{{- define "councilor-operator.component" -}}
{{- $name := include "councilor-operator.fullname" .root -}}
{{- if eq .component "operator" -}}{{ $name }}{{- else -}}{{ $name }}-{{ .component }}{{- end -}}
{{- end -}}

{{/* Roles that are not in a namespace carry it in their names: two releases may have one name in two namespaces. */}}
{{- define "councilor-operator.clusterName" -}}
{{- printf "%s-%s" .root.Release.Namespace (include "councilor-operator.component" .) | trunc 253 -}}
{{- end -}}

{{/* What selects a part's Pods. It changes with nameOverride alone: the selector of a Deployment cannot. */}}
{{- define "councilor-operator.selector" -}}
app.kubernetes.io/name: {{ include "councilor-operator.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "councilor-operator.labels" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63)
      "app.kubernetes.io/version" .root.Chart.AppVersion
      "app.kubernetes.io/managed-by" .root.Release.Service
      "app.kubernetes.io/part-of" "councilor-operator" -}}
{{- $selector := include "councilor-operator.selector" . | fromYaml -}}
{{- merge $selector $own (.root.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{/* Metadata of an object. Arguments: root, component; name, namespace, labels, annotations where they are others. */}}
{{- define "councilor-operator.metadata" -}}
{{- $metadata := dict "name" (.name | default (include "councilor-operator.component" .))
      "labels" (merge (.labels | default dict) (include "councilor-operator.labels" . | fromYaml)) -}}
{{- if not .clusterWide -}}
{{- $_ := set $metadata "namespace" (.namespace | default .root.Release.Namespace) -}}
{{- end -}}
{{- with merge (.annotations | default dict) (.root.Values.commonAnnotations | default dict) -}}
{{- $_ := set $metadata "annotations" . -}}
{{- end -}}
{{- toYaml $metadata -}}
{{- end -}}

{{/* Reference of an image. Arguments: image (registry, repository, tag, digest), root. */}}
{{- define "councilor-operator.image" -}}
{{- $name := .image.repository -}}
{{- with .image.registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" .) $name -}}{{- end -}}
{{- if .image.digest -}}{{ $name }}@{{ .image.digest }}{{- else -}}{{ $name }}:{{ .image.tag | default .root.Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "councilor-operator.serviceAccount" -}}
{{- $account := (get .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (include "councilor-operator.component" .) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Namespaces with Councilors, as far as the release knows them: a YAML list. */}}
{{- define "councilor-operator.syncNamespace" -}}
{{- .Values.sync.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "councilor-operator.verifyNamespace" -}}
{{- $namespace := .Values.verify.namespace | default (first .Values.namespaces) | default .Release.Namespace -}}
{{- if and .Values.namespaces (not (has $namespace .Values.namespaces)) -}}
{{- fail (printf "verify.namespace is %s, which is none of `namespaces`: the operator would not see the Councilor of `helm test`; add it there" $namespace) -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}
