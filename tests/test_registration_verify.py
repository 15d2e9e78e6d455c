"""What registration checks before anything moves, on real archives."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.errors import InputError
from mims.job import Job
from mims.registration.config import parse_config
from mims.registration.verify import Verified, verify
from registration_inputs import (
    CONFIG,
    PACKAGE,
    SAMPLES,
    VARIABLES,
    Inputs,
    archive,
    digests,
    payload_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path).write()


def check(inputs: Inputs, **config: Any) -> Verified:
    job = Job(MIMS_REGISTRATION_CONTRACT, inputs.root, {})
    return verify(job, parse_config({**CONFIG, **config}, {"AWS_REGION": "us-west-2"}))


def problems(inputs: Inputs, **config: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as error:
        check(inputs, **config)
    return error.value.problems


def repack(inputs: Inputs, files: Mapping[str, bytes]) -> None:
    archive(inputs.payload / "payload.tar.gz", files)


# The package


def test_artifacts_carry_the_digests_of_the_files(inputs: Inputs) -> None:
    verified = check(inputs)
    model = digests(inputs.model / "model.tar.gz")
    payload = digests(inputs.payload / "payload.tar.gz")
    assert verified.payload
    assert (verified.model.sha256, verified.model.size) == (model["sha256"], model["size"])
    assert verified.payload.sha256 == payload["sha256"]
    assert verified.metadata is None


@pytest.mark.parametrize(
    "arrange",
    [
        # The folder as mims_package.py leaves it.
        pytest.param(lambda _: None, id="folder"),
        pytest.param(lambda i: (i.model / "manifest.json").unlink(), id="no manifest"),
        pytest.param(lambda i: _only(i, "penguins.tar.gz"), id="folder with another name"),
        pytest.param(lambda i: _as_file(i.model), id="file in place of the folder"),
    ],
)
def test_where_the_package_lies(arrange: Callable[[Inputs], None], inputs: Inputs) -> None:
    expected = digests(inputs.model / "model.tar.gz")["sha256"]
    arrange(inputs)
    verified = check(inputs)
    assert verified.model.sha256 == expected
    assert verified.model.name == "model.tar.gz"


def _only(inputs: Inputs, name: str) -> None:
    (inputs.model / "manifest.json").unlink()
    (inputs.model / "model.tar.gz").rename(inputs.model / name)


def _as_file(folder: Path) -> None:
    (file,) = folder.glob("*.tar.gz")
    content = file.read_bytes()
    for found in folder.iterdir():
        found.unlink()
    folder.rmdir()
    folder.write_bytes(content)


@pytest.mark.parametrize(
    ("arrange", "expected"),
    [
        pytest.param(
            lambda file: file.write_bytes(file.read_bytes()[:-9]),
            "it was cut off",
            id="cut off",
        ),
        pytest.param(
            lambda file: file.write_bytes(file.read_bytes() + b"more"),
            "something that does not belong to it follows its end",
            id="with something behind its end",
        ),
        pytest.param(lambda file: file.write_bytes(b""), "it is empty", id="empty file"),
        pytest.param(
            lambda file: file.write_bytes(b"PK\x03\x04" * 200),
            "this is no tar archive",
            id="no tar archive",
        ),
        pytest.param(
            lambda file: archive(file, PACKAGE, "w:bz2"),
            "is not compressed with gzip, and SageMaker takes no other archive",
            id="bzip2, which SageMaker does not read",
        ),
        pytest.param(
            lambda file: archive(file, {**PACKAGE, "../escape": b""}),
            "member '../escape'",
            id="a name that would leave the folder it is unpacked in",
        ),
        pytest.param(
            lambda file: archive(
                file, {"model.bst": b"", "code/serve.py": b"", "code/a/b.py": b""}
            ),
            "no code/inference.py, which the config names as inference_entry_point "
            "(code/ holds a/b.py, serve.py)",
            id="another entry point",
        ),
        pytest.param(
            lambda file: archive(file, {"inference.py": b"", "model.bst": b""}),
            "no code/inference.py, which the config names as inference_entry_point "
            "(it has no code/)",
            id="code at the root",
        ),
    ],
)
def test_a_package_that_is_refused(
    arrange: Callable[[Path], object], expected: str, inputs: Inputs
) -> None:
    (inputs.model / "manifest.json").unlink()
    arrange(inputs.model / "model.tar.gz")
    (problem,) = problems(inputs)
    assert expected in problem
    assert str(inputs.model / "model.tar.gz") in problem


def test_a_package_that_was_exchanged_after_packaging_is_refused(inputs: Inputs) -> None:
    archive(inputs.model / "model.tar.gz", {**PACKAGE, "code/backdoor.py": b"..."})
    (problem,) = problems(inputs)
    assert "is not what manifest.json says: sha256 " in problem
    assert "package again" in problem


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("{", "the manifest ({model}/manifest.json) is not JSON"),
        ('{"members": []}', "{model}/manifest.json: archive: Field required"),
        ('{"archive": {"sha256": "0", "size": "big"}}', "{model}/manifest.json: archive.size: "),
    ],
)
def test_a_manifest_that_cannot_be_read(manifest: str, expected: str, inputs: Inputs) -> None:
    (inputs.model / "manifest.json").write_text(manifest)
    (problem,) = problems(inputs)
    assert problem.startswith(expected.replace("{model}", str(inputs.model)))


def test_the_entry_point_may_lie_deeper(inputs: Inputs) -> None:
    inputs.write(package={"code/serving/handler.py": b""})
    assert check(inputs, inference_entry_point="serving/handler.py").model.size


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "is empty: mount the package there"),
        (["a.tar.gz", "b.tar.gz"], "several could be meant: keep one, or call it model.tar.gz"),
        (["model.bst"], "no model.tar.gz in"),
    ],
)
def test_a_folder_that_leaves_the_package_open(
    names: list[str], expected: str, inputs: Inputs
) -> None:
    for file in inputs.model.iterdir():
        file.unlink()
    for name in names:
        (inputs.model / name).touch()
    (problem,) = problems(inputs)
    assert problem.startswith("input PackagedModel: ")
    assert expected in problem


# The payload


def test_without_a_payload(inputs: Inputs) -> None:
    (inputs.payload / "payload.tar.gz").unlink()
    assert check(inputs).payload is None  # an empty folder, as compose mounts it
    inputs.payload.rmdir()
    assert check(inputs).payload is None


def test_the_payload_may_be_a_file(inputs: Inputs) -> None:
    expected = digests(inputs.payload / "payload.tar.gz")["sha256"]
    _as_file(inputs.payload)
    payload = check(inputs).payload
    assert payload
    assert payload.sha256 == expected


def test_the_input_variables_are_the_payloads_when_the_config_has_none(inputs: Inputs) -> None:
    config = check(inputs).config
    assert config.source_model_inference_input_variable_list == VARIABLES
    assert list(config.source_model_inference_input_variable_list) == list(VARIABLES)


def test_variables_that_agree_are_taken(inputs: Inputs) -> None:
    pairs = [["age", "NUMERIC"], ["country", "TEXT"]]
    verified = check(inputs, source_model_inference_input_variable_list=pairs)
    assert verified.config.source_model_inference_input_variable_list == VARIABLES


@pytest.mark.parametrize(
    ("variables", "content_type", "expected"),
    [
        pytest.param(
            {"age": "NUMERIC", "country_code": "TEXT"},
            "text/csv",
            "only the payload has country; only the config has country_code",
            id="another name",
        ),
        pytest.param(
            {"age": "TEXT", "country": "TEXT"},
            "application/json",
            "age is TEXT in the config, NUMERIC in the payload",
            id="another type",
        ),
        pytest.param(
            {"country": "TEXT", "age": "NUMERIC"},
            "text/csv",
            "the payload's CSV has them in the order age, country",
            id="another order, which CSV depends on",
        ),
    ],
)
def test_variables_that_differ_are_refused(
    variables: dict[str, str], content_type: str, expected: str, inputs: Inputs
) -> None:
    (problem,) = problems(
        inputs,
        source_model_inference_input_variable_list=variables,
        source_model_inference_content_types=[content_type],
    )
    assert expected in problem
    assert "mend the config, or leave it out" in problem


def test_the_order_of_json_fields_does_not_matter(inputs: Inputs) -> None:
    verified = check(
        inputs,
        source_model_inference_input_variable_list={"country": "TEXT", "age": "NUMERIC"},
        source_model_inference_content_types=["application/json"],
    )
    assert list(verified.config.source_model_inference_input_variable_list) == ["country", "age"]


CSV_ONLY = {"text_csv/sample_payload.csv": b"1,DE\n"}


@pytest.mark.parametrize(
    ("files", "samples"),
    [
        pytest.param(
            {**CSV_ONLY, "metadata.json": payload_metadata(CSV_ONLY)},
            "samples are of text/csv",
            id="as the metadata says",
        ),
        # Anybody's payload: the names of its files tell.
        pytest.param(CSV_ONLY, "samples are of text/csv", id="without metadata"),
        pytest.param({"sample.bin": b""}, "samples are of none that is known", id="unknown"),
    ],
)
def test_no_sample_of_the_configs_content_type(
    files: dict[str, bytes], samples: str, inputs: Inputs
) -> None:
    repack(inputs, files)
    (problem,) = problems(inputs, source_model_inference_content_types=["application/json"])
    assert problem.startswith("no payload sample is of content type application/json, which source")
    assert samples in problem
    assert "CONTENT_TYPES=application/json" in problem


def test_the_metadata_tells_content_types_whatever_the_files_are_called(inputs: Inputs) -> None:
    sample = {"one": b"1,DE\n"}
    files = [{"name": "one", "content_type": "text/csv", "size": 5}]
    files[0]["sha256"] = hashlib.sha256(sample["one"]).hexdigest()
    repack(inputs, {**sample, "metadata.json": payload_metadata({}, files=files)})
    assert check(inputs).payload


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {**SAMPLES, "text_csv/sample_payload.csv": b"9,9\n"},
            "lists text_csv/sample_payload.csv, but not with this size and sha256: make it again",
            id="a sample was changed",
        ),
        pytest.param(
            {
                "application_json/sample_payload.json": SAMPLES[
                    "application_json/sample_payload.json"
                ]
            },
            "lists text_csv/sample_payload.csv, which is not there: make it again",
            id="a sample is missing",
        ),
        pytest.param(
            {**SAMPLES, "text_csv/large.csv": b"1" * 6_291_457},
            "sample text_csv/large.csv has 6291457 bytes; an endpoint takes 6291456",
            id="a sample that no endpoint takes",
        ),
        pytest.param({"metadata.json": b"[]"}, "metadata.json is not a JSON object", id="a list"),
        pytest.param(
            {"metadata.json": b'{"files": [{"name": "x"}]}'},
            "metadata.json: files.0.content_type: Field required",
            id="fields are missing",
        ),
    ],
)
def test_a_payload_that_is_not_what_it_says(
    files: dict[str, bytes], expected: str, inputs: Inputs
) -> None:
    repack(inputs, {"metadata.json": payload_metadata(SAMPLES), **files})
    assert expected in "\n".join(problems(inputs))


def test_a_payload_that_was_cut_off_is_refused(inputs: Inputs) -> None:
    file = inputs.payload / "payload.tar.gz"
    file.write_bytes(file.read_bytes()[:-20])
    (problem,) = problems(inputs)
    assert problem.startswith(str(file))


# The performance metadata


def test_metadata_is_a_json_object(inputs: Inputs) -> None:
    inputs.metadata.mkdir(parents=True)
    file = inputs.metadata / "model_quality.json"
    file.write_text(json.dumps({"accuracy": 0.93}))
    metadata = check(inputs).metadata
    assert metadata
    assert metadata.sha256 == digests(file)["sha256"]
    file.write_text("[0.93]")
    (problem,) = problems(inputs)
    assert problem == f"the performance metadata ({file}) is not a JSON object but list"


def test_all_that_is_wrong_is_reported_at_once(inputs: Inputs) -> None:
    archive(inputs.model / "model.tar.gz", {"code/serve.py": b""})
    repack(inputs, {"metadata.json": b"{"})
    inputs.metadata.parent.mkdir(parents=True, exist_ok=True)
    inputs.metadata.write_text("[]")
    found = "\n".join(problems(inputs))
    assert "no code/inference.py" in found
    assert "is not what manifest.json says" in found
    assert "metadata.json is not JSON" in found
    assert "the performance metadata" in found
