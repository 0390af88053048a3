"""PostgreSQL's settings follow from the memory and the load, the same in every place."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from infra.database_tuning import (
    PARAMETERS,
    STATIC,
    parameters,
    rds_spelling,
    requests_at_once,
    work_mem_mib,
)
from infra.local.postgres_server import server_settings
from tests.infra.stacks import stack

MEMORY = st.integers(512, 1024 * 1024)


class TestValues:
    """What a machine of a known size gets, in PostgreSQL's base units."""

    def test_eight_gib(self) -> None:
        settings = stack(
            serverWorkers="2", serverKind="gunicorn", serverThreads="15", slowQueryMs="750"
        )
        assert parameters(settings, 8192) == {
            "max_connections": str(settings.database.max_connections),
            "shared_buffers": "262144",  # 2 GiB in pages of 8 kB
            "effective_cache_size": "681472",
            "work_mem": "65536",  # the most that is given
            "maintenance_work_mem": "524288",
            "random_page_cost": "1.1",
            "max_wal_size": "4096",
            "checkpoint_timeout": "900",
            "jit": "off",
            "track_io_timing": "on",
            "log_min_duration_statement": "750",
            "log_lock_waits": "on",
            "log_temp_files": "10240",
        }

    def test_unknown_memory_leaves_sizes_alone(self) -> None:
        named = parameters(stack(), None)
        sized = {"shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"}
        assert named.keys() == parameters(stack(), 8192).keys() - sized - {"max_wal_size"}

    def test_rds_writes_switches_as_numbers(self) -> None:
        assert rds_spelling({"jit": "off", "track_io_timing": "on", "work_mem": "4096"}) == {
            "jit": "0",
            "track_io_timing": "1",
            "work_mem": "4096",
        }


class TestMemory:
    """No machine is promised more memory than it has."""

    @given(memory=MEMORY, workers=st.integers(1, 8))
    def test_bounds(self, memory: int, workers: int) -> None:
        settings = stack(serverWorkers=str(workers))
        values = {
            name: int(value)
            for name, value in parameters(settings, memory).items()
            if value.isdecimal()
        }
        assert values["shared_buffers"] * 8 <= memory * 1024 // 4
        assert values["effective_cache_size"] * 8 <= memory * 1024 * 0.7  # Cloud SQL's limit
        at_once = requests_at_once(settings)
        assert 4 <= work_mem_mib(settings, memory) <= 64
        assert work_mem_mib(settings, memory) * at_once <= max(memory // 4, 4 * at_once)

    @given(memory=MEMORY)
    def test_more_memory_is_never_less_of_anything(self, memory: int) -> None:
        less, more = (parameters(stack(), size) for size in (memory, memory + 1024))
        assert all(int(more[name]) >= int(less[name]) for name in less if less[name].isdecimal())


class TestTable:
    """Each parameter stands once, with its reason."""

    def test_unique_and_reasoned(self) -> None:
        names = [item.name for item in PARAMETERS]
        assert len(set(names)) == len(names)
        assert set(names) >= STATIC
        assert all(item.why for item in PARAMETERS)

    def test_no_statement_timeout(self) -> None:
        """It would end backups and migrations; the server sets its own."""
        assert "statement_timeout" not in parameters(stack(), 8192)


class TestArguments:
    """PostgreSQL on this machine takes them as arguments, whose order is nobody's business."""

    PROPS: ClassVar = {"host": "127.0.0.1", "port": 5432}

    def test_the_same_in_any_order(self) -> None:
        values = parameters(stack(), 1024)
        backwards = dict(reversed(values.items()))
        given, handed_back = (
            list(server_settings({**self.PROPS, "parameters": order}).items())
            for order in (values, backwards)
        )
        assert given == handed_back
        assert dict(given).items() >= values.items()

    def test_a_stack_of_an_earlier_version_can_still_be_read(self) -> None:
        assert "shared_buffers" not in server_settings(self.PROPS)
