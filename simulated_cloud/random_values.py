"""The package `random`: values drawn once and kept in the stack's state.

Owns passwords, strings, ids and bytes, drawn from the operating system's generator. Nothing is kept
outside the state, as with the real provider.
"""

from __future__ import annotations

import base64
import math
import random
import secrets
import string
import uuid
from collections.abc import Iterable
from importlib.metadata import version

from simulated_cloud.errors import InputProblem, NotSupported
from simulated_cloud.package import Package
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call, ResourceType

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""The real provider's special characters, where `overrideSpecial` names no others."""
_draw = random.SystemRandom()


class _Drawn(ResourceType[None]):
    """A value that is made once; every change but of `keepers`' absence draws a new one."""

    sdk = "pulumi_random"
    replace_on = frozenset({"*"})

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Draw the value: it becomes the id, from which the outputs follow."""
        raise NotImplementedError

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return what the state says: there is nowhere else to look."""
        return {}

    def delete(self, call: Call[None], identity: str, state: Properties) -> None:
        """Forget it."""


class _Text(_Drawn):
    defaults = {  # noqa: RUF012
        "lower": True,
        "upper": True,
        "numeric": True,
        "number": True,
        "special": True,
        "minLower": 0,
        "minUpper": 0,
        "minNumeric": 0,
        "minSpecial": 0,
    }

    def check(self, call: Call[None], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what cannot be drawn."""
        length, minima = inputs.get("length"), self._minima(inputs)
        if length is not None and length < max(1, sum(minima.values())):
            yield InputProblem(
                "length",
                f"Attribute length value must be at least {max(1, sum(minima.values()))}, "
                f"got: {length}",
            )
        if not "".join(self._alphabets({**self.defaults, **inputs}).values()):
            yield InputProblem("", "At least one of lower, upper, numeric, special must be true")

    def draw(self, inputs: Properties) -> str:
        """Return a text with at least as many characters of each kind as asked for."""
        alphabets = self._alphabets(inputs)
        drawn = [
            _draw.choice(alphabets[kind])
            for kind, count in self._minima(inputs).items()
            for _ in range(count)
        ]
        every = "".join(alphabets.values())
        drawn += [_draw.choice(every) for _ in range(inputs["length"] - len(drawn))]
        _draw.shuffle(drawn)
        return "".join(drawn)

    @staticmethod
    def _minima(inputs: Properties) -> dict[str, int]:
        return {
            kind: int(inputs.get(f"min{kind.capitalize()}") or 0)
            for kind in ("lower", "upper", "numeric", "special")
        }

    @staticmethod
    def _alphabets(inputs: Properties) -> dict[str, str]:
        kinds = {
            "lower": string.ascii_lowercase,
            "upper": string.ascii_uppercase,
            "numeric": string.digits,
            "special": inputs.get("overrideSpecial") or SPECIAL,
        }
        return {
            kind: text
            if inputs.get(kind) is not False
            and (kind != "numeric" or inputs.get("number") is not False)
            else ""
            for kind, text in kinds.items()
        }


class RandomPassword(_Text):
    """random.RandomPassword: the value is secret and no part of the id."""

    token = "random:index/randomPassword:RandomPassword"
    secret_outputs = frozenset({"result", "bcryptHash"})

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Make the resource; the password is drawn when it is first read."""
        return "none"

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return the password of the state, or draw one."""
        return {"result": known.get("result") or self.draw({**self.defaults, **known})}


class RandomString(_Text):
    """random.RandomString: a text that is no secret."""

    token = "random:index/randomString:RandomString"

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Draw the text."""
        return self.draw(inputs)

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return the text, which is the id."""
        return {"result": identity}


class RandomId(_Drawn):
    """random.RandomId: bytes in several spellings."""

    token = "random:index/randomId:RandomId"

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Draw the bytes."""
        return _base64(secrets.token_bytes(inputs["byteLength"]))

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Spell the bytes, which are the id."""
        raw = base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4))
        prefix = known.get("prefix") or ""
        return {
            "b64Url": prefix + identity,
            "b64Std": prefix + base64.b64encode(raw).decode(),
            "hex": prefix + raw.hex(),
            "dec": prefix + str(int.from_bytes(raw, "big")),
        }


class RandomBytes(_Drawn):
    """random.RandomBytes: secret bytes."""

    token = "random:index/randomBytes:RandomBytes"
    secret_outputs = frozenset({"base64", "hex"})

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Make the resource; the bytes are drawn when it is first read."""
        return "none"

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return the bytes of the state, or draw some."""
        if known.get("hex"):
            return {"hex": known["hex"], "base64": known.get("base64")}
        raw = secrets.token_bytes(known["length"])
        return {"hex": raw.hex(), "base64": base64.b64encode(raw).decode()}


class RandomUuid(_Drawn):
    """random.RandomUuid."""

    token = "random:index/randomUuid:RandomUuid"

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Draw it."""
        return str(uuid.uuid4())

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return it."""
        return {"result": identity}


class RandomInteger(_Drawn):
    """random.RandomInteger: between `min` and `max`, both included."""

    token = "random:index/randomInteger:RandomInteger"

    def check(self, call: Call[None], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a range without a number in it."""
        if inputs.get("max", math.inf) < inputs.get("min", -math.inf):
            yield InputProblem(
                "max", "The minimum (min) value needs to be smaller than the maximum"
            )

    def create(self, call: Call[None], inputs: Properties) -> str:
        """Draw it."""
        if inputs.get("seed"):
            raise NotSupported(
                "random.RandomInteger with a seed is not part of the simulated cloud"
            )
        return str(_draw.randint(inputs["min"], inputs["max"]))

    def read(self, call: Call[None], identity: str, known: Properties) -> Properties | None:
        """Return it."""
        return {"result": int(identity)}


class RandomPackage(Package):
    """The types of `pulumi_random`."""

    name = "random"
    version = version("pulumi-random")

    def __init__(self) -> None:
        """Serve them all."""
        drawn = (
            RandomPassword,
            RandomString,
            RandomId,
            RandomBytes,
            RandomUuid,
            RandomInteger,
        )
        super().__init__(type_() for type_ in drawn)

    def configure(self, config: Properties) -> None:
        """Need nothing."""
        return


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
