"""Addresses on the command line; secrets never stand in them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from pipelines.errors import ConfigError
from pipelines.mqtt import MqttSettings, TlsSettings


def mqtt_settings(url: str, password_file: Path | None = None, ca_file: Path | None = None) -> MqttSettings:
    """The broker behind `mqtt://[user@]host[:port]` or `mqtts://…`.

    Raises:
        ConfigError: not such an address, or a password stands in it.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ConfigError(None, None, f"{parts.scheme or url}: expected mqtt://host:port or mqtts://host:port")
    if parts.password:
        raise ConfigError(None, None, "no password in the broker's address; use --mqtt-password-file")
    tls = TlsSettings(ca_file=ca_file) if ca_file or parts.scheme == "mqtts" else None
    try:
        port = parts.port or (8883 if tls else 1883)
        return MqttSettings(host=parts.hostname, port=port, user=parts.username, password_file=password_file, tls=tls)
    except (ValueError, ValidationError) as error:
        raise ConfigError(None, None, f"{url}: {error}") from error
