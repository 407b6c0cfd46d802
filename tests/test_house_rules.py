"""The house rules of CONTRIBUTING.md, held over the source itself. Each rule is proved on code that breaks it."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import statistics
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("agent", "connectors", "pipelines", "simulators", "viewer")
MAX_LINES: Final = 400
MAX_MEDIAN_LINES: Final = 120


@dataclass(frozen=True, slots=True)
class Module:
    """A source file. `path` is relative to the repository, with `/`."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]


Fault = tuple[int, str]
Rule = Callable[[Module], Iterator[Fault]]


@cache
def modules() -> list[Module]:
    """Of all packages; parsed when a test asks, not in every process that collects tests."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found.append(Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text, str(path))))
    return found


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; calls inside are written `()`; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Call(func=function):
            return f"{dotted(function)}()"
        case _:
            return ""


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with its full name, as far as the file's own imports tell it."""
    names: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            first, _, rest = dotted(node.func).partition(".")
            yield node, names.get(first, first) + (f".{rest}" if rest else "")


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def length(module: Module) -> Iterator[Fault]:
    lines = module.text.count("\n")
    if lines > MAX_LINES:
        yield MAX_LINES, f"{lines} lines, at most {MAX_LINES}: split by meaning"


def tasks(module: Module) -> Iterator[Fault]:
    if module.path == "agent/supervise.py":
        return
    for node, name in calls(module):
        owner, _, last = name.rpartition(".")
        loop = owner == "asyncio" or owner.lower().endswith(("loop", "loop()"))
        if last == "ensure_future" or (last == "create_task" and loop):
            yield node.lineno, f"{last} only in agent/supervise.py: use an asyncio.TaskGroup"


BROAD: Final = {"Exception", "BaseException"}


def broad_excepts(module: Module) -> Iterator[Fault]:
    if module.path == "agent/supervise.py":
        return
    remedy = "only in agent/supervise.py: name the errors"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or dotted(kind).removeprefix("builtins.") in BROAD for kind in kinds):
                yield node.lineno, f"broad except {remedy}"
    for call, name in calls(module):
        if name == "contextlib.suppress" and any(dotted(kind) in BROAD for kind in call.args):
            yield call.lineno, f"broad suppress {remedy}"


ENGINE: Final = "pipelines/derive/engine.py"


def mistakes(module: Module) -> Iterator[Fault]:
    """A list of everything that a fault of ours raises catches as broadly as `Exception`."""
    if module.path == ENGINE:
        return
    remedy = f"only in {ENGINE}: name the errors of what you call"
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(id="MISTAKES") | ast.Attribute(attr="MISTAKES") | ast.alias(name="MISTAKES"):
                yield getattr(node, "lineno", 1), f"MISTAKES {remedy}"
            case ast.ExceptHandler(type=ast.Name(id="NameError")):
                yield node.lineno, f"NameError, a mistake of ours, is caught {remedy}"
            case ast.Tuple(elts=kinds) | ast.List(elts=kinds) | ast.Call(args=kinds) if any(
                dotted(kind).removeprefix("builtins.") == "NameError" for kind in kinds
            ):
                yield node.lineno, f"NameError, a mistake of ours, is among what is caught {remedy}"


def sleeps(module: Module) -> Iterator[Fault]:
    if module.package != "connectors" or module.path == "connectors/ticker.py":
        return
    for node, name in calls(module):
        if name in {"asyncio.sleep", "time.sleep"}:
            yield (
                node.lineno,
                f"{name} in connectors only in connectors/ticker.py: use ticks(), or await what you wait for",
            )


WALL_CLOCK: Final = re.compile(
    r"time\.(time|time_ns|ctime)|(\w+\.)*(datetime\.(now|utcnow|today)|date\.today)|time\.clock_gettime(_ns)?"
)


def wall_clock(module: Module) -> Iterator[Fault]:
    if module.path == "pipelines/clock.py" or module.package == "simulators":
        return
    for node, name in calls(module):
        bare = name in {"time.gmtime", "time.localtime"} and not node.args
        if bare or WALL_CLOCK.fullmatch(name):
            yield node.lineno, f"{name}() only in pipelines/clock.py: take a Clock"


QUEUES: Final = re.compile(r"(asyncio|queue|multiprocessing)\.((Lifo|Priority|Joinable)?Queue|SimpleQueue)")


def queues(module: Module) -> Iterator[Fault]:
    for node, name in calls(module):
        if not QUEUES.fullmatch(name):
            continue
        size = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "maxsize"), None)
        endless = size is None or (isinstance(size, ast.Constant) and not size.value) or isinstance(size, ast.UnaryOp)
        if endless or name.endswith("SimpleQueue"):
            yield node.lineno, f"{name} without a bound: give it maxsize"


def prints(module: Module) -> Iterator[Fault]:
    if module.path == "agent/cli.py":
        return
    for node, name in calls(module):
        if name in {"print", "builtins.print"}:
            yield node.lineno, "print only in agent/cli.py: log it, or return it to the command"


WRITES: Final = re.compile(
    r"write_(coils?|registers?|file_record|values?|attributes?|attribute_value|params|single_\w+|multiple_\w+)"
    r"|mask_write_\w+|readwrite_registers|set_(value|values|attribute|attributes|attr_bit|data_value|writable)|call_method"
    r"|(Write(Single|Multiple|Coil|Register)|MaskWrite|ReadWriteMultiple)\w*|Write(Request|Parameters|Value)"
    r"|Call(Request|Parameters|MethodRequest|Method)|(add|delete)_(nodes?|references?)|delete_(item|method)_?\w*"
    r"|history_update\w*|HistoryUpdate\w*"
)


def plc_writes(module: Module) -> Iterator[Fault]:
    if module.package != "connectors":
        return
    for node in ast.walk(module.tree):
        names: list[str] = []
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                names = [name]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Import() | ast.ImportFrom():
                names = [alias.name.rpartition(".")[2] for alias in node.names]
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                names = [name]
        for name in names:
            if WRITES.fullmatch(name):
                yield getattr(node, "lineno", 1), f"{name}: nothing writes to a PLC; remove it"


RULES: Final[tuple[Rule, ...]] = (
    length,
    tasks,
    broad_excepts,
    mistakes,
    sleeps,
    wall_clock,
    queues,
    prints,
    plc_writes,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Rule) -> None:
    faults = [f"{module.path}:{line}: {words}" for module in modules() for line, words in rule(module)]
    assert not faults, "\n" + "\n".join(faults)


def test_median_length() -> None:
    lines = {module.path: module.text.count("\n") for module in modules()}
    median = statistics.median(lines.values())
    longest = sorted(lines, key=lambda path: -lines[path])[:10]
    words = f"median module has {median:g} lines, at most {MAX_MEDIAN_LINES}; split by meaning, the longest are:"
    assert median <= MAX_MEDIAN_LINES, "\n".join([words, *(f"  {path}: {lines[path]}" for path in longest)])


# ── exceptions ──────────────────────────────────────────────────────────────────────────────────────────────────────

BUILTIN_ERRORS: Final = {
    name
    for name in dir(builtins)
    if isinstance(kind := getattr(builtins, name), type) and issubclass(kind, BaseException)
}


def exception_faults(found: list[Module], drawn: str) -> Iterator[str]:
    """Classes that are exceptions by their bases, followed through all modules by name."""
    classes = {
        node.name: (module, node, [dotted(base).rpartition(".")[2] for base in node.bases])
        for module in found
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }

    def ancestors(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        if name not in classes or name in seen:
            return {name}
        return {name}.union(*(ancestors(base, seen | {name}) for base in classes[name][2]))

    for name, (module, node, _) in classes.items():
        family = ancestors(name)
        if module.package == "simulators" or name == "ShopfloorError":
            continue
        foreign = {one for one in family if one not in classes and one.endswith(("Error", "Exception"))}
        if not family & (BUILTIN_ERRORS | {"ShopfloorError"}) and not foreign:
            continue
        if "ShopfloorError" not in family:
            yield f"{module.path}:{node.lineno}: {name} must derive from a class in pipelines/errors.py"
        if not re.search(rf"\b{name}\b", drawn):
            yield f"{module.path}:{node.lineno}: {name} must be drawn in the docstring of pipelines/errors.py"


def test_every_exception_is_in_the_tree() -> None:
    errors = next(module for module in modules() if module.path == "pipelines/errors.py")
    faults = list(exception_faults(modules(), ast.get_docstring(errors.tree) or ""))
    assert not faults, "\n" + "\n".join(faults)


# ── tracked files ───────────────────────────────────────────────────────────────────────────────────────────────────

MACHINE_PATH: Final = re.compile(r"(?<![\w.~$})-])/(?:work|root|home)/[\w.]")
REGISTRY: Final = re.compile(
    r'"resolved": "http|--(extra-)?index-url\s*[=h]|trusted-host|\b(registry\.npmjs|files\.pythonhosted)' + r"\.org\b"
)


def text_faults(text: str) -> Iterator[Fault]:
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine: make it relative, or take it from the environment"
        if REGISTRY.search(line):
            yield number, "a package registry's address: leave it to each machine's own settings"


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
    faults = []
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file() or name == "tests/test_house_rules.py":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        faults += [f"{name}:{line}: {words}" for line, words in text_faults(text)]
    assert not faults, "\n" + "\n".join(faults)


def test_migrations_of_the_book_are_numbered_without_a_hole() -> None:
    """Two that were written beside each other would have one number, and no book could be opened."""
    names = sorted(path.name for path in (ROOT / "viewer/book/migrations").glob("*.sql"))
    assert [name[:5] for name in names] == [f"{number:04}_" for number in range(1, len(names) + 1)]


# ── the rules see what they should, and nothing else ────────────────────────────────────────────────────────────────

BAD: Final[list[tuple[Rule, str, str]]] = [
    (length, "agent/x.py", "\n" * 401),
    (tasks, "agent/x.py", "import asyncio\nasyncio.create_task(f())"),
    (tasks, "agent/x.py", "from asyncio import create_task\ncreate_task(f())"),
    (tasks, "viewer/x.py", "import asyncio as a\na.ensure_future(f())"),
    (tasks, "viewer/x.py", "import asyncio\nasyncio.get_running_loop().create_task(f())"),
    (tasks, "viewer/x.py", "self._loop.create_task(f())"),
    (broad_excepts, "agent/x.py", "try: f()\nexcept: pass"),
    (broad_excepts, "agent/x.py", "try: f()\nexcept Exception: pass"),
    (broad_excepts, "agent/x.py", "try: f()\nexcept (OSError, BaseException) as e: pass"),
    (broad_excepts, "agent/x.py", "from contextlib import suppress\nwith suppress(Exception): f()"),
    (mistakes, "agent/x.py", "from pipelines.derive.engine import MISTAKES"),
    (mistakes, "pipelines/derive/x.py", "try: f()\nexcept engine.MISTAKES: pass"),
    (mistakes, "pipelines/x.py", "try: f()\nexcept (ValueError, NameError): pass"),
    (mistakes, "pipelines/x.py", "try: f()\nexcept NameError: pass"),
    (mistakes, "agent/x.py", "BUGS = (TypeError, AttributeError, NameError)"),
    (mistakes, "agent/x.py", "with suppress(TypeError, NameError): f()"),
    (sleeps, "connectors/modbus/link.py", "import asyncio\nasync def f(): await asyncio.sleep(1)"),
    (sleeps, "connectors/x.py", "from time import sleep\nsleep(1)"),
    (wall_clock, "connectors/x.py", "import time\ntime.time_ns()"),
    (wall_clock, "viewer/x.py", "from datetime import datetime\ndatetime.now()"),
    (wall_clock, "viewer/x.py", "import datetime as dt\ndt.datetime.now(dt.UTC)"),
    (wall_clock, "viewer/x.py", "from datetime import date\ndate.today()"),
    (wall_clock, "viewer/x.py", "import time\ntime.localtime()"),
    (queues, "agent/x.py", "import asyncio\nasyncio.Queue()"),
    (queues, "simulators/x.py", "from queue import Queue\nQueue(maxsize=0)"),
    (queues, "agent/x.py", "import queue\nqueue.SimpleQueue()"),
    (prints, "agent/commands/run.py", "print('x')"),
    (plc_writes, "connectors/x.py", "client.write_register(1, 2)"),
    (plc_writes, "connectors/x.py", "from asyncua.ua import WriteRequest"),
    (plc_writes, "connectors/x.py", "node.call_method('x')"),
    (plc_writes, "connectors/x.py", "getattr(client, 'write_coils')(1)"),
]
GOOD: Final[list[tuple[Rule, str, str]]] = [
    (length, "agent/x.py", "\n" * 400),
    (tasks, "agent/supervise.py", "import asyncio\nasyncio.create_task(f())"),
    (tasks, "agent/x.py", "async with asyncio.TaskGroup() as group: group.create_task(f())".replace("async ", "")),
    (tasks, "agent/x.py", "self._tasks.create_task(f())"),
    (broad_excepts, "agent/supervise.py", "try: f()\nexcept Exception: pass"),
    (broad_excepts, "agent/x.py", "try: f()\nexcept (OSError, ValueError): pass"),
    (mistakes, "pipelines/derive/engine.py", "MISTAKES = (TypeError, NameError)\ntry: f()\nexcept MISTAKES: pass"),
    (mistakes, "agent/x.py", "try: f()\nexcept (KeyError, TypeError): pass"),
    (sleeps, "connectors/ticker.py", "import asyncio\nasync def f(): await asyncio.sleep(1)"),
    (sleeps, "agent/x.py", "import asyncio\nasync def f(): await asyncio.sleep(1)"),
    (wall_clock, "pipelines/clock.py", "import time\ntime.time_ns()"),
    (wall_clock, "simulators/x.py", "import time\ntime.time()"),
    (wall_clock, "viewer/x.py", "import time\ntime.monotonic()\ntime.gmtime(5)\nself.clock.now()"),
    (queues, "agent/x.py", "import asyncio\nasyncio.Queue(maxsize=10)\nasyncio.Queue(n)"),
    (prints, "agent/cli.py", "print('x')"),
    (prints, "agent/x.py", "console.print('x')"),
    (plc_writes, "connectors/x.py", "writer.write(b'x')\ntransport.write_eof()\ncallback.call()"),
    (plc_writes, "simulators/x.py", "node.write_value(1)"),
]


def _module(path: str, text: str) -> Module:
    return Module(path, text, ast.parse(textwrap.dedent(text)))


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_rule_sees(rule: Rule, path: str, text: str) -> None:
    assert list(rule(_module(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_rule_leaves_alone(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(_module(path, text)))


def test_exception_rule_follows_bases_across_modules() -> None:
    found = [
        _module("pipelines/errors.py", "class ShopfloorError(Exception): ...\nclass LinkError(ShopfloorError): ..."),
        _module("connectors/a.py", "class LinkLost(LinkError): ...\nclass Plain: ..."),
        _module("viewer/b.py", "class Odd(ValueError): ...\nclass Odder(Odd): ...\nclass Far(lib.ApiException): ..."),
        _module("simulators/c.py", "class Mine(Exception): ..."),
    ]
    faults = list(exception_faults(found, "ShopfloorError\n├─ LinkError"))
    assert [fault.partition(": ")[2].split()[0] for fault in faults] == [
        "LinkLost",
        "Odd",
        "Odd",
        "Odder",
        "Odder",
        "Far",
        "Far",
    ]


def test_text_rule() -> None:
    bad = [
        "see /" + "work/main/x",
        "cd /" + "home/kim",
        '  "resolved": "https://r.example/x.tgz"',
        "--index-url https://x",
    ]
    good = [
        "/var/lib/work/x",
        "~/work/x",
        "https://x.example/home/a",
        "pip download --find-links wheelhouse",
        "$HOME/root/x",
    ]
    assert [len(list(text_faults(line))) for line in bad] == [1, 1, 1, 1]
    assert [len(list(text_faults(line))) for line in good] == [0, 0, 0, 0, 0]


def test_no_two_test_files_outside_of_packages_have_one_name() -> None:
    """pytest cannot collect them together."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    names = sorted(path.name for path in files)
    assert [name for name, following in itertools.pairwise(names) if name == following] == []
