"""What an A/B is to find out, and by what rules: written down before it begins.

Goes in: what the operator asks for; or the tags of an endpoint configuration. Comes out: a
`Design`, checked; or its tags. An A/B is its endpoint's configuration: the design stands in its
tags, `mims:ab:…`, so that UpdateEndpoint brings both into force at once, and any machine reads it
back. A design never changes: an A/B by other rules is another one.

Tags: 128 characters a key, 256 a value, of letters, digits, space and _ . : / = + - @ (AWS's
"Tagging AWS resources"). Asks nobody.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.deploy import S3_PLACE
from mims.governance.everyday import instant
from mims.registration.parameters import fits_metadata, shown
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "mims:ab:"
CORRECT, LABEL, ERROR = SCORES = ("correct", "label", "error")
_FORMAT = "1"
_DIGEST = "sha256"  # of all the others
_WAY_OUT = (
    "put back what they were; or give the endpoint its former configuration by hand "
    "(UpdateEndpoint), and then run mims-registry ab stop ENDPOINT --roll-back"
)


@dataclass(frozen=True, kw_only=True)
class Design:
    """An A/B of two versions behind one endpoint."""

    endpoint: str
    champion: str
    """the ARN of the version that serves now"""
    challenger: str
    champion_variant: str
    """its production variant's name, by which captures and CloudWatch know it"""
    challenger_variant: str
    share: float
    """the part of the traffic that the challenger gets; of a shadow, that it gets a copy of"""
    smallest: float
    """the difference of the mean scores that is worth finding, in units of the score"""
    score: str
    """correct: 1 where the prediction is the label, else 0; label: the label itself is the reward;
    error: how far the prediction is from the label, negative"""
    capture: str
    """s3://…, below which SageMaker puts ENDPOINT/VARIANT/yyyy/mm/dd/hh"""
    labels: str
    """s3://…, below which labels arrive, as SageMaker's ground truth"""
    most: int
    """records of both variants, at which it ends undecided"""
    started: datetime
    """UTC, to the second: what was captured before is none of its business"""
    former: str
    """the endpoint's configuration before"""
    alpha: float = 0.05
    """how often a difference may be found where there is none"""
    minimum: int = 500
    """records of each variant before anything is decided"""
    error_rise: float = 0.01
    """how far the challenger's part of failed requests may be above the champion's"""
    latency_ratio: float = 1.5
    """how many times as long as the champion the challenger may take"""
    shadow: bool = False
    """the challenger gets copies, and its answers go to nobody"""

    def checked(self) -> Design:
        """Give the design itself, if it can be.

        Raises:
            InputError: with everything that is wrong.

        """
        problems = [*_numbers(self), *_places(self)]
        if self.score not in SCORES:
            problems.append(f"score {shown(self.score)}: must be one of {listed(SCORES)}")
        if self.shadow and self.score == LABEL:
            problems.append(
                "score label: a shadow's answers reach nobody, so no label can be its reward"
            )
        if self.champion == self.challenger:
            problems.append(f"challenger: is the champion itself, {self.champion}")
        if problems:
            raise InputError(*problems)
        return self

    def report(self) -> dict[str, Any]:
        """What it is to find out and by what rules, as plain data."""
        return {
            "traffic": self.share,
            "shadow": self.shadow,
            "score": self.score,
            "smallest": self.smallest,
            "alpha": self.alpha,
            "minimum": self.minimum,
            "most": self.most,
            "error_rise": self.error_rise,
            "latency_ratio": self.latency_ratio,
            "capture": self.capture,
            "labels": self.labels,
            "started": instant(self.started),
            "former": self.former,
        }

    def tags(self) -> dict[str, str]:
        """The design as tags of the configuration."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        own = {name.replace("_", "-"): _written(value) for name, value in given.items()}
        made = {"format": _FORMAT, **own, _DIGEST: _digest(own)}
        return {PREFIX + name: value for name, value in made.items()}

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Design | None:
        """Read the design from a configuration's tags; None where they hold none.

        Raises:
            InputError: somebody has changed or removed tags of ours; it names them all.

        """
        ours = {k.removeprefix(PREFIX): v for k, v in tags.items() if k.startswith(PREFIX)}
        if not ours:
            return None
        problems, read = [], {}
        if ours.get("format") != _FORMAT:
            problems.append(f"tag {PREFIX}format: must be {_FORMAT}, not {ours.get('format')}")
        for field in dataclasses.fields(cls):
            name = field.name.replace("_", "-")
            try:
                read[field.name] = _READ[str(field.type)](ours[name])
            except KeyError:
                problems.append(f"tag {PREFIX}{name}: is missing")
            except ValueError:
                problems.append(f"tag {PREFIX}{name}: {shown(ours[name])} is no {field.type}")
        if not problems and ours.get(_DIGEST) != cls(**read).tags()[PREFIX + _DIGEST]:
            problems.append(f"tags {PREFIX}…: somebody has changed them since the A/B began")
        if problems:
            raise InputError(*problems, _WAY_OUT)
        return cls(**read).checked()


def _digest(tags: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(tags, sort_keys=True).encode()).hexdigest()


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


_READ: Mapping[str, Any] = {
    "str": str,
    "float": float,
    "int": int,
    "bool": _truth,
    "datetime": _time,
}


def _numbers(design: Design) -> list[str]:
    """What is wrong with the numbers; not a number is neither above nor below anything."""
    rules = (
        ("traffic", design.share, 0 < design.share < 1, "must be between 0 and 1, neither of them"),
        ("smallest", design.smallest, 0 < design.smallest < math.inf, "must be above 0"),
        ("alpha", design.alpha, 0 < design.alpha < 1, "must be between 0 and 1, neither of them"),
        ("minimum", design.minimum, design.minimum >= 1, "must be 1 record at least"),
        (
            *("most", design.most, design.most >= 2 * design.minimum),
            f"must be {2 * design.minimum} records at least: the minimum, of both variants",
        ),
        ("error-rise", design.error_rise, 0 < design.error_rise <= 1, "must be from above 0 to 1"),
        (
            *("latency-ratio", design.latency_ratio, 1 < design.latency_ratio < math.inf),
            "must be above 1",
        ),
    )
    return [f"{name} {value}: {must}" for name, value, right, must in rules if not right]


def _places(design: Design) -> list[str]:
    """What is wrong with where captures and labels lie, and what no tag can hold."""
    problems = [
        f"{name} {shown(value)}: must be s3://bucket/prefix"
        for name, value in (("capture", design.capture), ("labels", design.labels))
        if not S3_PLACE.fullmatch(value)
    ]
    for key, value in design.tags().items():
        if not fits_metadata(value):
            problems.append(
                f"{key.removeprefix(PREFIX)} {shown(value)}: no tag can hold it: "
                "256 characters at most, of letters, digits, space and _ . : / = + - @"
            )
    return problems
