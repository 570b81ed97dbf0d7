"""The words of a post, with offsets both ways.

The local model labels spans of words, while everything outside it counts Unicode code points. `words` cuts a
post so that names begin and end at word boundaries as often as possible, in the way of tweet corpora: links,
numbers, contractions, HTML entities and emoji stay whole; the possessive 's is a word of its own, and so are
the '@' of an account and the '#' of a hashtag, whose body is cut at its capitals (#SaudiAramco). In scripts
that put no spaces between words each character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from linkner.spans import Span

# The patterns below are written for a copy of the text in which every code point beyond ASCII is replaced by
# one that stands for its kind. The copy is as long as the text: offsets in one are offsets in the other.
_UPPER, _LOWER = "À", "à"
_ALONE = "一"  # a character of a script without spaces between words
_MARK = "\u0300"  # belongs to the character before it
_JOINER = "\u200d"  # joins the characters on both sides of it
_EMOJI, _FLAG, _OTHER = "☺", "⚑", "•"  # _FLAG is half a flag: two regional indicators make one

_LIKE_ASCII = dict(zip("’ʼ＇＃＠", "'''#@", strict=True))
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero width non-joiner and joiner
_NO_SPACES = (  # first and last code point of the blocks
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x9FFF),  # Chinese characters
    (0xF900, 0xFAFF),  # the same, compatibility forms
    (0xFF66, 0xFF9F),  # Katakana, half width
    (0x1B000, 0x1B16F),  # Kana supplement
    (0x20000, 0x3FFFF),  # Chinese characters, the rare ones
)
_KIND_OF_CATEGORY = {"Lu": _UPPER, "Lt": _UPPER, "Nd": "0", "Sc": "$", "So": _EMOJI}
_KIND_OF_CLASS = {"L": _LOWER, "N": _LOWER, "M": _MARK}


def _kind(character: str) -> str:
    """What a character beyond ASCII is to the patterns."""
    code = ord(character)
    if character in _LIKE_ASCII:
        return _LIKE_ASCII[character]
    if character in _JOINERS:
        return _JOINER
    if 0x1F1E6 <= code <= 0x1F1FF:
        return _FLAG
    if 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F:  # skin tones, tags in flags of regions
        return _MARK
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category[0] in "LN" and any(first <= code <= last for first, last in _NO_SPACES):
        return _ALONE
    return _KIND_OF_CATEGORY.get(category) or _KIND_OF_CLASS.get(category[0], _OTHER)


class _Kinds(dict[int, str]):
    """The table for `str.translate`. Kinds are not kept, so that no post can make it grow."""

    def __missing__(self, code: int) -> str:
        return _kind(chr(code))


_KINDS = _Kinds({code: chr(code) for code in range(128)})

# What follows a repetition is optional or looks only a bounded way ahead, so no alternative gives up what it
# has read and the search is linear. Possessive quantifiers would say so; Python before 3.11.5 has them wrong.
_LETTER = f"[A-Za-z0-9{_UPPER}{_LOWER}]"
_RUN = f"{_LETTER}(?:{_LETTER}|{_MARK}|{_JOINER}(?={_LETTER}))*"
_WORD = re.compile(
    rf"""
      (?i:https?://|www\.)(?:[!#-;=?-~]*[A-Za-z0-9_/])?        # a link, without punctuation after it
    | (?<=\#)(?P<hashtag>(?:_|{_RUN}|{_ALONE}{_MARK}*)+)      # the body of a hashtag
    | (?<=@)(?:_|{_RUN})+                                     # the name of an account
    | &(?:[A-Za-z]{{2,8}}|\#[0-9]{{1,6}});                     # an HTML entity
    | (?<!\S)(?:[:;=][-^o']?[()DPpOo/|\\*\[\]]+|<3+)(?!\S)     # an emoticon
    | (?:[A-Za-z]\.){{2,}}(?:[A-Za-z](?!{_LETTER}))?           # U.S., p.m, N.W.A
    | '(?:[sSmMdD]|ll|LL|re|RE|ve|VE)(?!{_LETTER})             # 's
    | \$?{_RUN}(?:
          (?:[-_$]|'(?![sS](?!{_LETTER})))(?={_LETTER})        # e-mail, snake_case, Ke$ha, don't, O'Neill
        | (?<=[0-9])[.,:/](?=[0-9])                            # 1,000.50, 12:30, 24/7
        | (?<=[A-Z])&(?:amp;)?(?=[A-Z])                        # R&B, also as HTML
        | {_RUN}
      )*(?:(?<=[0-9])%)?
    | {_ALONE}{_MARK}*
    | {_FLAG}{_FLAG}?{_MARK}*
    | {_EMOJI}{_MARK}*(?:{_JOINER}{_EMOJI}{_MARK}*)*
    | (?P<mark>[!-/:-@\[-`{{-~])(?P=mark)*{_MARK}*           # a run of one punctuation mark
    | \S{_MARK}*
    """,
    re.VERBOSE,
)
_HASHTAG_PART = re.compile(
    rf"""
      [A-Z{_UPPER}]+(?=[A-Z{_UPPER}][a-z{_LOWER}])             # NBA in NBAFinals
    | [A-Z{_UPPER}]?[a-z{_LOWER}{_MARK}{_JOINER}]+
    | [A-Z{_UPPER}]+ | [0-9]+ | _+ | {_ALONE}{_MARK}*
    """,
    re.VERBOSE,
)


def words(text: str) -> tuple[Span, ...]:
    """The words of a text as code point spans, in order and without overlap.

    Every code point that is no white space is inside exactly one word, and no word holds white space.
    """
    return tuple(_words(text.translate(_KINDS)))


def to_text(words: Sequence[Span], span: Span) -> Span:
    """The code point span of a word span: from the start of its first word to the end of its last one."""
    return Span(words[span.start].start, words[span.end - 1].end)


def to_words(words: Sequence[Span], span: Span) -> Span | None:
    """The word span of a code point span; None where it does not begin and end with a word."""
    first = bisect_left(words, span.start, key=lambda word: word.start)
    last = bisect_left(words, span.end, key=lambda word: word.end)
    if not first <= last < len(words):
        return None
    found = Span(first, last + 1)
    return found if to_text(words, found) == span else None


def occurrences(text: str, surface: str) -> Iterator[Span]:
    """Every place of a surface that is not empty in the text, overlapping ones included, in code points."""
    start = text.find(surface)
    while start >= 0:
        yield Span(start, start + len(surface))
        start = text.find(surface, start + 1)


def _words(kinds: str) -> Iterator[Span]:
    for word in _WORD.finditer(kinds):
        if word.lastgroup == "hashtag":
            for part in _HASHTAG_PART.finditer(kinds, *word.span()):
                yield Span(*part.span())
        else:
            yield Span(*word.span())
