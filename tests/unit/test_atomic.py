"""Files that appear whole or not at all."""

import resource
from contextlib import contextmanager

import pytest

from slimvoice import atomic
from slimvoice.keys import KeyStore


@contextmanager
def full_disk():
    """Let no file of this process grow beyond 1000 bytes: a write fails half-way, as on a full disk.

    No longer than the block: pytest itself may be writing its report into a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with full_disk(), pytest.raises(OSError):
        atomic.write(path, bytes(5000))
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.txt", b"old")]


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    path.chmod(0o662)
    atomic.write(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o662)
    atomic.write(path, b"secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_as_long_as_can_be_is_written(tmp_path):
    path = tmp_path / ("a" * 255)
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"


def test_keys_leave_no_draft_on_a_full_disk(tmp_path):
    store = KeyStore(tmp_path / "keys")
    made = 0
    with full_disk(), pytest.raises(Exception, match="cannot write to"):
        while made < 100:
            store.create(f"key {made}")
            made += 1
    assert made == len(store.keys()) > 0
    assert {path.name for path in tmp_path.iterdir()} <= {"keys", "keys.lock"}
