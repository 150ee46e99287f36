"""What would load wrongly, or not at all, is refused with the reason, and nothing of its weights is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models.hub_layouts import text_embedder, write_json
from workbench.errors import WorkbenchError
from workbench.models import load_embedder, load_reranker
from workbench.models.source import find
from workbench.workspace import Workspace

QWEN = {"model_type": "qwen3_vl", "architectures": ["Qwen3VLForConditionalGeneration"]}
ST_MODULES = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]


def laid_out(folder: Path, files: dict[str, object]) -> Path:
    for name, value in files.items():
        write_json(folder / name, value)
    (folder / "model.safetensors").write_bytes(b"no weights are opened")
    return folder


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": {"model_type": "blip-2"}}, "is a BLIP model.*would be random. Choose SigLIP 2"),
        ({"config.json": {"model_type": "blip"}}, "is a BLIP model"),
        ({"config.json": {"vision_embed_dim": 1280, "imu_embed_dim": 512}}, "is an ImageBind model"),
        ({"open_clip_config.json": {"model_cfg": {}}}, "is a raw OpenCLIP checkpoint.*such as laion/CLIP-ViT-B-32"),
        ({"config.json": {"hidden_size": 3}}, "does not say in its config.json of which architecture"),
        (
            {"config.json": {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}},
            "is a model that writes text .*Choose one that was made for search",
        ),
    ],
)
def test_what_no_class_reads_is_refused_with_the_reason(
    files: dict[str, object], words: str, workspace: Workspace, tmp_path: Path
) -> None:
    folder = laid_out(tmp_path / "model", files)
    for load in (load_embedder, load_reranker):
        with pytest.raises(WorkbenchError, match=words):
            load(workspace, str(folder))


@pytest.mark.parametrize(
    ("load", "files"),
    [
        (load_embedder, {"config.json": QWEN, "modules.json": ST_MODULES}),
        (
            load_reranker,
            {
                "config.json": QWEN,
                "modules.json": ST_MODULES,
                "config_sentence_transformers.json": {"model_type": "CrossEncoder"},
            },
        ),
        (load_reranker, {"config.json": {"model_type": "colqwen2", "architectures": ["ColQwen2ForRetrieval"]}}),
    ],
)
def test_qwen_without_torchvision_names_the_package_to_install(
    load: Callable[..., object],
    files: dict[str, object],
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = laid_out(tmp_path / "qwen", files)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WorkbenchError, match=r"needs torchvision.*pip install -r requirements-gpu\.txt"):
        load(workspace, str(folder))


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": {"model_type": "xlm-roberta"}, "modules.json": [{"type": "custom_st.Transformer"}]},
        {"config.json": {"model_type": "new", "architectures": ["NewModel"], "auto_map": {"AutoModel": "a.B"}}},
    ],
)
def test_code_of_a_stranger_is_not_run_unasked(
    files: dict[str, object], workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = laid_out(tmp_path / "model", files)
    asked: list[list[str]] = []

    def download(reference: str, *, allow_patterns: list[str], **_: object) -> str:
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(WorkbenchError, match="runs program code from its own repository"):
        find(workspace, "someone/model")
    assert not any("safetensors" in pattern or "py" in pattern for pattern in asked[0])
    assert find(workspace, "someone/model", trust_remote_code=True).trusted
    assert "*.py" in asked[-1]


def test_an_architecture_that_transformers_has_learnt_needs_no_code(workspace: Workspace, tmp_path: Path) -> None:
    config = {"model_type": "nomic_bert", "architectures": ["NomicBertModel"], "auto_map": {"AutoModel": "a.B"}}
    folder = laid_out(tmp_path / "nomic", {"config.json": config, "modules.json": ST_MODULES})
    assert find(workspace, str(folder)).kind == "embedder"


def test_a_checkpoint_with_holes_is_refused_even_where_the_libraries_are_quiet(
    workspace: Workspace, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import logging

    folder = text_embedder(tmp_path / "model", "Bert", pooling="mean")
    weights = load_file(folder / "model.safetensors")
    whole = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with pytest.raises(WorkbenchError, match=r"lacks weights that matter.*layer\.1\."):
            load_embedder(workspace, str(folder))
    finally:
        logging.set_verbosity(before)


def test_a_part_without_weights_of_its_own_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    folder = text_embedder(tmp_path / "model", "Bert", pooling="mean", dense=True)
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(WorkbenchError, match="cannot be loaded"):
        load_embedder(workspace, str(folder))
