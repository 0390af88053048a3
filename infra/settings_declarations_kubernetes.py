"""Settings of MLflow on Kubernetes, wherever the cluster came from.

Owns their declarations, in the order of Pulumi.yaml. The cluster itself is its cloud's business,
and what the server is, the tables beside it say.
"""

from __future__ import annotations

from infra.settings_kinds import Declaration, array, boolean, integer, string

KUBERNETES_DECLARATIONS: tuple[Declaration, ...] = (
    # How many servers
    integer(
        "serverReplicasMinimum", 1, "Servers at their fewest (autoscaling's minimum).", 1, 1000
    ),
    integer(
        "hpaCpuPercent",
        70,
        "Autoscaling adds a server when they use more than this of the processors they ask for.",
        10,
        95,
    ),
    integer(
        "serverScratchGib",
        10,
        "Disk of one server for artifacts on their way through it.",
        1,
        1000,
    ),
    # Who may connect
    array(
        "networkPolicyNamespaces", "Namespaces of clients, beside mlflow and the training jobs'."
    ),
    string("ingressClassName", "", "Ingress class that serves ingressHosts; empty: no Ingress."),
    array("ingressHosts", "Names under which the Ingress serves MLflow."),
    string("ingressTlsSecret", "", "Secret with the certificate of ingressHosts."),
    string("ingressNamespace", "ingress-nginx", "Namespace that the Ingress controller runs in."),
    # What else runs in the cluster
    boolean(
        "prometheusOperator", False, "The cluster has the Prometheus operator: scrape and alert."
    ),
    string("prometheusNamespace", "monitoring", "Namespace that Prometheus runs in."),
    string(
        "secretSource",
        "plain",
        "Where pods get passwords from: a Secret made here (plain), or the cloud's secret store "
        "through the External Secrets operator (external-secrets).",
        "plain",
        "external-secrets",
    ),
    string(
        "secretStoreName",
        "aws-secrets-manager",
        "ClusterSecretStore of the External Secrets operator.",
    ),
    # Retention
    string(
        "retentionSchedule",
        "",
        "When deleted runs are removed for good, as cron says it (UTC); empty: never.",
    ),
    integer(
        "retentionDays", 30, "How long a deleted run can be restored before it is removed.", 1, 3650
    ),
)
