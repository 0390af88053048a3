"""What the profile is to reach beside the default, and whether it did in this run.

Owns the bounds and their judgement. An aim whose cells were not measured is not met: a run that
leaves something out does not pass by leaving it out. Ratios compare medians of the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.server_comparison import cases
from benchmarks.server_comparison.results import Results
from benchmarks.server_comparison.summary import (
    Measured,
    Started,
    measured,
    missing_values,
    started,
)
from benchmarks.server_comparison.variants import DEFAULT, PROFILE

LEAST_RATIO_ONE_CLIENT = 10.0
LEAST_RATIO_32_CLIENTS = 3.3
LEAST_RATIO_FAR_BATCH = 20.0
MOST_START_SHARE = 0.25
MOST_MEMORY_SHARE = 0.5
MOST_EXTRA_MIB = 200.0
NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One aim and what became of it."""

    aim: str
    measured: str
    met: bool


class Figures:
    """The figures of a run, as aims ask for them."""

    def __init__(self, results: Results) -> None:
        """Summed up once."""
        self.results = results
        self._measured = measured(results)
        self._started = started(results)

    def case(
        self, variant: str, operation: str, clients: int, database_ms: float
    ) -> Measured | None:
        """A case without distance to the client."""
        for item in self._measured:
            key = item.key
            found = (item.variant, key.operation, key.clients, key.database_ms, key.client_ms)
            if found == (variant, operation, clients, database_ms, 0.0):
                return item
        return None

    def endurance(self, variant: str) -> Measured | None:
        """The minute that many clients log in at once."""
        wanted = cases.ENDURANCE
        for item in self._measured:
            key = item.key
            found = (item.variant, key.operation, key.clients, key.seconds)
            if found == (variant, wanted.operation, wanted.clients, wanted.seconds):
                return item
        return None

    def start(self, variant: str) -> Started | None:
        """A variant's starts."""
        return next((item for item in self._started if item.variant == variant), None)


def verdicts(results: Results) -> list[Verdict]:
    """Every aim, judged."""
    figures = Figures(results)
    return [
        _faster(figures, cases.LOG_METRIC, 1, 0.0, LEAST_RATIO_ONE_CLIENT),
        _faster(figures, cases.LOG_METRIC, 32, 0.0, LEAST_RATIO_32_CLIENTS),
        _faster(figures, cases.LOG_BATCH_100, 1, 25.0, LEAST_RATIO_FAR_BATCH),
        _no_errors(figures),
        _share(
            figures,
            "cold start, exec to the first answered database call: at most a quarter of default",
            lambda item: item.answer_seconds.median,
            "s",
            MOST_START_SHARE,
        ),
        _share(
            figures,
            "memory of all processes (PSS, warm): at most half of default",
            lambda item: item.pss_mib.median,
            "MiB",
            MOST_MEMORY_SHARE,
        ),
        _flat(figures, cases.UPLOAD_1_GIB),
        _flat(figures, cases.DOWNLOAD_1_GIB),
        _nothing_lost(figures),
    ]


def _faster(
    figures: Figures, operation: str, clients: int, database_ms: float, least: float
) -> Verdict:
    case = cases.Case(
        operation=operation, clients=clients, database_ms=database_ms, seconds=0, repeats=0
    )
    aim = f"{case.title}: requests per second at least {least:g} × default"
    ours = figures.case(PROFILE, operation, clients, database_ms)
    theirs = figures.case(DEFAULT, operation, clients, database_ms)
    if ours is None or theirs is None:
        return Verdict(aim=aim, measured=NOT_MEASURED, met=False)
    mine, other = ours.rate.median, theirs.rate.median
    if not other:
        return Verdict(aim=aim, measured=f"{mine:.1f} to none of default", met=mine > 0)
    ratio = mine / other
    text = f"{mine:.1f} to {other:.1f}: {ratio:.1f} ×"
    return Verdict(aim=aim, measured=text, met=ratio >= least)


def _no_errors(figures: Figures) -> Verdict:
    wanted = cases.ENDURANCE
    aim = f"{wanted.operation}, {wanted.clients} clients for {wanted.seconds:g} s: no error"
    ours, theirs = figures.endurance(PROFILE), figures.endurance(DEFAULT)
    if ours is None or theirs is None:
        return Verdict(aim=aim, measured=NOT_MEASURED, met=False)
    text = (
        f"{ours.failed} of {ours.failed + ours.acknowledged} requests; default: "
        f"{theirs.failed} of {theirs.failed + theirs.acknowledged}"
    )
    return Verdict(aim=aim, measured=text, met=ours.failed == 0 and ours.acknowledged > 0)


def _share(
    figures: Figures, aim: str, figure: Callable[[Started], float], unit: str, most: float
) -> Verdict:
    ours, theirs = figures.start(PROFILE), figures.start(DEFAULT)
    if ours is None or theirs is None:
        return Verdict(aim=aim, measured=NOT_MEASURED, met=False)
    mine, other = figure(ours), figure(theirs)
    text = f"{mine:.1f} to {other:.1f} {unit}: {100 * mine / other:.0f} %"
    return Verdict(aim=aim, measured=text, met=mine <= most * other)


def _flat(figures: Figures, operation: str) -> Verdict:
    aim = f"{operation} through the server: memory at most {MOST_EXTRA_MIB:.0f} MiB above idle"
    ours = figures.case(PROFILE, operation, 1, 0.0)
    if ours is None or ours.extra_pss_mib is None:
        return Verdict(aim=aim, measured=NOT_MEASURED, met=False)
    theirs = figures.case(DEFAULT, operation, 1, 0.0)
    text = f"{ours.extra_pss_mib:.0f} MiB"
    if theirs is not None and theirs.extra_pss_mib is not None:
        text += f"; default: {theirs.extra_pss_mib:.0f} MiB"
    if not ours.acknowledged:
        return Verdict(aim=aim, measured="the file did not go through", met=False)
    return Verdict(aim=aim, measured=text, met=ours.extra_pss_mib < MOST_EXTRA_MIB)


def _nothing_lost(figures: Figures) -> Verdict:
    looked, missing = missing_values(figures.results)
    return Verdict(
        aim="whatever was acknowledged is in the database or the artifact folder",
        measured=f"{missing} of {looked} requests missing" if looked else NOT_MEASURED,
        met=looked > 0 and missing == 0,
    )


def all_met(found: Sequence[Verdict]) -> bool:
    """Whether the run reached everything."""
    return all(item.met for item in found)
