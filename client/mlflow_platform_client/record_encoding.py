r"""From what the training thread handed over to the lines that lie on disk and go over the wire.

A record is one line, `kind TAB run_id TAB json`, and its JSON is exactly what `log-batch` wants in
its arrays: a value is encoded once, here, and afterwards only copied. Kinds: `m` metric, `p`
parameter, `t` tag (the lane of batches), `x` text (the lane of texts).

Owns the encoding and the judgement that needs no server: MLflow's own rules for names, each name
judged once. What fails is not raised but returned as a `Refused`, to be set aside with its reason.
NaN and infinities travel as MLflow's client sends them, as the strings "NaN", "Infinity" and
"-Infinity"; what the server's store makes of them is MLflow's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, cast

from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

Kind = Literal["m", "p", "t", "x"]
KIND_NAMES: Mapping[str, str] = {"m": "metric", "p": "param", "t": "tag", "x": "text"}

_NOT_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
_LONG_VALUE = 16_384  # beyond it MLflow's truncation is applied here, to keep bodies bounded
_MOST_KEYS_REMEMBERED = 100_000
_LONGEST_KEY = 250  # a column of MLflow's tables; longer keys fail in the database, for all


class Metrics(NamedTuple):
    """Values of one call: one time, one step."""

    run_id: str
    values: Mapping[str, float]
    timestamp: int
    step: int


class Metric(NamedTuple):
    """One value."""

    run_id: str
    key: str
    value: float
    timestamp: int
    step: int


class Texts(NamedTuple):
    """Parameters (`p`) or tags (`t`) of one call."""

    kind: Literal["p", "t"]
    run_id: str
    values: Mapping[str, str]


class Artifact(NamedTuple):
    """A text to be stored as a run's artifact."""

    run_id: str
    path: str
    text: str


class Refused(NamedTuple):
    """What can never be logged, and why."""

    kind: str
    run_id: str
    key: str
    value: str
    reason: str


HandedOver: TypeAlias = Metric | Metrics | Texts | Artifact | Refused


@dataclass
class Encoded:
    """Lines by lane, and what was refused on the way."""

    batches: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    refused: list[Refused] = field(default_factory=list[Refused])

    def add(self, other: Encoded) -> None:
        """Put another's lines behind these."""
        self.batches += other.batches
        self.texts += other.texts
        self.refused += other.refused


class RecordEncoder:
    """Encodes, remembering the names it has judged. Belongs to one thread."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._keys: dict[str, str | Refused] = {}
        self._runs: dict[str, str] = {}  # run id -> what is wrong with it, or ""

    def encode(self, entries: Iterable[HandedOver]) -> Encoded:
        """Lines in the order in which they were handed over."""
        encoded = Encoded()
        for entry in entries:
            if isinstance(entry, Refused):
                encoded.refused.append(entry)
                continue
            if problem := self._problem_with_run(entry.run_id):
                encoded.refused.extend(_refuse_all(entry, problem))
            elif isinstance(entry, Metric):
                self._metric(encoded, entry.run_id, entry.key, entry.value, entry[3:])
            elif isinstance(entry, Metrics):
                for key, value in entry.values.items():
                    self._metric(encoded, entry.run_id, key, value, entry[2:])
            elif isinstance(entry, Texts):
                for key, value in entry.values.items():
                    self._text_value(encoded, entry.kind, entry.run_id, key, value)
            else:
                body = json.dumps({"path": entry.path, "text": entry.text})
                encoded.texts.append(f"x\t{entry.run_id}\t{body}")
        return encoded

    def _metric(
        self, encoded: Encoded, run_id: str, key: str, value: float, moment: tuple[int, int]
    ) -> None:
        name = self._keys.get(key)
        if name is None:
            name = self._judge(key)
        if isinstance(name, Refused):
            refused = name._replace(kind="metric", run_id=run_id, value=repr(value))
            encoded.refused.append(refused)
            return
        text = repr(value)
        if text in _NOT_FINITE:
            text = _NOT_FINITE[text]
        encoded.batches.append(
            f'm\t{run_id}\t{{"key":{name},"value":{text},'
            f'"timestamp":{moment[0]},"step":{moment[1]}}}'
        )

    def _text_value(
        self, encoded: Encoded, kind: Literal["p", "t"], run_id: str, key: str, value: str
    ) -> None:
        name = self._keys.get(key) or self._judge(key)
        if isinstance(name, Refused):
            encoded.refused.append(
                name._replace(kind=KIND_NAMES[kind], run_id=run_id, value=value[:200])
            )
            return
        if len(value) > _LONG_VALUE:
            judge = cast(
                "Callable[[str, str], Param]",
                validation._validate_param if kind == "p" else validation._validate_tag,  # pyright: ignore
            )
            try:
                value = judge(key, value).value
            except MlflowException as error:
                encoded.refused.append(
                    Refused(KIND_NAMES[kind], run_id, key, value[:200], str(error))
                )
                return
        encoded.batches.append(f'{kind}\t{run_id}\t{{"key":{name},"value":{json.dumps(value)}}}')

    def _judge(self, key: str) -> str | Refused:
        """The key as JSON, or why MLflow does not take it."""
        if len(self._keys) >= _MOST_KEYS_REMEMBERED:
            self._keys.clear()
        judged: str | Refused
        try:
            validation._validate_metric_name(key)  # pyright: ignore
        except (MlflowException, TypeError) as error:
            judged = Refused("", "", str(key)[:500], "", str(error))
        else:
            judged = json.dumps(key)
            if len(key) > _LONGEST_KEY:
                reason = f"the name is {len(key)} characters long; MLflow keeps {_LONGEST_KEY}"
                judged = Refused("", "", key[:500], "", reason)
        self._keys[key] = judged
        return judged

    def _problem_with_run(self, run_id: str) -> str:
        problem = self._runs.get(run_id)
        if problem is None:
            if len(self._runs) >= _MOST_KEYS_REMEMBERED:
                self._runs.clear()
            try:
                validation._validate_run_id(run_id)  # pyright: ignore
                problem = ""
            except (MlflowException, TypeError) as error:
                problem = str(error)
            self._runs[run_id] = problem
        return problem


def size_of(entry: HandedOver) -> int:
    """How many values an entry holds; must agree with what `encode` returns for it."""
    return len(entry.values) if isinstance(entry, Metrics | Texts) else 1


def _refuse_all(entry: Metric | Metrics | Texts | Artifact, reason: str) -> list[Refused]:
    run_id = str(entry.run_id)
    if isinstance(entry, Metric):
        return [Refused("metric", run_id, str(entry.key), repr(entry.value), reason)]
    if isinstance(entry, Artifact):
        return [Refused("text", run_id, entry.path, entry.text[:200], reason)]
    kind = KIND_NAMES[entry.kind] if isinstance(entry, Texts) else "metric"
    return [
        Refused(kind, run_id, str(key), str(value)[:200], reason)
        for key, value in entry.values.items()
    ]
