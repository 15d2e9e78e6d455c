"""Lineage of versions: written to SageMaker lineage and read back, in both directions."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from faults import denied, lost_answer, refused, reset
from governance_versions import REGION, register_version
from mims.errors import InputError, ServiceError
from mims.governance.lineage import reading as lineage_read
from mims.governance.lineage.lineage import graph, record
from mims.governance.lineage.parts import Edge, Graph, Node
from mims.governance.lineage.reading import SHOWN
from mims.governance.lineage.text import as_data, as_svg, as_text, made_data, made_text
from mims.governance.registry import Registry
from mims.governance.versions import File, Version

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Faults

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "https://example.com/team/churn.git"
DATA = "s3://mims-data/train/2026.csv"
SHA256 = "ab" * 32
ACCOUNT = "arn:aws:sagemaker:us-west-2:123456789012"
ENDPOINT = f"{ACCOUNT}:endpoint/live"
TOLD: dict[str, Any] = {
    "data": [File(DATA, SHA256)],
    "commit": COMMIT,
    "repository": REPOSITORY,
    "parameters": {"eta": 0.3, "max_depth": 5},
    "endpoint": ENDPOINT,
}
MODEL = "s3://mims-data/jobs/train-1/output/model.tar.gz"


@pytest.fixture
def registry(bucket: str) -> Registry:
    del bucket  # in which versions lie
    return Registry(REGION)


@pytest.fixture
def version(registry: Registry, tmp_path: Path) -> Version:
    del registry
    return register_version(tmp_path / "1")


def train(sagemaker: SageMakerClient, name: str = "train-1") -> None:
    """A training job that has made MODEL."""
    data: Any = {"S3DataType": "S3Prefix", "S3Uri": "s3://mims-data/train"}
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "registry/xgboost:3", "TrainingInputMode": "File"},
        RoleArn="arn:aws:iam::123456789012:role/train",
        HyperParameters={
            "eta": "0.3",
            "sagemaker_submit_directory": '"s3://mims-data/code/source.tar.gz"',
        },
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": data}}],
        OutputDataConfig={"S3OutputPath": "s3://mims-data/jobs"},
        ResourceConfig={
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 1,
        },
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


def told(found: Graph) -> set[str]:
    """The edges in words."""
    return {
        f"{edge.source.type} {edge.source.label} {edge.type} {edge.destination.type}"
        for edge in (*found.up, *found.down)
    }


def writes(proxy: Faults) -> list[str]:
    reads = re.compile("(Head|Get|List|Describe|Query).*")
    return [r.operation for r in proxy.requests if not reads.fullmatch(r.operation)]


# Writing


def test_all_that_is_known_of_a_version_is_written_as_sagemaker_names_it(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    record(registry, version, **TOLD)
    artifacts = {
        summary["ArtifactType"]: sagemaker.describe_artifact(ArtifactArn=summary["ArtifactArn"])
        for summary in sagemaker.list_artifacts(MaxResults=100)["ArtifactSummaries"]
    }
    kinds = {"ModelData", "SamplePayload", "VariableSchema", "Report"}
    assert set(artifacts) == {*kinds, "DataSet", "Code", "Parameters", "Model"}
    assert artifacts["Model"]["Source"] == {"SourceUri": version.arn}
    assert artifacts["ModelData"]["Source"] == {
        "SourceUri": version.model.uri,
        "SourceTypes": [{"SourceIdType": "Custom", "Value": f"sha256:{version.model.sha256}"}],
    }
    assert artifacts["DataSet"]["Source"]["SourceUri"] == DATA
    assert artifacts["Code"]["MetadataProperties"] == {
        "CommitId": COMMIT,
        "Repository": REPOSITORY,
    }
    parameters = artifacts["Parameters"]["Properties"]
    assert (parameters["eta"], parameters["max_depth"]) == ("0.3", "5")
    actions = {
        summary["ActionType"]: sagemaker.describe_action(ActionName=summary["ActionName"])
        for summary in sagemaker.list_actions()["ActionSummaries"]
    }
    run = actions["ModelRegistration"]
    assert run["Source"]["SourceUri"] == version.properties["processing_job_arn"]
    assert run["MetadataProperties"] == {"GeneratedBy": "wf-1"}
    assert actions["ModelDeployment"]["Source"]["SourceUri"] == ENDPOINT
    (endpoint,) = sagemaker.list_contexts()["ContextSummaries"]
    assert (endpoint["ContextType"], endpoint["Source"]["SourceUri"]) == ("Endpoint", ENDPOINT)


def test_the_graph_has_both_directions(registry: Registry, version: Version) -> None:
    record(registry, version, **TOLD)
    found = graph(registry, version)
    assert found.origin == "SageMaker lineage in us-west-2"
    assert told(found) == {
        "DataSet 2026.csv ContributedTo ModelData",
        "Code churn@0123456789ab ContributedTo ModelData",
        "Parameters 2 parameters ContributedTo ModelData",
        "ModelData model.tar.gz ContributedTo ModelRegistration",
        "SamplePayload payload.tar.gz ContributedTo ModelRegistration",
        "VariableSchema variable_schema.json ContributedTo ModelRegistration",
        "ModelRegistration register Produced Model",
        "Report model_quality_statistics.json AssociatedWith Model",
        "Report bias_report.json AssociatedWith Model",
        "Report explainability_report.json AssociatedWith Model",
        "Report metadata.json AssociatedWith Model",
        f"Model {version.name} ContributedTo ModelDeployment",
        "ModelDeployment live Produced Endpoint",
    }
    digests = {edge.source.type: edge.source.sha256 for edge in found.up}
    assert (digests["ModelData"], digests["DataSet"]) == (version.model.sha256, SHA256)


def test_a_training_job_tells_its_data_code_parameters_image_and_model(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    train(sagemaker)
    made = sagemaker.describe_training_job(TrainingJobName="train-1")
    model = made["ModelArtifacts"]["S3ModelArtifacts"]
    record(registry, version, training_job="train-1", data=[DATA])
    found = graph(registry, version)
    assert told(found) >= {
        "DataSet train ContributedTo TrainingJob",
        "DataSet 2026.csv ContributedTo TrainingJob",  # told besides
        "Code source.tar.gz ContributedTo TrainingJob",
        "Parameters 1 parameter ContributedTo TrainingJob",
        "Image xgboost:3 ContributedTo TrainingJob",
        "TrainingJob train-1 Produced ModelData",
        "ModelData model.tar.gz DerivedFrom ModelData",
    }
    (derived,) = (edge for edge in found.up if edge.type == "DerivedFrom")
    assert (derived.source.uri, derived.destination.uri) == (model, version.model.uri)


def test_the_job_whose_model_the_source_is_is_found(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    train(sagemaker)
    source = sagemaker.describe_training_job(TrainingJobName="train-1")["ModelArtifacts"]
    registry.update(version, SourceUri=source["S3ModelArtifacts"])
    record(registry, registry.version(version.name))
    assert "TrainingJob train-1 Produced ModelData" in told(graph(registry, version))
    # One whose name a path has by chance, and that has made something else, is not.
    other = "s3://elsewhere/train-1/output/model.tar.gz"
    registry.update(version, SourceUri=other)
    plan = record(registry, registry.version(version.name), dry_run=True)
    kinds = {made.what.type for made in plan.entities}
    assert "TrainingJob" not in kinds
    assert [one.uri for one in plan.new if isinstance(one, Node)] == [other]


def test_what_is_recorded_again_makes_nothing(registry: Registry, version: Version) -> None:
    first = record(registry, version, **TOLD)
    again = record(registry, version, **TOLD)
    assert len(first.new) == len(first.entities) + len(first.associations)
    assert again.new == []
    assert made_text(again) == f"{version.name}: 0 new, {len(first.new)} known\n"
    more = record(registry, version, data=["s3://mims-data/more.csv"])
    digest = (version.model.sha256 or "")[:12]
    assert made_text(more).splitlines()[:2] == [
        "+ DataSet more.csv",
        f"+ DataSet more.csv -> ModelData model.tar.gz {digest} (ContributedTo)",
    ]


def test_a_dry_run_tells_what_would_be_made_and_makes_nothing(
    proxy: Faults, tmp_path: Path
) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.requests.clear()
    plan = record(registry, version, **TOLD, dry_run=True)
    assert writes(proxy) == []
    assert record(registry, version, **TOLD) == plan
    assert "would be new" in made_text(plan, dry_run=True)


def test_to_read_writes_nothing(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.requests.clear()
    graph(registry, version)  # from the audit trail
    assert writes(proxy) == []
    record(registry, version)
    proxy.requests.clear()
    graph(registry, version)
    assert writes(proxy) == []


def test_two_at_once_make_each_thing_once(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(record, Registry(REGION), version, **TOLD) for _ in range(2)]
        both = [run.result() for run in runs]
    summaries = sagemaker.list_artifacts(MaxResults=100)["ArtifactSummaries"]
    uris = [summary["Source"]["SourceUri"] for summary in summaries]
    assert len(uris) == len(set(uris)) == 11
    assert [len(one.entities) for one in both] == [14, 14]
    assert record(registry, version, **TOLD).new == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "operation",
    [
        "CreateArtifact",
        "CreateAction",
        "CreateContext",
        "AddAssociation",
        "ListArtifacts",
    ],
)
def test_lost_answers_do_no_harm(proxy: Faults, tmp_path: Path, operation: str) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.on(operation, lost_answer(), times=2)
    record(registry, version, **TOLD)
    proxy.mend()
    assert record(registry, version, **TOLD).new == []
    assert len(told(graph(registry, version))) == 13


def test_what_sagemaker_made_itself_is_used_as_it_is(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    ours = [
        sagemaker.create_artifact(ArtifactType=kind, Source={"SourceUri": uri})["ArtifactArn"]
        for kind, uri in (("Model", version.arn), ("ModelDataUrl", version.model.uri))
    ]
    served = sagemaker.create_context(
        ContextName="live", ContextType="Endpoint", Source={"SourceUri": ENDPOINT}
    )["ContextArn"]
    record(registry, version, **TOLD)
    found = graph(registry, version)
    assert found.root.arn == ours[0]
    assert found.down[-1].destination.arn == served
    (package,) = {edge.source for edge in found.up if edge.source.uri == version.model.uri}
    # It gets the digest that it lacked.
    assert (package.arn, package.type) == (ours[1], "ModelDataUrl")
    assert package.sha256 == version.model.sha256


def test_data_that_changed_in_its_place_is_another_artifact(
    registry: Registry, version: Version, tmp_path: Path
) -> None:
    record(registry, version, data=[File(DATA, SHA256)])
    second = register_version(tmp_path / "2")
    record(registry, second, data=[File(DATA, "cd" * 32)])
    assert record(registry, second, data=[File(DATA, "cd" * 32)]).new == []
    for one, digest in ((version, SHA256), (second, "cd" * 32)):
        (data,) = (e.source for e in graph(registry, one).up if e.source.type == "DataSet")
        assert data.sha256 == digest


def test_versions_of_the_same_data_are_not_in_each_others_graphs(
    registry: Registry, version: Version, tmp_path: Path
) -> None:
    second = register_version(tmp_path / "2")
    for one in (version, second):
        record(registry, one, **TOLD)
    for one, other in ((version, second), (second, version)):
        text = as_text(graph(registry, one))
        assert one.name in text
        assert other.name not in text


def test_a_version_of_another_tool_has_what_it_has(
    registry: Registry, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    s3.put_object(Bucket="mims-models", Key="model.tar.gz", Body=b"model")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    container: Any = {"Image": "registry/i:1", "ModelDataUrl": "s3://mims-models/model.tar.gz"}
    inference: Any = {"Containers": [container]}
    sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        InferenceSpecification=inference,
        MetadataProperties={"CommitId": COMMIT},
    )
    version = registry.version("churn")
    with pytest.raises(InputError, match="audit trail has no registration of it"):
        graph(registry, version)
    record(registry, version)
    assert told(graph(registry, version)) == {
        "Code git@0123456789ab ContributedTo ModelData",
        "ModelData model.tar.gz ContributedTo ModelRegistration",
        "ModelRegistration churn/1 Produced Model",
    }


def test_all_that_is_wrong_is_said_together(registry: Registry, version: Version) -> None:
    with pytest.raises(InputError) as error:
        record(
            registry,
            version,
            data=["", "s3://" + "x" * 2000],
            repository=REPOSITORY,
            training_job="train-9",
            endpoint="nowhere",
        )
    assert [problem[:34] for problem in error.value.problems] == [
        "data '': a URI must have 1 to 1900",
        "data 's3://xxxxxxxxxxxxxxxxxxxxxxx",
        "repository https://example.com/tea",
        "us-west-2 has no training job trai",
        "us-west-2 has no endpoint nowhere:",
    ]
    with pytest.raises(InputError, match="commit main: must be 7 to 64 digits"):
        record(registry, version, commit="main")


@pytest.mark.parametrize("name", ["commit", "repository", "training_job", "endpoint"])
def test_what_is_named_by_an_unset_variable_is_told(
    registry: Registry, version: Version, name: str
) -> None:
    empty: Any = {name: ""}
    with pytest.raises(InputError, match=f"{name.replace('_', ' ')}: is empty: name one"):
        record(registry, version, **empty)


def test_who_may_not_write_is_told(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.on("CreateArtifact", denied("sagemaker:CreateArtifact"))
    with pytest.raises(ServiceError, match="not authorized to perform: sagemaker:CreateArtifact"):
        record(registry, version)


def test_what_is_named_but_may_not_be_asked_for_is_told(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    for operation, named in (("TrainingJob", "training_job"), ("Endpoint", "endpoint")):
        proxy.on(f"Describe{operation}", denied(f"sagemaker:Describe{operation}"))
        wanted: Any = {named: "some"}
        with pytest.raises(ServiceError, match=f"Describe{operation} in us-west-2 for some: Acc"):
            record(registry, version, **wanted)


def test_an_endpoint_is_named_as_people_do(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    registry.update(version, ModelApprovalStatus="Approved")
    sagemaker.create_model(
        ModelName="m",
        PrimaryContainer={"ModelPackageName": version.arn},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/serve",
    )
    variant: Any = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large"}
    variant["InitialInstanceCount"] = 1
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    arn = sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")["EndpointArn"]
    record(registry, version, endpoint="live")
    assert graph(registry, version).down[-1].destination.uri == arn


def test_what_exists_and_is_not_found_yet_is_told(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.on("CreateArtifact", refused("ValidationException", "The artifact already exists."))
    with pytest.raises(ServiceError, match="doesn't find it yet; run again"):
        record(registry, version)


def test_no_association_is_passed_over(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.on("AddAssociation", refused("ValidationException", "Not these two."))
    with pytest.raises(ServiceError, match=r"AddAssociation .* Not these two"):
        record(registry, version)


def test_jobs_of_experiments_and_what_is_gone_meanwhile_are_shown_by_their_arns(
    proxy: Faults, tmp_path: Path
) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    record(registry, version, data=[DATA])
    sagemaker = registry.sagemaker
    job = sagemaker.create_trial_component(TrialComponentName="train-1-aws-training-job")
    (data,) = sagemaker.list_artifacts(SourceUri=DATA)["ArtifactSummaries"]
    sagemaker.add_association(
        SourceArn=job["TrialComponentArn"], DestinationArn=data["ArtifactArn"]
    )
    proxy.on("DescribeAction", refused("ResourceNotFound", "Action does not exist."))
    text = as_text(graph(registry, version))
    assert "TrialComponent train-1-aws-training-job" in text
    assert "Action ModelRegistration-register-" in text


def test_a_source_that_only_looks_like_a_jobs_model_names_no_job(
    registry: Registry, version: Version
) -> None:
    registry.update(version, SourceUri=MODEL)
    plan = record(registry, registry.version(version.name), dry_run=True)
    assert "TrainingJob" not in {made.what.type for made in plan.entities}


# Reading from the audit trail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault", "reason"),
    [
        # No permission, at the first and at a later call.
        ("ListArtifacts", denied("sagemaker:ListArtifacts"), "not authorized"),
        ("QueryLineage", denied("sagemaker:QueryLineage"), "not authorized"),
        ("DescribeAction", denied("sagemaker:DescribeAction"), "not authorized"),
        # A region without lineage queries.
        ("QueryLineage", refused("UnknownOperationException", "Unknown"), "Unknown"),
        # No way there.
        ("QueryLineage", reset(), "QueryLineage in us-west-2"),
    ],
)
def test_where_lineage_is_out_of_reach_the_audit_trail_answers(
    proxy: Faults, tmp_path: Path, operation: str, fault: Any, reason: str
) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    record(registry, version, **TOLD)
    proxy.on(operation, fault)
    found = graph(registry, version)
    assert found.origin.startswith("the audit trail: SageMaker lineage can't be asked: ")
    assert reason in found.origin
    assert told(found) == {
        "ModelData model.tar.gz ContributedTo ModelRegistration",
        "SamplePayload payload.tar.gz ContributedTo ModelRegistration",
        "VariableSchema variable_schema.json ContributedTo ModelRegistration",
        "ModelRegistration register Produced Model",
        "Report model_quality_statistics.json AssociatedWith Model",
        "Report bias_report.json AssociatedWith Model",
        "Report explainability_report.json AssociatedWith Model",
        "Report metadata.json AssociatedWith Model",
    }
    (package,) = (edge.source for edge in found.up if edge.source.type == "ModelData")
    assert package.sha256 == version.model.sha256


def test_what_nobody_recorded_the_audit_trail_tells(registry: Registry, version: Version) -> None:
    found = graph(registry, version)
    assert found.origin == "the audit trail: SageMaker lineage knows nothing of it"
    assert len(found.up) == 8


def test_an_artifact_that_hangs_on_nothing_says_nothing(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    sagemaker.create_artifact(ArtifactType="Model", Source={"SourceUri": version.arn})
    assert graph(registry, version).origin.startswith("the audit trail")


def test_a_broken_audit_trail_is_no_answer(
    registry: Registry, version: Version, s3: S3Client
) -> None:
    key = f"mims/{version.group}/audit/00000001.json"
    content = s3.get_object(Bucket="mims-models", Key=key)["Body"].read()
    s3.put_object(Bucket="mims-models", Key=key, Body=content + b" ")
    with pytest.raises(InputError, match=r"00000001\.json"):
        graph(registry, version)


def test_where_neither_can_be_asked_both_are_told(proxy: Faults, tmp_path: Path) -> None:
    version, registry = register_version(tmp_path / "1"), Registry(REGION)
    proxy.down(REGION)
    with pytest.raises(ServiceError, match=r"ListArtifacts .*; and the audit trail: List"):
        graph(registry, version)


# Data, text and picture


def test_the_data_is_the_graph(registry: Registry, version: Version) -> None:
    record(registry, version, **TOLD)
    found = graph(registry, version)
    data = json.loads(json.dumps(as_data(found)))
    nodes = {node["id"]: node for node in data["nodes"]}
    assert nodes[0]["name"] == data["version"] == version.name
    assert nodes[0]["uri"] == version.arn
    words = {
        f"{nodes[e['source']]['kind']} {nodes[e['source']]['name']} {e['kind']} "
        f"{nodes[e['destination']]['kind']}"
        for e in data["edges"]
    }
    assert words == told(found)
    by_kind = {node["kind"]: node for node in data["nodes"]}
    assert by_kind["Parameters"]["properties"]["eta"] == "0.3"
    assert by_kind["DataSet"]["sha256"] == SHA256
    assert by_kind["ModelRegistration"]["entity"] == "Action"
    assert all(
        node["arn"].startswith(f"{ACCOUNT}:{node['entity'].lower()}/") for node in data["nodes"]
    )
    assert (data["origin"], data["left_out"], data["more"]) == (found.origin, 0, False)


def test_the_audit_trails_data_has_no_lineage_arns(registry: Registry, version: Version) -> None:
    data = as_data(graph(registry, version))
    assert {node["arn"] for node in data["nodes"]} == {None}
    assert len(data["edges"]) == 8


def test_what_was_recorded_as_data(registry: Registry, version: Version) -> None:
    record(registry, version)
    data = made_data(record(registry, version, data=[DATA], dry_run=True))
    (new,) = (node for node in data["nodes"] if node["new"])
    assert (new["kind"], new["uri"]) == ("DataSet", DATA)
    (edge,) = (edge for edge in data["edges"] if edge["new"])
    assert (edge["source"], edge["kind"]) == (new["id"], "ContributedTo")


def test_a_circle_is_data_too() -> None:
    first, second = (Node("Artifact", "DataSet", f"s3://b/{n}", str(n)) for n in range(2))
    edges = (Edge(first, second, "DerivedFrom"), Edge(second, first, ""))
    data = as_data(Graph(first, edges, edges, "hand"))
    assert [(e["source"], e["destination"], e["kind"]) for e in data["edges"]] == [
        (0, 1, "DerivedFrom"),
        (1, 0, None),
    ]


def test_the_text_is_two_trees(registry: Registry, version: Version) -> None:
    record(registry, version, **TOLD)
    text = re.sub(r"\b[0-9a-f]{12}\b", "digest", as_text(graph(registry, version)))
    assert (
        text
        == f"""Model {version.name}, by SageMaker lineage in us-west-2

comes from
├─ ModelRegistration register (Produced)
│  ├─ ModelData model.tar.gz digest (ContributedTo)
│  │  ├─ Code churn@digest (ContributedTo)
│  │  ├─ DataSet 2026.csv digest (ContributedTo)
│  │  └─ Parameters 2 parameters digest (ContributedTo)
│  ├─ SamplePayload payload.tar.gz digest (ContributedTo)
│  └─ VariableSchema variable_schema.json digest (ContributedTo)
├─ Report bias_report.json digest (AssociatedWith)
├─ Report explainability_report.json digest (AssociatedWith)
├─ Report metadata.json digest (AssociatedWith)
└─ Report model_quality_statistics.json digest (AssociatedWith)

led to
└─ ModelDeployment live (ContributedTo)
   └─ Endpoint live (Produced)
"""
    )


def test_the_picture_has_a_box_for_each_and_a_curve_for_each_edge(
    registry: Registry, version: Version
) -> None:
    record(registry, version, **TOLD)
    found = graph(registry, version)
    image = ET.fromstring(as_svg(found))  # noqa: S314 - ours
    svg = "{http://www.w3.org/2000/svg}"
    boxes = [
        (float(box[1].attrib["x"]), float(box[1].attrib["y"]), box[2].text, box[0].text)
        for box in image.iter(f"{svg}g")
    ]
    assert len(boxes) == 14
    assert len({box[:2] for box in boxes}) == 14  # none upon another
    assert len(list(image.findall(f"{svg}path"))) == 13
    left = {str(label): x for x, _, label, _ in boxes}
    for edge in (*found.up, *found.down):
        if edge.destination.type != "Endpoint":  # whose name its deployment has too
            assert left[edge.source.label] < left[edge.destination.label]
    titles = {title for *_, title in boxes}
    assert f"{version.model.uri}\nsha256 {version.model.sha256}" in titles


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "</text><script>alert(1)</script>",
        "a\nb",  # would break a line
        "a\u202egnp.exe",  # would be read backwards
        "a\x1b[31mred",
        "x" * 900,
        "日本語 &amp; \"quotes\" 'too'",
    ],
)
def test_hostile_names_are_text(registry: Registry, version: Version, name: str) -> None:
    uri = f"s3://mims-data/{name}"
    record(registry, version, data=[uri])
    assert record(registry, version, data=[uri]).new == []
    found = graph(registry, version)
    text, picture = as_text(found), as_svg(found)
    assert len(text.splitlines()) == len(found.up) + 6
    assert not re.search("[\x1b\u202e]", text + picture)
    image = ET.fromstring(picture)  # noqa: S314 - ours
    assert not [element for element in image.iter() if element.tag.endswith("script")]
    assert max(map(len, text.splitlines())) < 120


def test_a_circle_ends(registry: Registry, version: Version, sagemaker: SageMakerClient) -> None:
    record(registry, version, data=[DATA])
    found = graph(registry, version)
    (data,) = (edge.source for edge in found.up if edge.source.type == "DataSet")
    sagemaker.add_association(SourceArn=found.root.arn, DestinationArn=data.arn)
    circle = graph(registry, version)
    assert "Model " + version.name in as_text(circle).partition("comes from")[2]
    assert as_text(circle).count("model.tar.gz") < 4
    ET.fromstring(as_svg(circle))  # noqa: S314 - ours


def test_of_a_large_graph_the_nearest_are_shown_and_the_rest_counted(
    registry: Registry, version: Version, sagemaker: SageMakerClient
) -> None:
    record(registry, version)
    (package,) = sagemaker.list_artifacts(SourceUri=version.model.uri)["ArtifactSummaries"]
    for number in range(SHOWN + 10):
        made = sagemaker.create_artifact(
            ArtifactType="DataSet", Source={"SourceUri": f"s3://mims-data/{number}"}
        )
        sagemaker.add_association(
            SourceArn=made["ArtifactArn"], DestinationArn=package["ArtifactArn"]
        )
    found = graph(registry, version)
    nodes = {node for edge in found.up for node in edge[:2]}
    assert len(nodes) == SHOWN
    assert found.left_out == SHOWN + 10 + 9 - SHOWN
    assert "19 that are farther away are left out" in as_text(found)
    assert "19 that are farther away" in as_svg(found)
    assert "ModelRegistration register" in as_text(found)  # near is kept


def test_of_a_graph_too_large_to_count_that_is_said(
    registry: Registry,
    version: Version,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lineage_read, "_PAGES", 1)
    monkeypatch.setattr(lineage_read, "SHOWN", 5)
    record(registry, version, data=[f"s3://mims-data/{number}" for number in range(60)])
    found = graph(registry, version)
    assert found.more
    assert re.search(r"\nat least \d+ that are farther away are left out\n", as_text(found))


def test_an_edge_over_several_columns_meets_no_box() -> None:
    nodes = [Node("Artifact", "DataSet", f"s3://b/{number}", str(number)) for number in range(4)]
    chain = [Edge(nodes[n], nodes[n + 1], "DerivedFrom") for n in range(3)]
    long = Edge(nodes[0], nodes[3], "ContributedTo")
    image = ET.fromstring(as_svg(Graph(nodes[3], (*chain, long), (), "hand")))  # noqa: S314
    svg = "{http://www.w3.org/2000/svg}"
    paths = [str(path.attrib["d"]) for path in image.findall(f"{svg}path")]
    (passing,) = (path for path in paths if "H" in path)
    tops = {float(box[1].attrib["y"]) + 23 for box in image.iter(f"{svg}g")}
    heights = {float(y) for y in re.findall(r"[\d.]+ ([\d.]+)H", passing)}
    assert heights
    assert not heights & tops
