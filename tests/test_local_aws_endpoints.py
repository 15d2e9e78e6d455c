"""The local AWS's endpoints keep to what the real ones do; its state machines call as theirs do."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError

from local_aws import limits
from patience import looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.model import Shape
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

REGION = "us-west-2"
ROLE = "arn:aws:iam::123456789012:role/run"


@pytest.fixture
def sagemaker(sagemaker: SageMakerClient) -> SageMakerClient:
    """A client, and the configurations one and two."""
    sagemaker.create_model(ModelName="model", PrimaryContainer={"Image": "image"})
    for name in ("one", "two"):
        variant: Any = {"VariantName": name, "ModelName": "model", "InstanceType": "ml.m5.large"}
        variants: Any = [{**variant, "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}]
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    return sagemaker


@pytest.fixture
def one_step_a_look(aws: LocalAws) -> Iterator[None]:
    """An endpoint moves on when it has been looked at."""
    named = {"model_name": "sagemaker::endpoint"}
    manual = {"transition": {"progression": "manual", "times": 1}}
    post(f"{aws.url}/moto-api/state-manager/set-transition", {**named, **manual})
    yield
    post(f"{aws.url}/moto-api/state-manager/unset-transition", named)


def post(url: str, content: Any) -> None:
    request = urllib.request.Request(url, json.dumps(content).encode())  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass


@pytest.fixture
def script(aws: LocalAws) -> Callable[..., None]:
    def keep(**script: Any) -> None:
        post(f"{aws.url}/local-aws/endpoints", {"region": REGION, "endpoint": "e", **script})

    return keep


def answer_of(operation: str) -> Shape:
    """What the service model says of an operation's answer."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    shape = model.operation_model(operation).output_shape
    assert shape
    return shape


def statuses(sagemaker: SageMakerClient) -> list[str]:
    """Each status that the endpoint has until it stays in one; each answer fits the model."""
    shape = answer_of("DescribeEndpoint")
    seen: list[str] = []
    for _ in range(200):
        try:
            found: Any = sagemaker.describe_endpoint(EndpointName="e")
        except ClientError:
            return [*seen, "gone"]
        del found["ResponseMetadata"]
        assert [*limits.violations(shape, found)] == []
        status = f"{found['EndpointStatus']} {found['EndpointConfigName']}"
        if status not in seen:
            seen.append(status)
        elif not status.startswith(("Creating", "Updating", "Deleting")):
            break
    return seen


@pytest.mark.usefixtures("one_step_a_look")
def test_an_endpoint_takes_its_time(sagemaker: SageMakerClient) -> None:
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    assert statuses(sagemaker) == ["Creating one", "InService one"]
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    assert statuses(sagemaker) == ["Updating one", "InService two"]
    variants = sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"]
    assert [variant["VariantName"] for variant in variants] == ["two"]
    sagemaker.delete_endpoint(EndpointName="e")
    assert statuses(sagemaker) == ["Deleting two", "gone"]


# How an update ends by a script: the states that follow.
ENDS = {
    "Failed": ["Updating one", "Failed one"],
    "RolledBack": ["Updating one", "InService one"],
    "Stuck": ["Updating one"],
}


@pytest.mark.usefixtures("one_step_a_look")
@pytest.mark.parametrize(("end", "seen"), ENDS.items(), ids=ENDS)
def test_a_script_says_how_an_update_ends(
    sagemaker: SageMakerClient, script: Callable[..., None], end: str, seen: list[str]
) -> None:
    script(ends=["InService", end])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    statuses(sagemaker)
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")

    assert statuses(sagemaker) == seen
    found = sagemaker.describe_endpoint(EndpointName="e")
    assert ("FailureReason" in found) == (end != "Stuck")


def test_a_script_that_makes_no_sense_is_refused(script: Callable[..., None]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        script(ends=["Exploded"])


def endpoint(**request: Any) -> Callable[[SageMakerClient], object]:
    return lambda client: client.create_endpoint(EndpointName="e", **request)


# What SageMaker refuses while the endpoint is being created, and when it has failed.
MOVING: dict[str, tuple[Callable[[SageMakerClient], object], str]] = {
    "update": (
        lambda client: client.update_endpoint(EndpointName="e", EndpointConfigName="two"),
        "Cannot update in-progress endpoint",
    ),
    "delete": (lambda client: client.delete_endpoint(EndpointName="e"), "in-progress"),
    "create": (endpoint(EndpointConfigName="one"), "Cannot create already existing endpoint"),
    "unknown": (
        lambda client: client.update_endpoint(EndpointName="e", EndpointConfigName="three"),
        "Could not find endpoint configuration",
    ),
    "configuration": (
        lambda client: client.create_endpoint_config(
            EndpointConfigName="one", ProductionVariants=[{"VariantName": "v"}]
        ),
        "Cannot create already existing endpoint configuration",
    ),
    "model": (
        lambda client: client.create_model(ModelName="model", PrimaryContainer={"Image": "i"}),
        "Cannot create already existing model",
    ),
    "no model": (
        lambda client: client.create_endpoint_config(
            EndpointConfigName="three",
            ProductionVariants=[
                {"VariantName": "v", "ModelName": "other", "InstanceType": "ml.m5.large"}
            ],
        ),
        "Could not find model",
    ),
}


@pytest.mark.parametrize(("call", "said"), MOVING.values(), ids=MOVING)
def test_what_an_endpoint_on_its_way_refuses(
    sagemaker: SageMakerClient,
    script: Callable[..., None],
    call: Callable[[SageMakerClient], object],
    said: str,
) -> None:
    script(ends=["Stuck"])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")

    with pytest.raises(ClientError, match=said) as caught:
        call(sagemaker)

    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_failed_endpoint_can_only_be_deleted(
    sagemaker: SageMakerClient, script: Callable[..., None]
) -> None:
    script(ends=["Failed"])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    assert statuses(sagemaker)[-1] == "Failed one"

    with pytest.raises(ClientError, match="Cannot update failed endpoint"):
        sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    sagemaker.delete_endpoint(EndpointName="e")
    assert statuses(sagemaker)[-1] == "gone"


def test_a_version_must_be_approved_before_a_model_is_made_of_it(
    sagemaker: SageMakerClient,
) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    version = sagemaker.create_model_package(ModelPackageGroupName="group")["ModelPackageArn"]

    def make() -> None:
        container: Any = {"ModelPackageName": version}
        sagemaker.create_model(ModelName="other", PrimaryContainer=container)

    with pytest.raises(ClientError, match="not approved"):
        make()
    sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")
    make()


def test_an_endpoint_answers_while_it_is_in_service(
    sagemaker: SageMakerClient, script: Callable[..., None]
) -> None:
    runtime = boto3.client("sagemaker-runtime")
    with pytest.raises(ClientError, match="Endpoint e not found"):
        runtime.invoke_endpoint(EndpointName="e", Body=b"1")
    script(invocations=["no such module"])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    statuses(sagemaker)

    with pytest.raises(runtime.exceptions.ModelError, match="no such module"):
        runtime.invoke_endpoint(EndpointName="e", Body=b"1")
    assert runtime.invoke_endpoint(EndpointName="e", Body=b"1")["Body"].read()


# Configurations


def variants(*names: str, **members: Any) -> Any:
    made = {"ModelName": "model", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return [{"VariantName": name, **made, **members} for name in names]


CAPTURE: Any = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def test_a_configuration_keeps_all_that_it_was_made_of(sagemaker: SageMakerClient) -> None:
    request: Any = {
        "ProductionVariants": variants("a", InitialVariantWeight=2.0),
        "ShadowProductionVariants": variants("b", InitialVariantWeight=1.0),
        "DataCaptureConfig": CAPTURE,
    }
    tags: Any = [{"Key": f"mims:ab:{n}", "Value": "0.05 s3://b/k"} for n in range(30)]
    sagemaker.create_endpoint_config(EndpointConfigName="three", **request, Tags=tags)

    found: Any = sagemaker.describe_endpoint_config(EndpointConfigName="three")

    assert {name: found[name] for name in request} == request
    del found["ResponseMetadata"]
    assert [*limits.violations(answer_of("DescribeEndpointConfig"), found)] == []
    assert sagemaker.list_tags(ResourceArn=found["EndpointConfigArn"])["Tags"] == tags
    plain = sagemaker.describe_endpoint_config(EndpointConfigName="one")
    assert not {"DataCaptureConfig", "ShadowProductionVariants"} & set(plain)
    assert sagemaker.list_tags(ResourceArn=plain["EndpointConfigArn"])["Tags"] == []


def test_tags_of_a_configuration_are_overwritten_and_deleted(sagemaker: SageMakerClient) -> None:
    arn = sagemaker.describe_endpoint_config(EndpointConfigName="one")["EndpointConfigArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": key, "Value": "2"} for key in "ab"])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
    sagemaker.delete_endpoint_config(EndpointConfigName="one")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.list_tags(ResourceArn=arn)


@pytest.mark.usefixtures("one_step_a_look")
def test_an_endpoint_shows_its_variants_its_shadow_and_its_capture(
    sagemaker: SageMakerClient,
) -> None:
    sagemaker.create_endpoint_config(
        EndpointConfigName="shadowed",
        ProductionVariants=variants("a"),
        ShadowProductionVariants=variants("b", InitialVariantWeight=0.5),
        DataCaptureConfig=CAPTURE,
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName="shared",
        ProductionVariants=[
            *variants("a", InitialVariantWeight=0.9),
            *variants("b", InitialVariantWeight=0.0),
        ],
    )
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="shadowed")
    assert statuses(sagemaker) == ["Creating shadowed", "InService shadowed"]
    found = sagemaker.describe_endpoint(EndpointName="e")
    assert weights(found["ProductionVariants"]) == {"a": (1.0, 1.0)}
    assert weights(found["ShadowProductionVariants"]) == {"b": (0.5, 0.5)}
    assert found["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 50,
        "DestinationS3Uri": "s3://bucket/captured",
        "KmsKeyId": "",
    }
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="shared")
    assert statuses(sagemaker) == ["Updating shadowed", "InService shared"]
    found = sagemaker.describe_endpoint(EndpointName="e")
    assert weights(found["ProductionVariants"]) == {"a": (0.9, 0.9), "b": (0.0, 0.0)}
    assert not {"DataCaptureConfig", "ShadowProductionVariants"} & set(found)


def weights(shown: Any) -> dict[str, tuple[float, float]]:
    return {one["VariantName"]: (one["CurrentWeight"], one["DesiredWeight"]) for one in shown}


# What SageMaker refuses of a configuration.
UNDEPLOYABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a name twice": ({"ProductionVariants": variants("a", "a")}, '"a" was non-unique'),
    "a shadow's name": (
        {"ProductionVariants": variants("a"), "ShadowProductionVariants": variants("a")},
        '"a" was non-unique',
    ),
    "no weight": (
        {"ProductionVariants": variants("a", "b", InitialVariantWeight=0.0)},
        "weights of all production variants are 0",
    ),
    "two shadows": (
        {"ProductionVariants": variants("a"), "ShadowProductionVariants": variants("b", "c")},
        "only specify one variant for ProductionVariants and one",
    ),
    "a shadow of two": (
        {"ProductionVariants": variants("a", "b"), "ShadowProductionVariants": variants("c")},
        "only specify one variant for ProductionVariants and one",
    ),
    "a shadow of no model": (
        {
            "ProductionVariants": variants("a"),
            "ShadowProductionVariants": variants("b", ModelName="other"),
        },
        "Could not find model",
    ),
    "no S3": (
        {
            "ProductionVariants": variants("a"),
            "DataCaptureConfig": {**CAPTURE, "DestinationS3Uri": "https://bucket"},
        },
        "must be an S3 URI",
    ),
}


@pytest.mark.parametrize(("request_", "said"), UNDEPLOYABLE.values(), ids=UNDEPLOYABLE)
def test_a_configuration_that_could_not_work_is_refused(
    sagemaker: SageMakerClient, request_: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        sagemaker.create_endpoint_config(EndpointConfigName="three", **request_)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def reweigh(sagemaker: SageMakerClient, *wanted: tuple[str, float]) -> None:
    changes: Any = [{"VariantName": name, "DesiredWeight": weight} for name, weight in wanted]
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e", DesiredWeightsAndCapacities=changes
    )


@pytest.mark.usefixtures("one_step_a_look")
def test_weights_of_an_endpoint_change_and_its_configuration_stays(
    sagemaker: SageMakerClient, script: Callable[..., None]
) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint"):
        reweigh(sagemaker, ("one", 2.0))
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    with pytest.raises(ClientError, match="in-progress"):
        reweigh(sagemaker, ("one", 2.0))
    statuses(sagemaker)
    reweigh(sagemaker, ("one", 2.0))
    assert statuses(sagemaker) == ["Updating one", "InService one"]
    script(ends=["RolledBack"])
    reweigh(sagemaker, ("one", 3.0))
    statuses(sagemaker)
    found = sagemaker.describe_endpoint(EndpointName="e")
    assert weights(found["ProductionVariants"]) == {"one": (2.0, 2.0)}
    for wanted, said in (
        ([("one", 1.0), ("one", 2.0)], "was non-unique"),
        ([("two", 1.0)], '"two" is/are not present within endpoint configuration "one"'),
        ([("one", 0.0)], "weights of all production variants are 0"),
    ):
        with pytest.raises(ClientError, match=said):
            reweigh(sagemaker, *wanted)


# What of a variant is kept, by what UpdateEndpoint is told: instances and weight.
RETAINED: dict[str, tuple[dict[str, Any], tuple[int, float]]] = {
    "nothing": ({}, (1, 1.0)),
    "all": ({"RetainAllVariantProperties": True}, (5, 3.0)),
    "all but weights": (
        {
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
        },
        (5, 1.0),
    ),
    "all but instances": (
        {
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredInstanceCount"}],
        },
        (1, 3.0),
    ),
}


@pytest.mark.parametrize(("how", "kept"), RETAINED.values(), ids=RETAINED)
def test_an_update_keeps_of_variants_what_it_is_told_to(
    sagemaker: SageMakerClient, how: Any, kept: tuple[int, float]
) -> None:
    """A variant that is new has what its configuration says."""
    one: Any = {"VariantName": "one", "ModelName": "model", "InstanceType": "ml.m5.large"}
    counted: Any = {**one, "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}
    both: Any = [counted, {**counted, "VariantName": "new", "InitialInstanceCount": 2}]
    sagemaker.create_endpoint_config(EndpointConfigName="both", ProductionVariants=both)
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    statuses(sagemaker)
    scaled: Any = [{"VariantName": "one", "DesiredWeight": 3.0, "DesiredInstanceCount": 5}]
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e", DesiredWeightsAndCapacities=scaled
    )
    statuses(sagemaker)

    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="both", **how)
    statuses(sagemaker)

    found = sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"]
    assert [(o["CurrentInstanceCount"], o["DesiredWeight"]) for o in found] == [kept, (2, 1.0)]


# State machines


def run(*, given: Any = None, **state: Any) -> Any:
    """Run a state machine of one state; give what comes out, or the error and its cause."""
    client = boto3.client("stepfunctions")
    states = {"State": {**state, "End": True}}
    made = client.create_state_machine(
        name=f"machine-{uuid4()}",
        definition=json.dumps({"StartAt": "State", "States": states}),
        roleArn=ROLE,
    )
    started = client.start_execution(
        stateMachineArn=made["stateMachineArn"], name=str(uuid4()), input=json.dumps(given or {})
    )
    for _ in looks():
        found = client.describe_execution(executionArn=started["executionArn"])
        if found["status"] != "RUNNING":
            break
    return json.loads(found["output"]) if "output" in found else (found["error"], found["cause"])


def task(call: str, **parameters: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{call}",
        "Parameters": parameters,
    }


def test_a_task_gets_an_object_as_text(bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="a.json", Body=b'{"auc": 0.9}')
    selector = {"report.$": "States.StringToJson($.Body)"}

    found = run(**task("s3:getObject", Bucket=bucket, Key="a.json"), ResultSelector=selector)

    assert found == {"report": {"auc": 0.9}}


def test_a_task_gets_times_as_text(sagemaker: SageMakerClient) -> None:
    """moto's DescribeExecution fails on such an output."""
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")

    found = run(**task("sagemaker:describeEndpoint", EndpointName="e"))

    assert found["CreationTime"].startswith("20")


@pytest.mark.usefixtures("aws")
def test_a_task_fails_by_the_name_that_aws_gives() -> None:
    error, cause = run(**task("sagemaker:describeEndpoint", EndpointName="e"))

    assert error == "SageMaker.SageMakerException"
    assert cause.startswith("Could not find endpoint")
    error, _ = run(**task("sagemakerruntime:invokeEndpoint", EndpointName="e", Body="1"))
    assert error.startswith("SageMakerRuntime.")


# Paths, and what they lead to in {"items": [{"name": "a"}, {"name": "b"}]}.
PATHS = {
    # one value, as no filter is in it
    "$.items[0].name": "a",
    # all that pass a filter: a list, of one too
    "$.items[?(@.name=='b')].name": ["b"],
    # or of none
    "$.items[?(@.name=='c')].name": [],
    "$.items[*].name": ["a", "b"],
}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("path", "value"), PATHS.items())
def test_a_path_leads_to_a_value_or_to_a_list(path: str, value: Any) -> None:
    given = {"items": [{"name": "a"}, {"name": "b"}]}

    assert run(given=given, Type="Pass", Parameters={"found.$": path}) == {"found": value}
