"""The place in the address."""

from __future__ import annotations

from workbench.ui.place import Place


def test_a_place_reads_back_what_it_wrote() -> None:
    place = Place(tab="runs", collection="emoji", run="emoji-1")
    assert Place.read(place.write()) == place


def test_what_is_no_name_is_left_out_of_a_place() -> None:
    place = Place.read("?tab=runs&run=../../etc/passwd&collection=<script>&index=fine")
    assert place == Place(tab="runs", index="fine")


def test_an_unknown_tab_is_the_first_one() -> None:
    assert Place.read("tab=nowhere").tab == "data"
    assert Place.read("").tab == "data"
