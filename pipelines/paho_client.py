"""paho as `pipelines/mqtt.py` needs it: a network thread that never ends unheard, and nothing left open at the end."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from paho.mqtt import MQTTException
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from pipelines.errors import ConfigError


class PahoClient(Client):
    """A client for one session.

    Args:
        client_id: unique at the broker.
        ended: told, in the network thread, why that thread ended (paho#894: without it nobody is).
        manual_ack: messages are acknowledged by `ack` only.
    """

    def __init__(self, client_id: str, ended: Callable[[str], None], *, manual_ack: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        self.suppress_exceptions = False
        self._ended = ended

    def _thread_main(self) -> None:
        # Unlike paho's, it leaves `_thread` set: `loop_stop` joins it, and `publish` never writes the socket itself.
        reason = "ended"
        try:
            self.loop_forever(retry_first_connection=True)
        except (ValueError, LookupError, TypeError, struct.error, MQTTException) as error:
            reason = f"it sent what is no MQTT 5 ({type(error).__name__}: {error})"
        except OSError as error:
            reason = str(error)
        finally:
            self._ended(reason)

    def close(self) -> None:
        """Wait for the network thread and close every socket; blocks."""
        self.loop_stop()
        self._reset_sockets()

    def cut(self) -> None:
        """Let the network thread end though the broker stands still and takes nothing."""
        sock = self.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho forgets it then."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later; the server's certificate and name are verified.

    Args:
        ca_file: PEM of the authorities to trust; None: the system's.
        cert_file: PEM of the client certificate, or None.
        key_file: PEM of its private key, or None when it is in `cert_file`.

    Raises:
        ConfigError: a file cannot be used.
    """
    path = ca_file
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.sslsocket_class = _TlsSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        path = cert_file
        if cert_file:
            context.load_cert_chain(cert_file, key_file)
    except OSError as error:
        raise ConfigError(path, None, f"not usable for TLS: {error.strerror or error}") from error
    return context
