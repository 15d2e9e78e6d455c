"""Tables as people store them, and their profiles.

profile = profile_of(tmp_path, pa.table({"x": [1.0, 2.0]}), form="csv")
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.csv
import pyarrow.parquet

from mims.governance.profiles.profiling import profiled
from mims.governance.profiles.tables import opened
from penguins import read_birds

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pyarrow as pa

    from mims.governance.profiles.profile import Profile


def birds() -> pd.DataFrame:
    """The Palmer penguins, as docker/train reads them: texts, NA where nothing is known."""
    return pd.DataFrame([bird.fields for bird in read_birds()])


def written(folder: Path, table: pa.Table, form: str = "parquet", name: str = "data") -> Path:
    """Write a table to a file."""
    path = folder / f"{name}.{form}"
    if form == "csv":
        pyarrow.csv.write_csv(table, path)
    elif form == "jsonl":
        rows: list[dict[str, Any]] = table.to_pylist()
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=50_000)
    return path


def profile_of(
    folder: Path,
    table: pa.Table,
    predictions: pa.Table | None = None,
    *,
    form: str = "parquet",
    leave_out: Collection[str] = (),
) -> Profile:
    """Write a table, and predictions, to files and profile these."""
    with ExitStack() as stack:
        data = stack.enter_context(opened(str(written(folder, table, form))))
        if predictions is None:
            return profiled(data, None, leave_out)
        others = written(folder, predictions, form, "predictions")
        return profiled(data, stack.enter_context(opened(str(others))), leave_out)
