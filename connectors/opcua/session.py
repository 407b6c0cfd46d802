"""One session with one server: opened, taken over, or left behind for the next link to take over."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import nodeid_to_binary, struct_from_binary, struct_to_binary

from connectors.opcua.config import OpcUaConnection
from connectors.opcua.library import Client, DataValue, NodeId, ua
from connectors.opcua.messages import Wire, checked
from connectors.opcua.plan import MAX_PER_CALL
from connectors.opcua.resume import ResumeState
from connectors.opcua.scalars import BROKEN
from pipelines.errors import ConfigError, LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.secret import read_secret

_CODES: Final = ua.StatusCodes
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
_ABOUT: Final = (
    ua.ObjectIds.Server_NamespaceArray,
    ua.ObjectIds.Server_ServerStatus_StartTime,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
)


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
        name = ua.StatusCode(error.code).name
        if error.code in _UNTRUSTED:
            raise LinkUntrusted(endpoint, f"the server refused the user or the certificate ({name})") from error
        if error.code == _CODES.BadTimeout:
            raise LinkTimeout(endpoint, f"the server gave up ({name})") from error
        kind = LinkClosed if error.code in _CLOSED else LinkRefused
        raise kind(endpoint, f"the server answered {name}") from error
    except OSError as error:
        if opening:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise LinkRefused(endpoint, f"no connection ({reason}): check that the server runs and its port") from error
        raise LinkClosed(endpoint, str(error) or "the connection ended") from error
    except (ua.UaError, struct.error, ValueError) as error:
        raise LinkClosed(endpoint, f"the server's answer makes no sense: {error}") from error


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
        settings: the connection's configuration.
        client: asyncua's client; its own watchdogs and publish loop are not used.
        wire: requests that pass asyncua's objects by.
        namespaces: the server's NamespaceArray.
        server_start: the server's start time as text, empty when it does not say.
        reads_per_call: most nodes in one Read.
        items_per_call: most items in one CreateMonitoredItems.
    """

    settings: OpcUaConnection
    client: Any = field(init=False)
    wire: Wire = field(init=False)
    namespaces: list[str] = field(default_factory=list)
    server_start: str = ""
    reads_per_call: int = MAX_PER_CALL
    items_per_call: int = MAX_PER_CALL

    def __post_init__(self) -> None:
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
        if self.settings.security.policy != "none":
            reason = "only connections without message security are built yet; name it: security: {policy: none}"
            raise LinkUntrusted(self.settings.endpoint, reason)
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
        return await self._open(old)

    async def _open(self, old: ResumeState | None) -> bool:
        with ExitStack() as stack:
            stack.callback(self.client.disconnect_socket)
            with link_errors(self.settings.endpoint, opening=True):
                password = self._password()
                async with asyncio.timeout(self.settings.timeout_s * 2):
                    await self.client.connect_socket()
                    await self.client.send_hello()
                    await self.client.open_secure_channel()
                taken_over = old is not None and await self._take_over(old, password)
                if not taken_over:
                    async with asyncio.timeout(self.settings.timeout_s * 2):
                        await self.client.create_session()
                        await self.client.activate_session(self.settings.user, password)
                await self._ask_about()
            stack.pop_all()
        return taken_over

    def _renew_client(self) -> None:
        self.client = Client(self.settings.endpoint, timeout=self.settings.timeout_s)
        self.client.name = self.client.description = f"shopfloor-agent {self.settings.name}"
        self.client.application_uri = "urn:shopfloor-agent"
        self.client.product_uri = "urn:shopfloor-agent"
        self.client.session_timeout = int(self.settings.session_timeout_s * 1000)
        self.wire = Wire(self.client)

    async def close(self, *, keep: bool) -> None:
        """End the connection; `keep` leaves the session and its subscriptions for the next link."""
        protocol = self.client.uaclient.protocol
        if protocol is None or protocol.is_closed:
            return
        try:
            async with asyncio.timeout(min(self.settings.timeout_s, 2.0)):
                if not keep:
                    await self.client.uaclient.close_session(delete_subscriptions=True)
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
                async with asyncio.timeout(self.settings.timeout_s):
                    part = list(nodes[start : start + self.reads_per_call])
                    out += await self.client.uaclient.session.read_attributes(part, attribute)
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
            return struct_from_binary(response, Buffer(raw))
        except BROKEN as error:
            raise ValueError(f"{response.__name__} is malformed: {error}") from error

    async def ask_namespaces(self) -> None:
        """Read the NamespaceArray again."""
        (value,) = await self.read_attribute([ua.NodeId(_ABOUT[0])], ua.AttributeIds.Value)
        self.namespaces = list(value.Value.Value or []) if value.Value is not None else []

    def _password(self) -> str | None:
        path = self.settings.password_file
        try:
            return read_secret(path) if path else None
        except ConfigError as error:
            raise LinkUntrusted(self.settings.endpoint, f"password_file {error}") from error

    async def _take_over(self, old: ResumeState, password: str | None) -> bool:
        client = self.client
        try:
            async with asyncio.timeout(self.settings.timeout_s * 2):
                endpoints = await client.get_endpoints()
                here = Client.find_endpoint(endpoints, ua.MessageSecurityMode.None_, SecurityPolicyNone.URI)
                client._policy_ids = here.UserIdentityTokens  # noqa: SLF001 (CreateSession would set it)
                client.security_policy.peer_certificate = here.ServerCertificate
                client._server_nonce = bytes.fromhex(old.session_nonce) or None  # noqa: SLF001
                client.uaclient.session.restore_authentication_token(NodeId.from_string(old.session_token))
                await client.activate_session(self.settings.user, password)
        except (TimeoutError, OSError):
            raise
        except BROKEN:
            client.uaclient.session.reset_authentication_token()
            client._server_nonce = None  # noqa: SLF001
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
