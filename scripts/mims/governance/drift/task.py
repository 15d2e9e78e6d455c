"""What a model predicts, and which of its outputs say it.

Goes in: a task, a baseline's outputs, and what the user named of them. Comes out: which output has
the prediction, and which have probabilities; or what to name. Asks nobody for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.profiles.profile import CATEGORY, NUMBER
from mims.registration.parameters import shown
from mims.text import listed, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mims.governance.profiles.profile import Field, Profile

BINARY, MULTICLASS, REGRESSION = TASKS = ("binary", "multiclass", "regression")
_ROUNDED = 0.01  # by which probabilities that were rounded may miss 1, on average


@dataclass(frozen=True)
class Task:
    """What a model predicts, and which of its outputs say it.

    Raises:
        InputError: it does not go together.

    """

    kind: str
    """BINARY, MULTICLASS or REGRESSION"""
    prediction: str | None = None
    """the output with the number or the class"""
    scores: tuple[str, ...] = ()
    """the output with the positive class's probability; of several classes, that of each"""
    classes: tuple[str, ...] = ()
    """of `scores`; without, they are the outputs' names"""
    positive: str = "1"
    threshold: float = 0.5
    """from which score on a prediction is positive"""

    def __post_init__(self) -> None:
        problems = []
        if self.kind not in TASKS:
            problems.append(f"task {shown(self.kind)}: must be {listed(TASKS)}")
        if not self.prediction and not self.scores:
            problems.append("no output is named that has the prediction")
        if self.kind == BINARY and len(self.scores) > 1:
            problems.append("a binary task has one score: the probability of the positive class")
        if self.kind == MULTICLASS and len(self.scores) == 1:
            problems.append("a task of several classes has a score for each")
        if self.kind == REGRESSION and (self.scores or not self.prediction):
            problems.append("a regression has a prediction and no scores")
        if self.classes and len(self.classes) != len(self.scores):
            problems.append(f"there are {len(self.scores)} scores, and {len(self.classes)} classes")
        if twice := repeated(self.classes):
            problems.append(f"classes that are there twice: {listed(twice)}")
        if problems:
            raise InputError(*problems)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that are looked at."""
        return tuple(dict.fromkeys((*filter(None, (self.prediction,)), *self.scores)))

    @classmethod
    def of(cls, kind: str, baseline: Profile, **named: Any) -> Task:
        """Make a task of a baseline's outputs, as far as nothing else was `named`.

        One output is the prediction: a number is a score if the task is binary. Of several, the one
        that is a class is the prediction: a category, or whole numbers beside probabilities, as in
        1,0.93; a probability beside it may be of that class, or of the positive one, so it is no
        score. Several numbers without a class among them are the scores of as many classes.

        Raises:
            InputError: what the outputs mean can't be told, or a named one is not there.

        """
        if not baseline.outputs:
            raise InputError(
                "the baseline has no outputs, so none is known that could be held against labels: "
                "make it with what the model answered, too (mims-registry baseline --predictions)"
            )
        if not named.get("prediction") and not named.get("scores"):
            fields = [*baseline.outputs.values()]
            names = tuple(one.name for one in fields)
            if len(fields) == 1 and (kind != BINARY or _is_code(fields[0])):
                named["prediction"] = names[0]
            elif kind == BINARY and [one.kind for one in fields] == [NUMBER]:
                named["scores"] = names
            elif kind != REGRESSION and (one := _class_of(fields)):
                named["prediction"] = one.name
            elif kind == MULTICLASS and _are_scores(fields):
                named["scores"] = names
            else:
                had = listed(names)
                raise InputError(
                    "name the output with the prediction (--prediction; PREDICTION of a job) or "
                    f"the probability of each class (--score; SCORE): the baseline has {had}"
                )
        task = cls(kind, **named)
        unknown = [name for name in task.outputs if name not in baseline.outputs]
        if unknown:
            had = listed(baseline.outputs)
            raise InputError(f"no outputs of the baseline: {listed(unknown)}; it has {had}")
        return task

    def passed_over(self, baseline: Profile) -> str:
        """Tell of probabilities beside a prediction that are not looked at, if there are some."""
        others = [name for name, one in baseline.outputs.items() if _is_share(one)]
        others = [name for name in others if name not in self.outputs]
        if not self.prediction or self.scores or self.kind == REGRESSION or not others:
            return ""
        return (
            f"performance is that of output {printable(self.prediction)}; {listed(others)}: "
            "for auc and log_loss, say which is a probability of what (--score; SCORE of a job)"
        )


def _class_of(fields: Sequence[Field]) -> Field | None:
    """The output that is a class, if one is: what is beside it are probabilities."""
    categories = [one for one in fields if one.kind == CATEGORY]
    numbers = [one for one in fields if one.kind == NUMBER]
    classes = categories or [one for one in numbers if _is_whole(one)]
    others = [one for one in fields if one not in classes]
    if len(classes) != 1 or not others or not all(map(_is_share, others)):
        return None
    one = classes[0]
    return None if one.kind == NUMBER and one.low == one.high else one


def _are_scores(fields: Sequence[Field]) -> bool:
    """Whether outputs can be the scores of classes: numbers, and no class is among them.

    A probability that was the same in all of the baseline looks like a class; but it sums up to 1
    with the others.
    """
    if len(fields) < 2 or any(one.kind != NUMBER for one in fields):
        return False
    whole = [one for one in fields if _is_whole(one)]
    if not whole:
        return True
    total = sum(one.mean for one in fields if one.mean is not None)
    return len(whole) < len(fields) and all(map(_is_share, fields)) and abs(total - 1) < _ROUNDED


def _is_code(one: Field) -> bool:
    """Whether an output can't be a score: a category, or such as 1 and 2."""
    return one.kind == CATEGORY or (_is_whole(one) and not _is_share(one))


def _is_whole(one: Field) -> bool:
    """Whether an output was never anything but a whole number."""
    return one.low is not None and all(edge == round(edge) for edge in (one.low, *one.edges[1:]))


def _is_share(one: Field) -> bool:
    return (
        one.kind == NUMBER
        and one.low is not None
        and one.high is not None
        and 0 <= one.low <= one.high <= 1
    )
