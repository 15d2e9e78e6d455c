"""What the samples say: records, and where each field's values come from.

Goes in: the values that the settings give, and the custom payload where there is one. Its records
go before defaults; a `SPECIAL_FIELD_<fieldname>`, which names the field, goes before its records.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

from mims.payload.custom import CustomFile, read_records
from mims.payload.formats import Records
from mims.payload.values import SPECIAL, Chosen
from mims.text import listed, printable

if TYPE_CHECKING:
    from mims.payload.fields import Field

log = logging.getLogger("mims")

CUSTOM = "custom_payload_input"


class Content(NamedTuple):
    """Records, the source of each field's values, and what is to be told of a custom payload."""

    records: Records
    sources: Mapping[str, str]
    custom: Mapping[str, Any] | None = None


def made_up(values: Mapping[str, Chosen]) -> Content:
    """One record of the values that the settings give."""
    row = tuple(chosen.value for chosen in values.values())
    sources = {name: chosen.source for name, chosen in values.items()}
    return Content(Records(list(values), [row]), sources)


def from_custom(
    file: CustomFile, fields: Sequence[Field], values: Mapping[str, Chosen], csv_header: bool
) -> Content:
    """The records of a custom payload, with the special fields' values in each.

    Raises:
        InputError: with what is wrong with the records.

    """
    special = {name: value for name, value in values.items() if value.source.startswith(SPECIAL)}
    given = {name: chosen.value for name, chosen in special.items()}
    custom = read_records(file, fields, given, csv_header)
    shown = printable(file.path.name)
    log.info("%s: %d records of a custom payload", shown, len(custom.rows))
    if custom.left_out:
        log.info("%s: left out, as the model has no such field: %s", shown, listed(custom.left_out))
    if special:
        log.info("%s: in every record: %s", shown, listed(c.source for c in special.values()))
    sources = {
        field.name: special[field.name].source if field.name in special else CUSTOM
        for field in fields
    }
    records = Records([field.name for field in fields], custom.rows)
    return Content(records, sources, {**file.described(), "left_out": custom.left_out})
