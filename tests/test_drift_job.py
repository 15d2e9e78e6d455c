"""The drift check as a job: what it reads, what it leaves, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.csv
import pytest

import mims_drift
from drift_captures import capture_file, labels, lines, written
from drift_reports import Records, baseline, records
from mims.governance.drift.baselines import content

if TYPE_CHECKING:
    from pathlib import Path


class Ended(NamedTuple):
    """How a job ended, and what it left."""

    code: int
    message: dict[str, Any]
    output: Path

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.output / "report.json").read_text())
        return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the baseline in place."""
    folder = tmp_path / "opt/ml/processing/input/baseline"
    folder.mkdir(parents=True)
    (folder / "baseline.json").write_bytes(content(baseline(tmp_path / "training")))
    return tmp_path


def place(root: Path, channel: str) -> Path:
    return root / "opt/ml/processing/input" / channel


def run(root: Path, monkeypatch: pytest.MonkeyPatch, *argv: str, **environ: str) -> Ended:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    code = mims_drift.main(["--root", str(root), *argv])
    message = json.loads((root / "opt/ml/output/message").read_text())
    return Ended(code, message, root / "opt/ml/processing/output/report")


def captured(root: Path, made: Records) -> None:
    written(capture_file(place(root, "capture")), lines(made))


def test_no_drift(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured(root, records(2000, seed=2))
    ended = run(root, monkeypatch)
    assert ended.code == 0, ended.message
    assert ended.message["verdict"] == ended.report["verdict"] == "none"
    assert ended.report["records"] == 2000
    assert "No drift" in (ended.output / "report.html").read_text()


def test_drift_is_exit_code_4_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured(root, records(2000, seed=2, shift=1.0))
    ended = run(root, monkeypatch)
    assert ended.code == ended.message["exit_code"] == 4
    assert ended.message["status"] == "failed"  # so a schedule sees it
    assert ended.message["error"].startswith("drift in age, country, of 2,000 records")
    assert ended.report["verdict"] == "drift"
    assert "Drift: country, age" in (ended.output / "report.html").read_text()


def test_too_few_records(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured(root, records(20, seed=2))
    ended = run(root, monkeypatch)
    assert ended.code == 1
    assert "fewer than 200" in ended.message["error"]
    assert ended.report["verdict"] == "undecided"


def test_limits_come_by_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured(root, records(2000, seed=2, shift=1.0))
    ended = run(root, monkeypatch, PSI="5", SHARE="0.9", MINIMUM="100")
    assert ended.code == 0, ended.message
    assert ended.report["limits"]["psi"] == 5


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ALPHA": "x"}, "ALPHA is 'x'"),
        ({"ALPHA": "2"}, "alpha is 2.0: must be between 0 and 1"),
        ({"TASK": "guessing"}, "TASK is 'guessing'"),
    ],
)
def test_a_bad_setting(
    root: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str
) -> None:
    captured(root, records(2000, seed=2))
    ended = run(root, monkeypatch, **environ)
    assert ended.code == 1
    assert said in ended.message["error"]


def test_a_file_of_records(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = records(2000, seed=2, shift=1.0)
    table = made.inputs.append_column("score", made.outputs["score"])
    folder = place(root, "capture")
    folder.mkdir()
    pyarrow.csv.write_csv(table, folder / "seen.csv")
    ended = run(root, monkeypatch)
    assert (ended.code, ended.report["records"]) == (4, 2000)
    assert {one["side"] for one in ended.report["findings"]} == {"input", "output"}


def test_labels_that_came_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores mean nothing: they are as often right as not."""
    made = records(3000, seed=2)
    captured(root, made)
    written(place(root, "labels") / "day.jsonl", labels(at % 2 for at in range(3000)))
    ended = run(root, monkeypatch, TASK="binary", QUALITY='{"auc": 0.9, "accuracy": 0.95}')
    assert ended.code == 4
    assert ended.message["error"].startswith("drift in accuracy, auc")
    sides = {one["side"] for one in ended.report["findings"] if one["drifted"]}
    assert sides == {"performance"}


def test_which_output_is_the_score_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a class and its probability only the user knows of what class that is."""
    outputs = {"label": [0, 1, 1, 1] * 250, "chance": [0.2, 0.9, 0.6, 0.7] * 250}
    made = Records(records(1000).inputs, pyarrow.table(outputs))
    folder = place(tmp_path, "baseline")
    folder.mkdir(parents=True)
    (folder / "baseline.json").write_bytes(content(baseline(tmp_path / "training", made)))
    written(capture_file(place(tmp_path, "capture")), lines(made))
    written(place(tmp_path, "labels") / "day.jsonl", labels([0, 1, 0, 1] * 250))
    settings = {"TASK": "binary", "QUALITY": '{"auc": 1.0}'}
    ended = run(tmp_path, monkeypatch, **settings)
    assert ended.code == 1
    assert any("SCORE of a job" in note for note in ended.report["notes"])
    ended = run(tmp_path, monkeypatch, **settings, PREDICTION="label", SCORE="chance")
    assert ended.code == 0, ended.message
    values = {one["name"]: one["value"] for one in ended.report["series"]}
    assert values["auc"] == 1.0
    assert values["accuracy"] == 0.75
    ended = run(tmp_path, monkeypatch, **settings, SCORE="chance,chanse")
    assert "a binary task has one score" in ended.message["error"]


def test_labels_need_a_task(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured(root, records(2000, seed=2))
    written(place(root, "labels") / "day.jsonl", labels([1, 0]))
    ended = run(root, monkeypatch)
    assert (ended.code, ended.message["error"].split(":")[0]) == (1, "TASK is not set")


def test_bad_lines_are_told_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [*lines(records(2000, seed=2))]
    path = written(capture_file(place(root, "capture")), found)
    path.write_text(path.read_text()[:-40])
    ended = run(root, monkeypatch)
    assert (ended.code, ended.report["records"]) == (0, 1999)
    assert any("cut off" in note for note in ended.report["notes"])


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("baseline/two.json", "{}", "holds baseline.json, two.json"),
        ("baseline/baseline.json", "{", "is no JSON"),
        ("baseline/baseline.json", "[]", "is no JSON object"),
        ("baseline/baseline.json", "{}", "is no baseline"),
        ("baseline/baseline.json", None, "holds none"),
        ("capture/fraud/AllTraffic/2026/03/02/14/30-00-000-1.jsonl", None, "nothing was captured"),
    ],
)
def test_bad_inputs(
    root: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str | None, said: str
) -> None:
    captured(root, records(300, seed=2))
    path = place(root, file)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    ended = run(root, monkeypatch)
    assert ended.code == 1
    assert said in ended.message["error"]


def test_nothing_there_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(tmp_path, monkeypatch)
    assert ended.code == 1
    assert "input baseline is missing" in ended.message["error"]
    assert "input capture is missing" in ended.message["error"]


def test_help_tells_of_drift(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        mims_drift.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "Exit code 4" in told
    assert "      4 drift was found" in told
    assert "/opt/ml/processing/input/capture" in told


def test_without_its_packages_it_says_so(root: Path) -> None:
    captured(root, records(10))
    command = [sys.executable, "-S", "-E", mims_drift.__file__, "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run in the mims-monitor image" in json.loads(done.stdout)["error"]
