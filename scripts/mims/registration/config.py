"""The registration config: from the JSON that a user wrote to what a registration needs.

Goes in: a JSON object in either of the specification's forms (mims_registration_step.md, and
mims_registration_contract.md with `model_name`, `inference_config` and `tags`) and the environment,
which stands in for `bucket` and `regions`. Comes out: a `RegistrationConfig` that holds together,
or one `InputError` with every problem and its path. Never a bucket or region that nobody chose.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from mims.errors import InputError
from mims.registration.images import full_version, serving_image
from mims.registration.inputs import find_file, read_json_object
from mims.registration.parameters import (
    METADATA_RULE,
    Property,
    RegistrationParameters,
    fits_metadata,
    must_be,
    repeated,
    shown,
)
from mims.text import listed, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

GROUP_LIMIT = 63
_GROUP_RULE = "at most 63 letters, digits and hyphens, a letter or digit at both ends"
_GROUP = must_be(_GROUP_RULE, re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}").fullmatch)
_BUCKET = must_be(
    "a bucket's name alone", re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
)
_BUCKETS = must_be("a name, or an object of a name a region", lambda value: isinstance(value, dict))
_REGION = must_be("a region such as us-west-2", re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d+").fullmatch)
_IMAGE = must_be("an image URI", re.compile(r"\S{1,255}").fullmatch)
_VERSION = must_be("a version such as 1.7-1", re.compile(r"\d\.[A-Za-z0-9.-]{1,8}").fullmatch)
_INFERENCE_CONFIG = {  # its keys in the contract's form, and what the step's form calls them
    "instance_type": "inference_instance_type",
    "initial_instance_count": "initial_instance_count",
}


class RegistrationConfig(RegistrationParameters):
    """What is registered, as what, and where."""

    model_name: Annotated[str, AfterValidator(_GROUP)] | None = Field(
        default=None, validate_default=True
    )
    """the model package group; else made of domain and objective"""
    model_version: Property | None = None
    """a version of your own, kept with the registered one"""
    initial_instance_count: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    """instances that an endpoint starts with"""
    tags: dict[str, str] = Field(default={})
    """tags of the model package group"""
    sagemaker_domain: Literal[
        "MACHINE_LEARNING", "COMPUTER_VISION", "NATURAL_LANGUAGE_PROCESSING"
    ] = "MACHINE_LEARNING"
    """SageMaker's own name for the kind of model"""
    sagemaker_task: Literal[
        "CLASSIFICATION",
        "REGRESSION",
        "TEXT_GENERATION",
        "FILL_MASK",
        "IMAGE_CLASSIFICATION",
        "IMAGE_SEGMENTATION",
        "OBJECT_DETECTION",
        "OTHER",
    ] = "OTHER"
    """SageMaker's own name for what it does"""
    regions: list[Annotated[str, AfterValidator(_REGION)]] = Field(
        default=[], validate_default=True
    )
    """regions to register in; else `AWS_REGION`"""
    bucket: dict[str, Annotated[str, AfterValidator(_BUCKET)]] = Field(
        default={}, validate_default=True
    )
    """the bucket of each region, or one name for all; else `MIMS_BUCKET`"""
    image_uri: Annotated[str, AfterValidator(_IMAGE)] | None = None
    """serving image; else SageMaker's own for framework, version and region"""
    framework_version: str | None = Field(default=None, validate_default=True)
    """version of the serving image; else the newest known"""

    @property
    def group(self) -> str:
        """The model package group: `model_name`, else one made of domain and objective."""
        return self.model_name or derived_group(
            self.model_registration_domain, self.model_registration_objective
        )

    def image(self, region: str) -> str:
        """The serving image in a region."""
        if self.image_uri is not None:
            return self.image_uri
        version = full_version(self.framework, self.framework_version)
        return serving_image(self.framework, version, region, self.inference_instance_type)

    @field_validator("model_name")
    @classmethod
    def _a_group_can_be_named(cls, name: str | None, info: ValidationInfo) -> str | None:
        domain = info.data.get("model_registration_domain")
        objective = info.data.get("model_registration_objective")
        if name is None and domain and objective and not derived_group(domain, objective):
            raise ValueError(
                "must be given, since domain and objective hold none of a-z, A-Z and 0-9 to name "
                f"the model package group by: {_GROUP_RULE}"
            )
        return name

    @field_validator("tags")
    @classmethod
    def _tags_within_limits(cls, tags: dict[str, str]) -> dict[str, str]:
        wrong = [
            key
            for key, value in tags.items()
            if not (0 < len(key) <= 128 and fits_metadata(key) and fits_metadata(value))
            or key.lower().startswith("aws:")
        ]
        if wrong or len(tags) > 50:
            raise ValueError(
                f"must be at most 50, each a key of at most 128 and a value of {METADATA_RULE}, "
                f"no key starting with aws:{'; mend ' if wrong else ''}{listed(wrong)}"
            )
        return tags

    @field_validator("regions", mode="before")
    @classmethod
    def _regions_or_environment(cls, regions: Any, info: ValidationInfo) -> Any:
        environ = info.context or {}
        here = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if regions == [] and not here:
            raise ValueError("must name a region, or AWS_REGION must be set")
        return regions or [here]

    @field_validator("regions")
    @classmethod
    def _each_region_once(cls, regions: list[str]) -> list[str]:
        if repeated(regions):
            raise ValueError(f"names {listed(repeated(regions))} twice")
        return regions

    @field_validator("bucket", mode="before")
    @classmethod
    def _bucket_of_each_region(cls, bucket: Any, info: ValidationInfo) -> Any:
        """A name stands for that bucket in every region."""
        bucket = bucket or (info.context or {}).get("MIMS_BUCKET")
        regions = info.data.get("regions", [])
        if not bucket:
            raise ValueError("must name the artifacts' bucket, or MIMS_BUCKET must be set")
        if isinstance(bucket, str):
            return dict.fromkeys(regions, _BUCKET(bucket))
        missing = [region for region in regions if region not in _BUCKETS(bucket)]
        if missing:
            raise ValueError(f"names none for region {listed(missing)}")
        return bucket

    @field_validator("framework_version")
    @classmethod
    def _has_an_image(cls, version: str | None, info: ValidationInfo) -> str | None:
        """Resolve the version to that of an image which is there in every region."""
        given = info.data
        if not {"framework", "inference_instance_type", "regions", "image_uri"} <= given.keys():
            return version  # what is wrong with those is reported of them
        if given["image_uri"] is not None:
            return None if version is None else str(_VERSION(version))
        framework, instance_type = given["framework"], given["inference_instance_type"]
        try:
            version = full_version(framework, version)
            for region in given["regions"]:
                serving_image(framework, version, region, instance_type)
        except InputError as error:
            raise ValueError(str(error)) from error
        return version


def derived_group(domain: str, objective: str) -> str:
    """Name a group `<domain>-<objective>`, each run of other characters a hyphen.

    Past 63 characters, the end gives way to eight digits of the whole name's SHA-256.
    """
    whole = f"{domain}-{objective}"
    name = re.sub(r"[^a-zA-Z0-9]+", "-", whole).strip("-")
    if len(name) <= GROUP_LIMIT:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: GROUP_LIMIT - 9].rstrip('-')}-{digest}"


def load_config(path: Path, environ: Mapping[str, str]) -> RegistrationConfig:
    """Read the config channel: a file, or a folder that holds one JSON file.

    Raises:
        InputError: with every problem that was found.

    """
    file = find_file(path, "config", ".json", "config")
    if file is None:
        raise InputError(f"input config: {path} is empty: put the registration config there")
    return parse_config(read_json_object(file, "the config"), environ)


def parse_config(raw: Mapping[str, Any], environ: Mapping[str, str]) -> RegistrationConfig:
    """Validate a config in either form.

    Raises:
        InputError: with every problem, each with its path in the config as it was written.

    """
    flat, written, problems = _in_one_form(raw)
    try:
        config = RegistrationConfig.model_validate(flat, context=environ)
    except ValidationError as error:
        problems += _in_plain_words(error, written)
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return config


def _in_one_form(raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Fold the contract's form into the step's; also where each key was written, and problems."""
    flat = dict(raw)
    written: dict[str, str] = {}
    problems: list[str] = []
    nested = flat.pop("inference_config", {})
    if not isinstance(nested, dict):
        problems.append(f"config inference_config: must be an object, not {shown(nested)}")
        nested = {}
    for key, value in nested.items():
        path, name = f"inference_config.{key}", _INFERENCE_CONFIG.get(key)
        if name is None:
            problems.append(f"config {printable(path)}: {_unknown(key, _INFERENCE_CONFIG)}")
        elif flat.setdefault(name, value) != value:
            problems.append(
                f"config {path}: is {shown(value)}, but {name} is {shown(flat[name])}: give one"
            )
        elif name not in raw:
            written[name] = path
    if "model_name" in flat and "model_registration_objective" not in flat:
        flat["model_registration_objective"] = flat["model_name"]
        written["model_registration_objective"] = "model_name"
    return flat, written, problems


def _in_plain_words(error: ValidationError, written: Mapping[str, str]) -> list[str]:
    """Pydantic's findings, each with its path as the user wrote it."""
    problems = []
    for found in error.errors(include_url=False):
        first, *rest = found["loc"]
        path = written.get(str(first), str(first))
        for part in rest:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" * (part != "[key]")
        kind, context, given = found["type"], found.get("ctx", {}), shown(found["input"])
        if kind == "value_error":
            text = str(context["error"])
        elif kind == "extra_forbidden":
            text = _unknown(str(first), [*RegistrationConfig.model_fields, "inference_config"])
        elif kind == "missing":
            text = "must be given"
        elif kind in _TYPES:
            text = f"must be {_TYPES[kind]}, not {given}"
        elif kind in ("literal_error", "enum"):
            text = f"must be {context['expected']}, not {given}"
        else:
            text = f"{found['msg']}, not {given}"
        problems.append(f"config {printable(path)}: {text}")
    return problems


_TYPES = {
    "string_type": "text",
    "dict_type": "an object",
    "list_type": "a list",
    "int_type": "a whole number",
    "greater_than_equal": "at least 1",
    "less_than_equal": "at most 10000",
}


def _unknown(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"unknown key; {hint}"
