"""The two families of error, never merged: the evidence is wrong | the world is unavailable.

A verifier that confuses the two is broken in both directions: a node that is down must never look like
tampering, and tampering must never look like a node that is down. A third, smaller family is for a
request that cannot be accepted as it stands (a usage error of the person or program that asks).

Every error carries what happened, in words its reader understands, and what to do about it.
"""

from __future__ import annotations


class EvidenceServiceError(Exception):
    """Base of everything this package raises on purpose.

    Args:
        message: what is wrong, one sentence that names the cause.
        what_to_do: the next action for the reader; empty when there is none.
    """

    def __init__(self, message: str, *, what_to_do: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = what_to_do

    @property
    def told(self) -> str:
        """Both in one line, for where there is one."""
        return f"{self.message} ({self.what_to_do})" if self.what_to_do else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Durable workflows store a step's error; default pickling would drop the keyword argument.
        return (_rebuild, (type(self), self.message, self.what_to_do))


def _rebuild(kind: type[EvidenceServiceError], message: str, what_to_do: str) -> EvidenceServiceError:
    return kind(message, what_to_do=what_to_do)


# --- Family one: the evidence is wrong -------------------------------------------------------------


class EvidenceError(EvidenceServiceError):
    """The bytes in front of us do not hold. Retrying changes nothing."""


class MalformedError(EvidenceError):
    """Bytes that are not in the format they claim (truncated, surplus, duplicate key, wrong type)."""


class UnsupportedVersionError(EvidenceError):
    """A well-formed document of a format version this program does not know."""


class LimitExceededError(EvidenceError):
    """Input over a stated limit of size, depth, count, memory or time."""


class MismatchError(EvidenceError):
    """A cryptographic comparison failed: a digest, a signature, a proof or a link in a chain."""


# --- Family two: the world is unavailable ----------------------------------------------------------


class UnavailableError(EvidenceServiceError):
    """Something outside this process did not answer or answered nonsense. Trying again later may work."""


class NodeUnavailableError(UnavailableError):
    """No usable answer from a chain's RPC endpoint."""


class NodeLiedError(NodeUnavailableError):
    """A node gave an answer that its own proof, or the header's hash, contradicts. Another node may not."""


class AuthorityUnavailableError(UnavailableError):
    """No usable answer from a time-stamping authority."""


class BrowserUnavailableError(UnavailableError):
    """The browser is not installed, did not start, or died."""


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL cannot be reached or started."""


class StorageUnavailableError(UnavailableError):
    """The disk does not take what has to be kept: it is full, broken or read-only."""


class SignerUnavailableError(UnavailableError):
    """No usable signature from the custodian of a key."""


class ServiceUnavailableError(UnavailableError):
    """The evidence service's own API cannot be reached."""


# --- Family three: the request cannot be accepted --------------------------------------------------


class RefusedError(EvidenceServiceError):
    """The request is understood and refused; the caller has to change it."""


class NotFoundError(RefusedError):
    """The thing asked for does not exist, or not for this caller."""


class ForbiddenError(RefusedError):
    """The caller is known, and may not do this."""


class DeletedError(NotFoundError):
    """It existed and was deleted, which the record says; nothing brings it back."""


class ConflictError(RefusedError):
    """The request contradicts what is already recorded (an idempotency key reused with another body)."""


class PolicyRefusedError(RefusedError):
    """A rule forbids it: egress policy, an outcome that cannot be certified, a missing authority."""


class ConfigurationError(RefusedError):
    """A setting is missing or wrong."""
