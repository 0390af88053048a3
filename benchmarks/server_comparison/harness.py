"""The order of measurements: databases, cold starts, then every case on every variant in turn.

Owns which server runs when. A cold start and its memory are measured alone: libraries that two
servers map from the same files would otherwise be counted half for each. Then the variants of a
group run side by side, and every repeat of a case goes to one and at once to the other, so that
whatever else the machine does falls on both. A server that refused or forgot a request is started
afresh before it is asked again. With distance to the database, servers are started behind a proxy:
with none they are not, as its own work would be taken for theirs.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from benchmarks.delaying_proxy import Distance
from benchmarks.server_comparison import load_generator, traffic
from benchmarks.server_comparison.cases import LOG_METRIC, Case, Plan
from benchmarks.server_comparison.cell import job, measure, words
from benchmarks.server_comparison.processes import footprint
from benchmarks.server_comparison.results import Results, StartRecord, VariantRecord
from benchmarks.server_comparison.schema import mlflow_schema
from benchmarks.server_comparison.server import Pace, RunningServer, ServerFailedError
from benchmarks.server_comparison.trivial_server import ceiling
from benchmarks.server_comparison.variants import Place, Variant
from benchmarks.throwaway_postgres import ThrowawayPostgres, free_port

MAX_CONNECTIONS = 500
"""More than any variant opens: what runs out here is a server's own pool, not the database."""

TEMPLATE = "template_of_all"
SLOW_FACTOR = 4
"""A cell that lasted so many times its window is not repeated: its requests are the long ones."""

Progress = Callable[[str], None]


class Comparison:
    """One run of the benchmark; what is measured goes into `results` as it comes."""

    def __init__(
        self,
        plan: Plan,
        groups: Sequence[Sequence[Variant]],
        results: Results,
        *,
        work: Path,
        seed: int,
        progress: Progress,
        pace: Pace = Pace(),  # noqa: B008
        make_schema: Callable[[ThrowawayPostgres, str], None] | None = None,
    ) -> None:
        """Nothing runs yet; `work` is a folder of its own."""
        self._plan = plan
        self._groups = groups
        self._results = results
        self._work = work
        self._random = random.Random(seed)
        self._progress = progress
        self._pace = pace
        self._spoiled: set[str] = set()  # servers that are started afresh before their next cell
        self._make_schema = make_schema or mlflow_schema
        self._cluster = ThrowawayPostgres(max_connections=MAX_CONNECTIONS)

    def run(self) -> None:
        """Measure everything; raises KeyboardInterrupt with nothing left running."""
        self._progress("what the load generator can ask at the most")
        self._results.ceiling = ceiling()
        with self._cluster:
            self._make_databases()
            version = self._cluster.query("postgres", "SHOW server_version")[0][0]
            self._results.machine["postgresql"] = str(version)
            near = [case for case in self._plan.cases if not case.database_ms]
            far = [case for case in self._plan.cases if case.database_ms]
            for group in self._groups:
                self._cold_starts(group)
                if near:
                    self._block(group, near, distant=False)
                if far:
                    self._block(group, far, distant=True)

    def _make_databases(self) -> None:
        self._progress("making the databases")
        cluster = self._cluster
        cluster.create(TEMPLATE)
        self._make_schema(cluster, TEMPLATE)
        if self._plan.search_runs:
            traffic.fill_with_runs(cluster, TEMPLATE, self._plan.search_runs)
        for group in self._groups:
            for variant in group:
                cluster.create(variant.name, template=TEMPLATE)
                with self._going_on(f"migration of {variant.name}"):
                    self._server(variant, cluster.port).migrate()

    def _server(self, variant: Variant, database_port: int) -> RunningServer:
        place = Place(
            folder=self._work / "servers" / variant.name,
            port=free_port(),
            database_port=database_port,
            database=variant.name,
        )
        return RunningServer(variant, place, self._work, self._pace)

    def _cold_starts(self, group: Sequence[Variant]) -> None:
        for variant in group:
            server = self._server(variant, self._cluster.port)
            self._results.variants.append(self._described(server))
        for number in range(self._plan.cold_starts):
            for variant in group:
                with self._going_on(f"start of {variant.name}"):
                    record = self._cold_start(variant)
                    self._results.starts.append(record)
                    self._progress(
                        f"start {number + 1}/{self._plan.cold_starts} of {variant.name}: "
                        f"{record.answer_seconds:.1f} s, {record.processes} processes, "
                        f"{record.pss_mib:.0f} MiB"
                    )

    def _cold_start(self, variant: Variant) -> StartRecord:
        server = self._server(variant, self._cluster.port)
        place = server.place
        try:
            times = server.start()
            server.warm_up()
            server.settle()
            before = server.cpu_seconds()
            time.sleep(self._pace.idle_seconds)  # what is measured: a server with nothing to do
            idle = server.cpu_seconds() - before
            held = footprint(server.pid, place.port, place.database_port)
        finally:
            server.stop()
        return StartRecord(
            variant=variant.name,
            health_seconds=round(times.health, 3),
            answer_seconds=round(times.answer, 3),
            processes=held.processes,
            workers=held.workers,
            pss_mib=round(held.pss_mib, 1),
            worker_pss_mib=round(held.worker_pss_mib, 1),
            idle_cpu_percent=round(100 * idle / self._pace.idle_seconds, 1),
        )

    def _described(self, server: RunningServer) -> VariantRecord:
        command = " ".join(server.launch.command)
        for folder, name in (
            (str(server.place.folder), "…"),
            (sys.prefix, "…"),
            (str(self._work), "…"),
        ):
            command = command.replace(folder, name)
        return VariantRecord(
            name=server.variant.name, meaning=server.variant.meaning, command=command
        )

    def _block(self, group: Sequence[Variant], block: Sequence[Case], *, distant: bool) -> None:
        with contextlib.ExitStack() as stack:
            distance = stack.enter_context(Distance("127.0.0.1", self._cluster.port))
            port = distance.port if distant else self._cluster.port
            servers: list[RunningServer] = []
            for variant in group:
                server = self._server(variant, port)
                stack.callback(server.stop)
                with self._going_on(f"start of {variant.name}"):
                    self._start_warm(server)
                    servers.append(server)
            for number, case in enumerate(block, 1):
                where = f"{'far' if distant else 'near'} {number}/{len(block)}"
                self._case(case, servers, distance, where)

    def _case(
        self, case: Case, servers: Sequence[RunningServer], distance: Distance, where: str
    ) -> None:
        unfit: set[str] = set()
        for repeat in range(case.repeats):
            order = [server for server in servers if server.variant.name not in unfit]
            if self._random.random() < 0.5:
                order.reverse()
            for server in order:
                name = server.variant.name
                with self._going_on(f"{case.title} on {name}"):
                    if name in self._spoiled:
                        distance.set_round_trip_ms(0)
                        server.stop()
                        self._start_warm(server)
                    distance.set_round_trip_ms(case.database_ms)
                    record = measure(case, server, repeat, self._cluster)
                    self._results.cells.append(record)
                    self._progress(f"{where} {case.title}: {name} {words(record)}")
                    if record.failed or record.elapsed_seconds > SLOW_FACTOR * case.seconds:
                        unfit.add(name)
                    if record.failed:
                        self._spoiled.add(name)

    def _start_warm(self, server: RunningServer) -> None:
        """Start it and let every worker log: the first write of each takes seconds."""
        self._spoiled.discard(server.variant.name)
        server.start()
        server.warm_up()
        server.settle()
        seconds = self._pace.warm_up_seconds
        case = Case(operation=LOG_METRIC, clients=16, seconds=seconds, repeats=1)
        ready = traffic.prepare(case, self._cluster, server.place.database, server.artifacts)
        load_generator.run(job(case, server, ready.questions, server.place.port))

    @contextlib.contextmanager
    def _going_on(self, what: str) -> Generator[None]:
        """What one variant cannot do is noted, and the rest is measured all the same."""
        try:
            yield
        except (ServerFailedError, OSError, RuntimeError) as error:
            self._results.skipped.append(f"{what}: {error}")
            self._progress(f"not measured: {what}: {str(error).splitlines()[0]}")
