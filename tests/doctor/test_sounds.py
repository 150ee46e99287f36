from __future__ import annotations

import numpy as np
import pytest

from tests.doctor.planting import melody, plant, sound_file
from tests.media_makers import m4a
from workbench.collection.editing import undo
from workbench.collection.scenes import render, sample_scenes
from workbench.collection.store import Item, open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.doctor.fixes import fix
from workbench.doctor.soundprints import look_at_sound, same_recording
from workbench.doctor.sounds import (
    exact_groups,
    find_silence,
    find_sound_duplicates,
    find_sound_sizes,
    find_unreadable_sounds,
    near_groups,
)
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

FINDERS = (find_sound_duplicates, find_unreadable_sounds, find_silence, find_sound_sizes)


def _findings(examined: Examined) -> list[Finding]:
    return [finding for find in FINDERS for finding in find(examined)]


def _melodies(count: int) -> list[Item]:
    return [Item(audio=sound_file(melody(seed)), id=f"m{seed}") for seed in range(count)]


def test_a_clean_collection_has_nothing_to_report(workspace: Workspace) -> None:
    tunes = [Item(audio=tune) for _, _, tune in render(sample_scenes(150, 3), 3)]
    assert _findings(Examined(plant(workspace, tunes))) == []


def test_other_takes_of_the_same_words_are_not_duplicates(workspace: Workspace, shared_data) -> None:  # type: ignore[no-untyped-def]
    files = sorted((shared_data / "spoken-digits" / "audio").glob("*.wav"))[:240]
    assert _findings(Examined(plant(workspace, [Item(audio=f.read_bytes(), id=f.stem) for f in files]))) == []


@pytest.mark.parametrize(
    "copy",
    [
        lambda wave: sound_file(wave, format="OGG", subtype="VORBIS"),
        lambda wave: sound_file(wave, format="MP3", subtype="MPEG_LAYER_III"),
        lambda wave: sound_file(0.25 * wave),
        lambda wave: sound_file(np.concatenate([np.zeros(1500, np.float32), wave])),
        lambda wave: sound_file(-wave, format="FLAC"),
    ],
    ids=["ogg", "mp3", "quiet", "late", "turned"],
)
def test_one_recording_in_another_form_is_a_near_duplicate(workspace: Workspace, copy) -> None:  # type: ignore[no-untyped-def]
    items = [*_melodies(12), *(Item(audio=copy(melody(seed)), id=f"c{seed}") for seed in (0, 5))]
    assert near_groups(Examined(plant(workspace, items)), "corpus") == [["m0", "c0"], ["m5", "c5"]]


def test_the_same_samples_in_another_file_are_exact_duplicates(workspace: Workspace) -> None:
    wave = np.round(melody(3) * 32767).astype(np.int16)
    items = [
        *_melodies(3),
        Item(audio=sound_file(wave), id="wav"),
        Item(audio=sound_file(wave, format="FLAC", subtype="PCM_16"), id="flac"),
    ]
    examined = Examined(plant(workspace, items))
    assert (exact_groups(examined, "corpus"), near_groups(examined, "corpus")) == ([["wav", "flac"]], [])


def test_a_tune_with_one_other_note_is_another_tune() -> None:
    one, other = melody(1, seconds=2.0), melody(1, seconds=2.0)
    other[6400:9600] = melody(2, seconds=2.0)[6400:9600]
    files = [sound_file(wave) for wave in (one, other)]
    assert not same_recording(*files, *map(look_at_sound, files))


def test_long_sounds_with_the_same_beginning_are_not_the_same() -> None:
    begin, ends = melody(1, seconds=30), [melody(seed, seconds=30) for seed in (2, 3)]
    files = [sound_file(np.concatenate([begin, end])) for end in ends]
    looks = [look_at_sound(file) for file in files]
    assert not same_recording(*files, *looks)
    assert same_recording(files[0], files[0], looks[0], looks[0])


def test_copies_are_merged_and_brought_back(workspace: Workspace) -> None:
    plant(workspace, [*_melodies(8), Item(audio=sound_file(0.5 * melody(2)), id="quiet")])
    check_collection(workspace, "c")
    fix(workspace, "c", "near-duplicate")
    assert not list(find_sound_duplicates(Examined(open_collection(workspace, "c"))))
    assert len(open_collection(workspace, "c").corpus) == 8
    undo(workspace, "c")
    assert len(open_collection(workspace, "c").corpus) == 9


def test_silence_is_reported_and_left_out_and_a_whisper_is_not(workspace: Workspace) -> None:
    hiss = np.random.default_rng(0).normal(0, 0.0004, 8000).astype(np.float32)
    items = [
        *_melodies(5),
        Item(audio=sound_file(np.zeros(8000, np.float32)), id="nothing"),
        Item(audio=sound_file(hiss), id="hiss"),
        Item(audio=sound_file(0.02 * melody(40)), id="whisper"),
    ]
    examined = Examined(plant(workspace, items))
    (finding,) = find_silence(examined)
    assert finding.groups == [["nothing"], ["hiss"]]
    assert not list(find_sound_duplicates(examined))
    check_collection(workspace, "c")
    fix(workspace, "c", "silence")
    assert not list(find_silence(Examined(open_collection(workspace, "c"))))
    undo(workspace, "c")
    assert len(open_collection(workspace, "c").corpus) == 8


@pytest.mark.parametrize(
    "file",
    [sound_file(melody(7)), sound_file(melody(7), format="FLAC"), m4a(2.0)],
    ids=["wav", "flac", "m4a"],
)
def test_a_sound_that_is_cut_off_is_unreadable(workspace: Workspace, file: bytes) -> None:
    look_at_sound(file)
    with pytest.raises(WorkbenchError):
        look_at_sound(file[: len(file) // 2])
    items = [*_melodies(3), Item(audio=file[: len(file) // 2], id="half"), Item(audio=b"RIFFrubbish", id="rubbish")]
    (finding,) = find_unreadable_sounds(Examined(plant(workspace, items)))
    assert finding.groups == [["half"], ["rubbish"]]


def test_a_sound_written_to_a_pipe_is_whole() -> None:
    wave = bytearray(sound_file(melody(7)))
    at = wave.index(b"data")
    wave[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    assert look_at_sound(bytes(wave)).seconds == pytest.approx(1.0, abs=0.01)


def test_odd_lengths_and_rates_are_worth_knowing(workspace: Workspace) -> None:
    items = [
        *_melodies(5),
        Item(audio=sound_file(melody(20, seconds=40)), id="long"),
        Item(audio=sound_file(melody(21, seconds=0.05)), id="short"),
        Item(audio=sound_file(melody(22, rate=44100), 44100), id="rich"),
    ]
    found = list(find_sound_sizes(Examined(plant(workspace, items))))
    assert [finding.groups for finding in found] == [[["long"]], [["short"]], [["rich"]]]
    assert {finding.severity for finding in found} == {"note"}
