"""Figures in Mandarin's words, which pinyin has no reading for (espeak-ng reads its own). Pure."""

from __future__ import annotations

import re

_DIGITS = "零一二三四五六七八九"
_PLACES = ("千", "百", "十", "")
_GROUPS = ("", "万", "亿", "万亿")
_LONGEST = 16
_NUMBER = re.compile(r"(?P<before>[第之]?)(?P<whole>\d+)(?:\.(?P<decimals>\d+))?")
_COUNTED = re.compile(" ?(?:[个位只张本条件次天年杯瓶块台部辆间双岁种层把碗片颗句座匹份倍周点]|分钟|小时|公里|公斤)")
"""What is counted with 两 instead of 二."""


def in_words(text: str) -> str:
    """Return `text` with its figures as they are said: 25.5 is 二十五点五, 2个 is 两个, 007 figure by figure."""
    return _NUMBER.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    before, whole, decimals = match.group("before", "whole", "decimals")
    if decimals:
        return f"{before}{_whole(whole)}点{_each(decimals)}"
    if whole == "2" and not before and _COUNTED.match(match.string, match.end()):
        return "两"
    return before + _whole(whole)


def _whole(figures: str) -> str:
    if len(figures) > _LONGEST or (len(figures) > 1 and figures[0] == "0"):
        return _each(figures)
    return _cardinal(figures)


def _each(figures: str) -> str:
    return "".join(_DIGITS[int(figure)] for figure in figures)


def _cardinal(figures: str) -> str:
    padded = figures.zfill(-(-len(figures) // 4) * 4)
    groups = [padded[start : start + 4] for start in range(0, len(padded), 4)]
    said, skipped = "", False
    for group, name in zip(groups, reversed(_GROUPS[: len(groups)]), strict=True):
        words = _four(group, skipped=skipped)
        said += words + (name if words else "")
        skipped = not words
    said = said.removeprefix("零")
    return (said[1:] if said.startswith("一十") else said) or "零"


def _four(group: str, *, skipped: bool) -> str:
    """Return four figures in words; one 零 stands for zeros before a figure, `skipped` ones of groups before too."""
    said = ""
    for figure, place in zip(group, _PLACES, strict=True):
        if figure == "0":
            skipped = True
            continue
        said += ("零" if skipped else "") + _DIGITS[int(figure)] + place
        skipped = False
    return said
