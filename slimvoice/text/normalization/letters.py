"""Latin letters that espeak-ng does not know: it would spell the word they stand in, so they lose their marks."""

from __future__ import annotations

import re
import unicodedata

_UNKNOWN = re.compile("[\u0180-\u01bf\u01cd-\u0217\u021c-\u0233\u0243-\u02af\u1e00-\u1eff\ua720-\ua7ff]")
_KNOWING = frozenset({"en", "de", "es", "fr", "it", "pt", "hi", "ja", "zh", "cmn"})
"""Languages whose own letters are all elsewhere; others (Vietnamese, Yoruba, Azerbaijani) need theirs."""
_STROKED = str.maketrans("đĐƀƁɓƊɗɨƗƙƘɛƐɔƆəƏƴƳʉɖƉƒɣƔʋ", "dDbBbDdiIkKeEoOeEyYudDfgGv")
_WORD = re.compile(r"[^\W\d_]+")


def known_letters(text: str, code: str) -> str:
    """Return `text` with plain letters for those that espeak-ng's voice of language `code` would spell."""
    if code not in _KNOWING or text.isascii():
        return text
    return _WORD.sub(_plain, text)


def _plain(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) < 2 or not (_UNKNOWN.search(word) or "đ" in word or "Đ" in word):
        return word
    return "".join(
        unicodedata.normalize("NFD", letter)[0] if _UNKNOWN.match(letter) else letter
        for letter in word.translate(_STROKED)
    )
