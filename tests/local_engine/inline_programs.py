"""Runs small programs through the engine, against a provider that lives in the test's process.

Owns the `Stage` (a stack, its program and what happened) and the `Shelf`, a provider attached
through `PULUMI_DEBUG_PROVIDERS` that keeps its resources in a dictionary. A resource's inputs tell
it how to behave: `fail` lets a create fail, `zone` forces a replacement when it changes.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_engine.deployment import Outcome, UpdateRequest, run
from local_engine.events import Diagnostic, Event, StepFinished
from local_engine.property_values import from_struct, to_struct
from local_engine.resource_state import ResourceState, Snapshot
from local_engine.snapshot_integrity import find_problem

PRELUDE = """
import pulumi
from pulumi import ComponentResource, Output, ResourceOptions as Options, export

class Box(pulumi.CustomResource):
    size: Output
    made: Output
    def __init__(self, name, opts=None, **inputs):
        super().__init__("shelf:index:Box", name, {"made": None, **inputs}, opts)
"""


class Shelf(provider_pb2_grpc.ResourceProviderServicer):
    """A provider over a dictionary; `calls` lists what was asked of it."""

    def __init__(self, *, accept_secrets: bool = True) -> None:
        self.boxes: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.before_create: Callable[[str], None] = lambda _: None
        self._accept_secrets = accept_secrets
        self._numbers = itertools.count(1)
        self._server = grpc.server(ThreadPoolExecutor(max_workers=32))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait()

    def Handshake(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    def Attach(self, request, context):
        return empty_pb2.Empty()

    def Configure(self, request, context):
        return provider_pb2.ConfigureResponse(acceptSecrets=self._accept_secrets)

    def Check(self, request, context):
        answer = provider_pb2.CheckResponse(inputs=request.news)
        if "refuse" in request.news.fields:
            answer.failures.add(property="refuse", reason="it is not allowed")
        return answer

    def Diff(self, request, context):
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        return provider_pb2.DiffResponse(
            changes=2 if changed else 1,
            diffs=changed,
            replaces=[key for key in changed if key == "zone"],
            deleteBeforeReplace="narrow" in new,
        )

    def Create(self, request, context):
        self.before_create(request.name)
        self.calls.append(f"create {request.name}")
        inputs = from_struct(request.properties)
        self.received.append(inputs)
        if inputs.get("fail"):
            context.abort(grpc.StatusCode.UNKNOWN, "the shelf is full")
        identity = f"{request.name}-{next(self._numbers)}"
        self.boxes[identity] = inputs
        outputs = to_struct({**inputs, "made": identity})
        if inputs.get("unready"):
            self._unready(context, identity, outputs)
        return provider_pb2.CreateResponse(id=identity, properties=outputs)

    def Update(self, request, context):
        self.calls.append(f"update {request.id}")
        self.boxes[request.id] = from_struct(request.news)
        outputs = to_struct({**from_struct(request.news), "made": request.id})
        return provider_pb2.UpdateResponse(properties=outputs)

    def Delete(self, request, context):
        self.calls.append(f"delete {request.id}")
        if "stuck" in request.properties.fields:
            context.abort(grpc.StatusCode.UNKNOWN, "it is stuck")
        self.boxes.pop(request.id, None)
        return empty_pb2.Empty()

    def Read(self, request, context):
        self.calls.append(f"read {request.id}")
        inputs = self.boxes.get(request.id)
        if inputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=to_struct(inputs),
            properties=to_struct({**inputs, "made": request.id}),
        )

    def Cancel(self, request, context):
        self.calls.append("cancel")
        return empty_pb2.Empty()

    def _unready(self, context: Any, identity: str, outputs: Any) -> None:
        from google.protobuf import any_pb2
        from pulumi.runtime.proto import status_pb2

        failed = provider_pb2.ErrorResourceInitFailed(
            id=identity, properties=outputs, reasons=["the glue is wet"]
        )
        detail = any_pb2.Any()
        detail.Pack(failed)
        status = status_pb2.Status(code=2, message="not ready", details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "not ready")


class Stage:
    """A stack whose program changes between deployments."""

    def __init__(self, directory: Path, shelf: Shelf) -> None:
        self.directory = directory
        self.shelf = shelf
        self.snapshot: Snapshot | None = None
        self.saved: list[Snapshot] = []
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda _: None
        self.cancel = threading.Event()
        self._clock = 0

    def up(self, program: str, **options: Any) -> Outcome:
        return self.run("up", program, **options)

    def preview(self, program: str, **options: Any) -> Outcome:
        return self.run("preview", program, **options)

    def run(self, kind: Any, program: str = "", **options: Any) -> Outcome:
        # Python keeps compiled code by second and size; programs here change faster than that.
        main = self.directory / "__main__.py"
        main.write_text(PRELUDE + program + "\n")
        self._clock += 1
        os.utime(main, (self._clock, self._clock))
        self.events, self.saved = [], []
        self.cancel = threading.Event()
        self.shelf.calls.clear()
        request = UpdateRequest(
            kind=kind,
            project="proj",
            stack="dev",
            program_dir=self.directory,
            snapshot=self.snapshot,
            **{"config": {}, **options},
        )
        outcome = run(request, sink=self._take, save=self._save, cancel=self.cancel)
        self.cancel.set()
        if not request.is_preview:
            self.snapshot = outcome.snapshot
        return outcome

    def steps(self) -> list[tuple[str, str]]:
        """Operation and name of every step but those that do nothing, in order."""
        return [
            (event.step.op, event.step.urn.rpartition("::")[2])
            for event in self.events
            if isinstance(event, StepFinished)
            and event.step.op != "same"
            and ":providers:" not in event.step.urn
            and "Stack::" not in event.step.urn
        ]

    def errors(self) -> list[str]:
        """Everything the user is told in red."""
        told = [
            e.message for e in self.events if isinstance(e, Diagnostic) and e.severity == "error"
        ]
        return told + [e.error for e in self.events if isinstance(e, StepFinished) and e.error]

    def messages(self, severity: str) -> list[str]:
        return [
            e.message for e in self.events if isinstance(e, Diagnostic) and e.severity == severity
        ]

    def state(self, name: str) -> ResourceState:
        assert self.snapshot is not None
        found = [s for s in self.snapshot.resources if s.name == name and not s.delete]
        assert len(found) == 1, [s.urn for s in self.snapshot.resources]
        return found[0]

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def _save(self, snapshot: Snapshot) -> None:
        assert find_problem(snapshot) is None, find_problem(snapshot)
        self.saved.append(snapshot)
