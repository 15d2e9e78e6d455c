"""A loaded model and the four functions that SageMaker calls: load, read, predict, answer.

Goes in: the folder of an unpacked package, in either layout. Its code may define `model_fn` (it
must), `input_fn`, `predict_fn` and `output_fn`; for what it leaves out stand readers of JSON,
JSON Lines and CSV, the model's own `predict`, and writers of JSON and CSV. A process serves one
model, as a container does: its code stays on `sys.path`.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mims_serving.package import PackageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

JSON, CSV, JSON_LINES = "application/json", "text/csv", "application/jsonlines"
_TEXT_TYPES = (JSON, CSV)  # what SageMaker's toolkit decodes before input_fn sees it


class InvocationError(Exception):
    """A request that has no prediction, and the HTTP status that says whose fault it is."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """A model in memory; `invoke` may be called from several threads."""

    def __init__(
        self, folder: Path, program: str = "inference.py", site: Path | None = None
    ) -> None:
        """Load it by the package's code; `site` holds requirements installed for it.

        Raises:
            PackageError: there is no such code, or it failed.

        """
        code = folder / "code"
        if not (code / program).is_file():
            raise PackageError(f"the package holds no code/{program}, which would load its model")
        sys.path[:0] = [str(code), *([str(site)] if site else [])]
        artifacts = folder / "model_artifacts"
        self._code = _import(code / program)
        if not hasattr(self._code, "model_fn"):
            raise PackageError(f"code/{program} defines no model_fn(model_dir)")
        model_dir = artifacts if artifacts.is_dir() else folder
        try:
            self._model = self._code.model_fn(str(model_dir))
        except Exception as error:
            raise PackageError(f"model_fn failed: {type(error).__name__}: {error}") from error

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Answer one request; gives the answer and its content type.

        Raises:
            InvocationError: the request or the package's code is at fault.

        """
        text = _decoded(body) if content_type in _TEXT_TYPES else body
        data = self._call("input_fn", text, content_type)
        prediction = self._call("predict_fn", data, self._model)
        answer = self._call("output_fn", prediction, accept)
        if isinstance(answer, tuple):  # output_fn may name the content type that it chose
            answer, accept = answer
        if isinstance(answer, str):
            answer = answer.encode()
        if not isinstance(answer, bytes):
            raise InvocationError(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"output_fn: gave {type(answer).__name__} instead of text or bytes",
            )
        return answer, accept

    def _call(self, name: str, *arguments: Any) -> Any:
        function = getattr(self._code, name, _DEFAULTS[name])
        try:
            return function(*arguments)
        except InvocationError:
            raise
        except Exception as error:
            status = _status(name, error)
            kind = f"{type(error).__name__}: " if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
            raise InvocationError(status, f"{name}: {kind}{error}") from error


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PackageError(f"code/{path.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PackageError(
            f"code/{path.name} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _status(function: str, error: Exception) -> HTTPStatus:
    """Whose fault it is: the error's own word (as SageMaker's toolkit has it), else by function."""
    status = getattr(error, "status_code", None)
    if status in set(HTTPStatus):
        return HTTPStatus(status)
    if function == "input_fn" and isinstance(error, ValueError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"the request is no UTF-8: {error}"
        raise InvocationError(HTTPStatus.BAD_REQUEST, problem) from error


def _default_input_fn(body: str | bytes, content_type: str) -> Any:
    if content_type == JSON:
        return json.loads(body)
    if content_type == JSON_LINES:
        return [json.loads(line) for line in body.splitlines() if line.strip()]
    if content_type == CSV:
        return list(csv.reader(io.StringIO(str(body), newline="")))
    raise InvocationError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"cannot read {content_type}; send {JSON}, {JSON_LINES} or {CSV}",
    )


def _default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data)


def _default_output_fn(prediction: Any, accept: str) -> str:
    plain = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == JSON:
        return json.dumps(plain)
    if accept == CSV:
        rows = plain if isinstance(plain, list) else [plain]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(row if isinstance(row, list) else [row] for row in rows)
        return text.getvalue()
    raise InvocationError(
        HTTPStatus.NOT_ACCEPTABLE, f"cannot answer in {accept}; accept {JSON} or {CSV}"
    )


_DEFAULTS = {
    "input_fn": _default_input_fn,
    "predict_fn": _default_predict_fn,
    "output_fn": _default_output_fn,
}
