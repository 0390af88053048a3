"""Deployments of small programs: what is done, in which order, and the state that is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_engine.events import StepStarted
from local_engine.property_values import UNKNOWN, Secret
from tests.local_engine.inline_programs import Shelf, Stage


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    provider = Shelf()
    yield provider
    provider.close()


@pytest.fixture
def stage(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", f"shelf:{shelf.port}")
    return Stage(tmp_path, shelf)


class TestLifecycle:
    """A resource is created, kept, updated, replaced and deleted as its program says."""

    def test_from_creation_to_deletion(self, stage: Stage) -> None:
        assert stage.up('Box("a", size=1)').changes == {"create": 2}
        assert stage.up('Box("a", size=1)').changes == {"same": 2}
        assert stage.saved == []
        assert stage.up('Box("a", size=2)').changes == {"same": 1, "update": 1}
        assert stage.state("a").outputs == {"made": "a-1", "size": 2}
        assert stage.up("").changes == {"same": 1, "delete": 1}
        assert stage.shelf.boxes == {}
        assert stage.run("destroy").succeeded
        assert stage.snapshot is not None
        assert stage.snapshot.resources == []

    def test_a_replacement_creates_first_and_deletes_last(self, stage: Stage) -> None:
        stage.up('a = Box("a", zone=1)\nBox("b", of=a.made)')
        stage.up('a = Box("a", zone=2)\nBox("b", of=a.made)')
        assert stage.steps() == [
            ("create-replacement", "a"),
            ("replace", "a"),
            ("update", "b"),
            ("delete-replaced", "a"),
        ]
        assert stage.shelf.calls == ["create a", "update b-2", "delete a-1"]

    def test_deleted_first_it_takes_along_what_could_not_survive(self, stage: Stage) -> None:
        program = (
            'a = Box("a", zone={}, narrow=1)\nBox("b", zone=a.made)\n'
            'Box("c", of=a.made)\nBox("d", Options(depends_on=[a]))'
        )
        stage.up(program.format(1))
        first = {name: stage.state(name).id for name in "abcd"}
        stage.up(program.format(2))
        assert stage.shelf.calls[:3] == [
            f"delete {first['b']}",
            f"delete {first['a']}",
            "create a",
        ]
        assert {name: stage.state(name).id == first[name] for name in "abcd"} == {
            "a": False,
            "b": False,
            "c": True,
            "d": True,
        }

    def test_destroy_deletes_dependents_first(self, stage: Stage) -> None:
        stage.up('a = Box("a")\nb = Box("b", of=a.made)\nBox("c", Options(parent=b))')
        stage.run("destroy")
        assert [call[:8] for call in stage.shelf.calls] == ["delete c", "delete b", "delete a"]


class TestPreview:
    """A preview changes nothing and says what is not known yet."""

    def test_outputs_of_what_is_to_be_created_are_unknown(self, stage: Stage) -> None:
        outcome = stage.preview('a = Box("a", size=1)\nexport("size", a.size)\nexport("m", a.made)')
        assert outcome.outputs == {"m": UNKNOWN, "size": 1}
        assert stage.shelf.calls == []
        assert stage.saved == []

    def test_the_state_it_began_from_is_untouched(self, stage: Stage) -> None:
        stage.up('Box("a", zone=1)')
        stage.preview('Box("a", zone=2)')
        assert not stage.state("a").delete
        assert stage.up('Box("a", zone=1)').changes == {"same": 2}


class TestSecrets:
    """What goes in secret stays secret, with providers that know secrets and those that do not."""

    @pytest.mark.parametrize("accept", [True, False])
    def test_a_secret_input_comes_back_secret(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accept: bool
    ) -> None:
        shelf = Shelf(accept_secrets=accept)
        monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", f"shelf:{shelf.port}")
        stage = Stage(tmp_path, shelf)
        outcome = stage.up('a = Box("a", size=Output.secret(7))\nexport("size", a.size)')
        shelf.close()
        assert stage.state("a").inputs == {"size": Secret(7)}
        assert stage.state("a").outputs["size"] == Secret(7)
        assert outcome.outputs == {"size": Secret(7)}
        assert shelf.received == [{"size": Secret(7) if accept else 7}]

    def test_named_outputs_are_made_secret(self, stage: Stage) -> None:
        stage.up('Box("a", Options(additional_secret_outputs=["made"]))')
        assert stage.state("a").outputs["made"] == Secret("a-1")

    def test_secret_configuration_reaches_the_program_as_secret(self, stage: Stage) -> None:
        outcome = stage.up(
            'export("t", pulumi.Config().require_secret("token"))',
            config={"proj:token": "hush"},
            secret_keys={"proj:token"},
        )
        assert outcome.outputs == {"t": Secret("hush")}


class TestFailure:
    """A failure stops what has not begun and leaves a state that the next run goes on from."""

    def test_dependents_of_a_failure_are_not_created(self, stage: Stage) -> None:
        program = 'a = Box("a")\nb = Box("b", of=a.made{})\nBox("c", of=b.made)\nexport("z", 1)'
        outcome = stage.up(program.format(", fail=True"))
        assert not outcome.succeeded
        assert stage.errors() == ["update failed", "the shelf is full"]
        assert stage.snapshot is not None
        assert stage.snapshot.pending_operations == []
        assert stage.up(program.format("")).changes == {"same": 2, "create": 2}

    def test_what_is_under_way_beside_a_failure_is_finished(
        self, stage: Stage, shelf: Shelf
    ) -> None:
        both = threading.Barrier(2)
        failed = threading.Event()

        def before_create(name: str) -> None:
            both.wait(30)
            if name == "slow":
                failed.wait(30)

        shelf.before_create = before_create
        stage.on_event = lambda e: failed.set() if getattr(e, "error", None) else None
        assert not stage.up('Box("slow")\nBox("bad", fail=True)').succeeded
        assert stage.state("slow").id

    def test_a_resource_that_did_not_get_ready_is_kept_and_tried_again(self, stage: Stage) -> None:
        assert not stage.up('Box("a", unready=True)').succeeded
        assert stage.state("a").init_errors == ["the glue is wet"]
        assert stage.up('Box("a", unready=True)').changes == {"same": 1, "update": 1}
        assert stage.state("a").init_errors == []

    def test_outputs_of_the_last_good_run_survive_a_failure(self, stage: Stage) -> None:
        stage.up('export("old", 1)')
        stage.up('export("new", 2)\nBox("a", fail=True)')
        assert stage.state("proj-dev").outputs == {"new": 2, "old": 1}

    @pytest.mark.parametrize(
        ("program", "message"),
        [
            ('Box("a")\nBox("a")', "Duplicate resource URN"),
            ('Box("a", refuse=1)', "property refuse value has a problem: it is not allowed"),
            ('raise ValueError("mine")', "ValueError: mine"),
            ('raise pulumi.RunError("said so")', "said so"),
            ("import sys; sys.exit(3)", "Program exited with non-zero exit code: 3"),
            ('Box("a", Options(import_="x"))', "shall be imported"),
            (
                "pulumi.runtime.register_resource_transform(lambda a: None)",
                "the program registers a resource transform for the stack, which this engine",
            ),
            (
                (
                    'Box("a", Options(hooks=pulumi.ResourceHookBinding('
                    'before_create=[pulumi.ResourceHook("h", lambda a: None)])))'
                ),
                "registers the resource hook `h`, which this engine does not do",
            ),
            (
                'pulumi.CustomResource("aws:s3:Bucket", "b", {})',
                "the package `aws` belongs to a real cloud",
            ),
            ('pulumi.CustomResource("nobody:x:Y", "b", {})', "pulumi-resource-nobody"),
        ],
    )
    def test_what_the_user_reads(self, stage: Stage, program: str, message: str) -> None:
        assert not stage.up(program).succeeded
        assert any(message in error for error in stage.errors()), stage.errors()

    def test_a_program_error_shows_the_program_s_frames_only(self, stage: Stage) -> None:
        stage.up('def f():\n    raise ValueError("x")\nf()')
        (shown, _) = stage.errors()
        assert shown.startswith("Program failed with an unhandled exception:\nTraceback")
        assert "local_engine" not in shown
        assert "runpy" not in shown


class TestProtection:
    """A protected resource is neither deleted nor replaced."""

    def test_deletion_is_refused(self, stage: Stage) -> None:
        stage.up('Box("a", Options(protect=True))')
        assert not stage.up("").succeeded
        refused = stage.errors()[-1]
        assert "cannot be deleted\nbecause it is protected" in refused
        assert refused.endswith(f"or use the command `state unprotect '{stage.state('a').urn}'`")
        assert not stage.run("destroy").succeeded
        assert stage.state("a").id == "a-1"

    def test_replacement_is_refused_before_anything_is_done(self, stage: Stage) -> None:
        stage.up('Box("a", Options(protect=True), zone=1)')
        assert not stage.up('Box("a", Options(protect=True), zone=2)').succeeded
        assert stage.shelf.calls == []


class TestRefresh:
    """A refresh brings the state in line with what providers find."""

    def test_drift_is_an_update_and_absence_a_deletion(self, stage: Stage) -> None:
        program = 'Box("a", size=1)\nb = Box("b")\nBox("c", of=b.made)'
        stage.up(program)
        stage.shelf.boxes[stage.state("a").id]["size"] = 9
        del stage.shelf.boxes[stage.state("b").id]
        seen = stage.run("refresh", dry_run=True)
        assert seen.changes == {"same": 2, "update": 1, "delete": 1}
        assert stage.saved == []
        stage.run("refresh")
        assert stage.state("a").outputs["size"] == 9
        assert stage.state("c").dependencies == []
        assert stage.up(program).changes == {"same": 1, "update": 2, "create": 1}

    def test_it_can_precede_an_update(self, stage: Stage) -> None:
        stage.up('Box("a", size=1)')
        stage.shelf.boxes.clear()
        assert stage.up('Box("a", size=1)', refresh=True).changes["create"] == 1


class TestInterruption:
    """Whatever moment a run ends at, the last saved state says what was under way."""

    def test_an_operation_is_on_record_while_its_provider_works(
        self, stage: Stage, shelf: Shelf
    ) -> None:
        seen: list[list[str]] = []
        shelf.before_create = lambda _: seen.append(
            [f"{op.kind} {op.resource.name}" for op in stage.saved[-1].pending_operations]
        )
        stage.up('Box("a")')
        assert seen == [["creating a"]]

    def test_a_crash_during_creation_is_warned_of_and_taken_up_again(
        self, stage: Stage, shelf: Shelf
    ) -> None:
        at_crash: list[int] = []
        shelf.before_create = lambda _: at_crash.append(len(stage.saved))
        stage.up('Box("a")')
        stage.snapshot = stage.saved[at_crash[0] - 1]
        outcome = stage.up('Box("a")')
        assert outcome.changes == {"same": 1, "create": 1}
        (warning,) = stage.messages("warning")
        assert "Box::a, interrupted while creating" in warning
        assert outcome.snapshot.pending_operations == []

    def test_an_interrupted_creation_that_is_not_wanted_any_more_is_told_of(
        self, stage: Stage, shelf: Shelf
    ) -> None:
        at_crash: list[int] = []
        shelf.before_create = lambda _: at_crash.append(len(stage.saved))
        stage.up('Box("a")')
        stage.snapshot = stage.saved[at_crash[0] - 1]
        outcome = stage.up("")
        assert "is not tracked" in stage.messages("warning")[-1]
        assert outcome.snapshot.pending_operations == []

    def test_a_wish_to_stop_lets_the_running_step_finish(self, stage: Stage, shelf: Shelf) -> None:
        asked = threading.Event()

        def stop(event: object) -> None:
            if isinstance(event, StepStarted) and event.step.urn.endswith("::a"):
                stage.cancel.set()

        def before_create(_: str) -> None:
            while "cancel" not in shelf.calls:
                asked.wait(0.01)

        stage.on_event = stop
        shelf.before_create = before_create
        outcome = stage.up('a = Box("a")\nBox("b", of=a.made)')
        assert outcome.cancelled
        assert not outcome.succeeded
        assert stage.errors() == ["update canceled"]
        assert stage.state("a").id
        assert stage.snapshot is not None
        assert stage.snapshot.pending_operations == []


class TestProgram:
    """The program runs as it would under Pulumi, as often as needed."""

    def test_what_it_prints_is_told(self, stage: Stage) -> None:
        stage.preview('print("to the user")\nprint("half", end="")')
        assert stage.messages("info") == ["to the user", "half"]

    def test_resources_of_an_imported_module_are_registered_every_time(self, stage: Stage) -> None:
        (stage.directory / "parts_of_it.py").write_text(
            'import pulumi\npulumi.CustomResource("shelf:index:Box", "m", {})\n'
        )
        assert stage.preview("import parts_of_it").changes == {"create": 2}
        assert stage.up("import parts_of_it").changes == {"create": 2}

    def test_independent_resources_are_created_side_by_side(
        self, stage: Stage, shelf: Shelf
    ) -> None:
        together = threading.Barrier(8)
        shelf.before_create = lambda _: together.wait(30) and None
        assert stage.up('for i in range(8): Box(f"b{i}")').succeeded

    def test_a_dynamic_provider_runs_in_a_child(self, stage: Stage) -> None:
        program = (
            "from pulumi.dynamic import *\n"
            "class Here(ResourceProvider):\n"
            "    def create(self, props):\n"
            "        import os\n"
            '        return CreateResult("x", {"pid": os.getpid()})\n'
            "class Thing(Resource):\n"
            "    pid: Output\n"
            "    def __init__(self, name):\n"
            '        super().__init__(Here(), name, {"pid": None})\n'
            'export("child", Thing("t").pid)\n'
            'import os; export("me", os.getpid())'
        )
        outputs = stage.up(program).outputs
        assert outputs is not None
        assert outputs["child"] != outputs["me"]
        assert stage.up(program.replace("export", "export", 1)).changes == {"same": 2}
