"""paho as `mqtt.py` needs it: a network thread that never ends unheard, and nothing left open at the end."""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from pipelines.delivery.pulse import Asked
from pipelines.errors import ConfigError

_KIND: Final = 0xF0
_PUBLISH: Final = 0x30
_PUBACK: Final = 0x40
_SUBSCRIBE: Final = 0x80
_SUBACK: Final = 0x90
_PINGREQ: Final = 0xC0
_PINGRESP: Final = 0xD0
_ANSWERED: Final = (_PUBLISH, _SUBSCRIBE, _PINGREQ)
"""Control packets that wait for an answer (MQTT 5 §2.1.2)."""
_NO_ID: Final = 0
"""Stands for the packet identifier of a ping; no packet has it."""


class PahoClient(Client):
    """A client for one session.

    Args:
        client_id: unique at the broker.
        ended: told, in the network thread, why that thread ended (paho#894: without it nobody is).
        manual_ack: messages are acknowledged by `ack` only.

    Attributes:
        received: bytes that ever came.
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
        self.received = 0
        self._ended = ended
        self._written = 0
        self._queued = 0
        self._asked: dict[int, Asked] = {}
        self._counting = threading.Lock()

    @property
    def taken(self) -> int:
        """Bytes that the other end's TCP acknowledged."""
        sock = self.socket()
        unsent = array("i", [0])
        try:
            if isinstance(sock, socket.socket):
                fcntl.ioctl(sock, termios.TIOCOUTQ, unsent)
        except (OSError, ValueError):  # it was closed meanwhile
            pass
        return self._written - unsent[0]

    @property
    def asked(self) -> Asked | None:
        """The oldest packet that has no answer yet."""
        with self._counting:
            return next(iter(self._asked.values()), None)

    @property
    def runs(self) -> bool:
        """Whether the network thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def _packet_queue(
        self, command: int, packet: bytes | bytearray, mid: int, qos: int, info: MQTTMessageInfo | None = None
    ) -> MQTTErrorCode:
        with self._counting:
            self._queued += len(packet)
            kind = command & _KIND
            if kind in _ANSWERED and (qos or kind != _PUBLISH):
                self._asked[_NO_ID if kind == _PINGREQ else mid] = Asked(self._queued, len(packet))
        return super()._packet_queue(command, packet, mid, qos, info)

    def _packet_handle(self) -> MQTTErrorCode:
        kind, packet = self._in_packet["command"] & _KIND, self._in_packet["packet"]
        with self._counting:
            if kind == _PINGRESP:
                self._asked.pop(_NO_ID, None)
            elif kind in {_PUBACK, _SUBACK} and len(packet) > 1:
                self._asked.pop(int.from_bytes(packet[:2], "big"), None)
        return super()._packet_handle()

    def _sock_recv(self, bufsize: int) -> bytes:
        data = super()._sock_recv(bufsize)
        self.received += len(data)
        return data

    def _sock_send(self, buf: bytes | bytearray) -> int:
        sent = super()._sock_send(buf)
        self._written += sent
        return sent

    def _check_keepalive(self) -> None:
        # paho's own ends the session when a ping waits behind what a slow link still carries; ours is `Pulse`.
        now_s = time.monotonic()
        quiet_s = now_s - min(self._last_msg_out, self._last_bytes_received)
        if self._sock is not None and quiet_s >= self._keepalive and _NO_ID not in self._asked:
            self._send_pingreq()
            self._ping_t = 0.0
            self._last_msg_out = self._last_bytes_received = now_s

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
