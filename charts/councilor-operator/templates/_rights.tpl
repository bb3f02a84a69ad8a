{{/* RBAC rules, those of operator/councilor_operator/rights.py; a test compares. */}}

{{- define "councilor-operator.operatorRules" -}}
- apiGroups: [councilors.conductor.community]
  resources: [councilors]
  verbs: [get, list, watch]
- apiGroups: [councilors.conductor.community]
  resources: [councilors/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch]
- apiGroups: [batch]
  resources: [cronjobs/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list, create]
{{- end -}}

{{- define "councilor-operator.syncRules" -}}
- apiGroups: [councilors.conductor.community]
  resources: [councilors]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "councilor-operator.verifyRules" -}}
- apiGroups: [councilors.conductor.community]
  resources: [councilors]
  verbs: [get, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end -}}

{{/* Role and binding in one namespace. Arguments: root, component, namespace, rules (text). */}}
{{- define "councilor-operator.role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "councilor-operator.metadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "councilor-operator.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "councilor-operator.component" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "councilor-operator.serviceAccount" . }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
