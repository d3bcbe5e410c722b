"""Japanese words of ours in kana: a text without kanji stays one, for readers that know kana only."""
# ruff: noqa: E501 - a kana is wide, and the list short

from __future__ import annotations

import re

_KANJI = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")
_READINGS = (
    ("時間", "じかん"), ("二分の一", "にぶんのいち"), ("三分の一", "さんぶんのいち"), ("三分の二", "さんぶんのに"),
    ("四分の一", "よんぶんのいち"), ("四分の三", "よんぶんのさん"), ("平方", "へいほう"), ("立方", "りっぽう"), ("時速", "じそく"),
    ("秒速", "びょうそく"), ("摂氏", "せっし"), ("華氏", "かし"), ("二乗", "にじょう"), ("三乗", "さんじょう"), ("以下", "いか"),
    ("以上", "いじょう"), ("小なり", "しょうなり"), ("大なり", "だいなり"), ("百万", "ひゃくまん"), ("年", "ねん"), ("月", "がつ"),
    ("日", "にち"), ("時", "じ"), ("分", "ふん"), ("秒", "びょう"), ("度", "ど"), ("毎", "まい"), ("乗", "じょう"), ("万", "まん"),
    ("億", "おく"), ("兆", "ちょう"), ("千", "せん"),
)  # fmt: skip


def has_kanji(text: str) -> bool:
    """Tell whether there is a kanji in `text`."""
    return _KANJI.search(text) is not None


def without_kanji(text: str) -> str:
    """Return `text` with the kanji that normalization writes in hiragana."""
    for kanji, reading in _READINGS:
        text = text.replace(kanji, reading)
    return text
