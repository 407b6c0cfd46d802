"""`python -m simulators`: one plant process that serves every device of the named lines on 127.0.0.1.

One JSON line on stdout when ready, one when a recording is over, one when frozen. SIGUSR1 freezes the signals (servers
keep answering), SIGTERM stops cleanly. Faults come from a script, at their plant time, or over a Unix socket, at once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from simulators.clock import SimClock, real_now_ns
from simulators.control import Control
from simulators.faults.board import Board
from simulators.faults.orders import Order
from simulators.faults.script import ScriptError, read_script
from simulators.following import Follower
from simulators.plant import Plant, line_names, load_plant
from simulators.replay.plant import replay_of
from simulators.signals.physics import STEP_NS
from simulators.truth import TruthLog

_MOST_WAIT_S = 60.0
"""Longest real time for which histories wait at their first row until every device was read."""
_BURST = 100
"""Steps caught up before the servers get their turn."""


def _say(**fields: Any) -> None:
    sys.stdout.write(orjson.dumps(fields).decode() + "\n")
    sys.stdout.flush()


class Process:
    """The running plant: its servers, its clock, its truth and its faults."""

    def __init__(self, plant: Plant, truth: TruthLog, clock: SimClock, seed: int, script: Iterable[Order] = ()) -> None:
        self.plant = plant
        self.truth = truth
        self.clock = clock
        self.stopping = asyncio.Event()
        self.servers: dict[str, Any] = {}
        self.board = Board(plant, truth.write)
        for order in script:
            self.board.add(order, plant.steps)
        truth.write(
            "header",
            lines=plant.lines,
            seed=seed,
            rate=clock.rate,
            origin_ns=clock.origin_ns,
            started_ns=plant.since_ns(clock.now_ns()),
            signals=[s.header() | {"type": plant.devices[s.device].type} for s in plant.signals()],
        )

    async def start(self, ports: dict[str, int], lines: Sequence[str] = ()) -> None:
        """Open every server and say where they are.

        What they make lasts as long as they do; collecting garbage meanwhile would double the time of an address space.
        """
        gc.disable()
        for name, panel in self.plant.panels.items():
            self.servers[name] = self.plant.server(panel, self.truth, self.clock.now_ns)
            await self.servers[name].start(ports.get(name, 0))
        gc.freeze()
        gc.enable()
        endpoints = {name: server.endpoint() for name, server in self.servers.items()}
        also = await self._lines(lines)
        _say(ready=True, endpoints=endpoints, lines=also, signals=sum(1 for _ in self.plant.signals()))

    async def _lines(self, texts: Sequence[str]) -> dict[str, str]:
        """Open what devices listen on as well; where, by what was asked for."""
        if not texts:
            return {}
        from simulators.modbus_lines import open_line, parse_line  # noqa: PLC0415 - needs pymodbus

        specs = {text: parse_line(text) for text in texts}
        return {text: await open_line(self.servers[spec.device], spec) for text, spec in specs.items()}

    async def run_signals(self) -> None:
        """Step the plant along its clock: faults, variables, then what each device shows.

        Once the plant is frozen its clock goes on, so that faults come to their end. Where nothing new can be shown for
        some steps, and no fault is about, they are done at once.
        """
        servers: list[Follower] = list(self.servers.values())
        self.board.start_ns = begin_ns = self.clock.now_ns() // 1000 * 1000 - self.plant.steps * STEP_NS
        steps, told = self.plant.steps, False
        stride, waits = self.plant.stride(self.clock.rate), True
        while True:
            if waits and self._read_or_late(steps):
                waits = False
                self.plant.begin()
            if self.plant.over and not told:
                told = True
                _say(over=True)
            for _ in range(_BURST):
                following = steps + 1 if self.board.busy else steps - steps % stride + stride
                due_ns = begin_ns + following * STEP_NS
                if due_ns > self.clock.now_ns():
                    break
                self.board.turn(following)
                self.plant.step(following - steps)
                steps = following
                for server in servers:
                    await (server.follow() if self.plant.frozen else server.update(steps, due_ns))
            wait_ns = due_ns - self.clock.now_ns()
            await asyncio.sleep(max(0.0, self.clock.real_s(wait_ns / 1e9)))

    def _read_or_late(self, steps: int) -> bool:
        """Whether every device was read, or will not be."""
        late = self.clock.real_s(steps * STEP_NS / 1e9) > _MOST_WAIT_S
        return late or all(panel.asked for panel in self.plant.panels.values())

    def freeze(self) -> None:
        """Stop every signal and end what keeps them from being read; servers go on answering."""
        if not self.plant.frozen:
            self.plant.freeze()
            self.board.heal()
            self.truth.write("freeze", time=self.clock.now_ns())
            _say(frozen=True)

    async def run(self, ports: dict[str, int], lines: Sequence[str] = (), control: Path | None = None) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        loop.add_signal_handler(signal.SIGUSR1, self.freeze)
        async with AsyncExitStack() as stack:
            if control is not None:
                await stack.enter_async_context(Control(self.plant, self.board).serving(control))
            await self.start(ports, lines)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.run_signals()), group.create_task(self.truth.keep_synced())]
                tasks.append(group.create_task(self.truth.keep_stalls(self.clock.now_ns, self.clock.rate)))
                await self.stopping.wait()
                for task in tasks:
                    task.cancel()
            for server in self.servers.values():
                await server.end()
        self.truth.write("stop", time=self.clock.now_ns())


def _ports(texts: list[str]) -> dict[str, int]:
    return {name: int(port) for name, _, port in (text.partition("=") for text in texts)}


def _plant(args: argparse.Namespace, clock: SimClock) -> Plant:
    """Lines, or a recording."""
    if args.replay is None:
        played = {"wait": True} | ({"loop": True} if args.loop else {})
        return load_plant(args.line or line_names(), args.seed, args.scale, played)
    return replay_of(args.replay, args.seen, clock, loop=args.loop)


def main() -> int:
    """Parse the arguments and run; exit code 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--line", action="append", help=f"line or folder, repeatable: {', '.join(line_names())}")
    parser.add_argument("--truth", type=Path, required=True, help="file of the truth log, written anew")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1, help="how often each line is there")
    parser.add_argument("--loop", action="store_true", help="a history or a recording begins again at its end")
    parser.add_argument("--speed", type=float, default=1.0, help="plant seconds per real second")
    parser.add_argument("--origin-ns", type=int, default=None, help="where the fast clock equals the real one")
    parser.add_argument("--port-map", nargs="*", default=[], metavar="DEVICE=PORT", help="default: free ports")
    parser.add_argument(
        "--also",
        nargs="*",
        default=[],
        metavar="DEVICE=TRANSPORT:WHERE",
        help="a Modbus device on a second line: rtu:PATH, ascii:PATH, rtu_over_tcp:PORT, udp:PORT, tls:PORT:CERT:KEY",
    )
    parser.add_argument("--replay", type=Path, help="serve this recording instead of lines")
    parser.add_argument("--seen", type=Path, help="what a client reads of the recording (simulators.replay.seen)")
    parser.add_argument("--faults", type=Path, help="YAML list: - {at: 5m, fault: comm_loss, device: …, for: 30s}")
    parser.add_argument("--control", type=Path, help="Unix socket to take faults on while it runs")
    args = parser.parse_args()
    if args.speed <= 0:
        parser.error("--speed must be above 0")
    clock = SimClock(args.origin_ns if args.origin_ns is not None else real_now_ns(), args.speed)
    try:
        plant = _plant(args, clock)
        ports = _ports(args.port_map)
        script = read_script(args.faults.read_text(encoding="utf-8"), plant) if args.faults else []
    except ScriptError as reason:
        parser.error(f"{args.faults}:{reason.line}: {reason}")
    except (OSError, ValueError) as reason:
        parser.error(str(reason))
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # a client that dies is no news here
    truth = TruthLog(args.truth)
    try:
        process = Process(plant, truth, clock, args.seed, script)
        asyncio.run(process.run(ports, args.also, args.control))
    finally:
        truth.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
