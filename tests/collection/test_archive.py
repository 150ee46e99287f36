"""Files of an upload: what is in it can be read, what is not in it cannot."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from tests.collection.uploads import zip_of
from workbench.collection import archive
from workbench.collection.archive import FolderFiles, ZipFiles, safe_name
from workbench.errors import WorkbenchError


def refusal(path: Path) -> str:
    with pytest.raises(WorkbenchError) as caught:
        ZipFiles(path)
    return caught.value.message


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/passwd", "C:\\evil.png", "..\\evil.png"])
def test_a_zip_with_names_that_point_outside_is_refused(tmp_path, name):
    message = refusal(zip_of(tmp_path / "up.zip", {"pairs.csv": "a,b\n1,2\n", name: b"x"}))
    assert message == (
        f"“up.zip” holds “{name}”, a name that points outside the ZIP. "
        "Nothing was read. Make the ZIP again from the folder itself."
    )


def test_a_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("cat.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert refusal(tmp_path / "up.zip") == (
        "“up.zip” holds “cat.png”, which is a link and not a file. Nothing was read. Put the file itself into the ZIP."
    )


def test_a_zip_that_declares_100_gb_is_refused(tmp_path):
    path = zip_of(tmp_path / "bomb.zip", {"pairs.csv": "a,b\n1,2\n"})
    # A central directory of 50 members of 2 GB each, all of them the same few bytes.
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = bytearray(data[start:end])
    entry[24:28] = struct.pack("<I", 2_000_000_000)
    directory = bytes(entry) * 50
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 50, 50, len(directory), start, 0)
    path.write_bytes(bytes(data[:start]) + directory + tail)
    assert refusal(path) == (
        "“bomb.zip” would unpack to 100.0 GB from 0.0 MB; the limits are 54 GB and 100 times its size. "
        "Upload fewer or smaller files."
    )


def test_a_zip_of_zeros_is_refused_by_its_ratio(tmp_path):
    path = tmp_path / "zeros.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("zeros.csv", "w") as member:
        for _ in range(210):
            member.write(bytes(1 << 20))
    assert "would unpack to 0.2 GB from 0.2 MB" in refusal(path)


def test_a_zip_with_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    assert "holds 4 files; the limit is 3" in refusal(zip_of(tmp_path / "many.zip", {f"{n}.txt": "" for n in range(4)}))


def test_a_member_that_lies_about_its_size_is_not_read_beyond_it(tmp_path):
    path = zip_of(tmp_path / "lie.zip", {"big.bin": bytes(100_000)})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(WorkbenchError, match=r"“big.bin” is damaged in the ZIP"):
        ZipFiles(path).read("big.bin")


def test_a_member_larger_than_the_limit_is_refused_unread(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "up.zip", {"film.mp4": bytes(2000)})
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 1000)
    with pytest.raises(WorkbenchError, match=r"film.mp4"):
        ZipFiles(path).read("film.mp4")


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = zip_of(tmp_path / "up.zip", {"a.csv": "a,b\n"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    assert refusal(path) == "“up.zip” is protected with a password. Make the ZIP again without one."


@pytest.mark.parametrize("cut", [10, -30])
def test_half_a_zip_is_told_as_such(tmp_path, cut):
    path = zip_of(tmp_path / "up.zip", {"pairs.csv": "a,b\n" * 20})
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path).startswith("“up.zip” is damaged, or only part of it was uploaded.")


def test_a_damaged_member_is_told_by_name(tmp_path):
    path = tmp_path / "up.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("cat.png", b"x" * 1000)
    path.write_bytes(path.read_bytes().replace(b"xxxxx", b"xyxyx", 1))
    with pytest.raises(WorkbenchError, match=r"“cat.png” is damaged in the ZIP"):
        ZipFiles(path).read("cat.png")


def test_zip_members_are_found_beside_the_table_then_at_the_top_then_by_a_unique_name(tmp_path):
    members = {"set/pairs.csv": "x", "set/a.png": b"1", "b.png": b"2", "deep/down/c.png": b"3"}
    members |= {"one/twice.png": b"4", "two/twice.png": b"5", "__MACOSX/set/._a.png": b"6", ".DS_Store": b"7"}
    files = ZipFiles(zip_of(tmp_path / "up.zip", members))
    assert files.find("a.png", "set") == "set/a.png"
    assert files.find("./a.png", "set") == "set/a.png"
    assert files.find("b.png", "set") == "b.png"
    assert files.find("c.png", "set") == "deep/down/c.png"
    assert files.find("twice.png", "set") is None
    assert files.find("wrong/c.png", "set") is None
    assert files.names() == ["b.png", "deep/down/c.png", "one/twice.png", "set/a.png", "set/pairs.csv", "two/twice.png"]
    assert files.read("deep/down/c.png") == b"3"


def test_names_are_found_whatever_the_slashes_and_the_form_of_accents(tmp_path):
    files = ZipFiles(zip_of(tmp_path / "up.zip", {"bilder/gro\u0308\u00dfe.png": b"1", "win\\dows.png": b"2"}))
    assert files.find("bilder\\gr\u00f6\u00dfe.png") is not None
    assert files.read(files.find("win/dows.png") or "") == b"2"
    (tmp_path / "gro\u0308n.png").write_bytes(b"3")
    found = FolderFiles(tmp_path).find("gr\u00f6n.png")
    assert found and FolderFiles(tmp_path).read(found) == b"3"


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png", "C:/x.png"])
def test_a_cell_cannot_name_a_file_outside_the_folder(tmp_path, name):
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "upload").mkdir()
    with pytest.raises(WorkbenchError, match=r"points outside the upload, so it was not opened"):
        FolderFiles(tmp_path / "upload").find(name)


@pytest.mark.parametrize("name", ["https://example.org/cat.png", "file:///etc/passwd", "data:image/png;base64,AAAA"])
def test_a_web_address_is_not_opened(name):
    with pytest.raises(WorkbenchError, match=r"is a web address, and the workbench downloads nothing by itself"):
        safe_name(name)


def test_a_link_out_of_the_folder_is_as_good_as_absent(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "real.png").write_bytes(b"real")
    os.symlink(tmp_path / "secret.png", upload / "out.png")
    os.symlink(tmp_path, upload / "up")
    os.symlink("real.png", upload / "alias.png")
    files = FolderFiles(upload)
    assert files.find("out.png") is None
    assert files.find("up/secret.png") is None
    assert files.find("alias.png") == "alias.png"
    with pytest.raises(FileNotFoundError):
        files.read("out.png")


def test_a_folder_leaves_hidden_files_alone(tmp_path):
    for name in (".hidden", "a.txt", ".git/config", "sub/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert FolderFiles(tmp_path).names() == ["a.txt", "sub/b.txt"]
