"""Source files of benchmark tables: names, digests, addresses."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from dagnas.errors import DagnasError
from dagnas.files import sha256


@dataclass(frozen=True)
class SourceFile:
    """A published file or folder.

    Attributes
    ----------
    name : str
    sha256 : str
        Published or pinned digest; empty if none is known.
    md5 : str
        The same where only an MD5 digest is known.
    url : str
        Official address; empty if there is none that a program can download from.
    manual : str
        Instructions to get the file by hand.
    emulation : str
        Version of the models that emulate what the file lacks, empty if nothing is emulated. A
        table made with another version is made again, and traces of the two do not mix.
    """

    name: str
    sha256: str = ""
    md5: str = ""
    url: str = ""
    manual: str = ""
    emulation: str = ""

    def verify(self, path: Path) -> str:
        """SHA-256 of the file at ``path``, after comparing it with the known digest.

        Files of NAS-Bench-201 carry the last six digits of their MD5 in their name. The digest of
        a folder is that of its files' names and digests.

        Raises
        ------
        DagnasError
            The file differs from the published one, or cannot be read.
        """
        try:
            if path.is_dir():
                lines = [f"{p.name} {sha256(p)}\n" for p in sorted(path.iterdir()) if p.is_file()]
                return hashlib.sha256("".join(lines).encode()).hexdigest()
            found = sha256(path)
            if self.sha256 and found != self.sha256:
                raise self._wrong(path, "SHA-256", self.sha256, found)
            ending = re.search(r"-([0-9a-f]{6})\.pth$", self.name)
            if known := self.md5 or (ending and ending[1]):
                with path.open("rb") as file:
                    md5 = hashlib.file_digest(file, "md5").hexdigest()
                if not md5.endswith(known):
                    raise self._wrong(path, "MD5", self.md5 or f"...{known}", md5)
        except OSError as error:
            raise DagnasError(f"cannot read {path}: {error.strerror or error}") from error
        return found

    def _wrong(self, path: Path, kind: str, expected: str, found: str) -> DagnasError:
        return DagnasError(
            f"{path} is damaged or another file than {self.name}: its {kind} is {found}, "
            f"expected {expected}"
        )


@dataclass(frozen=True)
class Source:
    """Files that together make one table; ``kind`` is ``official`` or ``compact``."""

    kind: str
    files: tuple[SourceFile, ...]


def _official(name: str, **known: str) -> Source:
    return Source("official", (SourceFile(name, **known),))


#: Sources of each table: mirrors are searched for them in this order. A folder of NATS-Bench comes
#: last, since partial copies of it are common.
SOURCES: dict[str, tuple[Source, ...]] = {
    "nasbench201": (
        _official(
            "NAS-Bench-201-v1_1-096897.pth",
            md5="55e847143ce1f7c2d89b676f6b096897",
            manual="from Google Drive by hand: "
            "https://drive.google.com/file/d/16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_/view",
        ),
        Source(
            "compact",
            (
                SourceFile(
                    "nasbench201.parquet",
                    "b14631070b29ec4c3e1595f68f3d4f4e5039e965549f6434acdf3e4cb970b97d",
                    emulation="1",
                ),
            ),
        ),
        _official(
            "NATS-tss-v1_0-3ffb9-simple",
            manual="from Google Drive by hand, then unpack it: "
            "https://drive.google.com/file/d/17_saCsj_krKjlCBLOJEpNtzPXArMCqxU/view",
        ),
    ),
    "nasbench101": (
        _official(
            "nasbench_full.tfrecord",
            sha256="3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
            url="https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
        ),
        _official(
            "nasbench_only108.tfrecord",
            sha256="4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
            url="https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
        ),
        Source(
            "compact",
            (
                SourceFile(
                    "nasbench101.parquet",
                    "31da142c3b08f95e71abbae0fa5db8f0cb06e0338656b83cf9ceb9585cde95e3",
                    emulation="2",
                ),
                SourceFile(
                    "nasbench101_curves_subset.parquet",
                    "7780a955bc0b53cf3ec5984c77780fbc7270cb2263bf2aeecfdd015d6dc5d9b1",
                ),
            ),
        ),
    ),
    "enas": (
        _official(
            "enas6_final_structures6.txt",
            sha256="fea9a7dde1545e7d3bd58fd4b9c3db08a89c18e0351f770cde2fe530c4791725",
            url="https://raw.githubusercontent.com/muhanzhang/D-VAE/master/data/final_structures6.txt",
        ),
    ),
    "darts214": (
        Source(
            "compact",
            (
                SourceFile(
                    "darts214.csv",
                    "db0913591a314de5f9b632c435b4f11cb64e05406991da98c2d8f15fd5fc8f5a",
                ),
                SourceFile(
                    "darts214_curves.npy",
                    "f3c7d4a4ab46b208968b09c5c4356dbfcfd2c9ca0096893c80a3db39d00685bc",
                ),
            ),
        ),
    ),
    "cifar10": (
        _official(
            "cifar-10-binary.tar.gz",
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
        Source(
            "compact",
            (
                SourceFile(
                    "cifar10_webp.npz",
                    "379853c5e2b08ebdf22db28b42293b7e3a89e181a65adde59bc6d53f2c999be9",
                ),
            ),
        ),
    ),
    "flowers17": (
        Source(
            "compact",
            (
                SourceFile(
                    "flowers17_16px.npz",
                    "1c7e657fd6db0455fb04532f782d7b9836c90635d4cc0193b5893f493defc98d",
                ),
            ),
        ),
    ),
    "hw_nasbench201": (
        Source(
            "compact",
            (
                SourceFile(
                    "hw_nasbench201.parquet",
                    "08342c1fe692fdfc485f621d1fcf3bd6353521e3bc4552f02e54f2f8d5d218f3",
                ),
            ),
        ),
    ),
    "ptb": (
        _official(
            "ptb.zip",
            manual="the Linguistic Data Consortium's text as Mikolov prepared it: ptb.train.txt, "
            "ptb.valid.txt and ptb.test.txt, zipped",
        ),
    ),
}

#: Tables of images and of words, not of cells.
IMAGES = ("cifar10", "flowers17")
TEXTS = ("ptb",)
#: Tables that are fetched only by name.
BY_NAME = (*IMAGES, *TEXTS, "darts214", "hw_nasbench201")
#: Spaces of tables that have another name than theirs.
SPACES = {"darts214": "darts", "hw_nasbench201": "nasbench201"}
