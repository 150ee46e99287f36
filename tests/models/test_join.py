"""A text embedder and encoders of pictures and sound become one model that the plain library loads."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes, wav_bytes
from tests.models import hub_layouts as hub
from workbench.cli import app
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models import load_embedder
from workbench.models.added import added_model, remove_model
from workbench.models.catalogue import describe
from workbench.models.items import model_input
from workbench.models.join import has_projections, join_models, never_trained
from workbench.models.listing import find_models
from workbench.training.freezing import prefixes_of
from workbench.workspace import Workspace

TEXTS = [Item(text="a red cat"), Item(text="the small blue house near it, on a hill")]
PICTURES = [Item(image=png_bytes()), Item(image=png_bytes((10, 20, 200)))]
SOUNDS = [Item(audio=wav_bytes(seconds=0.3)), Item(audio=wav_bytes(880.0, seconds=1.2))]
PROMPTS = {"query": "find: ", "document": "shown: "}


@pytest.fixture
def parts(tmp_path: Path) -> Callable[[str], str]:
    """The folder of a tiny model by its name, made when it is first asked for."""

    def made(name: str) -> str:
        folder = tmp_path / "parts" / name
        if not folder.exists():
            if name == "text":
                hub.text_embedder(folder, "Bert", pooling="mean", normalize=False, prompts=PROMPTS)
            else:
                getattr(hub, name)(folder)
        return str(folder)

    return made


@pytest.mark.parametrize(
    ("image", "audio"), [("clip", "wav2vec2"), ("siglip", "clap"), ("vit", "whisper")], ids=["clip", "siglip", "vit"]
)
def test_the_plain_library_loads_the_joined_model_and_its_texts_are_those_of_the_embedder(
    image: str, audio: str, parts: Any, workspace: Workspace, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    found = join_models(
        workspace, text=parts("text"), image=parts(image), audio=parts(audio), name="any", audio_seconds=1
    )
    assert found["modalities"] == ["text", "image", "audio", "video"] and found["dimension"] == hub.WIDTH
    plain = SentenceTransformer(str(workspace.models / "any"), device="cpu")
    before, after = load_embedder(workspace, parts("text"), device="cpu"), load_embedder(workspace, "added:any")
    wrapped = [{"text": item.text} for item in TEXTS]
    for expected, read in (
        (before.encode_queries(TEXTS), plain.encode_query(wrapped)),
        (before.encode_documents(TEXTS), plain.encode_document(wrapped)),
        (before.encode_queries(TEXTS), after.encode_queries(TEXTS)),
    ):
        np.testing.assert_allclose(read, expected, atol=1e-6)
    for items in (PICTURES, SOUNDS):
        vectors = plain.encode_document([model_input(item, after.form) for item in items])
        assert vectors.shape == (2, hub.WIDTH) and not np.allclose(vectors[0], vectors[1])
        # Neither a prompt nor a neighbour changes what is seen or heard.
        alone = np.concatenate([after.encode_queries([item]) for item in items])
        np.testing.assert_allclose(vectors, alone, atol=1e-6)
    plain.save_pretrained(str(tmp_path / "again"), create_model_card=False)
    again = load_embedder(workspace, str(tmp_path / "again"), device="cpu")
    np.testing.assert_allclose(again.encode_documents(SOUNDS), after.encode_documents(SOUNDS), atol=1e-6)


def test_the_encoder_says_what_it_said_in_its_own_model(parts: Any, workspace: Workspace) -> None:
    import torch
    from transformers import CLIPModel

    join_models(workspace, text=parts("text"), image=parts("clip"), name="seen")
    model = load_embedder(workspace, "added:seen", device="cpu").model
    route = model[0].sub_modules["image"]
    shown = route[0].preprocess([model_input(item, load_embedder(workspace, "added:seen").form) for item in PICTURES])
    with torch.no_grad():
        expected = CLIPModel.from_pretrained(parts("clip")).vision_model(shown["pixel_values"]).pooler_output
        said = route[0](dict(shown))["sentence_embedding"]
    torch.testing.assert_close(said, expected)
    assert not any("text" in name for name, _ in route[0].named_parameters())


def test_a_model_that_sees_can_be_taught_to_hear_and_a_joined_one_joined_again(
    parts: Any, workspace: Workspace
) -> None:
    join_models(workspace, text=parts("clip"), audio=parts("whisper"), name="hears", audio_seconds=1)
    before, after = (load_embedder(workspace, one, device="cpu") for one in (parts("clip"), "added:hears"))
    for items in (TEXTS, PICTURES):
        np.testing.assert_allclose(after.encode_documents(items), before.encode_documents(items), atol=1e-6)
    join_models(workspace, text=parts("text"), image=parts("vit"), name="sees")
    join_models(workspace, text="added:sees", audio=parts("whisper"), name="both", audio_seconds=1)
    once, twice = (load_embedder(workspace, f"added:{name}", device="cpu") for name in ("sees", "both"))
    np.testing.assert_allclose(twice.encode_documents(PICTURES), once.encode_documents(PICTURES), atol=1e-6)
    assert twice.encode_queries(SOUNDS).shape == (2, hub.WIDTH)


def test_a_text_embedder_with_a_chat_template_does_not_see_what_its_neighbour_sees(
    workspace: Workspace, parts: Any, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    said = "{% for part in message['content'] %}ask {{ part['text'] }}{% endfor %}"
    template = "{% for message in messages %}" + said + "{% endfor %}"
    encoder, chatty = str(tmp_path / "encoder"), str(tmp_path / "chatty")
    hub.save_text_encoder(Path(encoder), "Bert", {"chat_template": template})
    modules = [Transformer(encoder), Pooling(hub.WIDTH)]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(chatty, create_model_card=False)
    join_models(workspace, text=chatty, image=parts("vit"), name="chats")
    before, after = (load_embedder(workspace, one, device="cpu") for one in (chatty, "added:chats"))
    assert "message" in before.model.modalities and after.modalities == ("text", "image", "video")
    np.testing.assert_allclose(after.encode_queries(TEXTS), before.encode_queries(TEXTS), atol=1e-6)
    assert prefixes_of(after.model, "text") == ["0.sub_modules.text"]


def test_the_same_models_joined_again_are_the_same_model(parts: Any, workspace: Workspace) -> None:
    prints = []
    for name in ("one", "two"):
        join_models(workspace, text=parts("text"), image=parts("vit"), name=name)
        # A ViT's own pooler is no part of a checkpoint that tells classes apart: it is drawn here.
        prints.append([path.read_bytes() for path in sorted((workspace.models / name).rglob("*.safetensors"))])
    assert prints[0] == prints[1]


def test_a_joined_model_is_listed_described_and_deleted_with_its_files(parts: Any, workspace: Workspace) -> None:
    join_models(workspace, text=parts("text"), image=parts("vit"), name="mine")
    assert find_models(workspace, modalities=["text", "image"])[0]["reference"] == "added:mine"
    assert describe(workspace, "added:mine")["dimension"] == hub.WIDTH
    assert never_trained(workspace, "added:mine") and has_projections(workspace, "added:mine")
    assert not has_projections(workspace, parts("text")) and has_projections(workspace, "starter")
    assert has_projections(workspace, "someone/else") is None
    assert json.loads((workspace.models / "mine" / "joined.json").read_text())["parts"]["image"]["model"] == parts(
        "vit"
    )
    remove_model(workspace, "added:mine")
    assert not (workspace.models / "mine").exists() and added_model(workspace, "added:mine") is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Name an encoder of pictures, one of sound, or both"),
        ({"image": "vit", "name": "No Name"}, "cannot be the name of a model"),
        ({"image": "vit", "name": "taken"}, "already a model named “taken”"),
        ({"image": "text"}, "is a model of the type bert, out of which no encoder of pictures"),
        ({"audio": "clip"}, "is a model of the type clip, out of which no encoder of sound"),
        ({"text": "cross_encoder", "image": "vit"}, "is a reranker model"),
        ({"text": "vit", "image": "vit"}, "reads no text"),
        ({"text": "clip", "image": "vit"}, "reads pictures already"),
        ({"text": "starter", "audio": "whisper"}, "reads sound already"),
        ({"text": "", "audio": "whisper"}, "Name the text embedder"),
        ({"image": "starter"}, "No encoder can be taken out of “starter”"),
        ({"text": "jina_v3", "image": "vit"}, "cannot be joined|may not do so yet"),
        ({"audio": "whisper", "audio_seconds": 90}, "heard for 0.5 to 30 seconds"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_words_and_leaves_nothing(
    asked: dict[str, Any], words: str, parts: Any, workspace: Workspace
) -> None:
    (workspace.models / "taken").mkdir(parents=True)
    named = {"text": "text", "name": "any"} | asked
    for part in ("text", "image", "audio"):
        if named.get(part) not in (None, "", "starter"):
            named[part] = parts(named[part])
    with pytest.raises(WorkbenchError, match=words):
        join_models(workspace, **named)
    assert [path.name for path in workspace.models.iterdir()] == ["taken"]
    assert not (workspace.root / "models.json").exists()


def test_a_model_joined_here_is_no_encoder_and_a_full_disk_is_told(
    parts: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    join_models(workspace, text=parts("text"), image=parts("vit"), name="mine")
    with pytest.raises(WorkbenchError, match="is made of several models, so no encoder of pictures"):
        join_models(workspace, text=parts("text"), image="added:mine", name="other")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SentenceTransformer, "save_pretrained", full)
    with pytest.raises(WorkbenchError, match="is full, so this was not saved"):
        join_models(workspace, text=parts("text"), image=parts("vit"), name="other")
    assert [path.name for path in workspace.models.iterdir()] == ["mine"]


def test_the_command_joins_and_removes(parts: Any, workspace: Workspace) -> None:
    at = ["--workspace", str(workspace.root)]
    asked = ["--text", parts("text"), "--image", parts("vit"), "--name", "mine"]
    done = CliRunner().invoke(app, ["models", "join", *asked, *at, "--json"])
    assert json.loads(done.stdout)["reference"] == "added:mine" and "Loading the text embedder" in done.stderr
    refused = CliRunner().invoke(app, ["models", "join", *asked, *at])
    assert refused.exit_code == 1 and "already a model named “mine”" in refused.stderr
    gone = CliRunner().invoke(app, ["models", "remove", "added:mine", "--yes", *at])
    assert "Its files are deleted." in gone.stdout and not (workspace.models / "mine").exists()
