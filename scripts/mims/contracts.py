"""The three scripts' contracts: what each reads, writes and heeds. The one source of it.

The scripts run by them, `--help` and the README's tables are made from them, and pipeline authors
read them. From the specification's mims_package_contract.md, mims_payload_contract.md and
mims_registration_contract.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mims.settings import (
    ANY_TEXT,
    TEXT,
    TEXTS_BY_NAME,
    Setting,
    integer,
    number,
    one_of,
    some_of,
    true_or_false,
)

if TYPE_CHECKING:
    import os

    from mims.implementation.checks import Validation

JSON, CSV, JSON_LINES = "application/json", "text/csv", "application/jsonlines"
LARGEST_REQUEST = 6_291_456  # bytes: InvokeEndpoint's Body


class Channel(NamedTuple):
    """A container path that a job reads or writes, under its logical name."""

    name: str
    path: str
    description: str
    required: bool = True


class Contract(NamedTuple):
    """What a script reads, writes and heeds."""

    job: str
    entry_point: str
    description: str
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    settings: tuple[Setting, ...]
    framework_requirements: dict[str, str]
    needs_network: bool = False
    own_exit_codes: tuple[str, ...] = ()  # between 3 and 70

    @property
    def expected_input_paths(self) -> dict[str, str]:
        """Container path of each input, by logical name."""
        return {channel.name: channel.path for channel in self.inputs}

    @property
    def expected_output_paths(self) -> dict[str, str]:
        """Container path of each output, by logical name."""
        return {channel.name: channel.path for channel in self.outputs}

    @property
    def required_env_vars(self) -> list[str]:
        """Names of the variables without which the script refuses to run."""
        return [setting.name for setting in self.settings if setting.required]

    @property
    def optional_env_vars(self) -> dict[str, str | None]:
        """Default of each optional variable, by name; None where there is none."""
        return {s.name: s.default for s in self.settings if not s.required}

    def validate_implementation(self, path: str | os.PathLike[str]) -> Validation:
        """Hold a script to this contract: read it and what it imports of its own, run nothing.

        The script may have any name. The result's `errors` would fail the job or break the
        contract; its `warnings` may be meant. `is_valid` says that there are no errors.

        Raises:
            InputError: there is no such file, or it can't be read.

        """
        from mims.implementation.checks import validate  # jobs never need it

        return validate(self, path, contracts())


_LIMITS = (
    Setting(
        "MAX_MEMBERS",
        "refuse an archive of more files and folders than this",
        integer(1),
        "1000000",
    ),
    Setting(
        "MAX_UNPACKED_BYTES",
        "refuse an archive that unpacks to more bytes than this",
        integer(1),
        "1000000000000",
    ),
    Setting(
        "MAX_COMPRESSION_RATIO",
        "refuse an archive that unpacks to more than this many times its own size",
        integer(1),
        "1000",
    ),
)

MIMS_PACKAGE_CONTRACT = Contract(
    job="package",
    entry_point="mims_package.py",
    description="Packages a trained model and its inference code into one model.tar.gz.",
    inputs=(
        Channel(
            "model_input",
            "/opt/ml/processing/input/model",
            "the trained model: model.tar.gz (also .tar, .tar.bz2, .tar.xz) or loose files",
        ),
        Channel(
            "script_input",
            "/opt/ml/processing/input/script",
            "the inference code: a folder, copied whole into code/",
        ),
        Channel(
            "calibration_input",
            "/opt/ml/processing/input/calibration",
            "calibration files, copied into calibration/",
            required=False,
        ),
    ),
    outputs=(
        Channel(
            "package_output",
            "/opt/ml/processing/output",
            "model.tar.gz, and manifest.json that lists every member with its SHA-256",
        ),
    ),
    settings=(
        Setting(
            "PACKAGE_LAYOUT",
            "where model files go: mims puts them under model_artifacts/, "
            "sagemaker at the root, as SageMaker's framework containers read them",
            one_of("mims", "sagemaker"),
            "mims",
        ),
        Setting(
            "INFERENCE_ENTRY_POINT",
            "file among the scripts that must be there; without it a missing inference.py is "
            "only a warning",
            TEXT,
        ),
        Setting(
            "COMPRESSION_LEVEL",
            "gzip level: 1 is quick, 9 is small",
            integer(1, 9),
            "1",
        ),
        *_LIMITS,
    ),
    framework_requirements={"python": ">=3.7"},
)

MIMS_PAYLOAD_CONTRACT = Contract(
    job="payload",
    entry_point="mims_payload.py",
    description="Makes sample requests for a model from its hyperparameters.json.",
    inputs=(
        Channel(
            "model_input",
            "/opt/ml/processing/input/model",
            "the model: an archive or a folder that holds hyperparameters.json",
        ),
        Channel(
            "custom_payload_input",
            "/opt/ml/processing/input/custom_payload",
            "records to send in place of made-up values: a .json, .jsonl, .csv or .parquet file, "
            "or a folder that holds one",
            required=False,
        ),
    ),
    outputs=(
        Channel(
            "payload_sample",
            "/opt/ml/processing/output",
            "payload.tar.gz: the sample requests; and metadata.json that describes it",
        ),
    ),
    settings=(
        Setting(
            "CONTENT_TYPES",
            "content types to make a sample request for",
            some_of(JSON, CSV, JSON_LINES),
            JSON,
        ),
        Setting(
            "PAYLOAD_LAYOUT",
            "which files the archive holds: mims makes a folder a content type, with all records "
            "in one request, and metadata.json; recommender a flat archive of one content type, "
            "a request a record and nothing else, for load tests that send every file",
            one_of("mims", "recommender"),
            "mims",
        ),
        Setting("DEFAULT_NUMERIC_VALUE", "value of a numeric field", number(), "0.0"),
        Setting(
            "DEFAULT_TEXT_VALUE",
            "value of a text field without known categories; unless it is set, a field whose name "
            "tells what it holds gets a text of that kind",
            ANY_TEXT,
            "DEFAULT_TEXT",
        ),
        Setting(
            "SPECIAL_FIELD_<fieldname>",
            "value of the field of that name (exact, else in any case); "
            "{timestamp} in a text becomes the time of the run",
            ANY_TEXT,
        ),
        Setting(
            "FIELD_DEFAULTS",
            "values by field name, as SPECIAL_FIELD_<fieldname>, which goes before it",
            TEXTS_BY_NAME,
        ),
        Setting(
            "CSV_HEADER",
            "whether CSV samples start with a row of field names (and a custom CSV file has to)",
            true_or_false(),
            "true",
        ),
        *_LIMITS,
    ),
    framework_requirements={"python": ">=3.7"},
)

MIMS_REGISTRATION_CONTRACT = Contract(
    job="register",
    entry_point="script.py",
    description="Registers a packaged model in SageMaker Model Registry.",
    inputs=(
        Channel(
            "PackagedModel",
            "/opt/ml/processing/input/model",
            "the package: a folder that holds model.tar.gz (and its manifest.json), or the file",
        ),
        Channel(
            "GeneratedPayloadSamples",
            "/opt/ml/processing/mims_payload",
            "payload.tar.gz, or a folder that holds it",
            required=False,
        ),
        Channel(
            "config",
            "/opt/ml/processing/config/config",
            "the registration config: a JSON file, or a folder that holds one",
        ),
        Channel(
            "metadata",
            "/opt/ml/processing/input/metadata",
            "performance metadata: a JSON file, or a folder that holds one",
            required=False,
        ),
    ),
    outputs=(),
    settings=(
        Setting(
            "MODS_WORKFLOW_EXECUTION_ID",
            "the workflow execution that this registration belongs to",
            TEXT,
            required=True,
        ),
        Setting(
            "PERFORMANCE_METADATA_PATH",
            "S3 path to store the performance metadata at",
            TEXT,
        ),
        Setting("AWS_REGION", "region, where the config names none", TEXT),
        Setting("AWS_DEFAULT_REGION", "region, where AWS_REGION is not set either", TEXT),
        Setting(
            "MIMS_BUCKET",
            "bucket for the artifacts, where the config names none",
            TEXT,
        ),
        Setting(
            "REGISTRATION_BACKENDS",
            "registries, where the config names none: sagemaker, mims or both",
            TEXT,
            "sagemaker",
        ),
        Setting(
            "METRICS_NAMESPACE",
            "CloudWatch namespace to report metrics in (Embedded Metric Format, on stdout)",
            TEXT,
        ),
        Setting(
            "REGISTRATION_TIMEOUT_SECONDS",
            "how long to wait for the registry to finish, in each region",
            integer(1),
            "1800",
        ),
        *_LIMITS,
    ),
    framework_requirements={
        "python": ">=3.11",
        "boto3": ">=1.40",
        "pydantic": ">=2.10",
        "tenacity": ">=9",
    },
    needs_network=True,
)


def contracts() -> dict[str, Contract]:
    """The contracts of this module, by name."""
    return {name: value for name, value in globals().items() if isinstance(value, Contract)}
