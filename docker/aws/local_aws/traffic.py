"""Requests to endpoints, sent on to real model servers.

In: a request to an endpoint in service, what is deployed there, and which server stands behind
which model. Out: what the server of one production variant answered, over HTTP. Variants are drawn
by their weights, and a shadow variant gets a copy of as many requests as its weight is of the
production variant's; nobody waits for its answer. What came of it is in CloudWatch (AWS/SageMaker,
by EndpointName and VariantName) and, where the configuration says so, captured in S3 (`captures`).
A server that fails, hangs or is not there makes the ModelError that the service makes of it.
"""

from __future__ import annotations

import json
import logging
import time
from queue import Full, Queue
from random import Random
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from local_aws.captures import Captures, Content, record
from local_aws.metrics import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.datastructures import Headers

    from local_aws.deployment import Deployed

NAMESPACE = "AWS/SageMaker"
SECONDS = 60.0  # that a model has to answer, as in the service

_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_COPIERS = 8
_MOST_COPIES = 10_000  # that wait to be sent
# As https://github.com/aws/amazon-sagemaker-examples/issues/1407 shows.
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the "
    "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)

log = logging.getLogger("local_aws")


class RefusedError(Exception):
    """A request that no variant can take."""


class Asked(NamedTuple):
    """A request to an endpoint."""

    endpoint: str
    content: Content
    headers: dict[str, str]
    """those that the model gets too"""
    variant: str | None = None
    """the one that must answer"""
    inference_id: str | None = None


class Answered(NamedTuple):
    """What a model server said; status 0 is nothing, and why."""

    status: int
    content: Content
    attributes: str | None
    seconds: float

    @property
    def good(self) -> bool:
        """Whether the model answered."""
        return 200 <= self.status < 300


class Draw(NamedTuple):
    """What chance says of a request: numbers from 0 to 1."""

    variant: float
    captured: float
    copied: float


class Traffic:
    """All that is invoked in an account and region."""

    def __init__(self, account: str, region: str, lives: Callable[[], bool]) -> None:
        self.account, self.region = account, region
        self.servers: dict[str, str] = {}
        self.timeout = SECONDS
        self._lives = lives
        self._captures = Captures(account, region, lives)
        self._metrics = Recorder(account, region, NAMESPACE)
        self._random = Random()  # noqa: S311 - chance, not secrets
        self._lock = Lock()
        self._copies = 0
        self._copied = Condition()

    def seed(self, seed: int) -> None:
        """From now on, let the same requests one after the other take the same ways."""
        self._random = Random(seed)  # noqa: S311 - chance, not secrets

    def serves(self, deployed: Deployed) -> bool:
        """Whether there is a server for any of the endpoint's variants."""
        return any(self._server(models) for models in deployed.models.values())

    def answer(self, deployed: Deployed, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """Have a variant answer: status, headers and body.

        Raises:
            RefusedError: the variant that is wanted is not there.

        """
        began = time.perf_counter()
        with self._lock:
            drawn = Draw(*(self._random.random() for _ in Draw._fields))
        variant = _variant(deployed, asked, drawn.variant)
        answered = self._ask(deployed, variant["VariantName"], asked, drawn.captured)
        for shadow in deployed.shadows:
            if drawn.copied * variant["CurrentWeight"] < shadow["CurrentWeight"]:
                self._copy(deployed, shadow["VariantName"], asked, drawn.captured)
        spent = time.perf_counter() - began - answered.seconds
        self._count(asked.endpoint, variant["VariantName"], answered, spent)
        if not answered.good:
            return self._model_error(asked.endpoint, answered)
        headers = {
            "Content-Type": answered.content.type,
            "x-Amzn-Invoked-Production-Variant": variant["VariantName"],
            **({_ATTRIBUTES: answered.attributes} if answered.attributes else {}),
        }
        return 200, headers, answered.content.body

    def flush(self) -> list[str]:
        """Write what was captured, copies' too; return why something could not be written."""
        with self._copied:  # one that hangs has just begun, or has yet to wait for a thread
            self._copied.wait_for(lambda: self._copies == 0, 2 * self.timeout + 30)
        return self._captures.flush()

    def _server(self, models: list[str]) -> str | None:
        return next((self.servers[name] for name in models if name in self.servers), None)

    def _ask(self, deployed: Deployed, variant: str, asked: Asked, drawn: float) -> Answered:
        """Ask the server behind a variant, and capture what it answers."""
        server = self._server(deployed.models[variant])
        if server is None:
            models = " or ".join(deployed.models[variant])
            return _nothing(f"The local AWS was told of no server for {models}.", 0)
        answered = _post(f"{server}/invocations", asked, self.timeout)
        capture = deployed.capture
        on = capture and capture.get("EnableCapture", True) and answered.good
        if on and drawn * 100 < capture["InitialSamplingPercentage"]:
            line = record(capture, asked.content, answered.content, asked.inference_id)
            prefix = capture["DestinationS3Uri"].rstrip("/")
            self._captures.add(f"{prefix}/{asked.endpoint}/{variant}", line)
        return answered

    def _copy(self, deployed: Deployed, variant: str, asked: Asked, drawn: float) -> None:
        """Have a shadow variant answer, which nobody waits for."""

        def work() -> None:
            try:
                if self._lives():
                    answered = self._ask(deployed, variant, asked, drawn)
                    self._count(asked.endpoint, variant, answered, 0)
            finally:
                self._settle_copies(-1)

        self._settle_copies(1)
        if not _copiers.take(work):
            self._settle_copies(-1)
            log.warning("a copy for %s of %s is dropped: too many wait", variant, asked.endpoint)

    def _settle_copies(self, change: int) -> None:
        with self._copied:
            self._copies += change
            self._copied.notify_all()

    def _count(self, endpoint: str, variant: str, answered: Answered, overhead: float) -> None:
        if not self._lives():
            return
        failed = not answered.good
        client = 400 <= answered.status < 500
        values = {
            "Invocations": (1.0, "None"),
            "Invocation4XXErrors": (float(client), "None"),
            "Invocation5XXErrors": (float(failed and not client), "None"),
            "ModelLatency": (answered.seconds * 1e6, "Microseconds"),
            "OverheadLatency": (overhead * 1e6, "Microseconds"),
        }
        self._metrics.add({"EndpointName": endpoint, "VariantName": variant}, values)

    def _model_error(self, endpoint: str, answered: Answered) -> tuple[int, dict[str, str], bytes]:
        """Tell of a model's failure as the service does."""
        whose = "client" if 400 <= answered.status < 500 else "server"
        said = answered.content.body.decode(errors="replace")
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        text = (
            f'Received {whose} error ({answered.status}) from primary with message "{said}". See '
            f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"
            f"#logEventViewer:group={group} in account {self.account} for more information."
        )
        body = {
            "Message": text,
            "OriginalMessage": said,
            "OriginalStatusCode": answered.status,
            "LogStreamArn": f"arn:aws:logs:{self.region}:{self.account}:log-group:{group}",
        }
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}
        return 424, headers, json.dumps(body).encode()


class _Copiers:
    """Threads that send copies to shadow variants; they start with the first."""

    def __init__(self) -> None:
        self._work: Queue[Callable[[], None]] = Queue(_MOST_COPIES)
        self._lock = Lock()
        self._started = False

    def take(self, work: Callable[[], None]) -> bool:
        """Do this some time; False when too much waits."""
        with self._lock:
            if not self._started:
                self._started = True
                for _ in range(_COPIERS):
                    Thread(target=self._run, daemon=True).start()
        try:
            self._work.put_nowait(work)
        except Full:
            return False
        return True

    def _run(self) -> None:
        while True:
            self._work.get()()


_copiers = _Copiers()
# Connections stay open where a server keeps them; none waits for another.
_pool = urllib3.PoolManager(num_pools=64, maxsize=32, retries=False)


def _variant(deployed: Deployed, asked: Asked, drawn: float) -> dict[str, Any]:
    """The variant that must answer, or else the one that chance picks by the weights."""
    if asked.variant:
        for variant in deployed.variants:
            if variant["VariantName"] == asked.variant:
                return variant
        said = f"Variant {asked.variant} not found for Endpoint {asked.endpoint}."
        raise RefusedError(said)
    left = drawn * sum(variant["CurrentWeight"] for variant in deployed.variants)
    some = [variant for variant in deployed.variants if variant["CurrentWeight"]]
    for variant in some:
        left -= variant["CurrentWeight"]
        if left < 0:
            return variant
    return some[-1]  # rounding


def _post(url: str, asked: Asked, timeout: float) -> Answered:
    began = time.perf_counter()

    def nothing(why: str) -> Answered:
        return _nothing(why, time.perf_counter() - began)

    try:
        response = _pool.request(
            "POST", url, asked.content.body, headers=asked.headers, timeout=timeout
        )
    except ReadTimeoutError:
        return nothing(_TIMED_OUT)
    except HTTPError as error:
        return nothing(str(error))
    content = Content(response.headers.get("Content-Type", ""), response.data)
    seconds = time.perf_counter() - began
    return Answered(response.status, content, response.headers.get(_ATTRIBUTES), seconds)


def _nothing(why: str, seconds: float) -> Answered:
    return Answered(0, Content("text/plain", why.encode()), None, seconds)


def asked_for(endpoint: str, headers: Headers, body: bytes) -> Asked:
    """Read a request to an endpoint from its HTTP headers and body."""
    content_type = headers.get("Content-Type", "application/octet-stream")
    passed = {"Content-Type": content_type}
    passed |= {name: headers[name] for name in ("Accept", _ATTRIBUTES) if name in headers}
    return Asked(
        endpoint,
        Content(content_type, body),
        passed,
        headers.get("X-Amzn-SageMaker-Target-Variant"),
        headers.get("X-Amzn-SageMaker-Inference-Id"),
    )
