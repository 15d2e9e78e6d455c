"""The registration config: from the JSON that a user wrote to what a registration needs.

Goes in: a JSON object in either of the specification's forms (mims_registration_step.md, and
mims_registration_contract.md with `model_name`, `inference_config` and `tags`), or with the names
of existing pipelines (`forms.ALIASES`); and the environment, which stands in for `regions`,
`bucket` and `backends`. Comes out: a `RegistrationConfig` that holds together, or one `InputError`
with every problem, each under the path that the user wrote. Never a bucket, region or key that
nobody chose.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator

from mims.errors import InputError
from mims.registration.forms import ALIASES, INFERENCE_CONFIG, LOAD_TESTING, PROGRAM, Form
from mims.registration.images import full_version, serving_image
from mims.registration.inputs import find_file, read_json_object
from mims.registration.load_testing import LoadTesting
from mims.registration.parameters import (
    BUCKET_NAME,
    METADATA_RULE,
    BucketName,
    Property,
    Region,
    RegistrationParameters,
    Rule,
    fits_metadata,
    matching,
    region_of,
    shown,
)
from mims.text import listed, meant, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

GROUP_LIMIT = 63
_SUBMIT_DIRECTORY, _OWN_REGION = "SAGEMAKER_SUBMIT_DIRECTORY", "SAGEMAKER_REGION"
CODE = "/opt/ml/model/code"  # where a serving container finds the package's code/
_GROUP_RULE = "at most 63 letters, digits and hyphens, a letter or digit at both ends"
_GROUP = matching(_GROUP_RULE, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", longest=GROUP_LIMIT)
_IMAGE = matching("an image URI", r"\S+", longest=255)
_VERSION = matching("a version such as 1.7-1", r"[0-9]\.[A-Za-z0-9.-]+", longest=10)
_ACCOUNT = matching("an account's 12 digits as text", r"[0-9]{12}", longest=12)
_KEY_ID = r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_OF_ONE_REGION = r"[0-9a-f-]{36}"  # a key id without an ARN, and of no multi-Region key
_ALIAS = r"alias/[a-zA-Z0-9/_-]+"
_KMS_KEY = matching(
    "a KMS key's ARN, id or alias/name",
    rf"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:)?({_ALIAS}|key/{_KEY_ID})|{_KEY_ID}",
    longest=2048,
)
_VARIABLE_NAME = matching(
    "a variable's name: at most 1024 of a-z, A-Z, 0-9 and _, no digit first",
    r"[a-zA-Z_][a-zA-Z0-9_]*",
    longest=1024,
)
_VARIABLE_VALUE = Rule(
    "of at most 1024 characters", lambda text: len(text) <= 1024, {"maxLength": 1024}, secret=True
)
_VARIABLES_LIMIT = 100  # of a container, our own among them
_DESCRIPTION = Rule(
    "at most 1024 letters, digits, signs and spaces, without line ends and other controls",
    lambda text: len(text) <= 1024 and all(unicodedata.category(c)[0] in "LMZSNP" for c in text),
    {"maxLength": 1024, "pattern": r"^[^\x00-\x1f\x7f]*$"},
)


def _one_or_by_region(rule: Rule) -> BeforeValidator:
    """Let one value stand for every region, where else an object names one a region."""

    def spread(value: Any, info: ValidationInfo) -> Any:
        regions = info.data.get("regions", [])  # absent when something is wrong with them
        if value is None:
            return {}
        if isinstance(value, str):
            return dict.fromkeys(regions, rule(value))
        if not isinstance(value, dict):
            raise ValueError(  # noqa: TRY004 - which pydantic reports
                f"must be {rule.allowed}, or an object of one a region, not {shown(value)}"
            )
        named = [region_of(region) for region in value]
        if repeated(named):
            raise ValueError(f"names {listed(repeated(named))} twice")
        if missing := [region for region in regions if region not in named]:
            raise ValueError(f"names none for region {listed(missing)}")
        return value

    one = Annotated[str, rule]
    return BeforeValidator(spread, json_schema_input_type=one | dict[Region, one] | None)


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Backend = Literal["sagemaker", "mims"]


class RegistrationConfig(RegistrationParameters):
    """What is registered, as what, and where."""

    model_name: Annotated[str, _GROUP] | None = Field(default=None, validate_default=True)
    """the model package group; else made of domain and objective"""
    model_version: Property | None = None
    """a version of your own, kept with the registered one"""
    group_description: Annotated[str, _DESCRIPTION] | None = None
    """what the model package group says of itself, when it is made"""
    initial_instance_count: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    """instances that an endpoint starts with"""
    tags: dict[str, str] = Field(default={}, json_schema_extra={"maxProperties": 50})
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
    backends: Annotated[
        list[_Backend],
        BeforeValidator(_one_or_more, json_schema_input_type=_Backend | list[_Backend] | None),
    ] = Field(default=["sagemaker"])
    """registries: sagemaker, mims or both; else `REGISTRATION_BACKENDS`"""
    regions: Annotated[
        list[Region],
        BeforeValidator(_one_or_more, json_schema_input_type=Region | list[Region] | None),
    ]
    """regions to register in, by AWS's name or as NA, EU or FE; `AWS_REGION` may stand for one"""
    bucket: Annotated[dict[Region, BucketName], _one_or_by_region(BUCKET_NAME)]
    """the bucket of each region, or one name for all; `MIMS_BUCKET` may stand for it"""
    bucket_owner: Annotated[dict[Region, Annotated[str, _ACCOUNT]], _one_or_by_region(_ACCOUNT)] = (
        Field(default={})
    )
    """the account that owns the bucket of each region, or one for all: S3 is to refuse another's"""
    kms_key: Annotated[dict[Region, Annotated[str, _KMS_KEY]], _one_or_by_region(_KMS_KEY)] = Field(
        default={}
    )
    """the key (ARN, id or alias) that S3 encrypts with in each region, or one for all"""
    image_uri: Annotated[dict[Region, Annotated[str, _IMAGE]], _one_or_by_region(_IMAGE)] = Field(
        default={}
    )
    """serving image of each region, or one for all; else SageMaker's own for the framework"""
    framework_version: str | None = Field(default=None, validate_default=True)
    """version of the serving image; else the newest known"""
    environment: dict[Annotated[str, _VARIABLE_NAME], Annotated[str, _VARIABLE_VALUE]] = Field(
        default={}
    )
    """more of the serving container's environment"""
    load_testing: LoadTesting | None = None
    """what MIMS is to know for its load test"""
    source_model_region: Region | None = None
    """the region that the model was trained in, for MIMS"""

    @property
    def group(self) -> str:
        """The model package group: `model_name`, else one made of domain and objective."""
        return self.model_name or derived_group(
            self.model_registration_domain, self.model_registration_objective
        )

    def image(self, region: str) -> str:
        """The serving image in a region."""
        if self.image_uri:
            return self.image_uri[region]
        version = full_version(self.framework, self.framework_version)
        return serving_image(self.framework, version, region, self.inference_instance_type)

    def container_environment(self, region: str) -> dict[str, str]:
        """The serving container's environment: what SageMaker's images read, and the user's."""
        return {
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            **self.environment,
            PROGRAM: self.inference_entry_point,
            _SUBMIT_DIRECTORY: CODE,
            _OWN_REGION: region,
        }

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

    @field_validator("backends", "regions")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if repeated(names):
            raise ValueError(f"names {listed(repeated(names))} twice")
        return names

    @field_validator("kms_key")
    @classmethod
    def _keys_of_their_regions(cls, keys: dict[str, str]) -> dict[str, str]:
        problems = []
        for region, key in keys.items():
            if key.startswith("arn:") and key.split(":")[3] != region:
                problems.append(f"{key} is none of region {region}")
        ids = [key.rpartition("/")[2] for key in keys.values() if re.fullmatch(_OF_ONE_REGION, key)]
        problems += [f"{key} is of one region alone" for key in repeated(ids)]
        if problems:
            raise ValueError(
                f"{'; '.join(problems)}: name a key for each region, by region, or an alias that "
                "each has"
            )
        return keys

    @field_validator("framework_version")
    @classmethod
    def _has_an_image(cls, version: str | None, info: ValidationInfo) -> str | None:
        """Resolve the version to that of an image which is there in every region."""
        given = info.data
        if not {"framework", "inference_instance_type", "regions", "image_uri"} <= given.keys():
            return version  # what is wrong with those is reported of them
        if given["image_uri"]:
            return None if version is None else str(_VERSION(version))
        framework, instance_type = given["framework"], given["inference_instance_type"]
        try:
            version = full_version(framework, version)
            for region in given["regions"]:
                serving_image(framework, version, region, instance_type)
        except InputError as error:
            raise ValueError(str(error)) from error
        return version

    @field_validator("environment")
    @classmethod
    def _without_our_own(cls, given: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        """Take out what each region's container gets from us, where it says the same."""
        theirs = dict(given)
        regions = info.data.get("regions")
        problems = []
        if theirs.pop(_SUBMIT_DIRECTORY, CODE) != CODE:
            problems.append(f"{_SUBMIT_DIRECTORY} must be {CODE}, where the package's code lies")
        region = theirs.pop(_OWN_REGION, None)
        if region and regions and region not in regions:
            problems.append(
                f"{_OWN_REGION} must be a region to register in ({listed(regions)}): each gets its "
                "own, so leave it out"
            )
        own = {"SAGEMAKER_CONTAINER_LOG_LEVEL", PROGRAM, _SUBMIT_DIRECTORY, _OWN_REGION}
        if len(own | theirs.keys()) > _VARIABLES_LIMIT:
            problems.append(
                f"must be at most {_VARIABLES_LIMIT} with {listed(sorted(own - theirs.keys()))}, "
                "which are added"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return theirs


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
    """Validate a config, however it calls its keys.

    Raises:
        InputError: with every problem, each with its path in the config as it was written.

    """
    try:
        form = Form(raw, environ)
        problems = form.problems
        try:
            config = RegistrationConfig.model_validate(form.values)
        except ValidationError as error:
            problems += [_in_plain_words(found, form) for found in error.errors(include_url=False)]
    except RecursionError as error:
        raise InputError("the config is nested too deep") from error
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return config


def _in_plain_words(found: ErrorDetails, form: Form) -> str:
    """One of pydantic's findings, under the path that the user wrote."""
    path, kind, limits = found["loc"], found["type"], found.get("ctx", {})
    given = shown(found["input"])
    if path[:1] == ("environment",):
        given = f"what is there ({type(found['input']).__name__})"  # it may be a secret
    place = form.place(path)
    if kind == "value_error":
        text = str(limits["error"])
    elif kind == "extra_forbidden":
        text = _unknown(place.rpartition(".")[2].removeprefix("config "), _known(path, place))
    elif kind == "missing":
        text = _MISSING.get(str(path[-1]), "must be given")
    elif kind in _TYPES:
        text = f"must be {_TYPES[kind].format(**limits)}, not {given}"
    else:
        text = f"{found['msg']}, not {given}"
    return f"{place}: {printable(text)}"


_MISSING = {
    "regions": "must name a region, or AWS_REGION must be set",
    "bucket": "must name the artifacts' bucket, or MIMS_BUCKET must be set",
}
_TYPES = {
    "string_type": "text",
    "string_unicode": "text that UTF-8 can hold",
    "dict_type": "an object",
    "model_type": "an object",
    "list_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}


def _known(path: tuple[int | str, ...], place: str) -> Collection[str]:
    """The keys that are known where an unknown one stands."""
    if path[0] == "load_testing":
        return [*LoadTesting.model_fields, *LOAD_TESTING]
    if place.startswith("config inference_config."):
        return INFERENCE_CONFIG
    return [*RegistrationConfig.model_fields, *ALIASES, "inference_config"]


def _unknown(key: str, known: Collection[str]) -> str:
    hint = meant(key, known, f"known are {', '.join(known)}")
    return f"unknown key; {hint}"
