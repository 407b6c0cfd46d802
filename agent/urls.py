"""Addresses on the command line; secrets never stand in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import ValidationError

from pipelines.delivery.mqtt_settings import MqttSettings, TlsSettings
from pipelines.errors import ConfigError
from pipelines.settings import first_fault

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_WHERE: Final = ("host", "port", "user", "password_file", "tls")
_SECRET: Final = re.compile(r"p|pw|.*(pass|secret|token|key|credential).*", re.IGNORECASE)


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Refuse a password or token in an address: every user of the machine can read it in the process list.

    Raises:
        ConfigError: one stands there; the message does not repeat it.
    """
    for argument in arguments:
        if match := _URL.search(argument):
            parts = split_address(match[0])
            asked = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRET.fullmatch(key)]
            if asked or parts.password:
                what = f"`{asked[0]}=` in an address" if asked else "a password in an address"
                remedy = "write it into a file and name that with the option that ends in password-file"
                raise ConfigError(None, None, f"{parts.scheme}://{parts.hostname}: {what} is seen by all; {remedy}")


def split_address(url: str) -> SplitResult:
    """The parts of an address.

    Raises:
        ConfigError: it cannot be one; the message does not repeat it, since a password may stand in it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(None, None, "not an address: expected scheme://host:port, with a port of 1-65535") from error
    return parts


def mqtt_settings(
    url: str, password_file: Path | None = None, ca_file: Path | None = None, base: MqttSettings | None = None
) -> MqttSettings:
    """The broker behind `mqtt://[user@]host[:port]` or `mqtts://…`.

    Args:
        url: where it is, and who asks.
        password_file: of that user.
        ca_file: PEM of its authority; makes it TLS.
        base: what the address does not say (compression, waiting times) is as here.

    Raises:
        ConfigError: not such an address, or a password stands in it.
    """
    refuse_secrets([url])
    parts = split_address(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ConfigError(None, None, "the broker's address: expected mqtt://[user@]host[:port] or mqtts://…")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(None, None, f"{parts.scheme}://{parts.hostname}: nothing may follow the port")
    tls = TlsSettings(ca_file=ca_file) if ca_file or parts.scheme == "mqtts" else None
    port = (8883 if tls else 1883) if parts.port is None else parts.port
    user = None if parts.username is None else unquote(parts.username)
    try:
        found = MqttSettings(host=parts.hostname, port=port, user=user, password_file=password_file, tls=tls)
        return found if base is None else base.model_copy(update={name: getattr(found, name) for name in _WHERE})
    except ValidationError as error:
        reason = first_fault(error)
        raise ConfigError(None, None, f"{parts.scheme}://{parts.hostname}: {reason}") from None
