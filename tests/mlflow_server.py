"""A real MLflow server over SQLite, and runs that its own client logs.

MLflow brings 65 packages along, some in other versions than ours: it has .venv-mlflow to itself,
made from tests/requirements-mlflow.txt where that has changed (half a minute, 400 MB, PyPI). What
trains there is `train`: it is run by that Python, on a file of its own.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chain import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "tests" / "requirements-mlflow.txt"
VENV = ROOT / ".venv-mlflow"
COMMIT = "0a4b4ea0c2f1bb3d3f2a5d7f0f7e1c2d3b4a5968"


def mlflow_python() -> str:
    """The Python that has MLflow, made first if need be."""
    python, stamp = VENV / "bin" / "python", VENV / "made-from"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        install = [*("-m", "pip", "install", "--quiet", "--disable-pip-version-check")]
        locked = ["--require-hashes", "--no-deps", "-r", str(LOCK)]
        subprocess.run([python, *install, *locked], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return str(python)


class MlflowServer:
    """A running server."""

    def __init__(self, python: str, url: str, folder: Path) -> None:
        self.url = url
        self._python, self._folder = python, folder

    def train(self, **options: Any) -> str:
        """Train a model, as `train` does; give the run's id."""
        program = self._folder / "train.py"
        program.write_text(f"{inspect.getsource(train)}\n\n{_MAIN}")
        environ = {**_environ(self._folder), "MLFLOW_TRACKING_URI": self.url}
        command = [self._python, str(program), json.dumps(options)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def tags(self, run_id: str) -> dict[str, str]:
        """What the server holds, asked past any proxy."""
        url = f"{self.url}/api/2.0/mlflow/runs/get?run_id={run_id}"
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - ours
            tags = json.load(answer)["run"]["data"]["tags"]
        return {tag["key"]: tag["value"] for tag in tags}

    def post(self, path: str, **body: Any) -> None:
        """Change something by the REST API."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - ours
            f"{self.url}/api/2.0/mlflow/{path}", data, headers
        )
        with urllib.request.urlopen(request):  # noqa: S310 - ours
            pass


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """Run a server of one's own on a free port, its database in the folder."""
    python = mlflow_python()
    port = free_port()
    log = folder / "log"
    command = [
        *(python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=_environ(folder), stdout=output, stderr=output)
    with process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health", process, log)
            yield MlflowServer(python, url, folder)
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - ours
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)


def _environ(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but the way to programs; nobody is told of the use."""
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "127.0.0.1", **quiet}


_MAIN = """
if __name__ == "__main__":
    import json
    import sys

    train(**json.loads(sys.argv[1]))
"""


def train(
    experiment: str = "fraud",
    seed: int = 1,
    status: str = "FINISHED",
    odd: tuple[str, ...] = (),
    commit: str = "",
) -> None:
    """Train a logistic regression on made-up payments and log it; print the run's id.

    `odd` are further metrics, as text: nan, inf.
    """
    import mlflow  # type: ignore[import-not-found]  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    payments = rng.normal(size=(2000, 3))
    fraud = payments @ [1.5, -2.0, 0.0] + rng.normal(size=2000) > 1
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=f"logistic-{seed}") as run:
        if commit:
            mlflow.set_tag("mlflow.source.git.commit", commit)
        data = mlflow.data.from_numpy(payments, source="s3://lake/payments.csv", name="payments")
        mlflow.log_input(data, context="training")
        mlflow.log_params({"learning_rate": 0.5, "epochs": 20})
        weights = np.zeros(3)
        for epoch in range(20):
            chance = 1 / (1 + np.exp(-payments @ weights))
            weights -= 0.5 * payments.T @ (chance - fraud) / len(fraud)
            mlflow.log_metric("accuracy", float(np.mean((chance > 0.5) == fraud)), step=epoch)
        for text in odd:
            mlflow.log_metric(text, float(text), step=20)
    if status != "FINISHED":
        mlflow.MlflowClient().set_terminated(run.info.run_id, status)
    print(run.info.run_id)  # noqa: T201
