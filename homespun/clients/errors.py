"""What can go wrong with a web service, by what one can do about it.

ServiceError
  Unreachable      nobody answers, or the line broke: what was asked may have been done
  Denied           the credential is wrong, expired, or may not do this (401, 403)
  Missing          what was asked for is not there, or no more (404, 410)
  Stale            another one changed it in between (409, 412)
  Refused          the service holds the request to be wrong (any other 4xx)
    InvalidPolicy  it says what is wrong with an access policy
  Exhausted        it wants to be asked less often, for longer than we are patient (429)
  Broken           it failed (5xx), or its answer is none that it documents: what was asked may have been done
"""

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """A service did not do what it was asked; the message has service, request, expectation, finding, what to do."""

    details: Mapping[str, Any] = {}
    """The JSON object that it answered with; empty where it answered anything else, or nothing."""


class Unreachable(ServiceError):
    """No answer: what was asked may have been done."""


class Denied(ServiceError):
    """The credential does not open this."""


class Missing(ServiceError):
    """It is not there."""


class Stale(ServiceError):
    """What the request rests on is no longer so."""


class Refused(ServiceError):
    """The service says that the request is wrong."""


class InvalidPolicy(Refused):
    """The policy can't be read, names what is not there, or fails its own tests; the message says it in their words."""


class Exhausted(ServiceError):
    """Asked too often."""


class Broken(ServiceError):
    """The service failed, or does not speak as documented: what was asked may have been done."""
