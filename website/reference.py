"""Pages of the API: one for each package, with its modules as mkdocstrings shows them."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import dagnas
from dagnas.registry import Registry

SOURCE = Path(dagnas.__file__).parent
#: Commands, and figures and tables of single papers, are described elsewhere.
LEFT_OUT = ("cli", "papers", "__main__")
#: Packages below the left out ones that are of use to others.
ADDED = ("papers.claims",)


def packages() -> dict[str, str]:
    """Pages by the dotted names of packages; modules of the package itself are under "dagnas"."""
    return {name: f"api/{name}.md" for name in sorted(_modules())}


def made() -> dict[str, str]:
    """Pages by their addresses."""
    return {
        page: _page(name, modules)
        for (name, page), modules in zip(
            packages().items(), (_modules()[name] for name in packages()), strict=True
        )
    }


def _modules() -> dict[str, list[str]]:
    """Dotted names of the modules of each package, the package's own first."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        package = parts[:-1]
        if parts[0] in LEFT_OUT and ".".join(package) not in ADDED:
            continue
        dotted = ".".join(("dagnas", *(parts[:-1] if parts[-1] == "__init__" else parts)))
        found.setdefault(".".join(("dagnas", *package)), []).append(dotted)
    return {
        package: [name for name in modules if name != package] for package, modules in found.items()
    }


def _page(package: str, modules: list[str]) -> str:
    lines = [f"# {package}", ""]
    path = SOURCE.joinpath(*package.split(".")[1:], "__init__.py")
    if words := inspect.cleandoc(_docstring(path)):
        lines += [words, ""] if package != "dagnas" else []
    for module in modules:
        lines += [f"::: {module}", ""]
    return "\n".join(lines)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def names() -> list[tuple[str, str, str]]:
    """Names of `import dagnas`, where each is defined, and the first line of its docstring."""
    found = []
    for name, module in sorted(dagnas.__places__.items()):
        value = getattr(dagnas, name)
        if isinstance(value, Registry):
            place = f"{Registry.__module__}.{Registry.__name__}"
            found.append((name, place, f"Registry: every {value.kind} by its name."))
        else:
            words = (inspect.getdoc(value) or "").partition("\n")[0]
            found.append((name, f"{module}.{name}", words))
    return found
