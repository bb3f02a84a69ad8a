{{/* Environment, Pod and Deployment of operator and sync: what they have in common stands here once. */}}

{{/* Settings as environment variables; what is empty is left to the process's own default. Argument: a dict. */}}
{{- define "councilor-operator.environment" -}}
{{- range $name, $value := . }}
{{- if not (has (toString $value) (list "" "<nil>" "{}" "[]")) }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "councilor-operator.operatorSettings" -}}
{{- $v := .Values -}}
{{- if not $v.conductor.url -}}
{{- fail "conductor.url is missing: say where the runner's Pods reach Conductor, for example --set conductor.url=http://conductor.conductor.svc:8000" -}}
{{- end -}}
{{- $settings := dict
  "COUNCILOR_HEALTH_PORT" "8080"
  "COUNCILOR_METRICS_PORT" (ternary "9090" "0" $v.metrics.enabled)
  "COUNCILOR_LOG_LEVEL" $v.operator.logLevel
  "COUNCILOR_DATABASE" $v.conductor.database
  "COUNCILOR_DEFAULT_TIME_ZONE" $v.defaults.timeZone
  "COUNCILOR_DEFAULT_CWD" $v.defaults.cwd
  "COUNCILOR_NAMESPACES" (join "," $v.namespaces)
  "COUNCILOR_WORKERS" ($v.operator.workers | int)
  "COUNCILOR_RESYNC_SECONDS" ($v.operator.resyncSeconds | int)
  "COUNCILOR_METRICS_PER_COUNCILOR" $v.operator.metricsPerCouncilor
  "COUNCILOR_CONDUCTOR_URL" $v.conductor.url
  "COUNCILOR_CONDUCTOR_GATEWAY_URL" $v.conductor.gatewayUrl
  "COUNCILOR_CONDUCTOR_PROTOCOL" $v.conductor.protocol
  "COUNCILOR_CONDUCTOR_HEADERS" (toJson $v.conductor.headers)
  "COUNCILOR_RUNNER_IMAGE" (include "councilor-operator.image" (dict "image" $v.runner.image "root" .))
  "COUNCILOR_RUNNER_IMAGE_PULL_POLICY" $v.runner.image.pullPolicy
  "COUNCILOR_RUNNER_IMAGE_PULL_SECRETS" (join "," $v.runner.imagePullSecrets)
  "COUNCILOR_RUNNER_SECRET" $v.runner.secretName
  "COUNCILOR_NOTIFICATIONS_SECRET" $v.runner.notificationsSecretName
  "COUNCILOR_RUNNER_CA_CONFIG_MAP" $v.runner.caConfigMapName
  "COUNCILOR_RUNNER_HTTP_PROXY" $v.runner.proxy.http
  "COUNCILOR_RUNNER_HTTPS_PROXY" $v.runner.proxy.https
  "COUNCILOR_RUNNER_NO_PROXY" (join "," $v.runner.proxy.noProxy)
  "COUNCILOR_RUNNER_NODE_SELECTOR" (toJson $v.runner.nodeSelector)
  "COUNCILOR_RUNNER_TOLERATIONS" (toJson $v.runner.tolerations)
-}}
{{- include "councilor-operator.environment" $settings }}
{{- /* Also when empty: without the variable the operator has requests and limits of its own. */}}
- name: COUNCILOR_RUNNER_RESOURCES
  value: {{ toJson $v.runner.resources | quote }}
{{- end -}}

{{- define "councilor-operator.syncSettings" -}}
{{- $v := .Values -}}
{{- if and $v.namespaces (not (has (include "councilor-operator.syncNamespace" .) $v.namespaces)) -}}
{{- fail (printf "sync.namespace is %s, which is none of `namespaces`: the operator would not see the Councilors that the sync makes; add it there" (include "councilor-operator.syncNamespace" .)) -}}
{{- end -}}
{{- $settings := dict
  "COUNCILOR_HEALTH_PORT" "8080"
  "COUNCILOR_METRICS_PORT" (ternary "9090" "0" $v.metrics.enabled)
  "COUNCILOR_LOG_LEVEL" $v.sync.logLevel
  "COUNCILOR_DATABASE" $v.conductor.database
  "COUNCILOR_DEFAULT_TIME_ZONE" $v.defaults.timeZone
  "COUNCILOR_SYNC_NAMESPACE" (include "councilor-operator.syncNamespace" .)
  "COUNCILOR_SYNC_CRON_DIALECT" $v.sync.cronDialect
  "COUNCILOR_SYNC_TIME_ZONE" $v.sync.timeZone
  "COUNCILOR_SYNC_POLL_SECONDS" ($v.sync.pollSeconds | int)
  "COUNCILOR_SYNC_FULL_SECONDS" ($v.sync.fullSeconds | int)
  "COUNCILOR_SYNC_CONFIRMATION_SECONDS" ($v.sync.confirmationSeconds | int)
  "COUNCILOR_SYNC_MAX_DELETIONS" ($v.sync.maxDeletions | int)
  "COUNCILOR_SYNC_WORKERS" ($v.sync.workers | int)
-}}
{{- include "councilor-operator.environment" $settings }}
- name: MONGODB_URI
  valueFrom:
    secretKeyRef:
      name: {{ $v.sync.mongodb.secretName }}
      key: {{ $v.sync.mongodb.secretKey }}
{{- end -}}

{{/* Pods of the restricted level. */}}
{{- define "councilor-operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "councilor-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Arguments: root, component, command, environment (text). */}}
{{- define "councilor-operator.deployment" -}}
{{- $values := get .root.Values .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "councilor-operator.metadata" . | nindent 2 }}
spec:
  replicas: {{ $values.replicas }}
  strategy:
    # Two at once are harmless, but each would do half of the work, and tell of it.
    type: Recreate
  selector:
    matchLabels:
      {{- include "councilor-operator.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- merge (include "councilor-operator.selector" . | fromYaml) ($values.podLabels | default dict) (.root.Values.commonLabels | default dict) | toYaml | nindent 8 }}
      annotations:
        {{- merge (dict) ($values.podAnnotations | default dict) (.root.Values.commonAnnotations | default dict)
              (dict "kubectl.kubernetes.io/default-container" .component) | toYaml | nindent 8 }}
    spec:
      serviceAccountName: {{ include "councilor-operator.serviceAccount" . }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        {{- include "councilor-operator.podSecurity" . | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "councilor-operator.image" (dict "image" .root.Values.image "root" .root) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [{{ .command }}]
          env:
            {{- .environment | trim | nindent 12 }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: health
              containerPort: 8080
            {{- if .root.Values.metrics.enabled }}
            - name: metrics
              containerPort: 9090
            {{- end }}
          livenessProbe:
            httpGet:
              path: /healthz
              port: health
            initialDelaySeconds: 10
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            httpGet:
              path: /readyz
              port: health
            periodSeconds: 1
            timeoutSeconds: 5
            failureThreshold: 30
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "councilor-operator.containerSecurity" . | nindent 12 }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- $selector := dict "labelSelector" (dict "matchLabels" (include "councilor-operator.selector" $ | fromYaml)) }}
        {{- range . }}
        - {{- merge (dict) . $selector | toYaml | nindent 10 }}
        {{- end }}
      {{- end }}
{{- end -}}

{{/* Arguments: root, component. */}}
{{- define "councilor-operator.companions" -}}
{{- $values := get .root.Values .component -}}
{{- if $values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "councilor-operator.metadata" (merge (dict "name" (include "councilor-operator.serviceAccount" .) "annotations" $values.serviceAccount.annotations) .) | nindent 2 }}
{{- end }}
{{- if $values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "councilor-operator.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "councilor-operator.selector" . | nindent 6 }}
{{- end }}
{{- if and .root.Values.metrics.enabled .root.Values.metrics.service.enabled }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "councilor-operator.metadata" (merge (dict "name" (printf "%s-metrics" (include "councilor-operator.component" .)) "annotations" .root.Values.metrics.service.annotations) .) | nindent 2 }}
spec:
  ports:
    - name: metrics
      port: 9090
      targetPort: metrics
  selector:
    {{- include "councilor-operator.selector" . | nindent 4 }}
{{- end }}
{{- end -}}
