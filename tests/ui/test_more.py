"""The More part: what it shows of exports."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from tests.index.toys import texts
from workbench.collection.exporting import export_collection
from workbench.collection.store import open_collection
from workbench.collection.writing import CollectionWriter
from workbench.job_folder import create_job_folder
from workbench.ui.page import Page
from workbench.ui.part_more import MorePart
from workbench.ui.place import Place
from workbench.workspace import Workspace, new_folder, write_json


def test_only_exports_in_the_workspace_are_offered(workspace: Workspace, tmp_path: Path) -> None:
    with new_folder(workspace.collection("words")) as folder, CollectionWriter(folder) as writer:
        for document in texts(12):
            writer.judge(writer.add("queries", document), writer.add("corpus", document))
        writer.finish("words", labels={"query": "question", "document": "answer"}, source={})
    for name, to in (("export-own", str(tmp_path / "elsewhere")), ("export-words", None)):
        job = create_job_folder(
            workspace.job(name), "export", {"collection": "words", "form": "mteb", "to": to}, versions={}
        )
        write_json(job.path / "result.json", export_collection(workspace, "words", to=tmp_path / name if to else None))
        job.write_status(state="finished")
    with gr.Blocks():
        part = MorePart(Page(workspace))
    shown = str(part.draw(Place(collection="words"), open_collection(workspace, "words"))[part.exports])
    assert "exports/words" in shown and "elsewhere" not in shown
    assert shown.count('<ul class="files">') == 1
