"""The gate file of a group: what a version must show before it may enter a stage.

Goes in: YAML, such as

    group: fraud-detection
    staging:
      metrics:
        accuracy: {at_least: 0.85}
        auc: {baseline: Production, at_most_worse: 0.01}   # or baseline: 3, a version's number
        rmse: {at_most: 3.2}
      evidence: {at_most_days_old: 30}
      integrity: required
    production:
      fairness:
        sex: {DPL: {at_most: 0.1}, DI: {between: [0.8, 1.25]}}
      explainability: required
      schema: compatible
      approval: {by_others: 1}

Comes out: a `GateFile`, or one `InputError` with every mistake, each with file, line and column.
A stage that the file does not tell of can't be entered; `staging: {}` says that nothing is asked.
Judges nothing: mims.governance.gates.judging does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from mims.archive.files import open_regular, reading
from mims.errors import InputError
from mims.governance.cards.schema import fact_problems
from mims.governance.gates import marked_yaml
from mims.governance.gates.models import (
    Age,
    Approval,
    Deployment,
    Limit,
    MetricGate,
    Part,
    StageGates,
    Verification,
)
from mims.governance.report_shapes import direction_of
from mims.registration.config import GROUP_LIMIT
from mims.registration.parameters import matching, shown
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from mims.governance.gates.marked_yaml import Document

SIZE_LIMIT = 256_000  # bytes
_SHOWN = 100  # mistakes; who made more has another kind of file
_EMPTY = "is empty: give it a value, or leave the key out"
_FREE = ("card",)  # whose facts may be left open
_GROUP = matching(
    "a group's name: letters, digits and hyphens, a letter or digit at both ends",
    r"[a-zA-Z0-9](-*[a-zA-Z0-9])*",
    longest=GROUP_LIMIT,
)


class GateFile(Part):
    """The gates of a group."""

    group: Annotated[str, _GROUP]
    """the model package group"""
    staging: StageGates | None = None
    """gates on the way to Staging"""
    production: StageGates | None = None
    """gates on the way to Production"""
    card: dict[str, Any] = Field(default={})
    """for the model card: intended use, ethical considerations, …"""
    deployment: Deployment = Deployment()
    """for a promotion by state machine: the endpoint, its instances, a request to try it with"""

    _sha256: str = PrivateAttr("")

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file."""
        return self._sha256

    def gates(self, stage: str) -> StageGates:
        """What a version must show to enter a stage: Staging or Production.

        Raises:
            InputError: the file does not tell of it.

        """
        found = {"Staging": self.staging, "Production": self.production}.get(stage)
        if found is None:
            raise InputError(
                f"the gate file of group {self.group} declares no gates for {stage}: add "
                f"`{stage.lower()}:`, with {{}} where nothing is asked"
            )
        return found

    @classmethod
    def load(cls, path: Path | str, group: str | None = None) -> GateFile:
        """Read a gate file, of this group if one is named.

        Raises:
            InputError: with every mistake, each with its place; or the file can't be read.

        """
        path = Path(path)
        with reading(path), open_regular(path) as file:
            content = file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            raise InputError(f"{path}: more than {SIZE_LIMIT} bytes are no gate file")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise InputError(f"{path}:{line}: must be UTF-8") from error
        made = cls.parse(text, str(path), group)
        made._sha256 = hashlib.sha256(content).hexdigest()  # noqa: SLF001 - our own
        return made

    @classmethod
    def parse(cls, text: str, source: str = "gates.yaml", group: str | None = None) -> GateFile:
        """Read a gate file's text; `source` is what mistakes call it.

        Raises:
            InputError: with every mistake, each with its place.

        """
        document = marked_yaml.read(text)
        raw, mistakes, made = document.value, [*document.mistakes], None
        if raw is not None or not mistakes:
            try:
                made = cls.model_validate({} if raw is None else raw)
            except ValidationError as error:
                found = error.errors(include_url=False)
                mistakes += [_in_plain_words(one, document) for one in found]
            mistakes += _further(raw, document, group)
        if made is None or mistakes:
            raise InputError(*_lines(source, mistakes))
        made._sha256 = hashlib.sha256(text.encode()).hexdigest()  # noqa: SLF001 - our own
        return made


def _lines(source: str, mistakes: list[marked_yaml.Mistake]) -> Iterator[str]:
    """Tell of each mistake once, in the file's order."""
    ordered = sorted(dict.fromkeys(mistakes), key=lambda one: one.place)
    for (line, column), path, text in ordered[:_SHOWN]:
        where = ".".join(str(step) for step in path)
        yield f"{source}:{line}:{column}: {printable(f'{where}: {text}' if where else text)}"
    if len(ordered) > _SHOWN:
        line, column = ordered[_SHOWN].place
        yield f"{source}:{line}:{column}: {len(ordered) - _SHOWN} more from here on"


def _further(raw: Any, document: Document, group: str | None) -> Iterator[marked_yaml.Mistake]:
    """Yield what the models don't see.

    Emptiness, another group, a metric of unknown direction, facts that no model card has.
    """

    def mistake(path: marked_yaml.Path, text: str) -> marked_yaml.Mistake:
        return marked_yaml.Mistake(document.place(path), path, text)

    for path in document.values:
        if path and path[0] not in _FREE and _at(raw, path) is None:
            yield mistake(path, _EMPTY)
    named = _at(raw, ("group",))
    if group is not None and isinstance(named, str) and named != group:
        yield mistake(("group",), f"is {shown(named)}, but these gates are to be {group}'s")
    for stage in ("staging", "production"):
        metrics = _at(raw, (stage, "metrics"))
        for name, gate in metrics.items() if isinstance(metrics, dict) else ():
            said = gate if isinstance(gate, dict) else {}
            if "baseline" in said and "better" not in said and not direction_of(name):
                text = f"say which way {shown(name)} is better, higher or lower: `better: higher`"
                yield mistake((stage, "metrics", name), text)
    card = _at(raw, ("card",))
    for path, text in fact_problems(card) if isinstance(card, dict) else ():
        yield mistake(("card", *path), text)


def _at(value: Any, path: marked_yaml.Path) -> Any:
    try:
        for step in path:
            value = value[step]
    except (TypeError, KeyError, IndexError):
        return _ABSENT
    return value


_ABSENT = object()


_TYPES = {
    "string_type": "text",
    "dict_type": "an object: keys and values",
    "model_type": "an object: keys and values",
    "model_attributes_type": "an object: keys and values",
    "tuple_type": "two numbers such as [0.8, 1.25]",
    "too_long": "two numbers such as [0.8, 1.25]",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}


def _in_plain_words(found: ErrorDetails, document: Document) -> marked_yaml.Mistake:
    """One of pydantic's findings, where it stands in the file."""
    path, kind, limits = found["loc"], found["type"], found.get("ctx", {})
    if path[-1:] == ("[key]",):
        path = path[:-1]
    if kind == "value_error":
        text = str(limits["error"])
    elif kind == "extra_forbidden":
        text = _unknown(str(path[-1]), _known(path))
    elif kind == "missing":
        text = "must be given"
    elif found["input"] is None or kind == "too_short":
        text = _EMPTY
    else:
        must = f"must be {_TYPES[kind].format(**limits)}" if kind in _TYPES else found["msg"]
        text = f"{must}, not {shown(found['input'])}"
    return marked_yaml.Mistake(document.place(path), path, text)


def _known(path: marked_yaml.Path) -> list[str]:
    """The keys that are known where an unknown one stands."""
    models: Mapping[str | int, type[BaseModel]] = {
        "metrics": MetricGate,
        "fairness": Limit,
        "evidence": Age,
        "approval": Approval,
        "verification": Verification,
    }
    section = Deployment if path[0] == "deployment" else StageGates
    model = GateFile if len(path) == 1 else section if len(path) == 2 else models[path[1]]
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown(key: str, known: list[str]) -> str:
    return f"unknown key; {meant(key, known, f'known are {listed(known)}')}"
