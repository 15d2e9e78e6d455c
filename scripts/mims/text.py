"""Text that is safe and short enough to show, in a log, an exit message or a table; and names."""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterable

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SECRETS = re.compile(
    r"(?P<name>X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature"
    r"|aws_secret_access_key|aws_session_token)(?P<is>=|%3D|\"?: ?\"?)[^&\s\"']+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """Escape what could hide, reorder or break a line: controls, bidi marks, lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    import unicodedata  # seldom needed, and slow to load

    return "".join(
        character.encode("unicode_escape", "surrogatepass").decode("ascii")
        if unicodedata.category(character) in _HIDDEN
        else character
        for character in text
    )


def printable_lines(text: str) -> str:
    """Escape the same, line by line: line ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def is_utf8(text: str) -> bool:
    """Whether text can be written as UTF-8; a lone surrogate, an undecodable byte, can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_secrets(text: str) -> str:
    """Blank the values of signed URLs and AWS keys, which error texts of services can quote."""
    return _SECRETS.sub(lambda found: f"{found['name'] or ''}{found['is'] or ''}***", text)


def size(count: float) -> str:
    """A number of bytes for people, in decimal units: 1.5 MB."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("KB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Names in one line, `a, b, c and 12 more` past the limit."""
    shown = [printable(name) for name in names]
    if len(shown) <= limit:
        return ", ".join(shown)
    return f"{', '.join(shown[:limit])} and {len(shown) - limit} more"


def counted(count: int, one: str, several: str = "") -> str:
    """A number of things: 1 record, 2,000 records."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def meant(name: str, known: Iterable[str], otherwise: str) -> str:
    """Ask for the known name that is most like a mistyped one, in any case; else `otherwise`."""
    import difflib  # seldom needed, and slow to load

    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name[:100].lower(), by_lower, n=1)
    return f"did you mean {printable(by_lower[near[0]])}?" if near else otherwise


def repeated(names: Iterable[str]) -> list[str]:
    """The names that come more than once, in the order in which they first do."""
    return [name for name, count in Counter(names).items() if count > 1]
