"""Where -o writes, and what transcripts are called."""

import os
import threading
from pathlib import Path

import pytest
import typer

from slimvoice.cli.saving import check, is_stream, save
from slimvoice.cli.transcribe_files import Target, distinct_names
from slimvoice.errors import InvalidRequest


def test_a_named_pipe_is_written_into_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert is_stream(pipe)
    check(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    save(pipe, bytes(200_000))
    reader.join(20)
    assert got == [bytes(200_000)]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_is_written_into_and_stays():
    ours, theirs = os.openpty()
    device = Path(os.ttyname(theirs))
    save(device, b"spoken")
    assert os.read(ours, 100) == b"spoken"
    assert device.is_char_device()
    os.close(ours)
    os.close(theirs)


def test_a_pipe_whose_reader_leaves_is_told_as_such(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    left = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)), daemon=True)
    left.start()
    with pytest.raises(BrokenPipeError):
        save(pipe, bytes(10_000_000))


def test_links_are_followed_and_stay(tmp_path):
    (tmp_path / "far").mkdir()
    target, link, new = tmp_path / "far" / "real.txt", tmp_path / "link.txt", tmp_path / "new.txt"
    target.write_bytes(b"old")
    link.symlink_to("middle.txt")
    (tmp_path / "middle.txt").symlink_to(target)
    new.symlink_to("far/fresh.txt")
    save(link, b"told")
    save(new, b"made")
    assert target.read_bytes() == b"told"
    assert (tmp_path / "far" / "fresh.txt").read_bytes() == b"made"
    assert link.is_symlink() and new.is_symlink()
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["fresh.txt", "real.txt"]


def test_what_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path, why in ((tmp_path, "it is a folder"), (tmp_path / "no" / "x", "No such file"), (tmp_path / "a", "links")):
        with pytest.raises(InvalidRequest, match=why):
            check(path)
    assert (tmp_path / "a").is_symlink()


def test_transcripts_are_called_by_what_tells_them_apart(tmp_path):
    assert distinct_names(["a.wav", "b.mp3", "-"]) == {"a.wav": "a", "b.mp3": "b", "-": "stdin"}
    assert distinct_names(["a.wav", "a.mp3"]) == {"a.wav": "a.wav", "a.mp3": "a.mp3"}
    assert distinct_names(["x/a.wav", "y/a.wav"]) == {"x/a.wav": "x-a.wav", "y/a.wav": "y-a.wav"}
    assert distinct_names(["1/x/a.wav", "2/x/a.wav"]) == {"1/x/a.wav": "1-x-a.wav", "2/x/a.wav": "2-x-a.wav"}
    crossed = distinct_names(["same.wav", "same.mp3", "same.wav.ogg", "x-same.wav", "x/same.wav", "stdin.wav", "-"])
    assert len(set(crossed.values())) == len(crossed)
    assert crossed["stdin.wav"] == "stdin.wav"


@pytest.mark.parametrize("files", [["a.wav", "b.wav", "a.wav"], ["a.wav", "./a.wav"], ["-", "-"]])
def test_one_input_given_twice_is_refused(tmp_path, files):
    with pytest.raises(typer.BadParameter, match=r"twice|same input"):
        Target("text", tmp_path, files)


def test_a_transcript_is_never_written_over_its_input(tmp_path):
    sound = tmp_path / "talk.txt"
    sound.write_bytes(b"sound in a file of a misleading name")
    for output in (sound, tmp_path):
        with pytest.raises(typer.BadParameter, match="over the input"):
            Target("text", output, [str(sound)])
