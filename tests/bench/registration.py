"""What registration costs, against bare boto3 and against its own requests.

    .venv/bin/python tests/bench/registration.py [--rounds 3] [--folder DIR]

Prints tables of ratios from one run. S3 is a sink of ours for what is about bytes, and the local
AWS for the rest. Needs 1 GB of disk, 20 GB of sparse files with --large.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Contender, compare, cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
SCRIPTS = HERE.parents[1] / "scripts"
AWS = HERE.parents[1] / "docker/aws/server.py"
PYTHON = sys.executable
REGIONS = ("us-west-2", "eu-west-1", "ap-northeast-1")
LATENCY = 0.2  # seconds a request
ENVIRON = {
    "PYTHONPATH": os.pathsep.join(map(str, (SCRIPTS, TESTS))),
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGIONS[0],
    "AWS_EC2_METADATA_DISABLED": "true",
    "MODS_WORKFLOW_EXECUTION_ID": "bench",
}

# The digests are not checked by the sink, and taking them is not the transfer's work.
OURS = """
import sys
from pathlib import Path
from mims.registration.artifacts import Artifact
from mims.registration.storage import Storage, content_address
path, digest = Path(sys.argv[1]), sys.argv[2]
artifact = Artifact("model.tar.gz", path, path.stat().st_size, digest, "AAAAAA==")
storage = Storage("us-west-2")
at = content_address("bucket", "bench", artifact)
assert storage.store(artifact, at, lambda count: None).moved == artifact.size
"""
BARE = """
import sys
import boto3
boto3.client("s3", "us-west-2").upload_file(sys.argv[1], "bucket", sys.argv[2])
"""
# What a second registration asks, in its order, and nothing else.
CALLS = """
import boto3
s3, sagemaker = boto3.client("s3", "us-west-2"), boto3.client("sagemaker", "us-west-2")
bucket, group = "bench-us-west-2", "BuyerSellerMessaging-Bench"
place = {"Bucket": bucket, "Prefix": f"mims/{group}/"}
s3.head_bucket(Bucket=bucket)
*audit, model, schema = [one["Key"] for one in s3.list_objects_v2(**place)["Contents"]]
for key in (model, schema):
    s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
s3.list_multipart_uploads(**place)
sagemaker.describe_model_package_group(ModelPackageGroupName=group)
found = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
for _ in range(2):
    sagemaker.describe_model_package(ModelPackageName=found[0]["ModelPackageArn"])
record = s3.get_object(Bucket=bucket, Key=audit[-1])["Body"].read()
s3.put_object(Bucket=bucket, Key=f"mims/{group}/audit/of-the-bench", Body=record)
"""
FIRST_REQUEST = """
import boto3
boto3.client("s3", "us-west-2").head_bucket(Bucket="bench-us-west-2")
"""
SLOW_PROXY = """
import sys
from faults import Faults
with Faults(sys.argv[1]) as proxy:
    proxy.delay(float(sys.argv[2]))
    print(proxy.url, flush=True)
    sys.stdin.read()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where inputs are made and kept")
    parser.add_argument("--large", action="store_true", help="also memory at 20 GB")
    options = parser.parse_args()
    os.environ.update(ENVIRON)
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = options.folder or Path(temporary)
        upload(folder, options.rounds)
        if options.large:
            memory(folder)
        again(folder, options.rounds)
        regions(folder, options.rounds)
        first_request(folder, max(options.rounds, 9))


def upload(folder: Path, rounds: int) -> None:
    """1 GiB into the sink."""
    model = folder / "upload" / "model.tar.gz"
    model.parent.mkdir(exist_ok=True)
    if not model.exists():
        subprocess.run(["bash", "-c", f"head -c 1G /dev/urandom >{model}"], check=True)
    with served([PYTHON, str(HERE / "s3_sink.py")]) as url:
        contenders = [
            Contender("Storage.store", upload_command(OURS, model, url)),
            Contender("boto3's upload_file", upload_command(BARE, model, url)),
        ]
        compare("Upload of 1 GiB", contenders, model.parent, folder, rounds)


def memory(folder: Path) -> None:
    """Peak memory at 100 MB and at 20 GB."""
    print("\n### Peak memory of an upload\n\n| model | MiB |\n|---|---|")
    with served([PYTHON, str(HERE / "s3_sink.py")]) as url:
        for megabytes in (100, 20_000):
            model = folder / f"sparse-{megabytes}.tar.gz"
            with model.open("wb") as file:
                file.truncate(megabytes * 1_000_000)
            peak = cost(upload_command(OURS, model, url), folder).peak_mib
            print(f"| {megabytes} MB | {peak:.0f} |")
            model.unlink()


def upload_command(code: str, model: Path, url: str) -> str:
    """Upload a model under a digest that is new each time."""
    digest = "$(head -c 32 /dev/urandom | sha256sum | cut -c -64)"
    return f"AWS_ENDPOINT_URL={url} {PYTHON} -c '{code}' {model} {digest}"


def again(folder: Path, rounds: int) -> None:
    """A package that is registered already, against the same requests by boto3 alone."""
    root = inputs(folder / "again", REGIONS[:1])
    with local_aws(folder) as (url, log):
        first = registered(root, url)
        before = requests(log)
        second = registered(root, url)
        count = requests(log) - before
        contenders = [
            Contender("script.py, registered before", script(root, url)),
            Contender(
                f"boto3, the same {count} requests",
                f"AWS_ENDPOINT_URL={url} {PYTHON} <<'END'\n{CALLS}\nEND",
            ),
        ]
        compare("A second registration", contenders, root, folder, rounds)
    print(f"\nBytes sent: first {first['bytes_uploaded']}, then {second['bytes_uploaded']}")


def regions(folder: Path, rounds: int) -> None:
    """Three regions against one, with slow requests, each time for a group of its own."""
    with (
        local_aws(folder) as (url, _),
        served([PYTHON, "-c", SLOW_PROXY, url, str(LATENCY)]) as slow,
    ):
        contenders = []
        for count in (1, len(REGIONS)):
            root = inputs(folder / f"regions-{count}", REGIONS[:count])
            name = f"{count} region{'s' * (count > 1)}"
            new = "sed -i s/Bench/Bench$RANDOM$RANDOM/ run/opt/ml/processing/config/config"
            command = f"cp -r {root} run; {new}; {script(Path('run'), slow)}"
            contenders.append(Contender(name, command))
        compare(f"Regions, {LATENCY * 1000:g} ms a request", contenders, root, folder, rounds)


def first_request(folder: Path, rounds: int) -> None:
    """From the start of the process to the first request."""
    root = inputs(folder / "first", REGIONS[:1])
    commands = {
        "script.py": [PYTHON, str(SCRIPTS / "script.py"), "--root", str(root)],
        "boto3 alone": [PYTHON, "-c", FIRST_REQUEST],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(until_request(command))
    print("\n### Start to first request\n\n| | seconds |\n|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {statistics.median(seconds):.2f} |")


def until_request(command: Sequence[str]) -> float:
    """Run a command until it connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, "AWS_ENDPOINT_URL": url}, stderr=subprocess.DEVNULL
        )
        with process:
            listener.accept()[0].close()
            seconds = time.monotonic() - started
            process.kill()
    return seconds


# What it takes


@contextmanager
def served(command: Sequence[str]) -> Iterator[str]:
    """Run a server that prints its URL and ends with its input."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()


@contextmanager
def local_aws(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run a local AWS with a bucket in each region; give its URL and its log."""
    buckets = [f"--bucket=bench-{region}@{region}" for region in REGIONS]
    log = folder / "aws.log"
    command = [PYTHON, str(AWS), "--port=0", "--status-seconds=0", *buckets]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout
        try:
            yield process.stdout.readline().strip(), log
        finally:
            process.terminate()


def requests(log: Path) -> int:
    """How many requests the local AWS has seen."""
    return len(log.read_text().splitlines())


def script(root: Path, url: str) -> str:
    """The command under test."""
    return f"AWS_ENDPOINT_URL={url} {PYTHON} {SCRIPTS}/script.py --root {root}"


def registered(root: Path, url: str) -> dict[str, object]:
    """Run it, and give its report."""
    command = ["bash", "-c", script(root, url)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return report


def inputs(root: Path, regions: Sequence[str]) -> Path:
    """A small package and a config."""
    processing = root / "opt/ml/processing"
    (processing / "input/model").mkdir(parents=True, exist_ok=True)
    (processing / "config").mkdir(exist_ok=True)
    with tarfile.open(processing / "input/model/model.tar.gz", "w:gz") as tar:
        files = {"model.bin": secrets.token_bytes(1_000_000), "code/inference.py": b"pass\n"}
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    config = {
        "model_registration_objective": "Bench",
        "regions": list(regions),
        "bucket": {region: f"bench-{region}" for region in regions},
        "source_model_inference_input_variable_list": {"age": "NUMERIC"},
    }
    (processing / "config/config").write_text(json.dumps(config))
    return root


if __name__ == "__main__":
    main()
