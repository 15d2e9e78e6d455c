"""Rows of raw fields become the matrix that the booster reads.

Goes in: rows as a request holds them, named (JSON) or in column order (CSV, with or without a
header). Comes out: one row of float32 each, in the order of `feature_columns.txt`. A field that is
left out counts as missing; a field that the model does not know is refused, as it is a misspelling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from processing.errors import RequestError
from processing.imputation import imputed
from processing.risk_table import risk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from processing.risk_table import RiskTable

    NamedRow = Mapping[str, Any]
    Rows = Sequence[NamedRow] | Sequence[Sequence[str]]


@dataclass(frozen=True)
class Encoder:
    """What training learnt of each field."""

    columns: tuple[str, ...]
    impute: Mapping[str, float]
    risk_tables: Mapping[str, RiskTable]

    def matrix(self, rows: Rows) -> NDArray[np.float32]:
        """Encode a request's rows.

        Raises:
            RequestError: no rows, or a row that is not the model's; it says which and why.

        """
        encoded = [self._encode(position, row) for position, row in enumerate(self._named(rows), 1)]
        if not encoded:
            raise RequestError("the request holds no rows")
        return np.array(encoded, dtype=np.float32)

    def _named(self, rows: Rows) -> list[NamedRow]:
        """Put names to the values of a CSV request."""
        named: list[NamedRow] = []
        header: Sequence[str] = self.columns
        for line, row in enumerate(rows, 1):
            if not isinstance(row, list):
                named.append(row)  # type: ignore[arg-type]
            elif line == 1 and set(row) <= set(self.columns) and len(set(row)) == len(row):
                header = row
            elif len(row) != len(header):
                raise RequestError(
                    f"line {line} has {len(row)} values instead of {len(header)}: "
                    + ", ".join(header)
                )
            else:
                named.append(dict(zip(header, row, strict=True)))
        return named

    def _encode(self, position: int, row: NamedRow) -> list[float]:
        unknown = sorted(set(row) - set(self.columns))
        if unknown:
            raise RequestError(
                f"row {position}: unknown field {', '.join(unknown)}; "
                f"the model takes {', '.join(self.columns)}"
            )
        try:
            return [self._feature(field, row.get(field)) for field in self.columns]
        except RequestError as error:
            raise RequestError(f"row {position}: {error}") from error

    def _feature(self, field: str, value: Any) -> float:
        if field in self.risk_tables:
            return risk(field, value, self.risk_tables[field])
        return imputed(field, value, self.impute[field])
