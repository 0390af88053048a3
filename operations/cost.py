"""`cost`: what a stack costs each month by existing, and what another one would.

Owns the asking; `cost_estimate` counts. Both stacks are counted from their previews, so that a
stack needs no deployment to be compared.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from operations.cost_estimate import Estimate, estimate
from operations.cost_prices import PriceList, read_prices
from operations.cost_report import CostReport
from operations.cost_warm_instances import warm_costs
from operations.place import Place
from operations.report import Report
from operations.stack_preview import add_preview_argument, read_whole_preview
from policies.engine_documents import graph_of_preview
from policies.resource_graph import ResourceGraph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add_preview_argument(parser)
    parser.add_argument("--against", metavar="OTHER", help="another stack to compare with")
    parser.add_argument(
        "--against-preview", metavar="FILE", help="what `preview --json` printed for that one"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Count, and compare where that is asked.

    Raises:
        CouldNotLook: a stack cannot be previewed.
    """
    prices = read_prices()
    graph = _graph(place, arguments.stack, arguments.preview)
    counted = estimate(graph, prices)
    return CostReport(
        estimate=counted,
        against=_against(arguments, place, prices),
        warm=warm_costs(graph, prices, counted.region),
        prices=prices,
        markdown=arguments.markdown,
    )


def _against(arguments: argparse.Namespace, place: Place, prices: PriceList) -> Estimate | None:
    if arguments.against_preview is not None:
        name = arguments.against or Path(arguments.against_preview).stem
        return estimate(_graph(place, name, arguments.against_preview), prices)
    if arguments.against is not None:
        return estimate(_graph(place, arguments.against, None), prices)
    return None


def _graph(place: Place, stack: str, file: str | None) -> ResourceGraph:
    return graph_of_preview(read_whole_preview(place, stack, file), stack)
