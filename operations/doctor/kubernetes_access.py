"""Does the cluster's API answer, and does it let us look?

Owns the one finding that stands for all others when it does not.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.kubernetes_api import Cluster, Refused, cluster_of
from operations.doctor.patient import Patient


@contextmanager
def asking(patient: Patient) -> Generator[Cluster]:
    """The cluster; what keeps it from answering is `kubernetes.api`'s to say.

    Raises:
        NotRun: it does not answer or does not let us.
    """
    try:
        yield cluster_of(patient)
    except Refused as refusal:
        raise NotRun(f"the cluster's API refuses: {patient.foreign(str(refusal))}") from None
    except OSError:
        raise NotRun("the cluster's API does not answer: see kubernetes.api") from None


def api(patient: Patient) -> Answer:
    """Does the cluster's API answer, and is the server's namespace there?"""
    if not patient.options.kubeconfig and not patient.outputs.cluster_name:
        raise NotRun("the stack has no cluster")
    try:
        cluster = cluster_of(patient)
    except NotRun as reason:
        return failed(
            str(reason),
            cause="the way to the cluster is not known, so nothing in it can be asked",
            next_step="Sign in to AWS, or name a kubeconfig with --kubeconfig.",
        )
    space = patient.outputs.kubernetes_namespace or "mlflow"
    try:
        release = cluster.get("/version").get("gitVersion")
        found = cluster.find(f"/api/v1/namespaces/{space}")
    except Refused as refusal:
        return failed(
            f"{cluster.server}: HTTP {refusal.code} {patient.foreign(str(refusal))}",
            cause="the cluster does not know us, or gives us no right to look",
            next_step="Be among clusterAdminArns, or use the role that deploys; then "
            "`aws eks update-kubeconfig`.",
        )
    except OSError as error:
        return failed(
            f"{cluster.server} does not answer ({error.strerror or type(error).__name__}: "
            f"{patient.foreign(str(error))})",
            cause="the cluster is gone, or its API is private and this machine is outside",
            next_step="Ask from inside the VPC, or add this address to clusterPublicEndpointCidrs; "
            "or name another kubeconfig with --kubeconfig.",
        )
    if found is None:
        return failed(
            f"the cluster has no namespace {space}",
            cause="the namespace was deleted with everything in it, or this is another cluster",
            next_step="Deploy the stack again (`make up`); database and artifacts are not in the "
            "cluster.",
        )
    return passed(f"{cluster.server} is Kubernetes {release} and has namespace {space}")


CHECKS = (
    Check(
        name="kubernetes.api",
        question="Does the cluster's API answer, and is the server's namespace there?",
        ask=api,
        explained_by=("aws.account",),
    ),
)
