"""What the tests of drift reports share: a baseline, and what was seen later.

before = baseline(tmp_path)                        inputs age, amount, country; output score
now = seen(before, records(5000, seed=2, shift=1.0))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from mims.governance.drift.check import compare
from mims.governance.profiles.counting import Counter
from mims.governance.profiles.profiling import profiled
from mims.governance.profiles.tables import opened

if TYPE_CHECKING:
    from pathlib import Path

    from mims.governance.drift.check import Report
    from mims.governance.profiles.profile import Profile

COUNTRIES = ("US", "DE", "FR")


class Records(NamedTuple):
    """Inputs and outputs of as many requests."""

    inputs: pa.Table
    outputs: pa.Table


def records(count: int, seed: int = 1, shift: float = 0.0) -> Records:
    """Draw records; `shift` moves ages, in standard deviations, and the countries."""
    draw = np.random.default_rng(seed)
    shares = np.array([6.0, 3.0, 1.0 + 9 * shift])
    inputs = {
        "age": draw.normal(40 + 10 * shift, 10, count).round(2),
        "amount": draw.lognormal(3, 1, count).round(2),
        "country": draw.choice(COUNTRIES, count, p=shares / shares.sum()),
    }
    return Records(pa.table(inputs), pa.table({"score": draw.beta(2, 8, count).round(4)}))


def baseline(folder: Path, made: Records | None = None) -> Profile:
    """The profile of records; of 4000 as they should be, where none are given."""
    made = made or records(4000)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in made._asdict().items():
        pa.parquet.write_table(table, folder / f"{name}.parquet")
    with (
        opened(str(folder / "inputs.parquet")) as inputs,
        opened(str(folder / "outputs.parquet")) as outputs,
    ):
        return profiled(inputs, outputs)


def seen(before: Profile, made: Records) -> Profile:
    """Count records against a baseline."""
    counter = Counter(before)
    counter.add_inputs(made.inputs)
    counter.add_outputs(made.outputs)
    return counter.profile()


def compared(before: Profile, made: Records, **options: Any) -> Report:
    """The report of a check of these records."""
    given = {"subject": "fraud/3", "source": "baseline.json", **options}
    return compare(before, seen(before, made), **given)
