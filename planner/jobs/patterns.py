r"""Patterns of AWS service models, which are ECMA 262 regular expressions, matched with Python's `re`.

The two dialects agree on all that CreateTransformJob uses but three points:

    construct         in the model                                         in `re`
    the whole match   the pattern must match all of the value              `fullmatch`
    .                 anything but \n, \r, U+2028 and U+2029               anything but \n
    \p{L}             every character of that Unicode general category     not known
"""

import re
import unicodedata
from typing import Final

_TOKEN: Final = re.compile(r"\\p\{(?P<category>[A-Z][a-z]?)\}|\\.|.", re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches the pattern of a service model."""
    return re.fullmatch(translated(pattern, text), text) is not None


def translated(pattern: str, text: str) -> str:
    r"""A Python pattern that says of this one text what the model's pattern says of it.

    A category such as ``\p{L}`` becomes those characters of the text that belong to it: the category holds 130,000,
    but only these decide.
    """
    out, in_class = [], False
    for token in _TOKEN.finditer(pattern):
        if category := token["category"]:
            members = re.escape("".join(sorted({c for c in text if unicodedata.category(c).startswith(category)})))
            out.append(members if in_class else f"[{members}]" if members else r"(?!)")
            continue
        if token[0] == "." and not in_class:
            out.append(r"[^\n\r\u2028\u2029]")
            continue
        in_class = token[0] == "[" or (in_class and token[0] != "]")
        out.append(token[0])
    return "".join(out)
