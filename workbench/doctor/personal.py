"""Personal data in text: e-mail addresses, phone numbers, card numbers and bank accounts, found with few false alarms.

Card numbers and accounts count only if their check digits are right; phone numbers only as they are written for people
(+49 30 1234567, (212) 555-0173, Tel.: 030 1234567). Years, prices, barcodes and row numbers are none of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORDS = {
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("phone number", "phone numbers"),
    "card": ("card number", "card numbers"),
    "account": ("bank account number", "bank account numbers"),
}
# What only looks like an address: icon@2x.png.
_FILE_ENDINGS = frozenset(
    ("png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "html", "json", "xml", "txt", "pdf")
)
_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_])?$")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9@])")
# +1.1234567 is a number and +1980-02-29 a date.
_INTERNATIONAL = re.compile(
    r"(?<![\w+/.])\+(?!\d\.\d{5}|\d{4}-\d\d-)[1-9]\d{0,2}[ ./()-]{0,3}(?:\d[ ./()-]{0,2}){6,13}\d(?![\w%])"
)
_AMERICAN = re.compile(r"(?<![\w.+-])(?:\([2-9]\d\d\) ?[2-9]\d\d[-. ]|[2-9]\d\d([-.])[2-9]\d\d\1)\d{4}(?![\w-]|\.\d)")
_CALLED = re.compile(
    r"\b(?:tel|phone|telephone|mobile|cell|fax|whatsapp|telefon|handy|mobil|t[ée]l[ée]phone|tel[ée]fono)"
    r"(?: number| no| nr)?[.:]{1,2} ?([(\d](?:[\d ()/.-]{5,18})\d)(?![\w%])",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){13,18}(?![\w-]|\.\d)")
_CARD_STARTS = {
    15: re.compile(r"3[47]"),
    16: re.compile(r"4|5[1-5]|2[2-7]|6011|65|35[2-8]"),
    14: re.compile(r"3[068]"),
    19: re.compile(r"4"),
}
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_ACCOUNT_LENGTHS = {
    **dict.fromkeys(["NO"], 15),
    **dict.fromkeys(["BE"], 16),
    **dict.fromkeys(["DK", "FI", "NL"], 18),
    **dict.fromkeys(["SI", "MK"], 19),
    **dict.fromkeys(["AT", "EE", "LT", "LU", "XK"], 20),
    **dict.fromkeys(["CH", "HR", "LI", "LV"], 21),
    **dict.fromkeys(["BG", "DE", "GB", "GE", "IE", "ME", "RS"], 22),
    **dict.fromkeys(["AE", "GI", "IL"], 23),
    **dict.fromkeys(["AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN"], 24),
    **dict.fromkeys(["PT"], 25),
    **dict.fromkeys(["IS", "TR"], 26),
    **dict.fromkeys(["FR", "GR", "IT", "MC", "SM"], 27),
    **dict.fromkeys(["AL", "AZ", "CY", "DO", "GT", "HU", "LB", "PL"], 28),
    **dict.fromkeys(["BR", "PS", "QA", "UA"], 29),
    **dict.fromkeys(["JO", "KW", "MU"], 30),
    **dict.fromkeys(["MT"], 31),
}


@dataclass(frozen=True)
class Personal:
    """One thing found: its kind (a key of WORDS), where in the text, and the value with most of it hidden."""

    kind: str
    start: int
    end: int
    masked: str


def find_personal(text: str) -> list[Personal]:
    """What is personal in a text, in its order, without overlaps."""
    found: list[Personal] = []
    if "@" in text:
        found += _addresses(text)
    if any(digit in text for digit in "0123456789"):
        found += _accounts(text)
        found += _cards(text)
        found += _phones(text)
    kept: list[Personal] = []
    for one in found:  # in the order of trust: what is an account is no phone number as well
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def mask_personal(text: str) -> str:
    """The text with everything personal in it masked; nothing is found in the result."""
    for one in reversed(find_personal(text)):
        text = text[: one.start] + one.masked + text[one.end :]
    return text


def _addresses(text: str) -> Iterator[Personal]:
    at = text.find("@")
    while at >= 0:
        # Around each @, and not by one expression over all: a long run of letters would cost its square.
        local = _LOCAL.search(text[max(0, at - 64) : at])
        domain = _DOMAIN.match(text[at + 1 : at + 256])
        if local and domain:
            name = domain.group().lower()
            ending = name.rpartition(".")[2]
            if ending not in _FILE_ENDINGS:
                start, end = at - len(local.group()), at + 1 + domain.end()
                yield Personal("email", start, end, f"{local.group()[0]}•••@•••.{ending}")
        at = text.find("@", at + 1)


def _accounts(text: str) -> Iterator[Personal]:
    for match in _ACCOUNT.finditer(text):
        country = match.group()[:2]
        length = _ACCOUNT_LENGTHS.get(country, 0)
        end, taken = match.start(), 0
        while end < match.end() and taken < length:
            taken += text[end] != " "
            end += 1
        value = text[match.start() : end].replace(" ", "")
        whole = end >= len(text) or not text[end].isalnum()
        if length and taken == length and whole and _mod_97(value) == 1:
            yield Personal("account", match.start(), end, f"{value[:2]}•• •••• {value[-2:]}")


def _mod_97(account: str) -> int:
    turned = account[4:] + account[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97


def _cards(text: str) -> Iterator[Personal]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        start = _CARD_STARTS.get(len(digits))
        if start and start.match(digits) and len(set(digits)) > 1 and _luhn(digits):
            yield Personal("card", match.start(), match.end(), f"•••• •••• {digits[-2:]}")


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _phones(text: str) -> Iterator[Personal]:
    for pattern, group in ((_INTERNATIONAL, 0), (_AMERICAN, 0), (_CALLED, 1)):
        for match in pattern.finditer(text):
            digits = re.sub(r"\D", "", match.group(group))
            if 7 <= len(digits) <= 15 and len(set(digits)) > 2:
                yield Personal("phone", match.start(group), match.end(group), f"••• {digits[-2:]}")
