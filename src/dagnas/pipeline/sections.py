"""Sections of scale files: mappings with fixed keys, and names that must exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError, unknown
from dagnas.names import check_name
from dagnas.predictors import PREDICTORS
from dagnas.search import METHODS
from dagnas.settings import Described


def paper_names() -> list[str]:
    """Papers of the package, sorted: folders that hold claims."""
    folder = files("dagnas") / "papers"
    return sorted(paper.name for paper in folder.iterdir() if (paper / "claims.yaml").is_file())


def _one_of(kind: str, names: Callable[[], Iterable[str]]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in (valid := names()):
            raise ValueError(unknown(kind, name, valid))
        return name

    return AfterValidator(check)


#: A count with a bound far beyond use, so that a slip of zeros is told.
Count = Annotated[int, Field(gt=0, le=1_000_000)]


def _path_name(name: str) -> str:
    try:
        return check_name("file", name)
    except DagnasError as error:
        raise ValueError(error) from error


Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$"), AfterValidator(_path_name)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
BenchmarkName = Annotated[str, _one_of("benchmark", BENCHMARKS.names)]
MethodName = Annotated[str, _one_of("method", METHODS.names)]
PredictorName = Annotated[str, _one_of("predictor", PREDICTORS.names)]
PaperName = Annotated[str, _one_of("paper", paper_names)]


class Section(Described):
    """A mapping in a scale file: its keys are those of the class, and no other.

    Values have the types that they are written in: true is no number, and '3' is none either.
    """

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(unknown("key", str(key), cls.model_fields))
        return value
