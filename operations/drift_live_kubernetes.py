"""The server's pods: how many serve, with which image and environment, within which bounds.

Owns what the engine's comparison of objects cannot tell: whether the pods that run are those that
the Deployment describes, and whether there are enough of them. It asks through `kubectl`, which
signs in as its user's kubeconfig says. Whose cluster that leads to is checked first: a comparison
with another one would find everything.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from typing import cast

from operations.aws_client import aws_client, aws_problem
from operations.drift_findings import Difference, Finding
from operations.drift_sight import NotVisible, Seen, Sight, differing, finding
from operations.drift_suspects import managers
from operations.engine_steps import ABSENT, SECRET, State, follow, shown
from policies.encryption import names_a_secret
from smoke_tests.json_document import Document, as_document, find, find_documents, find_text

LOOK = "kubernetes"
SECONDS = 60
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
CONTAINERS = "spec.template.spec.containers"
CLUSTER = "aws:eks/cluster:Cluster"


def look(sight: Sight) -> Seen | None:
    """Compare; None where nothing was deployed to a cluster.

    Raises:
        NotVisible: the cluster does not answer from here.
    """
    servers = [(step, state) for step, state in sight.deployed(DEPLOYMENT) if state.id]
    if not servers:
        return None
    kubectl = _Kubectl(sight)
    kubectl.check_cluster()
    findings: list[Finding] = []
    seen: list[str] = []
    for step, state in servers:
        name, namespace = _name(state)
        found = kubectl.get("deployment", name, namespace)
        if found is None:
            continue  # the engine says that it is gone
        differences = [*_pods(state, found), *_rollout(found)]
        bounds = next(iter(sight.deployed(AUTOSCALER)), None)
        rolling = _is_rolling(found)
        if bounds is not None and not rolling:
            differences += _replicas(bounds[1], found)
        ready, wanted = (
            _number(found, "status", "readyReplicas"),
            _number(found, "spec", "replicas"),
        )
        seen.append(f"{ready} of {wanted} servers ready{', a rollout is under way' * rolling}")
        found_here = finding(LOOK, step.name, differences, kind=DEPLOYMENT, identity=state.id)
        who = tuple(managers(found, [CONTAINERS]))
        findings += [replace(item, suspects=who) for item in found_here]
    return Seen(looked_at="; ".join(seen), findings=tuple(findings))


def environment_of(deployment: object) -> dict[str, str]:
    """Image and plain variables of the first container; what comes from a Secret is left out."""
    container = follow(deployment, "spec.template.spec.containers[0]")
    document = as_document(container) or {}
    values = {"image": str(document.get("image", ""))}
    for item in find_documents(document, "env"):
        name, value = find_text(item, "name"), item.get("value")
        if name and isinstance(value, str):
            values[f"env {name}"] = SECRET if names_a_secret(name) and value else value
    return values


def _pods(state: State, found: Document) -> list[Difference]:
    """What the pods get otherwise than deployed."""
    wanted = {k: v for k, v in environment_of(state.inputs).items() if v != SECRET}
    have = environment_of(found)
    differences = differing(wanted, cast("dict[str, str | None]", have))
    known = environment_of(state.inputs)
    differences += [
        Difference(property=name, expected="nothing", found=value)
        for name, value in sorted(have.items())
        if name not in known
    ]
    return differences


def _is_rolling(found: Document) -> bool:
    """Whether one version replaces another at this moment: then numbers are on their way."""
    replicas, updated = (_number(found, "status", key) for key in ("replicas", "updatedReplicas"))
    seen = _number(found, "status", "observedGeneration")
    return updated != replicas or seen < _number(found, "metadata", "generation")


def _rollout(found: Document) -> list[Difference]:
    """A rollout that came to no end: the servers before it still serve."""
    for condition in find_documents(found, "status", "conditions"):
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            return [
                Difference(
                    property="rollout",
                    expected="complete",
                    found=find_text(condition, "reason") or "failed",
                )
            ]
    return []


def _replicas(autoscaler: State, found: Document) -> list[Difference]:
    least, most = (autoscaler.at(f"spec.{name}") for name in ("minReplicas", "maxReplicas"))
    ready = _number(found, "status", "readyReplicas")
    if least is ABSENT or most is ABSENT or int(shown(least)) <= ready <= int(shown(most)):
        return []
    expected = f"{shown(least)} to {shown(most)}"
    return [Difference(property="servers ready", expected=expected, found=str(ready))]


def _name(state: State) -> tuple[str, str]:
    name, namespace = state.at("metadata.name"), state.at("metadata.namespace")
    return shown(name), "default" if namespace is ABSENT else shown(namespace)


def _number(document: Document, *keys: str) -> int:
    value = find(document, *keys)
    return int(value) if isinstance(value, int | float) else 0


class _Kubectl:
    """The user's own way to the cluster."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        environ = sight.place.environ
        program = shutil.which("kubectl", path=environ.get("PATH"))
        if program is None:
            raise NotVisible("kubectl is not on PATH")
        self._program = program
        self._environ = dict(environ)
        # Where the providers are attached ones, this is the cluster that theirs deploys to.
        self._attached = environ.get("SIMULATED_KUBECONFIG")
        if self._attached and environ.get("PULUMI_DEBUG_PROVIDERS"):
            self._environ["KUBECONFIG"] = self._attached
        else:
            self._attached = None
            sight.must_be_real()

    def check_cluster(self) -> None:
        """Refuse a kubeconfig that leads to another cluster than the stack's."""
        if self._attached:
            return
        configuration = self._run("config", "view", "--minify", "-o", "json")
        clusters = find_documents(configuration, "clusters")
        server = find_text(clusters[0], "cluster", "server") if clusters else None
        if server is None:
            raise NotVisible("the kubeconfig names no cluster: see `aws eks update-kubeconfig`")
        own = self._endpoint()
        if server != own:
            raise NotVisible(
                f"the kubeconfig's current cluster is {server} and the stack's is {own}: run "
                "`aws eks update-kubeconfig` for the stack's cluster"
            )

    def _endpoint(self) -> str:
        """Where the API of the stack's cluster answers; of an adopted one, EKS knows it."""
        for _, state in self._sight.deployed(CLUSTER):
            return shown(state.at("endpoint", inputs_first=False))
        name = self._sight.outputs.cluster_name
        if name is None:
            raise NotVisible("the stack exports no clusterName: nobody knows whose cluster it is")
        try:
            answer = aws_client(self._sight.place, "eks").describe_cluster(name=name)
        except aws_problem() as error:
            raise NotVisible(f"EKS does not say where the cluster {name} is: {error}") from None
        return str(answer["cluster"]["endpoint"])

    def get(self, kind: str, name: str, namespace: str) -> Document | None:
        """An object, or None."""
        words = ("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return self._run(*words, "--show-managed-fields") or None

    def _run(self, *words: str) -> Document:
        try:
            done = subprocess.run(
                [self._program, *words, f"--request-timeout={SECONDS // 2}s"],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotVisible(f"kubectl did not answer ({type(error).__name__})") from None
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = " ".join(lines[-1].split())[:200] if lines else f"exit {done.returncode}"
            raise NotVisible(f"kubectl: {self._sight.place.masker.foreign(said)}")
        try:
            return as_document(json.loads(done.stdout or b"{}")) or {}
        except ValueError:
            raise NotVisible("kubectl did not print JSON") from None
