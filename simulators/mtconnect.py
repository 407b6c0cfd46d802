"""An MTConnect agent: `probe`, `current` and `sample` over HTTP, every observation in the truth log.

After MTConnect Part 1 (Overview and Fundamentals) 1.8: the circular buffer and its sequence numbers,
requests and their errors; Part 3: observations and conditions. Read only: another method than GET is refused and
logged.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from simulators.device import Signal
from simulators.following import Follower
from simulators.panel import ANY_BAD, Panel
from simulators.truth import TruthLog

HOST: Final = "127.0.0.1"
UNAVAILABLE: Final = "UNAVAILABLE"
NEVER_CHANGES: Final = "avail"
"""Id of the data item AVAILABILITY that every device has (Part 2, AVAILABILITY)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECTIONS: Final = {"SAMPLE": "Samples", "EVENT": "Events", "CONDITION": "Condition"}
_REASONS: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}
_DEFAULT_COUNT: Final = 100


@dataclass(frozen=True, slots=True)
class Observation:
    """One entry of the buffer: its number, whose value, when (ns since 1970 UTC), and its text."""

    sequence: int
    signal: Signal
    time_ns: int
    text: str


class Refusal(ValueError):
    """An MTConnect error: HTTP status, code and words (Part 1, Error Information Model)."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


class Buffer:
    """The circular buffer of an agent instance (Part 1, Buffer).

    Attributes:
        instance: another number means that everything before is forgotten.
        next: sequence number that the next observation gets.
    """

    def __init__(self, instance: int, size: int) -> None:
        self.instance = instance
        self.size = size
        self.next = 1
        self._kept: deque[Observation] = deque(maxlen=size)
        self._latest: dict[int, Observation] = {}

    @property
    def first(self) -> int:
        """Number of the oldest observation it holds."""
        return self.next - len(self._kept)

    def add(self, signal: Signal, time_ns: int, text: str) -> None:
        """Append one; the oldest may fall out."""
        one = Observation(self.next, signal, time_ns, text)
        self._kept.append(one)
        self._latest[signal.id] = one
        self.next += 1

    def latest(self) -> Iterator[Observation]:
        """The newest observation of each data item."""
        yield from self._latest.values()

    def since(self, first: int, count: int) -> list[Observation]:
        """Up to `count` observations from number `first` on.

        Raises:
            Refusal: `first` is outside of the buffer.
        """
        if not self.first <= first <= self.next:
            raise Refusal(404, "OUT_OF_RANGE", f"'from' must be between {self.first} and {self.next}")
        at = first - self.first
        return [self._kept[index] for index in range(at, min(at + count, len(self._kept)))]


class MtConnectServer(Follower):
    """One MTConnect agent with one device, on 127.0.0.1.

    Attributes:
        asked: requests seen: probe, current, sample.
        connections: open connections.
    """

    def __init__(self, panel: Panel, truth: TruthLog, now_ns: Callable[[], int]) -> None:
        super().__init__(panel)
        self.asked: Counter[str] = Counter()
        self.connections: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self._device = panel.device
        self._truth = truth
        self._now_ns = now_ns
        self._last: dict[int, Any] = {}
        self._watched = False
        self._asked_from = 0
        self._down = True
        self._server: asyncio.Server | None = None
        self.buffer = Buffer(self._now_ns() // 10**9, panel.device.buffer_size)

    def endpoint(self) -> dict[str, Any]:
        """Where it listens."""
        return {"host": HOST, "port": self.port, "url": f"http://{HOST}:{self.port}"}

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one, and a later start takes the same again."""
        if self._down:
            self._begin()
        self._server = await asyncio.start_server(self._serve, HOST, port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection; the agent behind it goes on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self.connections):
            writer.transport.abort()

    def deafen(self) -> None:
        """Forget the connections that are open without telling their clients."""
        self._deaf |= self.connections

    def hang_up(self) -> None:
        """Reset the connections that were forgotten."""
        for writer in tuple(self._deaf):
            writer.transport.abort()

    async def forget(self) -> None:
        """The agent itself ends: its buffer is gone, nothing is observed until the next start.

        Who asked from a number on has what was before it.
        """
        lost: dict[int, list[int]] = {}
        for one in self.buffer.since(max(self._asked_from, self.buffer.first), self.buffer.size):
            lost.setdefault(one.signal.id, []).append(one.time_ns)
        for number, times in lost.items():
            self._truth.write("forgot", id=number, times=times)
        self._asked_from = 0
        self.buffer = Buffer(self.buffer.instance + 1, self._device.buffer_size)
        self._down = True

    async def end(self) -> None:
        """Close for good."""
        await self.stop()

    async def update(self, steps: int, time_ns: int) -> None:
        """Observe every value that is due at this step and differs; `time_ns` is its time."""
        await self.follow()
        if self._down:
            return
        for signal in self._device.signals:
            if steps % signal.every_steps:
                continue
            value = self._seen(signal)
            if value != self._last[signal.id]:
                self._observe(signal, value, time_ns + self.panel.skew_ns)

    def _seen(self, signal: Signal) -> Any:
        """Its value, None while it is unavailable."""
        return None if self.panel.status(signal) else self.panel.shown(signal)

    def _begin(self) -> None:
        """A new instance: nothing is known of any data item, then the adapter connects (Part 3, Unavailability)."""
        self._down = False
        time_ns = self._now_ns() // 1000 * 1000
        for signal in self._device.signals:
            self.buffer.add(signal, time_ns, UNAVAILABLE)
            self._truth.write("change", id=signal.id, value=None, time=time_ns, status=ANY_BAD)
        for signal in self._device.signals:
            self._observe(signal, self._seen(signal), time_ns + 1000)

    def _observe(self, signal: Signal, value: Any, time_ns: int) -> None:
        self._last[signal.id] = value
        self.buffer.add(signal, time_ns, UNAVAILABLE if value is None else str(value))
        self._truth.write("change", id=signal.id, value=value, time=time_ns, status=ANY_BAD if value is None else 0)

    def _watch(self) -> None:
        """From the first look on every observation reaches the client, unless the buffer runs over."""
        if self._watched:
            return
        self._watched = True
        for one in self.buffer.latest():
            self._truth.write(
                "item",
                event="created",
                id=one.signal.id,
                sub=1,
                item=one.signal.id,
                queue=self.buffer.size,
                value=self._last[one.signal.id],
                time=one.time_ns,
                status=ANY_BAD if self._last[one.signal.id] is None else 0,
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while request := await _request(reader):
                method, target = request
                if self.panel.silent or writer in self._deaf:
                    continue
                status, body = self._answer(method, target)
                head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}"
                writer.write(f"{head}\r\n\r\n".encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            self.connections.discard(writer)
            self._deaf.discard(writer)

    def _answer(self, method: str, target: str) -> tuple[int, bytes]:
        try:
            return 200, self._document(method, target).encode()
        except Refusal as no:
            inner = f'<Errors><Error errorCode="{no.code}">{escape(str(no))}</Error></Errors>'
            return no.status, self._enclosed("Error", f'bufferSize="{self.buffer.size}"', inner).encode()

    def _document(self, method: str, target: str) -> str:
        if method != "GET":
            self._truth.write("write", device=self.name, service=method, time=self._now_ns())
            raise Refusal(405, "UNSUPPORTED", f"{method} is not supported")
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        *device, request = unquote(parts.path).strip("/").split("/")
        if device and device != [self.name]:
            raise Refusal(404, "NO_DEVICE", f"no device {device[0]}")
        self.asked[request] += 1
        self.panel.asked |= request != "probe"
        if request == "probe":
            size = f'bufferSize="{self.buffer.size}" assetBufferSize="0" assetCount="0"'
            return self._enclosed("Devices", size, f"<Devices>{self._device_xml()}</Devices>")
        if request == "current":
            self._watch()
            return self._streams(self.buffer.latest(), self.buffer.next)
        if request == "sample":
            self._watch()
            first, count = _number(query, "from", self.buffer.first), _number(query, "count", _DEFAULT_COUNT)
            if not 0 < count <= self.buffer.size:
                raise Refusal(404, "OUT_OF_RANGE", f"'count' must be between 1 and {self.buffer.size}")
            found = self.buffer.since(first, count)
            self._asked_from = max(self._asked_from, first)
            return self._streams(found, first + len(found))
        raise Refusal(404, "UNSUPPORTED", f"no request {request}")

    def _enclosed(self, kind: str, attributes: str, inner: str) -> str:
        version = "1.8.0.0"
        header = (
            f'<Header creationTime="{_stamp(self._now_ns())}" sender="plant" instanceId="{self.buffer.instance}" '
            f'version="{version}" {attributes}/>'
        )
        name = f"MTConnect{kind}"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="urn:mtconnect.org:{name}:1.8">'
            f"{header}{inner}</{name}>\n"
        )

    def _streams(self, found: Iterable[Observation], following: int) -> str:
        sections: dict[str, list[str]] = {}
        for one in found:
            sections.setdefault(_SECTIONS[one.signal.category], []).append(_observation_xml(one))
        inner = "".join(f"<{name}>{''.join(rows)}</{name}>" for name, rows in sections.items())
        stream = f'<ComponentStream component="Controller" name="ctrl" componentId="ctrl">{inner}</ComponentStream>'
        buffer = self.buffer
        numbers = (
            f'bufferSize="{buffer.size}" nextSequence="{following}" firstSequence="{buffer.first}" '
            f'lastSequence="{buffer.next - 1}"'
        )
        device = f'<DeviceStream name="{self.name}" uuid="{self.name}-1">{stream if inner else ""}</DeviceStream>'
        return self._enclosed("Streams", numbers, f"<Streams>{device}</Streams>")

    def _device_xml(self) -> str:
        items = "".join(map(_item_xml, self._device.signals))
        return (
            f'<Device id="{self.name}_dev" name="{self.name}" uuid="{self.name}-1"><DataItems>'
            f'<DataItem category="EVENT" id="{NEVER_CHANGES}" type="AVAILABILITY"/></DataItems>'
            f'<Components><Controller id="ctrl" name="ctrl"><DataItems>{items}</DataItems></Controller></Components>'
            "</Device>"
        )


async def _request(reader: asyncio.StreamReader) -> tuple[str, str] | None:
    """Method and target of the next request; None at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    return (words[0], words[1]) if len(words) == 3 else None  # noqa: PLR2004 - RFC 9112 §3


def _number(query: dict[str, list[str]], key: str, default: int) -> int:
    text = query.get(key, [str(default)])[0]
    if not text.lstrip("-").isdecimal():
        raise Refusal(400, "INVALID_REQUEST", f"'{key}' must be a number")
    return int(text)


def _stamp(time_ns: int) -> str:
    """UTC with microseconds."""
    when = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _item_xml(signal: Signal) -> str:
    units = f' units="{signal.units}"' if signal.units else ""
    return (
        f'<DataItem category="{signal.category}" id={quoteattr(signal.node)} name={quoteattr(signal.name)} '
        f'type="{signal.type}"{units}/>'
    )


def _observation_xml(one: Observation) -> str:
    signal = one.signal
    shared = (
        f'dataItemId={quoteattr(signal.node)} name={quoteattr(signal.name)} sequence="{one.sequence}" '
        f'timestamp="{_stamp(one.time_ns)}"'
    )
    if signal.category != "CONDITION":
        element = "".join(word.capitalize() for word in signal.type.split("_"))
        return f"<{element} {shared}>{escape(one.text)}</{element}>"
    if one.text in {"Normal", UNAVAILABLE}:
        return f'<{one.text.capitalize()} {shared} type="{signal.type}"/>'
    code = f'type="{signal.type}" nativeCode="{signal.name}-1"'
    return f"<{one.text} {shared} {code}>{signal.name} is out of order</{one.text}>"
