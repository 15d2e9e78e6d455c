"""SageMaker's serving contract over packages: real processes, real HTTP, the real sample model."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

import sample_model
from sample_model import DOCKER, package_sample, raw_penguins, write_archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

sample = sample_model.sample

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
BIRD = {
    "culmen_length_mm": 50.0,
    "culmen_depth_mm": 15.7,
    "flipper_length_mm": 222,
    "delta_15_n": 8.2,
    "delta_13_c": -26.1,
    "species": "Gentoo penguin (Pygoscelis papua)",
    "island": "Biscoe",
    "sex": "MALE",
    "clutch_completion": "Yes",
}
HEADER = ",".join(BIRD)
ROW = ",".join(map(str, BIRD.values()))
# A model that needs nothing: it echoes what it was asked.
ECHO = "class Echo:\n    def predict(self, data): return data\n\ndef model_fn(d): return Echo()\n"


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.address = url.removeprefix("http://")
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ask(
        self, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, str, str]:
        """Status, content type and text of an answer."""
        connection = HTTPConnection(self.address, timeout=60)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
        finally:
            connection.close()

    def invoke(
        self, body: str | bytes, content_type: str = JSON, accept: str = JSON
    ) -> tuple[int, str]:
        status, _, text = self.ask(
            "POST", "/invocations", body, Content_Type=content_type, Accept=accept
        )
        return status, text


def command(package: Path, *options: str) -> list[str]:
    server = str(DOCKER / "serve" / "serve.py")
    return [sys.executable, server, "--package", str(package), "--port", "0", *options]


@contextmanager
def serving(package: Path, *options: str, **environ: str) -> Iterator[Served]:
    """Run the server until the block ends; its scratch files go beside the package."""
    scratch, log = package.parent / "scratch", package.parent / "log"
    scratch.mkdir(exist_ok=True)
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command(package, *options),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "TMPDIR": str(scratch), **environ},
        ) as process,
    ):
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url, log.read_text()
        try:
            yield Served(process, url, log)
        finally:
            process.terminate()


def refused(package: Path, *options: str, **environ: str) -> str:
    """Start the server where it must not come up; gives what it says."""
    scratch = package.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    done = subprocess.run(
        command(package, *options),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TMPDIR": str(scratch), **environ},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(scratch.iterdir()) == []
    return done.stderr


@pytest.fixture(scope="module", params=["mims", "sagemaker"])
def served(
    request: pytest.FixtureRequest, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Serve the sample model, packaged in each layout."""
    package = tmp_path_factory.mktemp(request.param) / "model.tar.gz"
    with serving(package_sample(sample, request.param, package)) as server:
        yield server


def predictions(text: str) -> Any:
    return json.loads(text)["predictions"]


def instances(*rows: Mapping[str, Any]) -> str:
    return json.dumps({"instances": rows})


def test_ping_answers_when_the_model_is_loaded(served: Served) -> None:
    assert served.ask("GET", "/ping") == (200, JSON, "")


def test_a_json_request_is_predicted(served: Served) -> None:
    status, text = served.invoke(instances(BIRD, {**BIRD, "sex": "FEMALE"}))
    assert status == 200
    heavy, other = predictions(text)
    assert heavy["weight_class"] == "heavy"
    assert heavy["heavy_probability"] > 0.9
    assert other["heavy_probability"] != heavy["heavy_probability"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (CSV, f"{HEADER}\n{ROW}\n"),
        (CSV, f"{HEADER}\r\n{ROW}\r\n"),
        # without a header the columns are those of feature_columns.txt
        (CSV, f"{ROW}\n"),
        # a header may name the columns in another order
        (CSV, ",".join([*BIRD][::-1]) + "\n" + ",".join(map(str, [*BIRD.values()][::-1]))),
        ("text/csv; charset=utf-8", f"{HEADER}\n{ROW}\n"),
        (LINES, json.dumps(BIRD) + "\n"),
        # numbers may come as text
        (JSON, instances({**BIRD, "culmen_length_mm": "50.0"})),
    ],
)
def test_every_content_type_gets_the_same_prediction(
    served: Served, content_type: str, body: str
) -> None:
    assert served.invoke(body, content_type) == served.invoke(instances(BIRD))


def test_answers_come_as_csv_too(served: Served) -> None:
    _, text = served.invoke(instances(BIRD))
    expected = predictions(text)[0]["heavy_probability"]
    answer = served.ask("POST", "/invocations", instances(BIRD), Accept=CSV)
    assert answer == (200, CSV, f"heavy,{expected}\n")


def test_any_accept_header_that_takes_all_gets_json(served: Served) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json;q=0.9, text/csv"}):
        assert served.ask("POST", "/invocations", instances(BIRD), **headers)[1] == JSON


def test_a_default_payload_is_predictable(served: Served) -> None:
    defaults = {
        field: "DEFAULT_TEXT" if isinstance(value, str) else 0.0 for field, value in BIRD.items()
    }
    status, text = served.invoke(instances(defaults))
    assert status == 200
    assert 0 < predictions(text)[0]["heavy_probability"] < 1


def test_missing_values_are_filled_in(served: Served) -> None:
    unknown = dict.fromkeys(BIRD)
    answers = [
        served.invoke(instances(unknown)),
        served.invoke(instances({})),
        served.invoke(HEADER + "\n" + "," * (len(BIRD) - 1), CSV),
        served.invoke(HEADER + "\n" + ",".join(["NA"] * len(BIRD)), CSV),
    ]
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 200


def test_the_served_model_is_as_good_as_its_metadata_says(served: Served, sample: Path) -> None:
    columns = {
        "culmen_length_mm": "Culmen Length (mm)",
        "culmen_depth_mm": "Culmen Depth (mm)",
        "flipper_length_mm": "Flipper Length (mm)",
        "delta_15_n": "Delta 15 N (o/oo)",
        "delta_13_c": "Delta 13 C (o/oo)",
        "species": "Species",
        "island": "Island",
        "sex": "Sex",
        "clutch_completion": "Clutch Completion",
    }
    birds = [
        row
        for row in raw_penguins()
        if row["studyName"] == "PAL0910" and row["Body Mass (g)"] != "NA"
    ]
    _, text = served.invoke(
        instances(*({field: row[column] for field, column in columns.items()} for row in birds))
    )
    right = sum(
        (answer["weight_class"] == "heavy") == (float(row["Body Mass (g)"]) > 4000)
        for row, answer in zip(birds, predictions(text), strict=True)
    )
    evaluation = json.loads((sample / "metadata" / "evaluation.json").read_text())
    quality = evaluation["model_quality"]
    registered = quality["binary_classification_metrics"]["accuracy"]["value"]
    assert right / len(birds) == pytest.approx(registered, abs=1e-6)


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        # a content type that the code does not read
        (("x", "text/plain"), 415, "send application/json"),
        # an answer that the code does not write
        ((instances(BIRD), JSON, "image/png"), 406, "accept application/json"),
        # JSON in name only
        (("{", JSON), 400, "no JSON"),
        (("[]", JSON), 400, "instances"),
        (('{"instances": [1]}', JSON), 400, "instance 1 must be an object"),
        (('{}\n{"', LINES), 400, "line 2 is no JSON"),
        ((instances(), JSON), 400, "no rows"),
        ((HEADER, CSV), 400, "no rows"),
        # a misspelt field would otherwise count as missing
        ((instances({"flipper": 1}), JSON), 400, "unknown field flipper"),
        ((instances({"delta_15_n": "long"}), JSON), 400, "delta_15_n is 'long'"),
        ((instances({"delta_15_n": True}), JSON), 400, "delta_15_n is True"),
        (('{"instances": [{"delta_15_n": 1e999}]}', JSON), 400, "delta_15_n is inf"),
        ((instances({"sex": 1}), JSON), 400, "sex is 1"),
        # the second row is short of a value
        ((f"{ROW}\n{ROW.rpartition(',')[0]}", CSV), 400, "line 2 has 8 values"),
        (("1,2,3", CSV), 400, "line 1 has 3 values"),
        ((f'{ROW}\n"50', CSV), 400, "no CSV"),
        # two columns of one name: which one counts?
        ((HEADER.replace("sex", "island"), CSV), 400, "is 'culmen_length_mm'"),
        ((b'{"instances": [{"sex": "\xff"}]}', JSON), 400, "no UTF-8"),
        ((b'{"sex": "\xff"}', LINES), 400, "utf-8"),
    ],
)
def test_a_bad_request_hears_what_is_wrong(
    served: Served, request_: tuple[Any, ...], status: int, says: str
) -> None:
    answered, text = served.invoke(*request_)
    assert answered == status
    assert says in json.loads(text)["error"]


def test_what_the_contract_does_not_have_is_refused_in_json(served: Served) -> None:
    answers = [
        served.ask("GET", "/models"),
        served.ask("POST", "/ping", b""),
        served.ask("GET", "/invocations"),
        served.ask("PUT", "/invocations", b""),
        served.ask("POST", "/invocations", None, Content_Length="no number"),
        served.ask("POST", "/invocations", None, Content_Length="6291457"),
    ]
    assert [status for status, _, _ in answers] == [404, 404, 405, 501, 411, 413]
    assert all("error" in json.loads(text) for _, _, text in answers)


def test_requests_at_the_same_time_get_their_own_answers(served: Served) -> None:
    expected = {
        sex: served.invoke(instances({**BIRD, "sex": sex}))[1] for sex in ("MALE", "FEMALE")
    }
    answers: list[tuple[str, str]] = []

    def ask(sex: str) -> None:
        answers.append((sex, served.invoke(instances({**BIRD, "sex": sex}))[1]))

    threads = [Thread(target=ask, args=(sex,)) for sex in [*expected] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16
    assert all(text == expected[sex] for sex, text in answers)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path, signum: signal.Signals) -> None:
    package = write_archive(tmp_path / "model.tar.gz", {"code/inference.py": ECHO})
    with serving(package) as server:
        assert len(list((tmp_path / "scratch").iterdir())) == 1
        server.process.send_signal(signum)
        assert server.process.wait(60) == 0
    assert list((tmp_path / "scratch").iterdir()) == []


def ping_for_ever(server: Served) -> None:
    while True:
        server.ask("GET", "/ping")


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "from pathlib import Path\n"
        "def model_fn(d): return None\n"
        "def predict_fn(folder, model):\n"
        "    Path(folder, 'under-way').touch()\n"
        "    while not Path(folder, 'go').exists(): time.sleep(0.01)\n"
        "    return 'answered'\n"
    )
    answers = []
    with serving(write_archive(tmp_path / "model.tar.gz", {"code/inference.py": code})) as server:
        client = Thread(target=lambda: answers.append(server.invoke(json.dumps(str(tmp_path)))))
        client.start()
        while not (tmp_path / "under-way").exists():
            assert client.is_alive(), server.log
            time.sleep(0.01)
        server.process.terminate()
        with pytest.raises(ConnectionError):  # it takes no more requests
            ping_for_ever(server)
        (tmp_path / "go").touch()
        client.join(60)
    assert answers == [(200, '"answered"')]


def test_code_that_only_loads_gets_the_usual_readers_and_writers(tmp_path: Path) -> None:
    package = write_archive(tmp_path / "model.tar.gz", {"code/inference.py": ECHO})
    with serving(package) as server:
        assert server.invoke("[1, 2]") == (200, "[1, 2]")
        assert server.invoke("[1, [2, 3]]", accept=CSV) == (200, "1\n2,3\n")
        assert server.invoke("a,1\nb,2\n", CSV) == (200, '[["a", "1"], ["b", "2"]]')
        assert server.invoke('{"a": 1}\n{"a": 2}\n', LINES) == (200, '[{"a": 1}, {"a": 2}]')
        assert server.invoke("x", "text/plain")[0] == 415
        assert server.invoke("[]", accept="text/plain")[0] == 406
        assert server.invoke("[")[0] == 400


def test_model_fn_gets_the_folder_of_the_model_files(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "def model_fn(d): return Path(d, 'weights').read_text()\n"
        "def predict_fn(data, model): return model\n"
    )
    for layout, folder in sample_model.LAYOUTS.items():
        files = {f"{folder}weights": f"weights of {layout}", "code/inference.py": code}
        with serving(write_archive(tmp_path / "model.tar.gz", files)) as server:
            assert server.invoke("{}") == (200, f'"weights of {layout}"')


def test_the_program_can_be_named_as_on_sagemaker(tmp_path: Path) -> None:
    package = write_archive(tmp_path / "model.tar.gz", {"code/serve_me.py": ECHO})
    with serving(package, "--program", "serve_me.py") as server:
        assert server.invoke("1") == (200, "1")
    with serving(package, SAGEMAKER_PROGRAM="serve_me.py") as server:
        assert server.invoke("2") == (200, "2")


def test_code_may_have_modules_named_like_the_servers_own(tmp_path: Path) -> None:
    files = {
        "code/inference.py": "import model, package, server, serve\n"
        "def model_fn(d): return [m.ME for m in (model, package, server, serve)]\n"
        "def predict_fn(data, model): return model\n",
        **{f"code/{name}.py": "ME = __name__\n" for name in ("model", "package", "server")},
        "code/serve.py": "ME = __name__\n",
    }
    with serving(write_archive(tmp_path / "model.tar.gz", files)) as server:
        assert server.invoke("{}") == (200, '["model", "package", "server", "serve"]')


def test_code_that_fails_is_an_error_of_its_own(tmp_path: Path) -> None:
    code = (
        "print('printed while loading')\n"
        "class Refusal(Exception):\n"
        "    status_code = 422\n"
        "def model_fn(d): return None\n"
        "def input_fn(body, content_type): return body\n"
        "def predict_fn(data, model):\n"
        "    print('printed while predicting')\n"
        "    raise {'bug': ValueError, 'refuse': Refusal}.get(data, Exception)('because')\n"
    )
    with serving(write_archive(tmp_path / "model.tar.gz", {"code/inference.py": code})) as server:
        bug, refusal = server.invoke("bug"), server.invoke("refuse")
        assert "printed while predicting" in server.log
    assert (bug[0], json.loads(bug[1])) == (500, {"error": "predict_fn: ValueError: because"})
    assert (refusal[0], json.loads(refusal[1])) == (422, {"error": "predict_fn: because"})


def test_output_fn_may_choose_the_content_type_but_must_give_text_or_bytes(tmp_path: Path) -> None:
    code = (
        "def model_fn(d): return None\n"
        "def predict_fn(data, model): return data\n"
        "def output_fn(p, accept): return (b'\\x89PNG', 'image/png') if p else ['a list']\n"
    )
    with serving(write_archive(tmp_path / "model.tar.gz", {"code/inference.py": code})) as server:
        connection = HTTPConnection(server.address, timeout=60)
        connection.request("POST", "/invocations", "1")
        answer = connection.getresponse()
        assert (answer.headers["Content-Type"], answer.read()) == ("image/png", b"\x89PNG")
        connection.close()
        assert server.invoke("0")[0] == 500


def wheel(version: str) -> bytes:
    """Make a wheel of the library `tiny`, which knows its version."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = f"tiny-{version}.dist-info"
        archive.writestr("tiny.py", f"VERSION = {version!r}\n")
        for file, text in {
            "METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            archive.writestr(f"{info}/{file}", text)
    return content.getvalue()


def test_requirements_are_installed_for_the_package_alone(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "code/inference.py": "import tiny\n"
        "def model_fn(d): return tiny.VERSION\n"
        "def predict_fn(data, model): return model\n",
        "code/requirements.txt": "./tiny-1.0-py3-none-any.whl\n",
        "code/tiny-1.0-py3-none-any.whl": wheel("1.0"),
    }
    package = write_archive(tmp_path / "model.tar.gz", files)
    with serving(package, PIP_NO_INDEX="1") as server:
        assert server.invoke("{}") == (200, '"1.0"')
    listed = [sys.executable, "-m", "pip", "show", "tiny"]
    assert subprocess.run(listed, capture_output=True, check=False).returncode == 1


def test_requirements_that_are_there_are_not_installed_again(tmp_path: Path) -> None:
    files = {"code/inference.py": ECHO, "code/requirements.txt": "# comment\nboto3>=1\n"}
    with serving(write_archive(tmp_path / "model.tar.gz", files)) as server:
        assert "installing" not in server.log
        assert server.invoke("1")[0] == 200


def test_requirements_that_cannot_be_had_are_named(tmp_path: Path) -> None:
    files = {"code/inference.py": ECHO, "code/requirements.txt": "no-such-library==1\n"}
    package = write_archive(tmp_path / "model.tar.gz", files)
    said = refused(package, PIP_NO_INDEX="1")
    assert "code/requirements.txt" in said
    assert "no-such-library==1" in said


@pytest.mark.parametrize(
    ("says", "files"),
    [
        ("no code/inference.py", {"model_artifacts/weights": "w"}),
        ("no code/inference.py", {"inference.py": ECHO}),
        ("no model_fn", {"code/inference.py": "x = 1\n"}),
        ("ImportError: broken", {"code/inference.py": "raise ImportError('broken')\n"}),
        ("SyntaxError", {"code/inference.py": "def\n"}),
        (
            "model_fn failed: FileNotFoundError",
            {"code/inference.py": "def model_fn(d): open(d + '/weights')\n"},
        ),
    ],
)
def test_a_package_that_cannot_load_says_why(
    tmp_path: Path, says: str, files: dict[str, str]
) -> None:
    assert says in refused(write_archive(tmp_path / "model.tar.gz", files))


def test_no_package_and_no_archive_are_told_apart(tmp_path: Path) -> None:
    assert "no package at" in refused(tmp_path / "model.tar.gz")
    damaged = tmp_path / "model.tar.gz"
    damaged.write_text("no archive")
    assert "no whole .tar.gz" in refused(damaged)


def test_a_package_cut_short_is_refused(sample: Path, tmp_path: Path) -> None:
    package = package_sample(sample, "mims", tmp_path / "model.tar.gz")
    content = package.read_bytes()
    package.write_bytes(content[: len(content) // 2])
    assert "no whole .tar.gz" in refused(package)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("hostile", "says"),
    [
        # would overwrite what lies beside the scratch folder
        (member("../escaped"), "'../escaped' is refused"),
        (member("code/../../escaped"), "is refused"),
        (member("/escaped"), "'/escaped' is refused"),
        (member("..\\escaped"), "is refused"),
        # the next member would be written through it
        (member("code/link", tarfile.SYMTYPE, "/"), "neither a file nor a folder"),
        (member("code/link", tarfile.LNKTYPE, "code/inference.py"), "neither a file nor a folder"),
        # reading it would never end
        (member("code/pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("code/zero", tarfile.CHRTYPE), "neither a file nor a folder"),
        # which of the two is served?
        (member("code/inference.py"), "the name is taken"),
        (member("./code/inference.py"), "the name is taken"),
        (member("code/inference.py/x"), "the name is taken"),
        (member("code/inference.py", tarfile.DIRTYPE), "the name is taken"),
        # shows as another name in a log
        (member("code/\u202eyp.txt"), "hides characters"),
    ],
)
def test_a_hostile_member_is_refused(tmp_path: Path, hostile: tarfile.TarInfo, says: str) -> None:
    package = tmp_path / "model.tar.gz"
    with tarfile.open(package, "w:gz") as tar:
        code = tarfile.TarInfo("code/inference.py")
        code.size = len(ECHO)
        tar.addfile(code, io.BytesIO(ECHO.encode()))
        tar.addfile(hostile)
    assert says in refused(package)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.tar.gz", "scratch"]
    assert not Path("/escaped").exists()


def test_a_package_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    huge = tarfile.TarInfo("weights")
    huge.size = 1 << 40
    package = tmp_path / "model.tar.gz"
    with tarfile.open(package, "w:gz") as tar:
        tar.addfile(huge)
    assert "holds more than" in refused(package)
