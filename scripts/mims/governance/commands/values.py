"""Values of options that click's own types don't know.

Goes in: what a user typed. Comes out: names, times; or click's error that says what it must be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime


def columns(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read names of columns, a,b,c: click's `callback`."""
    names = [*map(str.strip, value.split(","))] if value else []
    if "" in names or len({*names}) < len(names):
        raise click.BadParameter("must be names, each another, as in a,b,c", param=option)
    return tuple(names)


def moment(_: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """Read a time, ISO 8601 and UTC where it names no zone, or how long ago: click's `callback`."""
    from datetime import UTC, datetime, timedelta

    if value is None:
        return None
    try:
        if ago := re.fullmatch(r"(\d{1,6})([mhd])", value, re.ASCII):
            unit = {"m": "minutes", "h": "hours", "d": "days"}[ago[2]]
            return datetime.now(UTC) - timedelta(**{unit: int(ago[1])})
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{value!r} must be a time such as 2026-03-01 or 2026-03-01T12:00Z, or how long ago: "
            "30m, 24h, 7d",
            param=option,
        ) from error
