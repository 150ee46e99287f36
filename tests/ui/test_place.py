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


def test_any_words_fit_into_a_place_but_no_endless_ones() -> None:
    place = Place(tab="search", q="'; -- \n ☃ & = % # + <b>", how="where=%5B%5D&count=3", sides="a:8:~b::run:x")
    assert Place.read(place.write()) == place
    assert Place.read(f"tab=search&q={'x' * 2001}&how={'y' * 4001}&sides={'z' * 1001}") == Place(tab="search")


def test_what_limits_a_search_stays_behind_with_its_index_and_words_give_way_to_an_item() -> None:
    place = Place(tab="search", index="one", q="tea", how="count=3")
    assert place.at(index="one", part="side") == Place(tab="search", index="one", q="tea", how="count=3", part="side")
    assert place.at(index="two") == Place(tab="search", index="two", q="tea")
    assert place.at(asked="a:corpus:1") == Place(tab="search", index="one", asked="a:corpus:1", how="count=3")
