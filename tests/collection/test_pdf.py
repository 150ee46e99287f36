"""PDFs: each page is a document, a picture with its text layer beside it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.collection.uploads import picture, text_table, zip_of
from workbench.collection import pdf
from workbench.collection.importing import import_collection
from workbench.collection.pdf import Pdf, names_pdf, split_page
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.media import decode_image

TEA = Path(__file__).parent / "files" / "tea.pdf"  # printed by Chromium: three pages, A5
A5_INCHES = (5.83, 8.27)


def scans(count: int, size: tuple[int, int] = (120, 160)) -> bytes:
    """A PDF of pictures without a text layer, as a scanner makes it; here Pillow does."""
    pages = []
    for number in range(count):
        page = Image.new("RGB", size, (255, 255, 240))
        ImageDraw.Draw(page).rectangle((10, 10 + number, 60, 40 + 2 * number), fill=(number * 40 % 256, 80, 160))
        pages.append(page)
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], title="Scans")
    return file.getvalue()


def written_pdf(objects: list[str], trailer: str = "") -> bytes:
    """A PDF of the given objects, the first of them its catalogue."""
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R{trailer}>>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def one_page(media_box: str = "0 0 200 100", trailer: str = "", more: tuple[str, ...] = ()) -> bytes:
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{media_box}]>>"
    return written_pdf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", page, *more], trailer)


def locked() -> bytes:
    """A PDF that asks for a password nobody knows."""
    encryption = f"<</Filter/Standard/V 1/R 2/P -4/O<{'5a' * 32}>/U<{'a5' * 32}>>>"
    return one_page(trailer=f"/Encrypt 4 0 R/ID[<{'00' * 16}><{'00' * 16}>]", more=(encryption,))


def test_each_page_of_a_pdf_is_a_document_with_its_text_title_and_number(workspace):
    result = import_collection(workspace, "tea", TEA)
    assert (result["queries"], result["documents"], result["skipped"]) == (0, 3, [])
    assert result["modalities"] == {"query": [], "document": ["image"]}
    collection = open_collection(workspace, "tea")
    assert collection.card.split["sentence"] == ("There are documents only: nothing to train on and nothing to score.")
    pages = collection.items("corpus", range(3))
    assert [page.meta["page"] for page in pages] == [1, 2, 3]
    assert {(page.meta["title"], page.meta["pages"]) for page in pages} == {("Field notes on tea", 3)}
    assert [page.meta["text_layer"].split("\n")[0] for page in pages] == ["Green tea", "Black tea", "Größe der Kanne"]
    assert pages[2].file == "tea.pdf#page=3"
    assert pages[0].thumbnail[8:12] == b"WEBP"


@pytest.mark.parametrize("dpi", [72, 150, 200])
def test_pages_are_drawn_at_the_resolution_asked_for(workspace, dpi):
    import_collection(workspace, "tea", TEA, page_dpi=dpi)
    drawn = decode_image(open_collection(workspace, "tea").item("corpus", 0).image)
    assert drawn.size == pytest.approx([side * dpi for side in A5_INCHES], rel=0.01)


def test_a_huge_page_is_drawn_no_larger_than_the_limit():
    with Pdf(one_page("0 0 14400 7200"), dpi=600) as opened:
        assert opened.picture(1).size == (pdf.MAX_PAGE_PIXELS, pdf.MAX_PAGE_PIXELS // 2)


def test_a_zip_of_pdfs_and_pictures_needs_no_table(workspace, tmp_path):
    members = {"deep/scans.pdf": scans(4), "tea.PDF": TEA.read_bytes(), "photo.png": picture(3), "bad.pdf": b"%PDF-1.4"}
    path = zip_of(tmp_path / "up.zip", members)
    preview = preview_source(path)
    assert preview.layout == "A ZIP of 3 PDFs and 1 picture: documents without queries."
    assert preview.columns == [] and len(preview.samples) == 3
    result = import_collection(workspace, "up", path)
    assert result["documents"] == 8
    assert result["skipped"] == [
        {
            "row": None,
            "reason": "The PDF “bad.pdf” is damaged, or only part of it is there. Save or copy it again.",
        }
    ]
    metas = [item.meta for item in open_collection(workspace, "up").items("corpus", range(8))]
    assert [meta for meta in metas if meta.get("folder") == "deep"] == [
        {"folder": "deep", "title": "Scans", "page": number, "pages": 4} for number in (1, 2, 3, 4)
    ]


def test_a_folder_of_whole_pdfs_tells_its_pages(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.pdf").write_bytes(scans(number + 1))
    preview = preview_source(tmp_path)
    assert preview.layout == "A folder of 2 PDFs (5 pages): documents without queries."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (locked(), "The PDF “up.pdf” is protected with a password. Save it again without one."),
        (TEA.read_bytes()[:900], "The PDF “up.pdf” is damaged, or only part of it is there."),
        (b"%PDF-1.7\nnothing else", "The PDF “up.pdf” is damaged, or only part of it is there."),
    ],
)
def test_pdfs_that_cannot_be_opened_are_told_in_words(workspace, tmp_path, data, words):
    (tmp_path / "up.pdf").write_bytes(data)
    with pytest.raises(WorkbenchError) as caught:
        import_collection(workspace, "up", tmp_path / "up.pdf")
    assert caught.value.problems[0].startswith(words)


def test_too_many_pages_are_refused_before_one_is_drawn(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(WorkbenchError) as caught:
        import_collection(workspace, "up", TEA)
    assert caught.value.problems == ["The PDF “tea.pdf” has 3 pages; the limit is 2. Cut it up."]


def test_a_damaged_page_is_told_and_the_others_stay(workspace, tmp_path, monkeypatch):
    drawn = Pdf.page
    monkeypatch.setattr(Pdf, "page", lambda self, number: drawn(self, number if number != 2 else 99))
    result = import_collection(workspace, "tea", TEA)
    assert result["documents"] == 2
    assert result["skipped"][0]["reason"].startswith("The PDF “tea.pdf” has 3 pages, and page 99 was asked for.")


def test_a_text_layer_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(pdf, "TEXT_LAYER_CHARACTERS", 5)
    with Pdf(TEA.read_bytes()) as opened:
        assert opened.page(1).text == "Green"


def test_cells_of_a_table_name_pages(workspace, tmp_path):
    (tmp_path / "tea.pdf").write_bytes(TEA.read_bytes())
    rows = [("question", "page"), ("how hot for green?", "tea.pdf"), ("how hot for black?", "tea.pdf#page=2")]
    rows += [("which pot?", "tea.pdf#page=3"), ("what else?", "tea.pdf#page=4"), ("and?", "milk.pdf")]
    path = text_table(tmp_path / "pairs.csv", rows)
    assert {column.name: column.kind for column in preview_source(path).columns} == {
        "question": "text",
        "page": "image",
    }
    result = import_collection(workspace, "tea", path, page_dpi=50)
    assert result["modalities"] == {"query": ["text"], "document": ["image"]}
    assert [line["reason"] for line in result["skipped"]] == [
        "Row 5: the PDF “tea.pdf” has 3 pages, and page 4 was asked for. Give another number.",
        "Row 6: the picture “milk.pdf” is not in the folder of the table. Add it there, or upload a ZIP of both, or "
        "remove the row.",
    ]
    files = [item.file for item in open_collection(workspace, "tea").items("corpus", range(3))]
    assert files == ["tea.pdf#page=1", "tea.pdf#page=2", "tea.pdf#page=3"]


def test_names_of_pages():
    assert split_page("a b.pdf#page=12") == ("a b.pdf", 12)
    assert split_page("a.pdf") == ("a.pdf", None)
    assert names_pdf("A.PDF#page=1") and not names_pdf("a.pdf.png")


def test_a_resolution_that_makes_no_sense_is_refused(workspace):
    with pytest.raises(WorkbenchError, match=r"cannot be drawn at 5 dpi\. Choose 36 to 600"):
        import_collection(workspace, "tea", TEA, page_dpi=5)


def test_the_pages_are_counted_while_they_are_drawn(workspace):
    seen: list[tuple[int, int, str]] = []
    import_collection(workspace, "tea", TEA, progress=lambda *step: seen.append(step))
    assert seen[:3] == [(number, 3, f"Reading files: page {number + 1} of “tea.pdf”") for number in range(3)]
    assert seen[-1] == (3, 3, "Writing the collection")
