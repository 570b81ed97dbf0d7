"""Decodes JSON from outside: bounded in what it makes of the bytes, and any fault is an InputError."""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any

from linkner.errors import InputError

MAX_DIGITS = 19  # of a whole number: enough for every 64-bit id

MAX_TOKENS = 1_000_000
"""Strings, commas and opening brackets of one JSON text: a thousand full posts of any network have fewer.

Decoded, `{},{},…` takes up to thirty times its bytes; so many tokens take no more than some 100 MB.
"""

# The string that the end of the text cuts off counts too, so that no byte is looked at twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,{\[]', re.DOTALL)


def decode(data: bytes, what: str) -> Any:
    """The value of a JSON text in UTF-8. Raises InputError, in which `what` names the text."""
    _check_tokens(data, what)
    try:
        return json.loads(data.decode("utf-8-sig"), parse_int=_whole_number)
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8", got=f"a bad byte at position {error.start}") from None
    except json.JSONDecodeError as error:
        where = f"{error.msg.removesuffix(' at')} at character {error.pos}"
        raise InputError(f"{what} is not JSON", got=where) from None
    except RecursionError:
        raise InputError(f"{what} is nested too deeply") from None


def _check_tokens(data: bytes, what: str) -> None:
    if sum(map(data.count, (b'"', b",", b"{", b"["))) <= MAX_TOKENS:
        return  # soon told, and true of all that people send: it counts those inside of strings as well
    if next(islice(_TOKEN.finditer(data), MAX_TOKENS, None), None) is not None:
        raise InputError(
            f"{what} holds too many values",
            expected=f"at most {MAX_TOKENS} strings, commas and opening brackets",
            hint="send fewer posts in a request, or without the fields that are not read",
        )


def _whole_number(digits: str) -> int | float:
    """A number too long to be an id reads as infinite, which no field takes: int() is slow on such."""
    return int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else math.inf
