"""What a configuration file says of the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipelines.delivery.compress import Compression
from pipelines.settings import Settings


class TlsSettings(Settings):
    """TLS 1.2 or later; the server's certificate and name are always verified."""

    ca_file: Path | None = None
    """PEM of the authorities to trust; default: the system's."""
    cert_file: Path | None = None
    """PEM of the client certificate, for brokers that ask for one."""
    key_file: Path | None = None
    """PEM of its private key."""


class MqttSettings(Settings):
    """The MQTT 5 broker.

    Its largest message should be 1 MiB or more (mosquitto: `message_size_limit`, `max_packet_size`; EMQX:
    `mqtt.max_packet_size`): a record takes about 512 KiB, more when a single delivery is larger. One the broker will
    not take is not sent again and again: its lines stay on disk, see `agent quarantine`.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Name or address of the broker."""
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    """TCP port; 8883 is usual with TLS."""
    user: str | None = None
    """User name; the broker's ACL binds it to its topics."""
    password_file: Path | None = None
    """File with the password on its first line; a bare name is looked up among the service's credentials."""
    tls: TlsSettings | None = None
    """Encrypt; default: plain TCP, for a broker on the same machine."""
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    """Longest silence before a ping; a broker gone without a word is noticed within twice this."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Longest wait for the broker's answer to connect and subscribe."""
    compression: Compression = "none"
    """How records are packed: `none` (Telegraf and `mosquitto_sub` read them), `gzip`, or `zstd`, the smaller and
    faster one. Every bridge of this product reads all three."""

    @property
    def endpoint(self) -> str:
        """`mqtt://host:port`, without secrets."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"
