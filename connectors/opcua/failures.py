"""What asyncua, the socket and the decoder raise, as link errors that say what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from asyncua.crypto import uacrypto
from cryptography.exceptions import InvalidSignature

from connectors.opcua.columnar.scalars import BROKEN
from connectors.opcua.library import ua
from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted

_CODES: Final = ua.StatusCodes
REFUSED_USER: Final = {
    _CODES.BadUserAccessDenied,
    _CODES.BadIdentityTokenInvalid,
    _CODES.BadIdentityTokenRejected,
    _CODES.BadUserSignatureInvalid,
}
REFUSED_US: Final = {
    _CODES.BadSecurityChecksFailed,
    _CODES.BadSecurityPolicyRejected,
    _CODES.BadSecurityModeRejected,
    _CODES.BadApplicationSignatureInvalid,
    _CODES.BadNonceInvalid,
    _CODES.BadNoValidCertificates,
    *(code for name, code in vars(_CODES).items() if name.startswith("BadCertificate")),
}
_USER_WAIT_S: Final = 120.0
"""Between two tries of a user that was refused: devices lock an account after a few failures in minutes."""
_CLOSED: Final = {
    _CODES.BadSessionIdInvalid,
    _CODES.BadSessionClosed,
    _CODES.BadSecureChannelClosed,
    _CODES.BadSecureChannelIdInvalid,
    _CODES.BadConnectionClosed,
    _CODES.BadShutdown,
    _CODES.BadNoSubscription,
    _CODES.BadSubscriptionIdInvalid,
    _CODES.BadServerHalted,
}
UaInvalidSignature: Final[Any] = vars(uacrypto)["InvalidSignature"]
"""asyncua has its own beside the one of cryptography and raises both."""


@contextmanager
def link_errors(endpoint: str, *, opening: bool = False) -> Iterator[None]:
    """Turn what asyncua, the socket and the decoder raise into the link error that says what to do.

    Raises:
        LinkError: the body failed.
    """
    try:
        yield
    except LinkError:
        raise
    except TimeoutError as error:
        raise LinkTimeout(endpoint, "no answer within the deadline") from error
    except ua.UaStatusCodeError as error:
        raise _answered(endpoint, error.code) from error
    except (InvalidSignature, UaInvalidSignature) as error:
        raise LinkUntrusted(endpoint, "a signature of the server is wrong (BadApplicationSignatureInvalid)") from error
    except OSError as error:
        if opening:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise LinkRefused(endpoint, f"no connection ({reason}): check that the server runs and its port") from error
        raise LinkClosed(endpoint, str(error) or "the connection ended") from error
    except BROKEN as error:
        raise LinkClosed(endpoint, f"the server's answer makes no sense: {error}") from error


def _answered(endpoint: str, code: int) -> LinkError:
    """What a bad service result means for the link."""
    name = ua.StatusCode(code).name
    if code in REFUSED_USER:
        reason = f"the server refused the user ({name}); check user and password_file, the account may get locked"
        return LinkUntrusted(endpoint, reason, _USER_WAIT_S)
    if code in REFUSED_US:
        return LinkUntrusted(endpoint, f"the server refused this agent's certificate or policy ({name})")
    if code == _CODES.BadTimeout:
        return LinkTimeout(endpoint, f"the server gave up ({name})")
    kind = LinkClosed if code in _CLOSED else LinkRefused
    return kind(endpoint, f"the server answered {name}")
