"""What is wrong with a request, and the HTTP status that says so."""

from __future__ import annotations

BAD_REQUEST = 400
NOT_ACCEPTABLE = 406
UNSUPPORTED_MEDIA_TYPE = 415


class RequestError(ValueError):
    """The caller can mend it. SageMaker's inference toolkit answers with `status_code`."""

    def __init__(self, message: str, status_code: int = BAD_REQUEST) -> None:
        super().__init__(message)
        self.status_code = status_code
