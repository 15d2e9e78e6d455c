"""What a drift check of captured records costs, against pandas doing the same.

    .venv/bin/python tests/bench/drift.py [--records 10000000] [--rounds 1] [--folder DIR]

Captures as an endpoint writes them, 20 fields and some 500 bytes a record: 5 GB for ten million,
deleted at the end. Each contender is a fresh process that reads them all, counts, tests every field
against the baseline, and prints what it found: both find the fields that were shifted, and no
other. pandas has the data in memory whole, as it must for scipy's tests; its time takes in nothing
but reading, as plainly as it can be written, and the tests.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Cost, cost

HERE = Path(__file__).resolve()
SCRIPTS = HERE.parents[2] / "scripts"
PYTHON = sys.executable
NUMBERS = [f"n{place:02}" for place in range(15)]
CATEGORIES = [f"c{place:02}" for place in range(5)]
NAMES = [*NUMBERS, *CATEGORIES]
SHIFTED = ["c03", "n04", "n11"]
LABELS = np.array(["north", "east", "south", "west", "unknown", "other"])
BASELINE = 100_000  # records
FILE = 50_000  # records
FILES = 20  # that differ; more are these again


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where captures are made")
    parser.add_argument("--ours-alone", action="store_true", help="where memory is short")
    parser.add_argument("--do", choices=sorted(WORK), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        WORK[options.do](options.folder, options.records)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        # In a process of its own: a child's peak memory counts from its parent's at the fork.
        subprocess.run(["bash", "-c", command("make", folder, options.records)], check=True)
        contenders = ["ours"] if options.ours_alone else ["ours", "pandas"]
        measure(folder, options.records, contenders, options.rounds)


def command(work: str, folder: Path, records: int) -> str:
    """This file again, to do a part of it."""
    return f"{PYTHON} {HERE} --do {work} --folder {folder} --records {records}"


def measure(folder: Path, records: int, contenders: list[str], rounds: int) -> None:
    """Print a table: each contender's median cost, and its ratios to the first one's."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in contenders:
            costs[name].append(cost(command(name, folder, records), folder))
    size = sum(path.stat().st_size for path in (folder / "captures").iterdir())
    print(f"\n### Drift of {records:,} records of {len(NAMES)} fields, {size / 1e9:.1f} GB\n")
    print("| | seconds | records/s | times ours | CPU seconds | peak MiB | times ours |")
    print("|---|---|---|---|---|---|---|")
    medians = {
        name: Cost(*(statistics.median(figures) for figures in zip(*costs[name], strict=True)))
        for name in contenders
    }
    ours = medians[contenders[0]]
    for name, one in medians.items():
        print(
            f"| {name} | {one.seconds:.1f} | {records / one.seconds:,.0f} "
            f"| {one.seconds / ours.seconds:.2f} | {one.cpu_seconds:.1f} | {one.peak_mib:.0f} "
            f"| {one.peak_mib / ours.peak_mib:.1f} |"
        )
    for name in contenders:
        found = json.loads((folder / f"{name}.json").read_text("utf-8"))
        print(f"\n{name} found drift in: {', '.join(found) or 'nothing'}")


def make(folder: Path, records: int) -> None:
    """A baseline, and captures in which a few fields have shifted."""
    from mims.governance.profiles import profiling, tables  # noqa: PLC0415 - no contender's business

    (folder / "captures").mkdir()
    inputs, outputs = folder / "inputs.csv", folder / "outputs.csv"
    rows, scores = drawn(np.random.default_rng(0), BASELINE, shifted=False)
    inputs.write_text("\n".join([",".join(NAMES), *rows, ""]), encoding="utf-8")
    outputs.write_text("\n".join(["score", *scores, ""]), encoding="utf-8")
    with tables.opened(str(inputs)) as data, tables.opened(str(outputs)) as predictions:
        profile = profiling.profiled(data, predictions)
    (folder / "baseline.json").write_text(json.dumps(profile.to_json()), encoding="utf-8")
    contents: list[bytes] = []
    for number, start in enumerate(range(0, records, FILE)):
        if number < FILES:
            rows, scores = drawn(np.random.default_rng(number + 1), FILE, shifted=True)
            contents.append("".join(lines(rows, scores, number)).encode())
        content = contents[number % FILES]
        if records - start < FILE:
            content = b"".join(content.splitlines(keepends=True)[: records - start])
        (folder / "captures" / f"{number:05}.jsonl").write_bytes(content)


def drawn(random: np.random.Generator, count: int, *, shifted: bool) -> tuple[list[str], list[str]]:
    """Rows of inputs, and a score for each."""
    columns = []
    for place, name in enumerate(NUMBERS):
        values = random.normal(size=count) if place % 3 else random.lognormal(size=count) * 100
        if shifted and name in SHIFTED:
            values = values + 0.8
        columns.append([f"{value:.6g}" for value in values.tolist()])
    for name in CATEGORIES:
        odds = np.array([0.35, 0.25, 0.2, 0.1, 0.06, 0.04])
        if shifted and name in SHIFTED:
            odds = odds[::-1]
        columns.append(LABELS[random.choice(len(LABELS), count, p=odds)].tolist())
    missing = random.random(count) < 0.01
    columns[7] = ["" if gone else value for gone, value in zip(missing, columns[7], strict=True)]
    scores = [f"{value:.6f}" for value in random.beta(2, 5, count).tolist()]
    return [",".join(row) for row in zip(*columns, strict=True)], scores


def lines(rows: list[str], scores: list[str], number: int) -> list[str]:
    """Records as SageMaker captures them."""
    return [
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT",'
        f'"data":"{row}","encoding":"CSV"}},"endpointOutput":{{"observedContentType":'
        f'"text/csv; charset=utf-8","mode":"OUTPUT","data":"{score}","encoding":"CSV"}}}},'
        f'"eventMetadata":{{"eventId":"8f45e35c-fa44-40d2-{number:04x}-{place:012x}",'
        '"inferenceTime":"2026-03-02T14:30:00Z"},"eventVersion":"0"}\n'
        for place, (row, score) in enumerate(zip(rows, scores, strict=True))
    ]


def ours(folder: Path, _: int) -> None:
    """Check with what is in this project."""
    from mims.governance.captures import reading  # noqa: PLC0415
    from mims.governance.drift import check  # noqa: PLC0415
    from mims.governance.profiles.counting import Counter  # noqa: PLC0415
    from mims.governance.profiles.profile import NUMBER, Profile  # noqa: PLC0415

    told = json.loads((folder / "baseline.json").read_text("utf-8"))
    baseline = Profile.from_json(told)
    counter, unread = Counter(baseline), reading.Unread()
    sides = (baseline.inputs, baseline.outputs)
    numbers = [[name for name, one in side.items() if one.kind == NUMBER] for side in sides]
    for block in reading.read(
        reading.sources(folder / "captures"),
        [*baseline.inputs],
        [*baseline.outputs],
        unread,
        input_numbers=numbers[0],
        output_numbers=numbers[1],
    ):
        counter.add_inputs(block.inputs)
        counter.add_outputs(block.outputs)
    if unread.said():
        raise RuntimeError(unread.said())
    report = check.compare(baseline, counter.profile())
    tell(folder / "ours.json", {one.name for one in report.findings if one.drifted})


def with_pandas(folder: Path, _: int) -> None:
    """Check as one does with pandas and scipy."""
    import pandas as pd  # noqa: PLC0415
    from scipy import stats  # noqa: PLC0415

    asked, answered = [], []
    for path in sorted((folder / "captures").iterdir()):
        with path.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)["captureData"]
                asked.append(record["endpointInput"]["data"])
                answered.append(record["endpointOutput"]["data"])
    inputs = _frame(asked, NAMES)
    del asked
    outputs = _frame(answered, ["score"])
    del answered
    before = {
        **dict(pd.read_csv(folder / "inputs.csv").items()),
        **dict(pd.read_csv(folder / "outputs.csv").items()),
    }
    found = set()
    values: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for name, column in [*inputs.items(), *outputs.items()]:
        old, new = before[name], column
        shares = [[one.isna().sum(), one.notna().sum()] for one in (old, new)]
        if sum(row[0] for row in shares):
            values[f"{name} missing"] = stats.chi2_contingency(shares).pvalue
            sizes[f"{name} missing"] = abs(old.isna().mean() - new.isna().mean()) / 0.05
        old, new = old.dropna(), new.dropna()
        if name in CATEGORIES:
            counts = [one.value_counts() for one in (old, new)]
            table = pd.concat(counts, axis=1).fillna(0).to_numpy().T
            values[name] = stats.chi2_contingency(table).pvalue
        else:
            values[name] = stats.ks_2samp(old, new, method="asymp").pvalue
            edges = np.unique(old.quantile(np.linspace(0.1, 0.9, 9)))
            bins = [-np.inf, *edges, np.inf]
            table = np.array([np.histogram(one, bins)[0] for one in (old, new)], dtype=float)
        expected, actual = ((row + 0.5) / (row + 0.5).sum() for row in table)
        sizes[name] = float(((actual - expected) * np.log(actual / expected)).sum()) / 0.2
    ranked = sorted(values, key=lambda name: values[name])
    for rank, name in enumerate(ranked):  # Holm
        if values[name] * (len(ranked) - rank) > 0.01:
            break
        if sizes[name] >= 1:
            found.add(name)
    tell(folder / "pandas.json", found)


def _frame(texts: list[str], names: list[str]) -> Any:
    import io  # noqa: PLC0415

    import pandas as pd  # noqa: PLC0415

    return pd.read_csv(io.StringIO("\n".join(texts)), names=names)


def tell(path: Path, found: set[str]) -> None:
    """Note which fields drifted."""
    path.write_text(json.dumps(sorted(found)), encoding="utf-8")


WORK = {"make": make, "ours": ours, "pandas": with_pandas}

if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    main()
