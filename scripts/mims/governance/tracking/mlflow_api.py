"""MLflow's REST API, as much of it as a link needs: a run is read, its tags are set.

Goes in: a tracking URI, a run's id, tags. Comes out: a `Run`, its answers held to their form. What
MLflow refuses says what was asked of which server, and what to do; no text shows a password.
What is asked and answered: https://mlflow.org/docs/latest/rest-api.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from mims.errors import InputError, ServiceError
from mims.governance.tracking.mlflow_http import Server
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURES = {
    401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    403: "ask for leave to read and edit the run; of SageMaker's servers, for sagemaker-mlflow:*",
}


class Metric(NamedTuple):
    """The last value of a metric, which may be no finite number, and the step it is of."""

    value: float
    step: int


@dataclass(frozen=True)
class Run:
    """A run, as MLflow tells of it. Times are in milliseconds since 1970, UTC."""

    id: str
    name: str
    experiment: str
    user: str
    status: str
    """FINISHED, RUNNING, SCHEDULED, FAILED or KILLED"""
    deleted: bool
    started: int | None
    ended: int | None
    metrics: Mapping[str, Metric]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: tuple[Mapping[str, str], ...]
    """each with name, digest, source_type, source, and context (training, …)"""


class _Pair(BaseModel):
    key: str
    value: str = ""


class _Metric(BaseModel):
    key: str
    value: float
    step: int = 0


class _Dataset(BaseModel):
    name: str
    digest: str = ""
    source_type: str = ""
    source: str = ""


class _Input(BaseModel):
    dataset: _Dataset
    tags: list[_Pair] = []

    def described(self) -> dict[str, str]:
        tags = {tag.key: tag.value for tag in self.tags}
        source = without_secrets(self.dataset.source)
        context = tags.get("mlflow.data.context", "")
        return {**self.dataset.model_dump(), "source": source, "context": context}


class _Info(BaseModel):
    run_id: str
    run_name: str = ""
    experiment_id: str
    user_id: str = ""
    status: str
    lifecycle_stage: str
    start_time: int | None = None
    end_time: int | None = None


class _Data(BaseModel):
    metrics: list[_Metric] = []
    params: list[_Pair] = []
    tags: list[_Pair] = []


class _Inputs(BaseModel):
    dataset_inputs: list[_Input] = []


class _Run(BaseModel):
    info: _Info
    data: _Data = _Data()
    inputs: _Inputs = _Inputs()


class _RunAnswer(BaseModel):
    run: _Run


class _Experiment(BaseModel):
    name: str


class _ExperimentAnswer(BaseModel):
    experiment: _Experiment


class _Empty(BaseModel):
    pass


class _Refusal(BaseModel):
    error_code: str = ""
    message: str = ""


_Answer = TypeVar("_Answer", bound=BaseModel)


class Tracking:
    """A tracking server. `name` is its URI as it may be shown."""

    def __init__(self, uri: str) -> None:
        """Take a tracking URI, as `Server` does."""
        self._server = Server(uri)
        self.name = self._server.name

    def run(self, run_id: str) -> Run:
        """Read a run.

        Raises:
            InputError: there is none of that id.
            ServiceError: the server refused or could not be reached, or is no MLflow.

        """
        query = {"run_id": run_id}
        run = self._ask("GET", f"runs/get?{_encoded(query)}", f"run {run_id}", _RunAnswer).run
        query = {"experiment_id": run.info.experiment_id}
        about = f"experiment {run.info.experiment_id}"
        found = self._ask("GET", f"experiments/get?{_encoded(query)}", about, _ExperimentAnswer)
        return Run(
            id=run.info.run_id,
            name=run.info.run_name,
            experiment=found.experiment.name,
            user=run.info.user_id,
            status=run.info.status,
            deleted=run.info.lifecycle_stage != "active",
            started=run.info.start_time,
            ended=run.info.end_time,
            metrics={one.key: Metric(one.value, one.step) for one in run.data.metrics},
            params={one.key: one.value for one in run.data.params},
            tags={one.key: one.value for one in run.data.tags},
            datasets=tuple(one.described() for one in run.inputs.dataset_inputs),
        )

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run.

        Raises:
            InputError: there is no such run.
            ServiceError: the server refused or could not be reached.

        """
        body = {"run_id": run_id, "key": key, "value": value}
        self._ask("POST", "runs/set-tag", f"run {run_id}", _Empty, body)

    def _ask(
        self, method: str, path: str, about: str, answer: type[_Answer], body: Any = None
    ) -> _Answer:
        sent = json.dumps(body).encode() if body else b""
        status, content = self._server.ask(method, f"api/2.0/mlflow/{path}", sent)
        asked = f"MLflow at {self.name} for {printable(about)}"
        try:
            if status == 200:
                return answer.model_validate_json(content)
            refusal = _Refusal.model_validate_json(content)
        except ValidationError as error:
            cure = _CURES.get(status, "does MLFLOW_TRACKING_URI name something else, or a login?")
            raise ServiceError(
                f"{asked}: status {status}, not in MLflow's words: {cure}"
            ) from error
        said = f"{asked}: {printable(without_secrets(refusal.message))[:500]}"
        if refusal.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise InputError(f"{said}: name a run of this server, or the run's server")
        cure = _CURES.get(status, "")
        raise ServiceError(f"{said} ({refusal.error_code}, status {status}){cure and f': {cure}'}")


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(query, quote_via=quote, safe="")
