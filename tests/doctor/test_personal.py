"""Personal data is found where it is, and nothing that only looks like it."""

from __future__ import annotations

import pytest

from workbench.doctor.personal import find_personal, mask_personal


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Write to jane.doe+x@mail.acme.co.uk.", "email", "jane.doe+x@mail.acme.co.uk"),
        ("<anna@müller.de, anna@mueller.de>", "email", "anna@mueller.de"),
        ("Call +49 30 123 45 678 now", "phone", "+49 30 123 45 678"),
        ("(212) 555-0173", "phone", "(212) 555-0173"),
        ("Tel.: 030 1234567", "phone", "030 1234567"),
        ("card 4539 5787 6362 1486, please", "card", "4539 5787 6362 1486"),
        ("378282246310005", "card", "378282246310005"),
        ("IBAN DE89 3704 0044 0532 0130 00 THANKS", "account", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432.", "account", "GB82WEST12345698765432"),
    ],
)
def test_it_is_found(text: str, kind: str, value: str) -> None:
    (one,) = find_personal(text)
    assert (one.kind, text[one.start : one.end]) == (kind, value)


@pytest.mark.parametrize(
    "text",
    [
        "in 2023, 1999-2004, for 1,234,567.89 or 12 345 678 kronor",
        "ISBN 978-3-16-148410-0, EAN 4006381333931",
        "at 2024-01-02 10:20:30, from 10.1.2.3",
        "pi is 3.14159265358979",
        "icon@2x.png and @home and foo@bar",
        "card 4539 5787 6362 1487 has a wrong check digit",
        "DE89 3704 0044 0532 0130 01 too",
        "room 205-334-1234567, order 20533412345",
        "0000 0000 0000 0000",
        "483 597.8525, +1.12345679+1.1234567, +1980-02-29 01:02:03",
        "+1 for this, +100 points, score 3-2, +49 euro",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert find_personal(text) == []


def test_masked_text_shows_nothing_of_it() -> None:
    text = "jane@acme.com, +49 30 12345678, 4539 5787 6362 1486, DE89370400440532013000: that is all."
    masked = mask_personal(text)
    assert find_personal(masked) == []
    assert masked.endswith(": that is all.")
    for secret in ("jane", "acme", "12345678", "4539", "3704"):
        assert secret not in masked


def test_a_megabyte_of_letters_is_read_at_once() -> None:
    assert find_personal("a" * 1_000_000 + "@" + "b" * 1_000_000 + " 1" * 100_000) == []
