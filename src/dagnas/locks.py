"""Locks: two commands never write the same file at once."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dagnas.errors import DagnasError
from dagnas.files import check_target

#: What file systems without locks say, such as Lustre that is mounted without them.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def writing(*paths: Path, by: str) -> Iterator[None]:
    """Claim files that a command is about to make, before it does any work.

    The lock of NAME is a file ``.NAME.lock`` beside it that the operating system locks for this
    process: however the process ends, so does the lock. The file that a killed process leaves is
    taken over and removed by the next command that makes NAME. Where a file system has no locks,
    the command goes on and warns.

    Parameters
    ----------
    paths : Path
        Files to make.
    by : str
        Name of the command.

    Raises
    ------
    DagnasError
        Another command is writing one of them, or one of them cannot be written.
    """
    # One file under two names is claimed once.
    distinct = {Path(os.path.realpath(path.parent), path.name): path for path in paths}
    with ExitStack() as stack:
        for path in distinct.values():
            stack.enter_context(_locked(path, by))
        yield


@contextmanager
def _locked(path: Path, by: str) -> Iterator[None]:
    # Commands that only read do without.
    from filelock import FileLock, Timeout

    check_target(path)
    mark = path.with_name(f".{path.name}.lock")
    lock = FileLock(mark, blocking=False, fallback_to_soft=False)
    lacking = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DagnasError(f"another {_holder(mark)} is writing {path}") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise DagnasError(f"cannot write {path}: {error.strerror or error}") from error
        print(
            f"dagnas: {path.parent} has no file locks ({error.strerror}): make sure that no other "
            f"command writes {path.name}",
            file=sys.stderr,
        )
    try:
        if lock.is_locked:
            mark.write_text(by)
        yield
    finally:
        # Removed while it is locked: who comes later makes a new one.
        with suppress(OSError):
            mark.unlink()
        lock.release()
        # Of a command that failed no empty folders stay.
        with suppress(OSError):
            for folder in lacking:
                folder.rmdir()


def _holder(mark: Path) -> str:
    """Command that holds a lock."""
    with suppress(OSError, UnicodeDecodeError):
        return mark.read_text() or "command"
    return "command"
