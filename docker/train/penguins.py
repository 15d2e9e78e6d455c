"""The Palmer penguins: 344 birds measured over three seasons, from the palmerpenguins package.

The data were collected by Dr Kristen Gorman and the Palmer Station, Antarctica LTER, and are in the
public domain (CC0). They are read as the package ships them, missing values and all.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from processing.imputation import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAVY_G = 4000.0
NUMERIC = {
    "culmen_length_mm": "Culmen Length (mm)",
    "culmen_depth_mm": "Culmen Depth (mm)",
    "flipper_length_mm": "Flipper Length (mm)",
    "delta_15_n": "Delta 15 N (o/oo)",
    "delta_13_c": "Delta 13 C (o/oo)",
}
CATEGORICAL = {
    "species": "Species",
    "island": "Island",
    "sex": "Sex",
    "clutch_completion": "Clutch Completion",
}
COLUMNS = (*NUMERIC, *CATEGORICAL)
LABEL = "heavy"
ID = "individual_id"


@dataclass(frozen=True)
class Bird:
    """One bird: its raw fields as text, and whether it weighs more than `HEAVY_G`."""

    study: str
    fields: dict[str, str]
    heavy: int


def read_birds() -> list[Bird]:
    """Read every bird that was weighed."""
    # Found by its distribution, since importing the package would load pandas.
    path = distribution("palmerpenguins").locate_file("palmerpenguins/data/penguins-raw.csv")
    with Path(str(path)).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not is_missing(row["Body Mass (g)"])]
    names = {**NUMERIC, **CATEGORICAL}
    return [
        Bird(
            study=row["studyName"],
            fields={field: row[column] for field, column in names.items()},
            heavy=int(float(row["Body Mass (g)"]) > HEAVY_G),
        )
        for row in rows
    ]


def split_by_season(birds: Sequence[Bird]) -> tuple[list[Bird], list[Bird]]:
    """Hold out the last season, as a model in use meets birds of a season that it never saw."""
    last = max(bird.study for bird in birds)
    training = [bird for bird in birds if bird.study != last]
    return training, [bird for bird in birds if bird.study == last]
