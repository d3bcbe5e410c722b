"""Tell lines that the writer ended from those that were only wrapped. Pure."""
# ruff: noqa: RUF001, SIM905 - the marks and words of many languages are the matter here

from __future__ import annotations

import re

_ITEM = re.compile(r"(?:\d{1,3}|[A-Za-z]|[ivx]{2,4})[.)]\s|[-*•·‣–—]\s")
_ENDS = re.compile(r"[.!?…:;。！？；：।؟][\"')\]»”]*$")
_NARROW = 40
"""Nobody wraps prose this narrow; such lines are items, verses, addresses."""
_GOES_ON = frozenset(
    "a an the of in on at to for and or but nor by with from into than that as is are was were my your his her its our "
    "their this these no not der die das den dem des ein eine einen im am und oder von zu mit für auf el la los las un "
    "una unos de del al y o en con por para que le les des du et ou dans sur avec pour il lo gli i di da e che per nel "
    "della del o os as um uma do da em no na com".split()
)
"""Words that no line ends with unless it was wrapped."""


def lines(paragraph: str) -> list[str]:
    """Return the lines of `paragraph` as they are to be read: wrapped ones put together, none of them empty."""
    written = [line.strip() for line in paragraph.split("\n")]
    written = [line for line in written if line]
    width = max(map(len, written), default=0)
    is_list = len(written) > 2 and all(len(line.split()) <= 3 for line in written)
    found: list[str] = []
    for before, line in zip(["", *written], written, strict=False):
        if found and not _is_ended(before, line, width, is_list=is_list):
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


def _is_ended(before: str, line: str, width: int, *, is_list: bool) -> bool:
    """Tell whether the writer ended `before`: an item follows, or its next word would have fitted, or it is short."""
    if _ITEM.match(line) or is_list:
        return True
    if _ENDS.search(before):
        return False  # the pause is there already
    if before[-1] in ",،，、-–—" or before.rsplit(maxsplit=1)[-1].lower() in _GOES_ON:
        return False
    begins = not line[0].islower()
    return begins and (len(before) + 1 + len(line.split(maxsplit=1)[0]) <= width or width < _NARROW)
