"""Trainings of one language model each: ``dagnas train-language``, from a cell to its curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, NonNegativeInt

from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.training.language_recipe import Preset, parse_language_recipe

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.pipeline.scales import Scale


class LanguageJob(Job):
    """Training of one language model."""

    COMMAND: ClassVar = "train-language"
    SHORT: ClassVar = {"settings": "set"}

    cell: str
    """Recurrent cell, such as "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])"."""
    text: str
    """A UTF-8 file, `ptb` (of `dagnas fetch ptb`), or `generated`."""
    preset: Preset = "paper"
    """Settings to begin with: paper, small or smoke."""
    settings: dict[str, Any] = {}
    """Settings of text, network and training that differ from these; docs/recurrent.md."""
    seed: NonNegativeInt = 0
    """Number of the training: another draws other weights and masks."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""

    def run(self, data: Path, out: Path) -> None:
        """Train from the last finished epoch on; write the curve, and the weights beside it."""
        from tqdm import tqdm

        from dagnas.closure import digest
        from dagnas.files import write_parquet
        from dagnas.kernels import kernels_used
        from dagnas.networks.count import parameters
        from dagnas.spaces.recurrent import read, write
        from dagnas.training import checkpoint as stored
        from dagnas.training.device import choose_device
        from dagnas.training.language import train_language
        from dagnas.training.texts import open_text

        # All that can be wrong is told before anything is trained.
        genotype = read(self.cell)
        recipe = parse_language_recipe(self.settings, self.preset)
        text = open_text(self.text, data).reduced(recipe.vocabulary, recipe.sizes)
        checkpoint = out.with_name(f"{out.name}.part")
        with tqdm(
            total=recipe.epochs, desc=f"training {out.stem}", unit="epoch", disable=None
        ) as bar:

            def show(record: Mapping[str, float | None]) -> None:
                bar.update()
                bar.set_postfix(perplexity=f"{record['valid_perplexity']:.2f}")

            trained = train_language(
                genotype,
                text,
                recipe,
                (text.name, "recurrent", write(genotype), self.seed),
                device=choose_device(self.device),
                checkpoint=checkpoint,
                progress=show,
                code=digest(self.roots()),
            )
        about = {"dagnas.valid": repr(trained.valid), "dagnas.test": repr(trained.test)}
        about |= {"dagnas.kernels": kernels_used(), "dagnas.job": self.model_dump_json()}
        weights = {name: tensor.cpu() for name, tensor in trained.network.state_dict().items()}
        shape = trained.network.shape.model_dump()
        stored.write(
            out.with_suffix(WEIGHTS),
            {
                "cell": write(genotype),
                "words": list(text.words),
                "shape": shape,
                "weights": weights,
            },
        )
        write_parquet(trained.curve, out, about)
        checkpoint.unlink(missing_ok=True)
        print(
            f"{out}: {parameters(trained.network):,} parameters, perplexity {trained.valid:.2f} on "
            f"the words to validate and {trained.test:.2f} on those to test on"
        )

    def files(self) -> Sequence[str]:
        """Text, if it is a file."""
        return [] if self.text in ("generated", "ptb") else [self.text]


#: Suffix of the weights, beside the curve.
WEIGHTS = ".pt"


def plan(scale: Scale) -> dict[str, Job]:
    """No jobs: scales have no section of these."""
    return {}


def read(path: Path) -> pd.DataFrame:
    """Curve: a row an epoch, with the columns of `dagnas.training.language.TrainedLanguage`."""
    from dagnas.files import read_parquet

    curve: pd.DataFrame = read_parquet(path).to_pandas()
    return curve


language = Kind(
    name="language",
    module=__name__,
    title="train the language model of a recurrent cell",
    about="Train the language model of one recurrent cell from new weights on a text. FILE.parquet "
    "holds loss and perplexity after each epoch, FILE.pt beside it the weights. An epoch that was "
    "finished is not done again: FILE.parquet.part, which is removed at the end, holds the state "
    "after the last one.",
    examples="""
  # Seconds of one core, on a text that needs no file.
  dagnas train-language --text generated --preset smoke \\
      --cell "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])" --out cell.parquet

  # DARTS's cell in small on Penn Treebank, and as DARTS trains it, on a GPU.
  dagnas fetch ptb
  dagnas train-language --text ptb --preset small --cell "$(cat darts_v2.txt)" --out small.parquet
  dagnas train-language --text ptb --cell "$(cat darts_v2.txt)" --device cuda --out full.parquet
""",
    jobs=(LanguageJob,),
    pattern="{results}/language/{name}.parquet",
    plan=plan,
    read=read,
    beside=(WEIGHTS,),
)
