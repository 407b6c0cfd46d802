"""One session with one server: opened, taken over, or left behind for the next link to take over."""

from __future__ import annotations

import asyncio
import base64
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua.ua.ua_binary import nodeid_to_binary, struct_from_binary, struct_to_binary
from cryptography.exceptions import InvalidSignature

from connectors.base import LinkContext
from connectors.opcua.channel import use_channel
from connectors.opcua.columnar.scalars import BROKEN
from connectors.opcua.columnar.skip import CheckedBuffer
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.failures import REFUSED_US, REFUSED_USER, UaInvalidSignature, link_errors
from connectors.opcua.library import Client, DataValue, NodeId, ua
from connectors.opcua.messages import Wire, checked
from connectors.opcua.plan import MAX_PER_CALL
from connectors.opcua.resume import ResumeState
from connectors.opcua.reverse import connect
from connectors.opcua.security.discovery import open_channel
from connectors.opcua.security.guard import Guard
from pipelines.errors import LinkClosed, LinkRefused, LinkUntrusted

_USER_TIMEOUT_MS: Final = 8_000
"""How long TCP waits for a sign of life of a link that is cut, unless a request may take longer."""
_ABOUT: Final = (
    ua.ObjectIds.Server_NamespaceArray,
    ua.ObjectIds.Server_ServerStatus_StartTime,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
)


def node_id(text: str, namespaces: Sequence[str]) -> NodeId | None:
    """The node id that a configured address means on this server; None when it has no such namespace."""
    head, separator, rest = text.partition(";")
    index = 0
    if separator and head.startswith("nsu="):
        if head[4:] not in namespaces:
            return None
        index = namespaces.index(head[4:])
        text = rest
    elif separator and head.startswith("ns="):
        index = int(head[3:])
        text = rest
    kind, _, value = text.partition("=")
    if kind == "i":
        return ua.NodeId(int(value), index, ua.NodeIdType.Numeric)
    if kind == "g":
        return ua.NodeId(uuid.UUID(value), index, ua.NodeIdType.Guid)
    if kind == "b":
        return ua.NodeId(base64.b64decode(value), index, ua.NodeIdType.ByteString)
    return ua.NodeId(value, index, ua.NodeIdType.String)


@dataclass(slots=True)
class OpcUaSession:
    """A connected asyncua client and what the server says about itself; a fresh one for every link.

    Attributes:
        context: what the link was opened with.
        settings: the connection's configuration.
        guard: policy, certificates and identity.
        client: asyncua's client; its own watchdogs and publish loop are not used.
        wire: requests that pass asyncua's objects by.
        namespaces: the server's NamespaceArray.
        server_start: the server's start time as text, empty when it does not say.
        reads_per_call: most nodes in one Read.
        items_per_call: most items in one CreateMonitoredItems.
    """

    context: LinkContext
    settings: OpcUaConnection = field(init=False)
    guard: Guard = field(init=False)
    client: Any = field(init=False)
    wire: Wire = field(init=False)
    namespaces: list[str] = field(default_factory=list)
    server_start: str = ""
    reads_per_call: int = MAX_PER_CALL
    items_per_call: int = MAX_PER_CALL

    def __post_init__(self) -> None:
        self.settings = self.context.settings
        self.guard = Guard(self.context)
        self._renew_client()

    async def open(self, old: ResumeState | None) -> bool:
        """Connect; take the old session over when the server still has it (OPC 10000-4 §6.7), else make one.

        A token that is a plain number is counted up from the same start after every restart of the server and may by
        then be someone else's: it is used only after a look at the server's start time.

        Returns:
            Whether the session is the old one.

        Raises:
            LinkError: it cannot be opened.
        """
        endpoint = self.settings.endpoint
        with link_errors(endpoint, opening=True):
            await self.guard.prepare()
        if old is not None and old.session_token.startswith("i="):
            try:
                await self._open(None)
                if self.server_start != old.server_start:
                    return False
                await self.close(keep=False)
            except LinkRefused as error:
                if not isinstance(error.__cause__, ua.UaStatusCodeError):
                    raise  # nobody listens; otherwise there is no room for one more session, and ours is one of them
            self._renew_client()
        if old is not None and old.security == self.guard.key():
            try:
                return await self._open(old)
            except LinkClosed:  # some servers end the connection over a session they do not know
                self._renew_client()
        return await self._open(None)

    async def _open(self, old: ResumeState | None) -> bool:
        endpoint = self.settings.endpoint
        async with AsyncExitStack() as stack:
            stack.callback(self.client.disconnect_socket)
            with link_errors(endpoint, opening=True):
                self.guard.arm(self.client)
                await connect(self.client, self.settings)
            with link_errors(endpoint), self._refused_us():
                self._watch_socket()
                async with asyncio.timeout(self.settings.timeout_s * 2):
                    await self.client.send_hello()
                    await open_channel(self.client)
            with link_errors(endpoint):
                taken_over = old is not None and await self._take_over(old)
            if not taken_over:
                with link_errors(endpoint), self._refused_us(), self._no_room():
                    async with asyncio.timeout(self.settings.timeout_s * 2):
                        session = await self.client.create_session()
                        stack.push_async_callback(self._forget)
                        self.guard.after_create(self.client, session)
                        await self.guard.activate(self.client)
            await self._ask_about()
            stack.pop_all()
        return taken_over

    async def _forget(self) -> None:
        """Close a session that could not be used, or it takes one of the server's few places until it expires."""
        try:
            async with asyncio.timeout(min(self.settings.timeout_s, 2.0)):
                await self.client.uaclient.close_session(delete_subscriptions=True)
        except (OSError, TimeoutError, *BROKEN):
            pass  # it expires

    @contextmanager
    def _refused_us(self) -> Iterator[None]:
        """Say what to do when it is this agent that is not trusted; servers often just hang up then."""
        try:
            yield
        except ua.UaStatusCodeError as error:
            if error.code not in REFUSED_US:
                raise
            reason = f"the server refused this agent's certificate or policy ({ua.StatusCode(error.code).name})"
            raise LinkUntrusted(self.settings.endpoint, reason + self.guard.refused_us()) from error
        except (TimeoutError, InvalidSignature, UaInvalidSignature):
            raise
        except (OSError, ua.UaError) as error:
            if not self.guard.secured:
                raise
            reason = f"the server ended the connection while it was secured ({error})"
            raise LinkUntrusted(self.settings.endpoint, reason + self.guard.refused_us()) from error

    @contextmanager
    def _no_room(self) -> Iterator[None]:
        """A server without room for a session has it again when a forgotten one expires, not before."""
        try:
            yield
        except ua.uaerrors.BadTooManySessions as error:
            wait_s = self.settings.session_timeout_s
            reason = f"the server has no room for another session (BadTooManySessions); next try in {wait_s:g} s"
            raise LinkRefused(self.settings.endpoint, reason, wait_s) from error

    def _watch_socket(self) -> None:
        """TCP itself ends a connection whose other side has vanished without a word (RFC 5482)."""
        protocol = self.client.uaclient.protocol
        line = protocol.transport.get_extra_info("socket") if protocol and protocol.transport else None
        if line is None:
            return
        longest_ms = max(_USER_TIMEOUT_MS, int(self.settings.timeout_s * 2000))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("KEEPIDLE", 3), ("KEEPINTVL", 2), ("KEEPCNT", 3), ("USER_TIMEOUT", longest_ms)):
            if number := getattr(socket, f"TCP_{option}", None):
                line.setsockopt(socket.IPPROTO_TCP, number, value)

    def _renew_client(self) -> None:
        self.client = Client(self.settings.endpoint, timeout=self.settings.timeout_s)
        self.client.name = self.client.description = f"shopfloor-agent {self.settings.name}"
        self.client.application_uri = "urn:shopfloor-agent"  # the certificate's, where there is one
        self.client.product_uri = "urn:shopfloor-agent"
        self.client.session_timeout = int(self.settings.session_timeout_s * 1000)
        use_channel(self.client)
        self.wire = Wire(self.client)

    async def close(self, *, keep: bool, subscriptions: bool = False) -> None:
        """End the connection; `keep` leaves the session for the next link, `subscriptions` only its subscriptions."""
        protocol = self.client.uaclient.protocol
        if protocol is None or protocol.is_closed:
            return
        try:
            async with asyncio.timeout(min(self.settings.timeout_s, 2.0)):
                if not keep:
                    await self.client.uaclient.close_session(delete_subscriptions=not subscriptions)
                await self.client.uaclient.close_secure_channel()
        except (OSError, TimeoutError, *BROKEN):
            pass  # the device is gone, which is what closing is for
        finally:
            self.client.disconnect_socket()

    def resumable(self) -> tuple[str, str]:
        """Authentication token as text and last server nonce as hex: what the next link needs to take over."""
        nonce = self.client._server_nonce or b""  # noqa: SLF001 (asyncua keeps it nowhere else)
        return self.client.uaclient.session.authentication_token.to_string(), nonce.hex()

    def nodes(self) -> dict[int, NodeId]:
        """Node ids by tag index; tags whose namespace the server does not have are left out."""
        found = {index: node_id(tag.node, self.namespaces) for index, tag in enumerate(self.settings.tags)}
        return {index: node for index, node in found.items() if node is not None}

    async def read_attribute(self, nodes: Sequence[NodeId], attribute: int) -> list[DataValue]:
        """One attribute of several nodes, by asyncua's own objects."""
        out: list[DataValue] = []
        with link_errors(self.settings.endpoint):
            for start in range(0, len(nodes), self.reads_per_call):
                part = nodes[start : start + self.reads_per_call]
                out += await self.wire.read_objects(part, attribute, self.settings.timeout_s)
        return out

    async def call(self, request: Any, response: type[Any]) -> Any:
        """One service that asyncua encodes and decodes, without what its session object does beside it.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        body = struct_to_binary(request)[len(_type_id(request)) :]
        header = len(struct_to_binary(request.RequestHeader))
        async with asyncio.timeout(self.settings.timeout_s):
            data = await self.wire.send(_type_id(request), body[header:], self.settings.timeout_s)
        raw, _ = checked(data)
        try:
            return struct_from_binary(response, CheckedBuffer(raw))
        except BROKEN as error:
            raise ValueError(f"{response.__name__} is malformed: {error}") from error

    async def ask_namespaces(self) -> None:
        """Read the NamespaceArray again."""
        (value,) = await self.read_attribute([ua.NodeId(_ABOUT[0])], ua.AttributeIds.Value)
        self.namespaces = list(value.Value.Value or []) if value.Value is not None else []

    async def _take_over(self, old: ResumeState) -> bool:
        """ActivateSession on the session of an earlier link (OPC 10000-4 §6.7), signed over its last nonce.

        Raises:
            LinkUntrusted: the server refuses the user; a new session would fail as well.
        """
        client = self.client
        try:
            async with asyncio.timeout(self.settings.timeout_s * 2):
                client._server_nonce = bytes.fromhex(old.session_nonce) or None  # noqa: SLF001 (CreateSession would)
                await self.guard.before_take_over(client)
                client.uaclient.session.restore_authentication_token(NodeId.from_string(old.session_token))
                await self.guard.activate(client)
        except (TimeoutError, OSError):
            raise
        except BROKEN as error:
            if isinstance(error, ua.UaStatusCodeError) and error.code in REFUSED_USER:
                raise
            client.uaclient.session.reset_authentication_token()
            client._server_nonce = None  # noqa: SLF001
            if not self.guard.secured:
                client.security_policy.peer_certificate = None
            return False
        return True

    async def _ask_about(self) -> None:
        about = await self.read_attribute([ua.NodeId(number) for number in _ABOUT], ua.AttributeIds.Value)
        values: list[Any] = [one.Value.Value if one.Value is not None else None for one in about]
        self.namespaces = list(values[0] or [])
        self.server_start = str(values[1] or "")
        self.reads_per_call = min(MAX_PER_CALL * 2, values[2] or MAX_PER_CALL * 2)
        self.items_per_call = min(MAX_PER_CALL, values[3] or MAX_PER_CALL)


def _type_id(request: Any) -> bytes:
    return nodeid_to_binary(request.TypeId)


def texts(nodes: Mapping[int, NodeId]) -> dict[int, str]:
    """Node ids as text."""
    return {index: node.to_string() for index, node in nodes.items()}


__all__ = ["OpcUaSession", "link_errors", "node_id", "texts"]
