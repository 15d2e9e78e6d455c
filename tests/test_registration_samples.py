"""What registration makes of payloads that mims_payload.py has made, as they are and changed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from archives import file, gz, symlink, tar
from front_door import Container, lay
from mims.errors import InputError
from mims.registration.samples import Payload, verify_payload
from registration_inputs import Inputs, archive, digests, run_registration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

MODEL = '{"field_info": {"country": "text", "age": "numeric"}}'
RECORDS = '[{"country": "DE", "age": 1}, {"country": "CH", "age": 2}]'
VARIABLES = {"country": "TEXT", "age": "NUMERIC"}
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
RECOMMENDER = {"PAYLOAD_LAYOUT": "recommender", "CONTENT_TYPES": CSV}


@pytest.fixture
def container(tmp_path: Path) -> Container:
    made = Container(tmp_path / "payload-job")
    lay(made.model, {"hyperparameters.json": MODEL})
    lay(made.custom_payload, {"records.json": RECORDS})
    return made


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Inputs of a registration but for the payload."""
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "workflow-1")
    inputs = Inputs(tmp_path / "registration").write()
    shutil.rmtree(inputs.payload)
    return inputs


def make(container: Container, **environ: str) -> Path:
    """Make a payload; give the folder that it lies in."""
    outcome = container.payload_here(**environ)
    assert outcome.code == 0, outcome.error
    return container.output


def verified(channel: Path) -> Payload:
    payload = verify_payload(channel, lambda _: None)
    assert payload
    return payload


def refused(channel: Path) -> str:
    with pytest.raises(InputError) as error:
        verify_payload(channel, lambda _: None)
    return str(error.value)


def samples(channel: Path) -> dict[str, bytes]:
    with tarfile.open(channel / "payload.tar.gz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def repack(channel: Path, changes: Mapping[str, bytes | None], *, vouched: bool = False) -> None:
    """Change files of the archive; None takes one out."""
    files = {**samples(channel), **changes}
    archive(channel / "payload.tar.gz", {n: c for n, c in files.items() if c is not None})
    if vouched:
        vouch(channel)


def edit(channel: Path, **changes: Any) -> None:
    """Change what the metadata beside the archive says; None takes it out."""
    path = channel / "metadata.json"
    metadata = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in metadata.items() if v is not None}))


def alone(channel: Path, changes: Mapping[str, bytes]) -> None:
    """Leave nothing beside the archive, and change files of it."""
    (channel / "metadata.json").unlink()
    repack(channel, changes)


def link_out(channel: Path) -> None:
    """Put a link to elsewhere in place of the metadata."""
    (channel / "metadata.json").unlink()
    (channel / "metadata.json").symlink_to("/etc/hostname")


def vouch(channel: Path) -> None:
    """Let the metadata beside the archive vouch for the archive as it is now."""
    edit(channel, archive=digests(channel / "payload.tar.gz"))


@pytest.mark.parametrize(
    ("environ", "content_types"),
    [
        ({}, {JSON}),
        ({"CONTENT_TYPES": f"{JSON},{CSV},{LINES}"}, {JSON, CSV, LINES}),
        (RECOMMENDER, {CSV}),
        ({**RECOMMENDER, "CSV_HEADER": "false"}, {CSV}),
        ({**RECOMMENDER, "CONTENT_TYPES": JSON}, {JSON}),
    ],
)
def test_payloads_of_every_layout(
    container: Container, environ: dict[str, str], content_types: set[str]
) -> None:
    channel = make(container, **environ)

    payload = verified(channel)

    assert payload.content_types == content_types
    assert list(payload.variables.items()) == list(VARIABLES.items())
    expected = digests(channel / "payload.tar.gz")
    assert (payload.artifact.sha256, payload.artifact.size) == (*expected.values(),)
    assert payload.artifact.name == "payload.tar.gz"


@pytest.mark.parametrize("environ", [{}, RECOMMENDER])
@pytest.mark.parametrize(
    "arrange",
    [
        pytest.param(lambda c: (c / "metadata.json").unlink(), id="none beside it"),
        # of something else: a model's quality, say
        pytest.param(lambda c: lay(c, {"metadata.json": '{"accuracy": 0.9}'}), id="another"),
        pytest.param(lambda c: shutil.move(c / "payload.tar.gz", c / "mine.tar.gz"), id="renamed"),
    ],
)
def test_the_metadata_may_be_missing(
    container: Container, environ: dict[str, str], arrange: Callable[[Path], object]
) -> None:
    channel = make(container, **environ)
    arrange(channel)

    payload = verified(channel)

    assert payload.content_types == {CSV if environ else JSON}
    knows = not environ or (channel / "mine.tar.gz").exists()
    assert payload.variables == (VARIABLES if knows else {})


def test_the_file_alone_is_told_by_its_content(container: Container, tmp_path: Path) -> None:
    shutil.copy(make(container, **RECOMMENDER) / "payload.tar.gz", tmp_path / "payload.tar.gz")

    assert verified(tmp_path / "payload.tar.gz").content_types == {CSV}


def test_a_payload_that_anybody_packs(tmp_path: Path) -> None:
    lay(tmp_path / "mine", {"text_csv/a.csv": "DE,1\n", "application_json/a.json": "{}"})
    command = ["tar", "-czf", str(tmp_path / "payload.tar.gz"), "-C", str(tmp_path / "mine"), "."]
    subprocess.run(command, check=True)
    shutil.rmtree(tmp_path / "mine")

    payload = verified(tmp_path)

    assert payload.content_types == {JSON, CSV}
    assert payload.variables == {}


SAMPLE, JSON_SAMPLE = "sample_payload_0001.csv", "application_json/sample_payload.json"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        # The archive is another than the one that was made, whatever else agrees.
        pytest.param(
            lambda c: repack(c, {}),
            "is not what metadata.json beside it says: sha256",
            id="rewritten",
        ),
        pytest.param(
            lambda c: repack(c, {SAMPLE: b"1,DE\n"}),
            "is not what metadata.json beside it",
            id="changed",
        ),
        pytest.param(
            lambda c: edit(c, archive={"sha256": "0" * 64, "size": 1}),
            f"not {'0' * 64} and 1; one of them was changed afterwards: make the payload again",
            id="another digest",
        ),
        # Whoever changed the archive made the metadata agree, but for the samples.
        pytest.param(
            lambda c: repack(c, {SAMPLE: b"1,DE\n"}, vouched=True),
            f"metadata.json lists {SAMPLE}, but not with this size and sha256: make it again",
            id="a sample was changed",
        ),
        pytest.param(
            lambda c: repack(c, {SAMPLE: None}, vouched=True),
            f"metadata.json lists {SAMPLE}, which is not there: make it again",
            id="a sample is missing",
        ),
        pytest.param(
            lambda c: repack(c, {"more.csv": b"1,DE\n"}, vouched=True),
            "metadata.json does not list more.csv, which the archive holds: make it again",
            id="a request that nobody announced",
        ),
        pytest.param(
            lambda c: repack(c, {"metadata.json": b'{"files": []}'}, vouched=True),
            "metadata.json and the metadata.json in payload.tar.gz say different things",
            id="metadata of its own",
        ),
        # The metadata itself.
        pytest.param(
            lambda c: lay(c, {"metadata.json": "{"}), "metadata.json) is not JSON", id="broken"
        ),
        pytest.param(lambda c: edit(c, archive=5), "metadata.json: archive: Input", id="no digest"),
        pytest.param(
            lambda c: edit(c, archive=None, files=[{"name": "x"}]),
            "metadata.json: files.0.content_type: Field required",
            id="fields are missing",
        ),
        pytest.param(
            lambda c: edit(c, source_model_inference_input_variable_list={"age": "IMAGE"}),
            "metadata.json: source_model_inference_input_variable_list",
            id="a type that there is not",
        ),
        pytest.param(
            link_out,
            "metadata.json: it is a link that leaves",
            id="a link",
        ),
    ],
)
def test_a_recommender_payload_that_was_changed(
    container: Container, change: Callable[[Path], object], says: str
) -> None:
    channel = make(container, **RECOMMENDER)
    change(channel)

    assert says in refused(channel)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda c: repack(c, {}), "is not what metadata.json beside it says", id="rewritten"
        ),
        pytest.param(
            lambda c: repack(c, {"metadata.json": None, JSON_SAMPLE: b"{}"}, vouched=True),
            f"metadata.json lists {JSON_SAMPLE}, but not with this size and sha256: make it again",
            id="only the one beside it is left",
        ),
        pytest.param(
            lambda c: alone(c, {JSON_SAMPLE: b"{}"}),
            f"metadata.json lists {JSON_SAMPLE}, but not with this size and sha256: make it again",
            id="only the one in it is left",
        ),
        pytest.param(
            lambda c: edit(c, source_model_inference_input_variable_list={"age": "TEXT"}),
            "say different things: one of them was changed afterwards; make the payload again",
            id="other variables",
        ),
        pytest.param(
            lambda c: edit(
                c, source_model_inference_input_variable_list=dict(reversed(VARIABLES.items()))
            ),
            "say different things",
            id="another order of variables, which CSV depends on",
        ),
        pytest.param(
            lambda c: alone(c, {"metadata.json": b""}),
            "payload.tar.gz: metadata.json is not JSON",
            id="empty metadata",
        ),
    ],
)
def test_a_mims_payload_that_was_changed(
    container: Container, change: Callable[[Path], object], says: str
) -> None:
    channel = make(container)
    change(channel)

    assert says in refused(channel)


def test_a_link_in_place_of_a_sample_is_no_sample(container: Container) -> None:
    """It leads to the right content today: what is sent depends on who unpacks it."""
    channel = make(container, **RECOMMENDER)
    first, second = samples(channel).items()
    members = (file(*first), file("copy", second[1]), symlink(second[0], "copy"))
    (channel / "payload.tar.gz").write_bytes(gz(tar(*members)))
    vouch(channel)

    error = refused(channel)

    assert f"lists {second[0]}, but not with this size and sha256" in error
    assert "does not list copy" in error


def test_all_that_is_wrong_is_told_at_once(container: Container) -> None:
    channel = make(container, **RECOMMENDER)
    repack(channel, {SAMPLE: None, "large.csv": b"1" * 6_291_457, "more.csv": b""})
    vouch(channel)

    error = refused(channel)

    assert "sample large.csv has 6291457 bytes; an endpoint takes 6291456" in error
    assert f"lists {SAMPLE}, which is not there" in error
    assert "does not list large.csv, more.csv" in error


def test_very_many_differences_are_told_in_short(container: Container) -> None:
    channel = make(container, **RECOMMENDER)
    archive(channel / "payload.tar.gz", {f"{number}.csv": b"" for number in range(5000)})
    vouch(channel)

    error = refused(channel)

    assert "and 4980 more, which the archive holds" in error
    assert len(error) < 2000


def test_a_recommender_payload_is_registered(
    container: Container, inputs: Inputs, bucket: str, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    shutil.copytree(make(container, **RECOMMENDER), inputs.payload)

    done = run_registration(inputs)

    assert done.code == 0, done.message
    found = sagemaker.describe_model_package(ModelPackageName=done.message["arn"])
    key = found["SamplePayloadUrl"].removeprefix(f"s3://{bucket}/")
    stored = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(stored)) as requests:
        assert requests.getnames() == ["sample_payload_0001.csv", "sample_payload_0002.csv"]
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    (schema,) = [key for key in keys if key.endswith("variable_schema.json")]
    variables = json.loads(s3.get_object(Bucket=bucket, Key=schema)["Body"].read())["input"]
    assert variables == {"variables": [{"name": n, "type": t} for n, t in VARIABLES.items()]}


def test_nothing_is_uploaded_of_a_payload_that_was_changed(
    container: Container, inputs: Inputs, bucket: str, s3: S3Client
) -> None:
    shutil.copytree(make(container, **RECOMMENDER), inputs.payload)
    repack(inputs.payload, {SAMPLE: b"country,age\nDE,9\n"})

    done = run_registration(inputs)

    assert done.code == 1
    assert "is not what metadata.json beside it says" in done.error
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
