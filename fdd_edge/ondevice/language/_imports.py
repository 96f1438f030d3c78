"""Replace what a program imports from ``math`` under any name by the names and numbers of the language."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from ._grammar import MATH_FUNCTIONS
from ._program_error import forbidden

__all__ = ["MATH_CONSTANTS", "MATH_NAMES", "resolve_imports"]

MATH_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf}
MATH_NAMES = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "comb", "copysign", "cos", "cosh",
    "degrees", "dist", "e", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "factorial", "floor", "fma", "fmax",
    "fmin", "fmod", "frexp", "fsum", "gamma", "gcd", "hypot", "inf", "integer", "isclose", "isfinite", "isinf",
    "isnan", "isnormal", "isqrt", "issubnormal", "lcm", "ldexp", "lgamma", "log", "log10", "log1p", "log2", "modf",
    "nan", "nextafter", "perm", "pi", "pow", "prod", "radians", "remainder", "signbit", "sin", "sinh", "sqrt",
    "sumprod", "tan", "tanh", "tau", "trunc", "ulp",
)  # fmt: skip
"""All public names of ``math``, also those of later versions of Python: ``import *`` gives each another meaning."""


def resolve_imports(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements with other names for ``math`` and its functions replaced, and constants as assignments.

    ``from math import pi as p`` becomes ``p = 3.14...``. After ``from math import *``, the constants that the program
    reads become lines, but not those that it assigns only afterwards. The given trees are modified.

    Raises:
        ProgramError: ``forbidden`` for another module, another part of ``math``, and an imported name that has a second
            meaning.
    """
    nodes = [node for statement in statements for node in ast.walk(statement)]
    if not any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes):
        return statements
    names = [node for node in nodes if isinstance(node, ast.Name)]
    assigned = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    assigned |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    assigned |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    replaced = (read - assigned) | _replaced_by_star(statements)
    resolver = _Resolver(_aliases(nodes, assigned), starred=sorted(read & replaced & MATH_CONSTANTS.keys()))
    return resolver.visit(ast.Module(statements, [])).body  # type: ignore[no-any-return]  # a module stays one


def _replaced_by_star(statements: list[ast.stmt]) -> set[str]:
    """Return the names that may have a value when a ``from math import *`` is reached."""
    found: set[str] = set()
    before: set[str] = set()
    for statement in statements:
        nodes = list(ast.walk(statement))
        # A statement may be a loop, in which the import may be reached after everything else.
        before |= {name for node in nodes for name in _bound(node)}
        if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
            found |= before
    return found


def _bound(node: ast.AST) -> list[str]:
    """Return the names to which a node gives a value."""
    if isinstance(node, ast.Name):
        return [node.id] if isinstance(node.ctx, ast.Store) else []
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [node.arg] if isinstance(node, ast.arg) else [node.name] if isinstance(node, ast.FunctionDef) else []


def _aliases(nodes: list[ast.AST], assigned: set[str]) -> dict[str, str]:
    """Return what each name means that is imported as something else than itself."""
    meanings: dict[str, str] = {}
    for name, meaning in _imported(nodes):
        if meanings.setdefault(name, meaning) != meaning:
            raise forbidden(f"importing {name} twice")
    aliases = {name: meaning for name, meaning in meanings.items() if name != meaning}
    if twice := sorted(aliases.keys() & assigned):
        raise forbidden(f"assigning to the imported {twice[0]}")
    return aliases


def _imported(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield the names of modules and functions that are imported, each with what it means."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name != "math":
                    raise forbidden(f"importing {alias.name}")
                yield alias.asname or "math", "math"
        elif isinstance(node, ast.ImportFrom):
            if node.module != "math" or node.level:
                raise forbidden(f"importing from {node.module}")
            for alias in node.names:
                if alias.name in MATH_FUNCTIONS:
                    yield alias.asname or alias.name, alias.name
                elif alias.name != "*" and alias.name not in MATH_CONSTANTS:
                    raise forbidden(f"importing math.{alias.name}")


class _Resolver(ast.NodeTransformer):
    def __init__(self, aliases: dict[str, str], starred: list[str]) -> None:
        self._aliases, self._starred = aliases, starred

    def visit_Name(self, node: ast.Name) -> ast.expr:  # ast looks the methods up by these names
        return ast.Name(self._aliases.get(node.id, node.id), node.ctx)

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        return ast.Pass()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        pairs = [(alias.asname or alias.name, alias.name) for alias in node.names if alias.name in MATH_CONSTANTS]
        if any(alias.name == "*" for alias in node.names):
            pairs += [(name, name) for name in self._starred]
        return [_assignment(name, MATH_CONSTANTS[constant]) for name, constant in pairs] or [ast.Pass()]


def _assignment(name: str, value: float) -> ast.stmt:
    return ast.Assign(targets=[ast.Name(name, ast.Store())], value=ast.Constant(value), lineno=0)
