"""What a registration's exit message says, region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def versions_of(message: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each region's version: its ARN, its number, and whether that run has made it."""
    return {
        region: {
            "arn": message["arn"].replace("<region>", region).replace("<version>", str(version)),
            "version": version,
            "new": word == "new",
        }
        for word in ("new", "known")
        for region, version in message[word].items()
    }
