"""What the three steps are to do: typed, checked when made, saved and loaded as JSON.

Goes in: keyword arguments, or a JSON file. Comes out: a config that the job will take, or one
`InputError` with every problem, each with the parameter's name. `ModelRegistrationConfig` makes the
registration job's config file; the others make a job's environment. What is allowed is said
elsewhere, and once: by the registration job's own parser, and by the scripts' contracts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)
from mims.errors import InputError, Problems
from mims.payload.values import DEFAULTS, SPECIAL
from mims.registration.config import RegistrationConfig, parse_config
from mims.registration.forms import Form
from mims.registration.inputs import read_json_object
from mims.registration.load_testing import LoadTesting  # noqa: TC001 - pydantic reads it
from mims.registration.parameters import (
    Region,
    RegistrationParameters,
    VariableType,
    region_of,
    shown,
)
from mims.registration.parameters import variable_schema as schema_of
from mims.settings import TEXTS_BY_NAME
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    import os

    from mims.settings import Setting

__all__ = [
    "MIMSPackageConfig",
    "MIMSPayloadConfig",
    "ModelRegistrationConfig",
    "RegistrationSettings",
    "VariableType",
]

LIMIT = 256  # characters of an environment variable's name, and of its value, in a processing job
VARIABLES_LIMIT = 100  # environment variables of a processing job
_VARIABLE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_CUSTOM = "give the values in a custom payload file (custom_payload_input)"
_ONE_OR_BY_REGION = ("bucket", "bucket_owner", "kms_key", "image_uri")
_REGION: TypeAdapter[str] = TypeAdapter(Region)
_ANY_REGION, _ANY_BUCKET = "us-east-1", "any-bucket"  # for checks, where none is named


class _Saved(BaseModel):
    """A config that is saved as JSON, and loaded; never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def to_dict(self) -> dict[str, Any]:
        """The parameters by name, as JSON has them; without those that are empty."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in values.items() if value not in ({}, [])}

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON file.

        Raises:
            InputError: it can't be written.

        """
        try:
            Path(path).write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a JSON file, saved or written by hand.

        Raises:
            InputError: it is no plain JSON object, or with every problem of its values.

        """
        return cls.model_validate(read_json_object(Path(path), "the config"))


class ModelRegistrationConfig(_Saved, RegistrationParameters):
    """How a model is registered: mims_registration_step.md, and what else the job's config takes.

    Takes what `mims.registration.config.RegistrationConfig` documents, other names for a parameter
    too (`**{"model_domain": …}`), and raises `InputError` with every problem. `regions`, `bucket`
    and `backends` may be left out: AWS_REGION, MIMS_BUCKET and REGISTRATION_BACKENDS of the job
    stand in for them. A bucket, key, image or owner stays as it is written: one name for all
    regions, or one for each.
    """

    model_name: str | None = None
    model_version: str | None = None
    group_description: str | None = None
    initial_instance_count: int = 1
    tags: dict[str, str] = {}
    sagemaker_domain: str = "MACHINE_LEARNING"
    sagemaker_task: str = "OTHER"
    backends: list[Literal["sagemaker", "mims"]] = []
    regions: list[Region] = []
    bucket: str | dict[str, str] | None = None
    bucket_owner: str | dict[str, str] | None = None
    kms_key: str | dict[str, str] | None = None
    image_uri: str | dict[str, str] | None = None
    framework_version: str | None = None
    environment: dict[str, str] = {}
    load_testing: LoadTesting | None = None
    source_model_region: Region | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_the_job_reads_it(cls, given: Any) -> Any:
        """Let the job's parser judge; pass on what was written, each under its one name."""
        checked, written = _checked(given), Form(given, {}).values
        return {
            name: value
            if name in _ONE_OR_BY_REGION and isinstance(value, str)
            else getattr(checked, name)
            for name, value in written.items()
            if value is not None
        }

    def for_job(self, regions: Sequence[str] | None = None) -> dict[str, Any]:
        """Give the config file of a job, narrowed to these regions where they are given.

        A local `source_dir` is left out: the container does not have it.

        Raises:
            InputError: with every problem, such as a region that no bucket is named for.

        """
        values = self.to_dict()
        if not values.get("source_dir", "").startswith("s3://"):
            values.pop("source_dir", None)
        if regions is None:
            return values
        if not regions:
            raise InputError("regions: must name a region, or be left out")
        values["regions"] = [regions] if isinstance(regions, str) else list(regions)
        values["regions"] = known = _checked(values).regions
        for name in _ONE_OR_BY_REGION:
            if isinstance(values.get(name), dict):
                values[name] = {region: values[name][region] for region in known}
        return values

    def variable_schema(self) -> dict[str, Any]:
        """The schema of the model's variables, in the shape that the step's document gives."""
        return schema_of(self)


def _checked(values: Mapping[str, Any]) -> RegistrationConfig:
    """Parse a config as the job will; where it names no region, in one that it can be meant for.

    Raises:
        InputError: with every problem.

    """
    errors = []
    for region in dict.fromkeys(_regions_told(Form(values, {}).values)) or [_ANY_REGION]:
        try:
            return parse_config(values, {"AWS_REGION": region, "MIMS_BUCKET": _ANY_BUCKET})
        except InputError as error:
            errors.append(error)
    raise min(errors, key=lambda error: len(error.problems))


def _regions_told(values: Mapping[str, Any]) -> list[str]:
    """The regions that other values are for, where `regions` names none."""
    if values.get("regions"):
        return []
    told = [values.get(name) for name in _ONE_OR_BY_REGION]
    found = [region for value in told if isinstance(value, dict) for region in value]
    key, environment = values.get("kms_key"), values.get("environment")
    if isinstance(key, str) and key.startswith("arn:"):
        found += key.split(":")[3:4]
    if isinstance(environment, dict):
        found.append(environment.get("SAGEMAKER_REGION"))
    return [region_of(name) for name in found if _is_region(name)]


def _is_region(name: Any) -> bool:
    with suppress(ValidationError):
        return bool(_REGION.validate_python(name))
    return False


class _Settings(_Saved):
    """A job's settings as parameters, each named as its environment variable in lower case."""

    contract: ClassVar[Contract]

    @classmethod
    def setting(cls, name: str) -> Setting:
        """The contract's setting behind a parameter."""
        return next(s for s in cls.contract.settings if _parameter(s) == name)

    def environment(self) -> dict[str, str]:
        """The job's environment: what differs from the script's defaults."""
        return self._environment(dict(self))

    @model_validator(mode="before")
    @classmethod
    def _as_the_script_reads_it(cls, given: Any) -> Any:
        """Let the contract parse each value, and see that a job's environment can hold them."""
        problems, values = Problems(), {}
        for name, value in given.items():
            if name not in cls.model_fields:
                problems.found.append(f"{printable(name)}: {_unknown(name, cls.model_fields)}")
            elif value is not None:
                with problems.gather():
                    default = cls.model_fields[name].default
                    values[name] = _parsed(cls.setting(name), name, value, default)
        with problems.gather():
            cls._environment(values)
        problems.raise_any()
        return values

    @classmethod
    def _environment(cls, values: Mapping[str, Any]) -> dict[str, str]:
        texts = {
            name: _text(value)
            for name, value in values.items()
            if value != cls.model_fields[name].default
        }
        problems = [
            f"{name} has {len(text)} characters; an environment variable takes {LIMIT}"
            for name, text in texts.items()
            if len(text) > LIMIT
        ]
        if problems:
            raise InputError(*problems)
        return {cls.setting(name).name: text for name, text in texts.items()}


class MIMSPackageConfig(_Settings):
    """How a model is packaged: the settings of MIMS_PACKAGE_CONTRACT."""

    contract = MIMS_PACKAGE_CONTRACT

    package_layout: Literal["mims", "sagemaker"] = "mims"
    inference_entry_point: str | None = None
    compression_level: int = 1
    max_members: int = 1_000_000
    max_unpacked_bytes: int = 1_000_000_000_000
    max_compression_ratio: int = 1000


class MIMSPayloadConfig(_Settings):
    """How sample requests are made: the settings of MIMS_PAYLOAD_CONTRACT.

    Field defaults that are too long for one variable become special fields, one a variable. These
    go before a custom payload's records, where defaults would not.
    """

    contract = MIMS_PAYLOAD_CONTRACT

    content_types: list[Literal["application/json", "text/csv", "application/jsonlines"]] = [
        "application/json"
    ]
    payload_layout: Literal["mims", "recommender"] = "mims"
    default_numeric_value: float = 0.0
    default_text_value: str | None = None  # to set the script's own default means something
    special_fields: dict[str, str] = {}
    field_defaults: dict[str, str] = {}
    csv_header: bool = True
    max_members: int = 1_000_000
    max_unpacked_bytes: int = 1_000_000_000_000
    max_compression_ratio: int = 1000

    @classmethod
    def _environment(cls, values: Mapping[str, Any]) -> dict[str, str]:
        problems, rest = Problems(), dict(values)
        special, defaults = rest.pop("special_fields", {}), rest.pop("field_defaults", {})
        environment: dict[str, str] = {}
        with problems.gather():
            environment |= super()._environment(rest)
        with problems.gather():
            environment |= _special_variables(special)
        with problems.gather():
            environment |= _default_variables(defaults, special)
        if len(environment) > VARIABLES_LIMIT:
            problems.found.append(
                f"special_fields and field_defaults make {len(environment)} environment variables "
                f"with the other settings; a job takes {VARIABLES_LIMIT}: {_CUSTOM}"
            )
        problems.raise_any()
        return environment


class RegistrationSettings(_Settings):
    """What the registration script heeds beside its config: of MIMS_REGISTRATION_CONTRACT."""

    contract = MIMS_REGISTRATION_CONTRACT

    performance_metadata_path: str | None = None
    metrics_namespace: str | None = None
    registration_timeout_seconds: int = 1800
    max_members: int = 1_000_000
    max_unpacked_bytes: int = 1_000_000_000_000
    max_compression_ratio: int = 1000


def _special_variables(texts: Mapping[str, str]) -> dict[str, str]:
    """A variable for each special field.

    Raises:
        InputError: with every one that none can hold.

    """
    problems = []
    for name, text in texts.items():
        if not _can_be_named(name):
            problems.append(
                f"special_fields: {shown(name)} can't end an environment variable's name, of at "
                f"most {LIMIT} letters, digits and _: give it in field_defaults"
            )
        if len(text) > LIMIT:
            problems.append(
                f"special_fields: the value of {shown(name)} has {len(text)} characters; an "
                f"environment variable takes {LIMIT}: {_CUSTOM}"
            )
    if problems:
        raise InputError(*problems)
    return {SPECIAL + name: text for name, text in texts.items()}


def _default_variables(texts: Mapping[str, str], special: Mapping[str, str]) -> dict[str, str]:
    """FIELD_DEFAULTS for all, or where that is too long, a special field for each that can be one.

    Raises:
        InputError: they can't be told so.

    """
    whole = _text(texts)
    if len(whole) <= LIMIT:
        return {DEFAULTS: whole} if texts else {}
    texts = {name: text for name, text in texts.items() if name not in special}
    moved = {name: text for name, text in texts.items() if _can_be_named(name, text)}
    left = {name: text for name, text in texts.items() if name not in moved}
    other_names = {name.casefold() for name in (*special, *left)}
    alike = [name for name in moved if name.casefold() in other_names]
    problems = []
    if alike:
        problems.append(
            f"field_defaults: {listed(alike)}: there is another of that name but for its case, and "
            f"over {LIMIT} characters of JSON in all can't say which goes first: leave one"
        )
    if len(_text(left)) > LIMIT:
        problems.append(
            f"field_defaults: has {len(whole)} characters as JSON; an environment variable takes "
            f"{LIMIT}, and {listed(left)} can't have one each: {_CUSTOM}"
        )
    if problems:
        raise InputError(*problems)
    specials = {SPECIAL + name: text for name, text in moved.items()}
    return {**specials, DEFAULTS: _text(left)} if left else specials


def _can_be_named(field: str, text: str = "") -> bool:
    """Whether an environment variable of a special field's name can hold a text."""
    name = SPECIAL + field
    return max(len(name), len(text)) <= LIMIT and bool(_VARIABLE_NAME.fullmatch(name))


def _parameter(setting: Setting) -> str:
    """SPECIAL_FIELD_<fieldname> is special_fields; any other goes by its own name."""
    return f"{setting.prefix.rstrip('_')}s".lower() if setting.prefix else setting.name.lower()


def _parsed(setting: Setting, name: str, value: Any, default: Any) -> Any:
    """A value, as text or of its default's type, as the contract parses it.

    Raises:
        InputError: it is not allowed; it names the parameter.

    """
    kind = TEXTS_BY_NAME if setting.prefix else setting.kind
    try:
        text = value if isinstance(value, str) else _text(_of_type(default, value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} is {shown(value)}: must be {kind.allowed}") from error
    return setting._replace(name=name, kind=kind).read({name: text})


def _of_type(default: Any, value: Any) -> Any:
    wider: dict[type, Any] = {list: (list, tuple), float: (float, int), dict: Mapping}
    if not isinstance(value, wider.get(type(default), type(default))):
        raise TypeError
    return value


def _text(value: Any) -> str:
    """A value as an environment variable writes it."""
    if isinstance(value, list | tuple):
        return ",".join(value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    hint = meant(name, known, f"known are {', '.join(known)}")
    return f"unknown; {hint}"
