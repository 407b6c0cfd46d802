"""Expressions of plant.yaml, rewritten for the compiled line: who draws, which names they read."""

from __future__ import annotations

import ast
import hashlib
import math
import random
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import numpy as np

FUNCTIONS: Final[dict[str, Any]] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
    "floor": math.floor,
    "pi": math.pi,
    "min": min,
    "max": max,
    "abs": abs,
    "int": int,
    "round": round,
    "float": float,
    "bool": bool,
    "str": str,
    "len": len,
    "sum": sum,
}
"""What an expression may use beside variables."""
DRAWS: Final = ("normal", "lognormal", "chance", "uniform")
_BLOCK: Final = 256
"""Normal deviates made at a time."""


def normals(seed: str, name: str) -> Callable[[], float]:
    """Standard normal deviates of one variable (NumPy's ziggurat: no library of the machine decides on a digit)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest)))
    return chain.from_iterable(iter(lambda: generator.standard_normal(_BLOCK).tolist(), None)).__next__


def uniforms(seed: str, name: str) -> random.Random:
    """Uniform random numbers of one variable: they do not depend on which other variables exist."""
    return random.Random(f"{seed}/{name}")  # noqa: S311 — a simulation, not cryptography


class Rewriter(ast.NodeTransformer):
    """Turns one variable's expressions into code of the compiled line.

    Args:
        dt_s: seconds between two evaluations.
        draw: gives the name under which a source of random numbers is known: `normal`, `random` or `uniform`.

    Attributes:
        read: names that were read and are not functions.
    """

    def __init__(self, dt_s: float, draw: Callable[[str], str]) -> None:
        self._dt_s = dt_s
        self._draw = draw
        self._bound: set[str] = set()
        self.read: set[str] = set()

    def source(self, text: str) -> str:
        """The expression as code, in brackets.

        Raises:
            ValueError: the text is no expression.
        """
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as error:
            raise ValueError(f"{text!r} is no expression: {error.msg}") from error
        self._bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return f"({ast.unparse(self.visit(tree))})"

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A variable, a function, or `dt`."""
        if node.id == "dt":
            return ast.Constant(self._dt_s)
        if node.id not in FUNCTIONS and node.id not in self._bound:
            self.read.add(node.id)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """A draw becomes one of the variable's own."""
        drawn = node.func.id if isinstance(node.func, ast.Name) and node.func.id in DRAWS else ""
        if not drawn:
            self.generic_visit(node)
            return node
        given: list[ast.expr] = [self.visit(argument) for argument in node.args]
        if drawn == "uniform":
            return self._call("uniform", given)
        if drawn == "chance":
            return ast.Compare(self._call("random", []), [ast.Lt()], given)
        scaled = ast.BinOp(given[0], ast.Mult(), self._call("normal", []))
        return scaled if drawn == "normal" else ast.Call(ast.Name("exp"), [scaled], [])

    def _call(self, source: str, given: list[ast.expr]) -> ast.expr:
        return ast.Call(ast.Name(self._draw(source)), given, [])
