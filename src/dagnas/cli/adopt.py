"""``dagnas adopt``: keep results whose code changed but which come out the same."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    commands.add_parser("adopt")


def run(options: argparse.Namespace) -> None:
    """Run."""
