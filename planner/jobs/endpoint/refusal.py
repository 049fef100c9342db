"""A call that the service answers with an error: its code, and the words in which the service says so."""

from typing import Final


class Refusal(Exception):
    """An answer with status 400 and an error code; boto3 raises the modelled exception of that name, or ClientError."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


SERIALIZATION: Final = "SerializationException"
VALIDATION: Final = "ValidationException"
NOT_FOUND: Final = "ResourceNotFound"
IN_USE: Final = "ResourceInUse"
LIMIT_EXCEEDED: Final = "ResourceLimitExceeded"
UNKNOWN_OPERATION: Final = "UnknownOperationException"
