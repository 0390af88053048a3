"""`policies`: the rules of `policies/` over what a stack would consist of.

Owns the asking and the telling; the rules know nothing of either. The same rules run inside
Pulumi's CLI with `--policy-pack policies`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from operations.place import Place
from operations.report import ExitCode, Line, Report
from operations.stack_preview import add_preview_argument, read_whole_preview
from policies.engine_documents import graph_of_preview
from policies.resource_graph import ResourceGraph
from policies.rule import Finding, Rule, evaluate
from policies.rules import RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add_preview_argument(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Hold the stack's preview against every rule.

    Raises:
        CouldNotLook: there is no preview to look at.
    """
    graph = graph_of_preview(
        read_whole_preview(place, arguments.stack, arguments.preview), arguments.stack
    )
    return PoliciesReport(graph=graph, rules=RULES, findings=tuple(evaluate(graph, RULES)))


@dataclass(frozen=True, kw_only=True, slots=True)
class PoliciesReport:
    """What the rules found."""

    graph: ResourceGraph
    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> ExitCode:
        """1 where a rule is not kept."""
        return 1 if self.findings else 0

    def document(self) -> Mapping[str, object]:
        """Every finding, and which rules were held against how much."""
        return {
            "environment": self.graph.environment,
            "is_production": self.graph.is_production,
            "resources": len(self.graph.resources),
            "rules": [rule.name for rule in self._applied],
            "findings": [asdict(finding) for finding in self.findings],
        }

    def lines(self) -> Iterator[Line]:
        """The findings, and a last line that sums them up."""
        for finding in self.findings:
            yield Line(f"{finding.rule}: {finding.message}", "red")
        kind = "production" if self.graph.is_production else "no production"
        outcome = f"{len(self.findings)} not kept" if self.findings else "all kept"
        yield Line(
            f"{self.graph.stack} ({self.graph.environment}, {kind}): {len(self._applied)} rules, "
            f"{len(self.graph.resources)} resources, {outcome}",
            "red" if self.findings else "green",
        )

    @property
    def _applied(self) -> tuple[Rule, ...]:
        production = self.graph.is_production
        return tuple(rule for rule in self.rules if production or not rule.production_only)
