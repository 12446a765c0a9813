"""Where a module can be changed so that it is wrong, see `mutation.py`."""

from __future__ import annotations

import ast
import random
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

Position = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A module that is changed at one place.

    Attributes
    ----------
    path : of the module, below the root
    lines : that are changed
    kind : of the change
    source : the module as it is then
    """

    path: Path
    lines: tuple[int, ...]
    kind: str
    source: str


class RemoveStatement(Operator):
    """A call whose result nobody uses is left out: a write, a release, an fsync."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Yield the place of a statement that is a call."""
        if _is_call(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ARG002  (Cosmic Ray's)
        """Return ``pass`` in its place."""
        statement = get_ast("pass\n").children[0].children[0]
        statement.prefix = node.get_first_leaf().prefix
        return statement

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none: they are for Cosmic Ray's own tests."""
        return ()


def _is_call(node: Any) -> bool:
    if node.type not in ("atom_expr", "power"):
        return False
    is_statement = node.parent is not None and node.parent.type == "simple_stmt"
    last = node.children[-1]
    return is_statement and last.type == "trailer" and last.children[0].value == "("


def mutants_of(path: Path, source: str, draw: random.Random, most: int) -> list[Mutant]:
    """Return mutants of a module, drawn: of a place and kind of change one at most.

    Parameters
    ----------
    most : how many; 0: of each place and kind of change one
    """
    left_out = _left_out(source)
    tree = get_ast(source)
    by_place: defaultdict[tuple[Position, str], list[tuple[Operator, int]]]
    by_place = defaultdict(list)
    for name, operator in _operators():
        places = (
            place
            for node in ast_nodes(tree)
            for place in operator.mutation_positions(node)
        )
        for occurrence, place in enumerate(places):
            if not any(first <= place[0] < last for first, last in left_out):
                kind = name.split("_")[0].removeprefix("core/")
                by_place[place, kind].append((operator, occurrence))
    found: list[Mutant] = []
    drawn = sorted(by_place.items())
    draw.shuffle(drawn)
    for (place, kind), choices in drawn:
        if len(found) == most > 0:
            break
        operator, occurrence = draw.choice(choices)
        changed = _mutated(source, operator, occurrence)
        if changed is not None and changed != source and _compiles(changed):
            lines = tuple(range(place[0][0], place[1][0] + 1))
            found.append(Mutant(path, lines, kind, changed))
    return sorted(found)


def _mutated(source: str, operator: Operator, occurrence: int) -> str | None:
    """Return a changed source, None where Cosmic Ray fails at it.

    It does at ``except module.Error``, whose name it takes for one word.
    """
    try:
        changed: str | None = mutate_code(source, operator, occurrence)
    except AttributeError:
        return None
    return changed


def _operators() -> Iterator[tuple[str, Operator]]:
    """Yield the operators that need no arguments, and ours."""
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if not operator.arguments():
            yield name, operator()
    yield "RemoveStatement", RemoveStatement()


def _left_out(source: str) -> list[Position]:
    """Return the places that change nothing when they run, or nothing that is meant.

    Annotations, protocols, what is there for type checkers, and the options of
    decorators: that a dataclass is frozen keeps programmers from a mistake.
    """
    found = []
    tree = ast.parse(source)
    options = {
        keyword.value
        for node in ast.walk(tree)
        for decorator in getattr(node, "decorator_list", ())
        for keyword in getattr(decorator, "keywords", ())
    }
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.returns]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.keyword) and node.value in options:
            parts = [node.value]
        elif (isinstance(node, ast.If) and _is_type_checking(node.test)) or (
            isinstance(node, ast.ClassDef) and _is_protocol(node)
        ):
            parts = [node]
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt):
                first = (part.lineno, part.col_offset)
                found.append((first, (part.end_lineno or 0, part.end_col_offset or 0)))
    return found


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "Protocol" for one in node.bases)


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
