"""Builders of the three steps, from mims_registration_step.md and the contracts' documents.

Goes in: a config (what the script is to do), job settings (how its job runs), and what the step
reads: S3 URIs, parameters, or properties of other steps, ours or the SDK's. Comes out: a step of
the SageMaker SDK (`create_step`), or ours (`create_plain_step`), which says the same and needs no
SDK. Nothing is sent, but for the registration's config: `create_step` puts it into the job's
bucket, named after its digest; a plain step carries it in `files`, for whoever starts the pipeline.
"""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)
from mims.errors import InputError, Problems
from mims.pipeline.checks import step_problems
from mims.pipeline.configs import (
    MIMSPackageConfig,
    MIMSPayloadConfig,
    ModelRegistrationConfig,
    RegistrationSettings,
)
from mims.pipeline.files import upload
from mims.pipeline.jobs import JobSettings
from mims.pipeline.references import PIPELINE_EXECUTION_ID, Parameter, is_variable
from mims.pipeline.requests import default_output, processing_request, request_problems
from mims.pipeline.sdk import as_sdk_step
from mims.pipeline.steps import File, Step
from mims.registration.parameters import region_of
from mims.text import listed, repeated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StepBuilder(ABC):
    """What the three have in common."""

    contract: ClassVar[Contract]
    called: ClassVar[Mapping[str, str]] = {}  # channels that an argument of another name is for
    logger: ClassVar[logging.Logger] = logging.getLogger(__name__)  # for authors' own builders

    def __init__(self, job: JobSettings | None = None, s3_client: Any = None) -> None:
        """Take how the job runs, else as the environment says, and the client that uploads.

        Raises:
            InputError: the environment lacks something; it names every variable. Or what is given
                is of another kind.

        """
        of_kind(JobSettings, job=job)
        self.job = job or JobSettings()
        self._s3_client = s3_client

    @abstractmethod
    def create_plain_step(self, *args: Any, **kwargs: Any) -> Step | list[Step]:
        """Make the step, or several where it is made for several regions."""

    def create_step(self, *args: Any, **kwargs: Any) -> Any:
        """Make the same of the SageMaker SDK: a ProcessingStep, or a list of them.

        Raises:
            InputError: no SDK is installed, or with every problem that `create_plain_step` finds.
            AwsError: S3 refused the config.

        """
        made = self.create_plain_step(*args, **kwargs)
        steps = made if isinstance(made, list) else [made]
        sdk_steps = [as_sdk_step(step) for step in steps]
        upload([file for step in steps for file in step.files], self._s3_client)
        return sdk_steps if isinstance(made, list) else sdk_steps[0]

    def _step(
        self,
        name: str,
        inputs: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        dependencies: Sequence[Any],
        output_uri: Any = None,
        files: tuple[File, ...] = (),
    ) -> Step:
        found = _dependency_problems(dependencies)
        found += request_problems(self.contract, self.job, inputs, self.called)
        output_uri = output_uri or default_output(self.job, name)
        step = Step(
            name=name,
            kind="Processing",
            arguments=processing_request(self.contract, self.job, inputs, environment, output_uri),
            depends_on=tuple(dependencies) if not found else (),
            description=self.contract.description,
            cache=self.job.cache if self.contract.outputs else None,
            retries=self.job.retries,
            files=files,
        )
        if found := [*found, *step_problems(step)]:
            raise InputError(*found)
        return step


def _dependency_problems(dependencies: Any) -> list[str]:
    if not isinstance(dependencies, list | tuple):
        return [f"dependencies: must be a list of steps, not {dependencies!r}"]
    return [
        f"dependencies[{number}]: must be a step or a step's name, not {step!r}"
        for number, step in enumerate(dependencies)
        if not isinstance(step if isinstance(step, str) else getattr(step, "name", None), str)
    ]


def _region_problems(regions: Any, config_uri: Any) -> list[str]:
    if regions is None:
        return []
    if not isinstance(regions, list | tuple) or not regions:
        return [f"regions: must be a list of regions, or left out, not {regions!r}"]
    found = []
    if config_uri is not None:
        found.append(
            "regions: config_uri names a config that is there already: put them into that, and "
            "leave regions out"
        )
    texts = [region_of(region) for region in regions if isinstance(region, str)]
    if twice := repeated(texts):
        found.append(f"regions: names {listed(twice)} twice")
    return found


def of_kind(kind: type, **given: Any) -> None:
    """Refuse arguments of another kind, such as settings where the config stands.

    Raises:
        InputError: with the argument's name.

    """
    for name, value in given.items():
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{name}: must be a {kind.__name__}, not {type(value).__name__}")


StepBuilderBase = StepBuilder  # its name in the contracts' documents


class MIMSPackageStepBuilder(StepBuilder):
    """Builds the step that packages a model with its inference code; `package_output` holds it."""

    contract = MIMS_PACKAGE_CONTRACT

    def __init__(
        self, config: MIMSPackageConfig | None = None, job: JobSettings | None = None
    ) -> None:
        of_kind(MIMSPackageConfig, config=config)
        super().__init__(job)
        self.config = config or MIMSPackageConfig()

    def create_plain_step(
        self,
        model_input: Any = None,
        script_input: Any = None,
        calibration_input: Any = None,
        *,
        dependencies: Sequence[Any] = (),
        output_uri: Any = None,
        name: str = "MIMSPackage",
    ) -> Step:
        """Make the step. The inputs are the contract's.

        Raises:
            InputError: with every problem, each with the argument's or parameter's name.

        """
        inputs = {
            "model_input": model_input,
            "script_input": script_input,
            "calibration_input": calibration_input,
        }
        return self._step(
            name,
            inputs,
            self.config.environment(),
            dependencies=dependencies,
            output_uri=output_uri,
        )


class MIMSPayloadStepBuilder(StepBuilder):
    """Builds the step that makes a model's sample requests; `payload_sample` holds them."""

    contract = MIMS_PAYLOAD_CONTRACT

    def __init__(
        self, config: MIMSPayloadConfig | None = None, job: JobSettings | None = None
    ) -> None:
        of_kind(MIMSPayloadConfig, config=config)
        super().__init__(job)
        self.config = config or MIMSPayloadConfig()

    def create_plain_step(
        self,
        model_input: Any = None,
        custom_payload_input: Any = None,
        *,
        dependencies: Sequence[Any] = (),
        output_uri: Any = None,
        name: str = "MIMSPayload",
    ) -> Step:
        """Make the step. The inputs are the contract's.

        Raises:
            InputError: with every problem, each with the argument's or parameter's name.

        """
        inputs = {"model_input": model_input, "custom_payload_input": custom_payload_input}
        environment = self.config.environment()
        defaults_fit = "FIELD_DEFAULTS" in environment or not self.config.field_defaults
        if custom_payload_input is not None and not defaults_fit:
            raise InputError(
                "field_defaults: are too long for one environment variable, and as special fields "
                "they would go before the custom payload's own values: put them into its records"
            )
        return self._step(
            name,
            inputs,
            environment,
            dependencies=dependencies,
            output_uri=output_uri,
        )


class ModelRegistrationStepBuilder(StepBuilder):
    """Builds the step that registers a packaged model, or one a region."""

    contract = MIMS_REGISTRATION_CONTRACT
    called: ClassVar = {
        "PackagedModel": "packaging_step_output",
        "GeneratedPayloadSamples": "payload_step_output",
        "config": "config_uri",
    }

    def __init__(
        self,
        config: ModelRegistrationConfig,
        job: JobSettings | None = None,
        settings: RegistrationSettings | None = None,
        s3_client: Any = None,
    ) -> None:
        of_kind(ModelRegistrationConfig, config=config)
        of_kind(RegistrationSettings, settings=settings)
        super().__init__(job, s3_client)
        self.config = config
        self.settings = settings or RegistrationSettings()

    def create_plain_step(
        self,
        packaging_step_output: Any = None,
        payload_step_output: Any = None,
        metadata: Any = None,
        *,
        dependencies: Sequence[Any] = (),
        regions: Sequence[str] | None = None,
        one_step: bool = False,
        config_uri: Any = None,
        name: str = "MIMSRegistration",
    ) -> Step | list[Step]:
        """Make the step, or with `regions` a list of one a region (`one_step`: one for all).

        `config_uri` says where the config lies already; else it goes to the job's bucket.

        Raises:
            InputError: with every problem, each with the argument's or parameter's name.

        """
        found = _region_problems(regions, config_uri)
        known = None if regions is None or found else [region_of(region) for region in regions]
        inputs = {
            "PackagedModel": packaging_step_output,
            "GeneratedPayloadSamples": payload_step_output,
            "config": config_uri,
            "metadata": metadata,
        }
        if known is None or one_step:
            wanted: dict[str, Any] = {name: known}
        else:
            wanted = {f"{name}-{region}": [region] for region in known}
        problems, steps = Problems(found), []
        for step_name, its_regions in wanted.items():
            with problems.gather():
                steps.append(self._registration(step_name, its_regions, inputs, dependencies))
        problems.found = [*dict.fromkeys(problems.found)]  # of every region once
        problems.raise_any()
        return steps[0] if known is None or one_step else steps

    def _registration(
        self,
        name: str,
        regions: Sequence[str] | None,
        inputs: Mapping[str, Any],
        dependencies: Sequence[Any],
    ) -> Step:
        """One step; where its config is at fault, all else is checked all the same."""
        problems, files, config = Problems(), [], inputs["config"]
        if not config:
            config = Parameter("ConfigUri")  # stands in for one that is at fault
            with problems.gather():
                files.append(self._config_file(regions))
                config = files[0].uri
        with problems.gather():
            step = self._step(
                name,
                {**inputs, "config": config},
                self._environment(),
                dependencies=dependencies,
                files=tuple(files),
            )
        problems.raise_any()
        return step

    def _environment(self) -> dict[str, Any]:
        """One workflow an execution: its steps may be run again, and register nothing twice."""
        bucket = {} if self.config.bucket else {"MIMS_BUCKET": self.job.bucket}
        return {
            "MODS_WORKFLOW_EXECUTION_ID": PIPELINE_EXECUTION_ID,
            **bucket,
            **self.settings.environment(),
        }

    def _config_file(self, regions: Sequence[str] | None) -> File:
        if is_variable(self.job.bucket):
            raise InputError(
                "bucket: is a pipeline variable, so the config can't be put there before the "
                "pipeline runs: name where it lies in config_uri"
            )
        content = json.dumps(self.config.for_job(regions), indent=2).encode() + b"\n"
        digest = hashlib.sha256(content).hexdigest()
        uri = f"s3://{self.job.bucket}/{self.job.prefix}/config/{digest}/config.json"
        return File(uri, content, self.job.output_kms_key)


MIMSRegistrationStepBuilder = ModelRegistrationStepBuilder
