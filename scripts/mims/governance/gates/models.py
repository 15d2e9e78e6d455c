"""What a gate file may ask of a version, stage by stage.

Goes in: values that a gate file holds. Comes out: frozen models, that say what is wrong with a
value and leave to mims.governance.gates.file to say where it stands. Judges nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mims.governance.report_shapes import direction_of
from mims.registration.parameters import Rule, matching, shown
from mims.text import listed

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_NAME = Annotated[str, Rule("a name", str.strip, {"pattern": r"\S"})]


class Part(BaseModel):
    """What every part is: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


class Limit(Part):
    """Within what a number must lie, ends included."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    _comparable: ClassVar[bool] = False
    at_least: Number | None = None
    """not below this"""
    at_most: Number | None = None
    """not above this; of a bias metric: no further than this from 0, either way"""
    between: tuple[Number, Number] | None = None
    """not below the first and not above the second"""

    @model_validator(mode="after")
    def _can_be_kept(self) -> Limit:
        low, high = self.between or (self.at_least, self.at_most)
        if self.between and (self.at_least is not None or self.at_most is not None):
            raise ValueError("between stands alone: it says at_least and at_most in one")
        if low is not None and high is not None and low > high:
            raise ValueError(f"nothing is at least {low:g} and at most {high:g}")
        if not self.model_fields_set:
            needed = [*Limit.model_fields, *(["baseline"] if self._comparable else [])]
            raise ValueError(f"must say one at least of {listed(needed)}")
        return self


def _baseline(value: Any) -> Any:
    if value == "Production" or (type(value) is int and value > 0):
        return value
    raise ValueError(f"must be Production or a version's number, not {shown(value)}")


class MetricGate(Limit):
    """What a metric must be, against numbers or another version's."""

    _comparable: ClassVar[bool] = True
    baseline: (
        Annotated[
            str | int,
            BeforeValidator(
                _baseline,
                json_schema_input_type=Literal["Production"] | Annotated[int, Field(ge=1)],
            ),
        ]
        | None
    ) = None
    """the version to compare with: Production or a number; without one there, nothing is asked"""
    at_most_worse: Annotated[Number, Field(ge=0)] | None = None
    """how much worse than the baseline's it may be; 0 where that is not said"""
    better: Literal["higher", "lower"] | None = None
    """which way is better; known of the usual metrics"""

    @model_validator(mode="after")
    def _compares(self) -> MetricGate:
        if self.baseline is None and (self.at_most_worse is not None or self.better):
            raise ValueError("at_most_worse and better need a baseline: Production or a number")
        return self

    def direction(self, name: str) -> str | None:
        """Which way a metric of that name is better; None where nobody says."""
        return self.better or direction_of(name)


class Age(Part):
    """How old the evidence may be."""

    at_most_days_old: Annotated[Number, Field(gt=0)]
    """days since the oldest report was made"""


class Approval(Part):
    """Who must agree."""

    by_others: Annotated[int, Field(strict=True, ge=1, le=20)]
    """how many people, other than who registered the version"""


class StageGates(Part):
    """What a version must show to enter a stage."""

    metrics: dict[_NAME, MetricGate] = {}
    """metrics by name; one with a dot is a path in the report"""
    fairness: dict[_NAME, Annotated[dict[_NAME, Limit], Field(min_length=1)]] = {}
    """protected attributes, and for each the bias metrics by name"""
    explainability: Literal["required"] | None = None
    """required: a report with SHAP values or feature importance"""
    compatibility: Literal["compatible"] | None = Field(default=None, alias="schema")
    """compatible: takes what the version in Production takes, answers what it answers"""
    evidence: Age | None = None
    """how old the reports may be"""
    integrity: Literal["required"] | None = None
    """required: package and payload are what was registered, and the audit trail tells of it"""
    approval: Approval | None = None
    """approvals that it needs"""


class Verification(Part):
    """A request that the endpoint must answer."""

    body: Annotated[str, Field(min_length=1, max_length=100_000)]
    """what it is sent"""
    content_type: str = "text/csv"
    """of what type that is"""


_ENDPOINT = matching(
    "an endpoint's name: letters, digits and hyphens, a letter or digit at both ends",
    r"[a-zA-Z0-9](-*[a-zA-Z0-9])*",
    longest=63,
)
_ROLE = matching(
    "a role's ARN such as arn:aws:iam::123456789012:role/model",
    r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ ]+",
    longest=2048,
)
_INSTANCES = matching("a type of instances such as ml.m5.large", r"ml\.[a-z0-9-]+\.[a-z0-9]+", 63)


class Deployment(Part):
    """What a state machine puts a version behind as it promotes it to Production."""

    endpoint: Annotated[str, _ENDPOINT] | None = None
    """the endpoint; without one, versions change their stage alone"""
    role: Annotated[str, _ROLE] | None = None
    """the role that the model runs with; needed with an endpoint"""
    instance_type: Annotated[str, _INSTANCES] = "ml.m5.large"
    """type of the endpoint's instances"""
    initial_instance_count: Annotated[int, Field(strict=True, ge=1)] = 1
    """how many instances at least; as many as the endpoint has, where that is more"""
    verification: Verification | None = None
    """a request that the endpoint must answer"""
    approval_hours: Annotated[Number, Field(gt=0, le=8760)] = 72
    """how long to wait for each approval"""

    @model_validator(mode="after")
    def _can_serve(self) -> Deployment:
        if self.endpoint and not self.role:
            raise ValueError("role must be given: the role that the model runs with")
        return self
