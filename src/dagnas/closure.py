"""Digests of the code that a job runs: what makes a result stale, and what does not.

Snakemake sees the command of a rule, never an edit in a package which that command imports. So
every rule of the pipeline carries, as a parameter, the digest of the modules that its command
imports, directly or not. Registries import their entries by name at run time; a static reading
does not see that, which is what keeps one method's file out of another method's digest. The
pipeline names the entries of a job as roots instead.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

from dagnas.errors import DagnasError


def digest(roots: Iterable[str]) -> str:
    """Digest of the modules ``roots`` and of all that they import from their own packages.

    Comments, layout, docstrings and the wording of errors do not count; neither do packages from
    outside, which ``constraints.txt`` pins.

    Parameters
    ----------
    roots : iterable of str
        Dotted names, such as ``dagnas.search.methods.goal`` or a plug-in's.

    Raises
    ------
    DagnasError
        A module cannot be found or parsed.
    """
    return _digest_of(frozenset(roots))


@cache
def _digest_of(roots: frozenset[str]) -> str:
    lines = (f"{name} {_digest(name)}" for name in closure(roots))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def closure(roots: Iterable[str]) -> list[str]:
    """Sorted names of ``roots`` and of all modules that they import from their own packages.

    A package's ``__init__`` runs before its modules, so it belongs to the closure of each.
    """
    tops = {"dagnas"}
    found: set[str] = set()
    waiting = list(roots)
    tops.update(name.partition(".")[0] for name in waiting)
    for name in waiting:
        if _path(name) is None:
            raise DagnasError(f"no module {name!r}")
    while waiting:
        name = waiting.pop()
        if name not in found and name.partition(".")[0] in tops and _path(name):
            found.add(name)
            waiting.append(name.rpartition(".")[0])
            waiting.extend(_imports(name))
    return sorted(found)


@cache
def _path(name: str) -> Path | None:
    """File of a module, found without running it."""
    top, *rest = name.split(".")
    if not top or not (spec := importlib.util.find_spec(top)) or not spec.origin:
        return None
    if not rest:
        return Path(spec.origin)
    base = Path(spec.origin).parent.joinpath(*rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _tree(name: str) -> ast.Module:
    path = _path(name)
    assert path is not None
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise DagnasError(f"{path} is no Python source: {error}") from error


@cache
def _imports(name: str) -> frozenset[str]:
    """Dotted names that a module may import; some are no modules but what modules hold."""
    path = _path(name)
    package = name if path and path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    origins: dict[str, str] = {}
    calls: list[tuple[str, str]] = []
    for node in _run(_tree(name)):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: package.count(".") + 2 - level] if level else []
                base = ".".join([*above, *filter(None, [module])])
                found.update({base}, (f"{base}.{alias.name}" for alias in names))
                origins |= {a.asname or a.name: base for a in names if a.name.isupper()}
            # `SPACES.get("nasbench201")` imports as surely as a statement does.
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=registry), attr="get"),
                args=[ast.Constant(value=str(entry))],
            ):
                calls.append((registry, entry))
    found.update(
        module
        for registry, entry in calls
        if registry in origins and (module := _entries(origins[registry]).get(entry))
    )
    return frozenset(found)


@cache
def _entries(package: str) -> dict[str, str]:
    """Modules by name in the registry that a package defines; none if it defines none."""
    if not package or _path(package) is None:
        return {}
    return {
        key.value: str(place.value)
        for table in _tables(_tree(package))
        for key, place in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant)
        and isinstance(key.value, str)
        and isinstance(place, ast.Constant)
    }


def _tables(tree: ast.Module) -> Iterator[ast.Dict]:
    """Literal tables of names that registries are made of."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Registry"), args=[*_, ast.Dict() as table]):
                yield table


def _run(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads, and lazy attributes of packages."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                waiting.extend(otherwise)
            case ast.FunctionDef(name="__getattr__" | "__dir__") if node in tree.body:
                pass
            case _:
                yield node
                waiting.extend(ast.iter_child_nodes(node))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_normalised(_tree(name)).encode()).hexdigest()


class _Normaliser(ast.NodeTransformer):
    """Removal of what changes no result.

    That is documentation: strings that stand alone; what errors say; names such as ``__version__``
    and ``__all__``; lazy attributes of packages; what only a type checker reads; and the names
    in a registry, since a job's own entries are roots of its digest.
    """

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(_kind(node.exc)) if node.exc else node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        for table in _tables(node):
            table.keys, table.values = [], []
        kept = [part for part in node.body if not _unused(part)]
        return self.generic_visit(ast.Module(kept, []))

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST] | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(part) for part in node.orelse] or None
        return self.generic_visit(node)


def _kind(error: ast.expr) -> ast.expr:
    """Type of an error that is raised, without its message."""
    return error.func if isinstance(error, ast.Call) else error


def _unused(part: ast.stmt) -> bool:
    """Whether a statement of a module is of no use to a job."""
    match part:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name.startswith("__") and name.endswith("__")
        case ast.FunctionDef(name="__getattr__" | "__dir__"):
            return True
    return False


def _normalised(tree: ast.Module) -> str:
    """Source text without what changes no result, and without the writer's layout."""
    copy = _Normaliser().visit(deepcopy(tree))
    for node in ast.walk(copy):
        body = getattr(node, "body", None)
        if isinstance(body, list) and not body and not isinstance(node, ast.Module):
            body.append(ast.Pass())
    return ast.unparse(ast.fix_missing_locations(copy))
