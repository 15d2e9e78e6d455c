"""What a model card may hold: AWS's published schema of its content, and a group's `card:` facts.

Goes in: a card's content, or what a group's file says under `card:`. Comes out: the same, checked,
or every problem with its path. Limits are those of "Model card JSON schema" in the SageMaker
developer guide; where its versions differ, the stricter. Asks nothing and stores nothing.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards-api-json-schema.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from mims.errors import InputError
from mims.registration.parameters import shown
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

LIMIT = 100_000  # characters of the whole content: ModelCardContent
SHORT, NAME, MIDDLE, LONG = 63, 255, 1024, 2048  # characters
ROWS = 20  # points of a graph, bars, rows and columns of a matrix
LISTED, EVALUATED_ON, METRICS, PARAMETERS = 15, 10, 50, 100  # members of lists

Text63 = Annotated[str, Field(min_length=1, max_length=SHORT)]
Text255 = Annotated[str, Field(min_length=1, max_length=NAME)]
Text1024 = Annotated[str, Field(max_length=MIDDLE)]
Text2048 = Annotated[str, Field(max_length=LONG)]
Uris = Annotated[list[Text1024], Field(max_length=LISTED)]
Risk = Literal["High", "Medium", "Low", "Unknown"]


class Part(BaseModel):
    """An object of the schema: it has no other members."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), strict=True)


class Environment(Part):
    """Images that it was trained in, or answers in."""

    container_image: Uris = []


class Overview(Part):
    """What the model is."""

    model_description: Text1024 | None = None
    model_owner: Text1024 | None = None
    model_creator: Text1024 | None = None
    problem_type: Text1024 | None = None
    algorithm_type: Text1024 | None = None
    model_id: Text1024 | None = None
    model_artifact: Uris = []
    model_name: Text1024 | None = None
    model_version: Annotated[int, Field(ge=1)] | None = None
    inference_environment: Environment | None = None


class Uses(Part):
    """What it is for."""

    purpose_of_model: Text2048 | None = None
    intended_uses: Text2048 | None = None
    factors_affecting_model_efficiency: Text2048 | None = None
    risk_rating: Risk | None = None
    explanations_for_risk_rating: Text2048 | None = None


class Business(Part):
    """Whom it serves."""

    business_problem: Text2048 | None = None
    business_stakeholders: Text2048 | None = None
    line_of_business: Text2048 | None = None


class Function(Part):
    """What training was to make as large, or as small, as it can."""

    function: Literal["Maximize", "Minimize"] | None = None
    facet: Annotated[str, Field(max_length=SHORT)] | None = None
    condition: Annotated[str, Field(max_length=SHORT)] | None = None


class Objective(Part):
    """The objective function."""

    function: Function | None = None
    notes: Text1024 | None = None


class TrainingMetric(Part):
    """A metric of training."""

    name: Text255
    notes: Text1024 | None = None
    value: FiniteFloat


class HyperParameter(Part):
    """A hyperparameter."""

    name: Text255
    value: Text255


class TrainingJob(Part):
    """How it was trained."""

    training_arn: Text1024 | None = None
    training_datasets: Uris = []
    training_environment: Environment | None = None
    training_metrics: Annotated[list[TrainingMetric], Field(max_length=METRICS)] = []
    user_provided_training_metrics: Annotated[list[TrainingMetric], Field(max_length=METRICS)] = []
    hyper_parameters: Annotated[list[HyperParameter], Field(max_length=PARAMETERS)] = []
    user_provided_hyper_parameters: Annotated[
        list[HyperParameter], Field(max_length=PARAMETERS)
    ] = []


class Training(Part):
    """All about its training."""

    objective_function: Objective | None = None
    training_observations: Text1024 | None = None
    training_job_details: TrainingJob | None = None


class Metric(Part):
    """What the kinds of metrics share."""

    name: Text255
    notes: Text1024 | None = None


class Simple(Metric):
    """A number, a word or a yes."""

    type: Literal["number", "string", "boolean"]
    value: FiniteFloat | Annotated[str, Field(max_length=SHORT)] | bool
    x_axis_name: Annotated[str, Field(max_length=SHORT)] | None = None
    y_axis_name: Annotated[str, Field(max_length=SHORT)] | None = None


class Graph(Metric):
    """A line through points."""

    type: Literal["linear_graph"]
    value: Annotated[
        list[Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=ROWS),
    ]
    x_axis_name: Annotated[str, Field(max_length=SHORT)] | None = None
    y_axis_name: Annotated[str, Field(max_length=SHORT)] | None = None


class Bars(Metric):
    """A bar a name."""

    type: Literal["bar_chart"]
    value: Annotated[list[FiniteFloat], Field(min_length=1, max_length=ROWS)]
    x_axis_name: list[Annotated[str, Field(max_length=SHORT)]] = []
    y_axis_name: Annotated[str, Field(max_length=SHORT)] | None = None


class Matrix(Metric):
    """Rows and columns, such as a confusion matrix."""

    type: Literal["matrix"]
    value: Annotated[
        list[Annotated[list[FiniteFloat], Field(min_length=1, max_length=ROWS)]],
        Field(min_length=1, max_length=ROWS),
    ]
    x_axis_name: list[Annotated[str, Field(max_length=SHORT)]] = []
    y_axis_name: list[Annotated[str, Field(max_length=SHORT)]] = []


class Group(Part):
    """Metrics that belong together."""

    name: Text63
    metric_data: list[Annotated[Simple | Graph | Bars | Matrix, Field(discriminator="type")]]


class Evaluation(Part):
    """A report on the model."""

    name: Text63
    evaluation_observation: Annotated[str, Field(max_length=2096)] | None = None
    evaluation_job_arn: Annotated[str, Field(max_length=256)] | None = None
    datasets: Annotated[list[Text1024], Field(max_length=EVALUATED_ON)] = []
    metadata: dict[str, Text1024] = {}
    metric_groups: list[Group] = []


class Additional(Part):
    """What has no other place."""

    ethical_considerations: Text2048 | None = None
    caveats_and_recommendations: Text2048 | None = None
    custom_details: dict[str, Text1024] = {}


class Content(Part):
    """The content of a model card."""

    model_overview: Overview | None = None
    intended_uses: Uses | None = None
    business_details: Business | None = None
    training_details: Training | None = None
    evaluation_details: list[Evaluation] = []
    additional_information: Additional | None = None


def _joined(value: Any) -> Any:
    """Take a list of points for the text that it makes."""
    if isinstance(value, list) and all(isinstance(point, str) for point in value):
        return "\n".join(f"- {point}" for point in value)
    return value


def _lines(limit: int) -> Any:
    return Annotated[
        Annotated[str, Field(max_length=limit)],
        BeforeValidator(_joined, json_schema_input_type=str | list[str]),
    ]


Lines1024, Lines2048 = _lines(MIDDLE), _lines(LONG)
HALF = LONG // 2 - 20  # characters: uses in and out of scope share a member of the card
LinesHalf = _lines(HALF)


class ObjectiveFacts(Function):
    """`training.objective`."""

    notes: Text1024 | None = None


class TrainingFacts(Part):
    """`training`."""

    datasets: Uris = []
    objective: ObjectiveFacts | None = None
    observations: Lines1024 | None = None  # type: ignore[valid-type]
    hyperparameters: Annotated[
        dict[Text255, str | int | float | bool], Field(max_length=PARAMETERS)
    ] = {}


class EvaluationFacts(Part):
    """`evaluation`."""

    datasets: Annotated[list[Text1024], Field(max_length=EVALUATED_ON)] = []
    observations: Lines1024 | None = None  # type: ignore[valid-type]


class BusinessFacts(Part):
    """`business`."""

    problem: Text2048 | None = None
    stakeholders: Lines2048 | None = None  # type: ignore[valid-type]
    line: Text2048 | None = None


class Facts(Part):
    """What people know of a group's models: `card:` in its file. All of it may be left out.

    Where a text may have several points, a list of them will do.
    """

    description: Text1024 | None = None
    owner: Text1024 | None = None
    problem_type: Text1024 | None = None
    algorithm: Text1024 | None = None
    purpose: Text2048 | None = None
    intended_uses: LinesHalf | None = None  # type: ignore[valid-type]
    out_of_scope: LinesHalf | None = None  # type: ignore[valid-type]
    """what it must not be used for"""
    factors: Lines2048 | None = None  # type: ignore[valid-type]
    """what makes it better or worse"""
    risk_rating: Risk | None = None
    risk_explanation: Lines2048 | None = None  # type: ignore[valid-type]
    business: BusinessFacts = BusinessFacts()
    training: TrainingFacts = TrainingFacts()
    evaluation: EvaluationFacts = EvaluationFacts()
    ethical_considerations: Lines2048 | None = None  # type: ignore[valid-type]
    caveats: Lines2048 | None = None  # type: ignore[valid-type]
    details: Annotated[dict[Text255, Text1024], Field(max_length=30)] = {}
    """anything else, by name"""


def check_content(content: Any) -> None:
    """Hold a card's content to the schema.

    Raises:
        InputError: with every problem.

    """
    found = list(_problems(Content, content))
    if found:
        raise InputError(*(f"model card {_path(path)}: {text}" for path, text in found))


def facts_of(card: Any) -> Facts:
    """Read what a group's file says under `card:`.

    Raises:
        InputError: with every problem.

    """
    found = fact_problems(card)
    if found:
        raise InputError(*(f"card.{_path(path)}: {text}" for path, text in found))
    return Facts.model_validate(card)


def fact_problems(card: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with a `card:`, each with its path within it, for whoever knows the lines."""
    return list(_problems(Facts, card))


def _problems(model: type[BaseModel], value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        model.model_validate(value)
    except RecursionError:
        yield (), "is nested too deep"
    except ValidationError as error:
        for found in error.errors(include_url=False):
            yield found["loc"], printable(_in_words(model, found))


def _in_words(model: type[BaseModel], found: ErrorDetails) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        known = _members(model, found["loc"][:-1])
        hint = meant(str(found["loc"][-1]), known, f"there are {listed(known)}")
        return f"there is no such key; {hint}"
    if kind in ("string_too_long", "too_long"):
        given = limits.get("actual_length") or len(found["input"])
        unit = "characters" if kind == "string_too_long" else "entries"
        return f"must have at most {limits['max_length']} {unit}, not {given}"
    if kind == "missing":
        return "must be given"
    wanted = _WANTED.get(kind, "").format(**limits)
    said = f"must be {wanted}" if wanted else found["msg"]
    return f"{said}, not {shown(found['input'])}"


_WANTED = {
    "string_type": "text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "literal_error": "{expected}",
    "string_too_short": "some text",
    "finite_number": "a finite number",
}


def _members(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys that an object of the schema may have."""
    for step in path:
        field = model.model_fields.get(str(step))
        inner = field.annotation if field else None
        found = [one for one in (inner, *get_args(inner)) if _is_model(one)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _path(path: tuple[str | int, ...]) -> str:
    return printable(".".join(map(str, path)))
