"""Digests of the code that a job runs: what makes a result stale, and what does not.

Snakemake sees the command of a rule, never an edit in a package which that command imports. So
every rule of the pipeline carries, as a parameter, the digest of the modules that its command
imports, directly or not. Registries import their entries by name at run time; a static reading
does not see that, which is what keeps one method's file out of another method's digest. The
pipeline names the entries of a job as roots instead.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NamedTuple

from dagnas.errors import DagnasError
from dagnas.files import sha256, write_text

#: Packages of modules that only define things, so that what is not used of them does not count.
PURE = "dagnas.papers."
#: Module that opens tables which a file describes.
_TABLES = "dagnas.benchmarks.simple"
#: Names of folders of installed packages, whose modules have nothing to do with each other.
_INSTALLED = ("site-packages", "dist-packages")


def digest(roots: Iterable[str]) -> str:
    """Digest of the code ``roots`` and of all that it imports from its own packages.

    Comments, layout, docstrings and the wording of errors do not count; neither do packages from
    outside, which ``constraints.txt`` pins.

    Parameters
    ----------
    roots : iterable of str
        Modules, such as ``dagnas.search.methods.goal`` or a plug-in's; or ``MODULE:FUNCTION`` and
        ``MODULE:CLASS.METHOD``, of whose module only what the function uses counts.

    Raises
    ------
    DagnasError
        A module or function cannot be found, or a module not be parsed.
    """
    return _digest_of(frozenset(roots))


@cache
def _digest_of(roots: frozenset[str]) -> str:
    lines = (f"{name} {_facts(name).digest}" for name in closure(roots))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def closure(roots: Iterable[str]) -> list[str]:
    """Sorted names of the code that counts: ``roots`` and all that they import.

    A package's ``__init__`` runs before its modules, so it belongs to the closure of each. Modules
    from the folder of a root count as it does, but not a whole folder of installed packages. Of a
    module of `PURE` that ``from MODULE import NAME`` names, only what NAME uses counts.

    Raises
    ------
    DagnasError
        A root cannot be found.
    """
    tops, folders = {"dagnas"}, set[Path]()
    found: set[str] = set()
    waiting = [_spelled(root) for root in roots]
    for root in waiting:
        name = root.partition(":")[0]
        top = name.partition(".")[0]
        if _path(name) is None:
            raise DagnasError(
                "code of a notebook, or typed into Python, is in no file: put it into a module"
                if name == "__main__"
                else f"no module {name!r}"
            )
        folder = _folder(top)
        if top not in tops and folder and folder.name not in _INSTALLED:
            folders.add(folder)
        tops.add(top)
    while waiting:
        name = waiting.pop()
        module = name.partition(":")[0]
        # This module decides what is made anew, and nothing about what is made.
        if name in found or module == __name__:
            continue
        top = module.partition(".")[0]
        if top not in tops and not (folders and _folder(top) in folders):
            continue
        if _path(module):
            found.add(name)
            waiting.append(module.rpartition(".")[0])
            waiting.extend(_facts(name).imports)
    return sorted(found)


def is_known(module: str) -> bool:
    """Whether a module can be a root: it is in a file."""
    return _path(_spelled(module)) is not None


class _Facts(NamedTuple):
    """A module, or the part of one that a function uses: its digest, and what it imports."""

    digest: str
    imports: frozenset[str]


class _Memory:
    """Facts of sources that were read before, kept in a file beside Snakemake's notes.

    Reading and normalising all sources takes seconds; their bytes are the key.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._known: dict[str, Any] = {}
        self._new: dict[str, Any] = {}

    def open(self, path: Path) -> None:
        """Use the file from now on, and write it when Python ends."""
        self.read(path)
        self._path = path
        atexit.register(self.save)

    def read(self, path: Path) -> None:
        """Use what the file holds now."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        if isinstance(known, dict):
            self._known = known

    def facts(self, root: str) -> _Facts:
        """Facts of a module or of ``MODULE:FUNCTION``."""
        path = _path(root.partition(":")[0])
        assert path is not None
        source = hashlib.sha256(path.read_bytes())
        # Facts depend on this module and on the registries that a module names entries of.
        key = f"{root} {_own_digest()} {source.hexdigest()}"
        if key not in self._new:
            found = self._known.get(key)
            self._new[key] = found if _is_facts(found) else list(_read_facts(root))
        digest, imports = self._new[key]
        return _Facts(digest, frozenset(imports))

    def save(self) -> None:
        """Write the file, where it lacks anything."""
        if self._path and self._path.parent.is_dir() and self._new.keys() - self._known.keys():
            facts = {key: [digest, sorted(imports)] for key, (digest, imports) in self._new.items()}
            write_text(json.dumps(facts), self._path)


_MEMORY = _Memory()
remember = _MEMORY.open
recall = _MEMORY.read
save = _MEMORY.save


@cache
def _facts(root: str) -> _Facts:
    return _MEMORY.facts(root)


def _is_facts(found: Any) -> bool:
    return isinstance(found, list) and len(found) == 2 and isinstance(found[1], list)


@cache
def _own_digest() -> str:
    """Digest of this module and of all registries, on which facts of other sources depend."""
    spec = importlib.util.find_spec("dagnas")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    sources = sorted([Path(__file__), *folder.glob("*/__init__.py")])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def _read_facts(root: str) -> _Facts:
    module, colon, place = root.partition(":")
    path = _path(module)
    assert path is not None
    if path.suffix in (".so", ".pyd"):
        return _Facts(sha256(path), frozenset())
    tree = _module(module)
    body = _used(tree, module, place) if colon else tree.body
    texts = map(ast.unparse, body)
    text = "\n".join(sorted(texts) if colon else texts)
    return _Facts(hashlib.sha256(text.encode()).hexdigest(), _imported(body, module))


def _used(tree: ast.Module, module: str, place: str) -> list[ast.stmt]:
    """Statements of a module that a function or method uses, itself included.

    Raises
    ------
    DagnasError
        The module has no such function.
    """
    owner, _, method = place.rpartition(".")
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    inside = _definitions(classes[owner].body) if owner in classes else {}
    outside = _definitions(tree.body)
    start = (inside if owner else outside).get(method)
    if start is None:
        raise DagnasError(f"no function {place!r} in {module!r}")
    used: list[ast.stmt] = []
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node in used:
            continue
        used.append(node)
        for part in ast.walk(node):
            match part:
                case ast.Name(id=name, ctx=ast.Load()) if name in outside:
                    waiting.append(outside[name])
                case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in inside:
                    waiting.append(inside[name])
    return used


def _definitions(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """Statements that define or import something, by its name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = node
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {a.asname or a.name.partition(".")[0]: node for a in names}
            case ast.Assign(targets=targets):
                # Also those of `A, B = 1, 2`.
                parts = (part for target in targets for part in ast.walk(target))
                found |= {
                    part.id: node
                    for part in parts
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
                }
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
    return found


def keywords(module: str, name: str) -> dict[str, Any]:
    """Settings of a search method with their defaults, read from its source.

    Parameters
    ----------
    module, name : str
        Module, and the generator function in it or what ``variant`` made of one.

    Returns
    -------
    dict
        Keyword-only arguments; defaults that are no literals are None.

    Raises
    ------
    DagnasError
        The module defines no such method.
    """
    found = _definitions(_tree(module).body).get(name)
    match found:
        case ast.FunctionDef(args=arguments):
            pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            return {argument.arg: _literal(default) for argument, default in pairs}
        case ast.Assign(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr="variant")) as call
        ):
            preset = {word.arg: _literal(word.value) for word in call.keywords if word.arg}
            return {**keywords(module, base), **preset}
    raise DagnasError(f"{module} defines no search method {name!r}")


def _literal(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def _spelled(root: str) -> str:
    """Root with the name of a module that ``python -m`` runs instead of ``__main__``.

    The code behind a file that describes a table is what reads it; the file itself is an input.
    """
    if root.endswith(".yaml"):
        return _TABLES
    name, colon, place = root.partition(":")
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"{spec.name}{colon}{place}" if name == "__main__" and spec else root


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top) if top else None
    except ValueError:  # A script, or a module that was made while Python ran.
        return None


@cache
def _path(name: str) -> Path | None:
    """File of a module, found without running it."""
    top, *rest = name.split(".")
    if top == "__main__":
        # A script; a notebook has no file, and what is typed has one that is not there.
        script = Path(getattr(sys.modules["__main__"], "__file__", None) or "").absolute()
        return script if script.is_file() and not rest else None
    if not (spec := _spec(top)):
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.has_location else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder).joinpath(*rest)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


@cache
def _folder(top: str) -> Path | None:
    """Folder that holds a top module or package; None of what is built in."""
    if path := _path(top):
        place = path.parent.parent if _is_package(top) else path.parent
        return place.resolve()
    spec = _spec(top)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]).parent.resolve() if folders else None


def _is_package(name: str) -> bool:
    path = _path(name)
    return path is not None and path.name == "__init__.py"


@cache
def _tree(name: str) -> ast.Module:
    """Module as it is written."""
    return _parse(name)


def _parse(name: str) -> ast.Module:
    path = _path(name)
    assert path is not None
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise DagnasError(f"{path} is no Python source: {error}") from error


def _imported(body: Iterable[ast.stmt], name: str) -> frozenset[str]:
    """Dotted names that statements of the module ``name`` may import."""
    package = name if _is_package(name) else name.rpartition(".")[0]
    found: set[str] = set()
    origins: dict[str, str] = {}
    calls: list[tuple[str, str]] = []
    for node in _run(body):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: package.count(".") + 2 - level] if level else []
                base = ".".join([*above, *filter(None, [module])])
                if base.startswith(PURE) and _path(base) and not _is_package(base):
                    found.update(f"{base}:{alias.name}" for alias in names)
                else:
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


def _run(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads, and lazy attributes of packages."""
    waiting: list[ast.AST] = [part for part in body if not _unused(part)]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                waiting.extend(otherwise)
            case _:
                yield node
                waiting.extend(ast.iter_child_nodes(node))


class _Normaliser(ast.NodeTransformer):
    """Removal of what changes no result.

    That is documentation: strings that stand alone; what errors say; how a method is drawn; names
    such as ``__version__`` and ``__all__``; lazy attributes of packages; what only a type checker
    reads; and the names in a registry, since a job's own entries are roots of its digest.
    """

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "method":
            # How a method is drawn.
            node.keywords = [word for word in node.keywords if word.arg not in ("label", "colour")]
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(_kind(node.exc)) if node.exc else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        # Types of keyword-only arguments convert what the user gives, so they count.
        for argument in (*node.args.posonlyargs, *node.args.args):
            argument.annotation = None
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.AST]:
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]

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


@cache
def _module(name: str) -> ast.Module:
    """Module without what changes no result, and without the writer's layout."""
    tree: ast.Module = _Normaliser().visit(_parse(name))
    for node in ast.walk(tree):
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
    return tree
