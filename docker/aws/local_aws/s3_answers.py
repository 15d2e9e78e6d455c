"""S3's answers that moto does not have: refusals, and members that moto leaves out.

In: a status, a code and a text, or an answer as moto wrote it. Out: the answer in S3's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from moto.core.common_types import TYPE_RESPONSE


class Refused(Exception):  # noqa: N818 - an answer rather than an error
    """An answer of S3's that moto knows nothing of."""

    def __init__(self, status: int, code: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self, method: str) -> TYPE_RESPONSE:
        """S3's form; HEAD has no body."""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(str(self))}</Message></Error>"
        )
        headers = {"content-type": "application/xml", **self.headers}
        return self.status, headers, "" if method == "HEAD" else body


def bad_digest(algorithm: str) -> Refused:
    """Refuse what does not have its checksum."""
    text = f"The {algorithm} you specified did not match the calculated checksum."
    return Refused(400, "BadDigest", text)


def invalid(text: str) -> Refused:
    """Refuse a request that can't be meant so."""
    return Refused(400, "InvalidRequest", text)


def with_members(body: Any, element: str, members: dict[str, str]) -> str:
    """Add members to an answer that moto has written."""
    text = body.decode() if isinstance(body, bytes) else str(body)
    added = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    return text.replace(f"</{element}>", f"{added}</{element}>")
