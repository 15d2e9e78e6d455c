"""The CreateProcessingJob request of one of the three scripts, made of its contract.

Goes in: the contract, the job's settings, what each channel reads, the environment. Comes out: the
request, with variables in it, and what the contract says against it
(`request_problems`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mims.pipeline.references import (
    PIPELINE_EXECUTION_ID,
    PIPELINE_NAME,
    default_of,
    is_variable,
    joined,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.contracts import Channel, Contract
    from mims.pipeline.jobs import JobSettings


def processing_request(
    contract: Contract,
    job: JobSettings,
    inputs: Mapping[str, Any],
    environment: Mapping[str, Any],
    output_uri: Any,
) -> dict[str, Any]:
    """Make the request, but for the job's name. `inputs` are URIs by channel; None for none.

    What `request_problems` tells of is left out, so that all the rest can be checked.
    """
    request = {
        "ProcessingResources": {"ClusterConfig": _cluster(job)},
        "AppSpecification": {
            "ImageUri": job.image_uri,
            "ContainerEntrypoint": list(job.entry_point or (contract.entry_point,)),
        },
        "RoleArn": job.role,
        "ProcessingInputs": _inputs(contract, inputs),
        "ProcessingOutputConfig": _outputs(contract, job, output_uri),
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime_in_seconds},
        "Environment": {**environment, **job.environment},
        "NetworkConfig": _network(contract, job),
        "Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()],
    }
    return {name: part for name, part in request.items() if part}


def default_output(job: JobSettings, step: str) -> Any:
    """Where a step's output goes: below the job's bucket and prefix, a folder an execution."""
    return joined("s3:/", job.bucket, job.prefix, PIPELINE_NAME, PIPELINE_EXECUTION_ID, step)


def _cluster(job: JobSettings) -> dict[str, Any]:
    cluster = {
        "InstanceCount": 1,
        "InstanceType": job.instance_type,
        "VolumeSizeInGB": job.volume_size_in_gb,
    }
    if job.volume_kms_key:
        cluster["VolumeKmsKeyId"] = job.volume_kms_key
    return cluster


def request_problems(
    contract: Contract,
    job: JobSettings,
    inputs: Mapping[str, Any],
    called: Mapping[str, str],
) -> list[str]:
    """What the contract says against a request; `called` are its channels' names to the author."""
    found = []
    for channel in contract.inputs:
        name, uri = called.get(channel.name, channel.name), inputs.get(channel.name)
        if uri is not None:
            found += uri_problems(name, uri)
        elif channel.required:
            found.append(f"{name}: must be given: {channel.description}")
    if job.network_isolation and contract.needs_network:
        found.append(f"network_isolation: {contract.entry_point} has to reach AWS: leave it out")
    return found


def uri_problems(name: str, uri: Any) -> list[str]:
    """What is wrong with what is given as a URI; a parameter's default is looked at."""
    uri = default_of(uri)
    if is_variable(uri) or (isinstance(uri, str) and "://" in uri):
        return []
    return [f"{name}: must be an S3 URI, a parameter or a step's property, not {uri!r}"]


def _inputs(contract: Contract, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a channel that something is given for, in the contract's order."""
    uris = ((channel, given.get(channel.name)) for channel in contract.inputs)
    return [
        _input(channel, uri)
        for channel, uri in uris
        if uri is not None and not uri_problems(channel.name, uri)
    ]


def _input(channel: Channel, uri: Any) -> dict[str, Any]:
    source = {
        "S3Uri": uri,
        "LocalPath": channel.path,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": channel.name, "AppManaged": False, "S3Input": source}


def _outputs(contract: Contract, job: JobSettings, uri: Any) -> dict[str, Any]:
    outputs = [
        {
            "OutputName": channel.name,
            "AppManaged": False,
            "S3Output": {"S3Uri": uri, "LocalPath": channel.path, "S3UploadMode": "EndOfJob"},
        }
        for channel in contract.outputs
    ]
    key = {"KmsKeyId": job.output_kms_key} if job.output_kms_key else {}
    return {"Outputs": outputs, **key} if outputs else {}


def _network(contract: Contract, job: JobSettings) -> dict[str, Any]:
    """No network for a script that needs none, unless the settings say otherwise."""
    network: dict[str, Any] = {}
    if job.network_isolation or (job.network_isolation is None and not contract.needs_network):
        network["EnableNetworkIsolation"] = True
    if job.subnets:
        network["VpcConfig"] = {
            "SecurityGroupIds": list(job.security_group_ids),
            "Subnets": list(job.subnets),
        }
    return network
