"""Models that cannot be loaded for what they are, told from their settings files before any weights are fetched.

A class that does not fit a checkpoint often loads it all the same, with fresh random weights in the gaps. So what is
known not to fit is refused here, with the reason.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

# Their processors import torchvision, and say so in a way that nobody understands.
WANT_TORCHVISION = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "colqwen2", "idefics3", "smolvlm", "colmodernvbert")
OWN_MODULES = ("sentence_transformers.", "pylate.")


def refuse_unfit(reference: str, folder: Path, *, trusted: bool = False) -> None:
    """Raise WorkbenchError if the model in `folder` is known not to load as it was made.

    Reads settings files alone; `trusted` lets it run its own code.
    """
    config = read_settings(folder / "config.json")
    reason = unreadable(folder, config)
    if reason:
        raise WorkbenchError(f"“{reference}” {reason}")
    packages = missing_packages(folder)
    if packages:
        raise WorkbenchError(
            f"“{reference}” needs {' and '.join(packages)}, which is not installed. Type: pip install -r "
            "requirements-gpu.txt"
        )
    if not trusted and wants_own_code(folder):
        raise WorkbenchError(
            f"“{reference}” runs program code from its own repository, and may not do so yet. If you trust its author, "
            "tick “Let this model run its own code” on the Train tab for one run; for everything else, type: "
            f"python -m workbench models add {reference} --trust-remote-code"
        )


def unreadable(folder: Path, config: dict[str, Any]) -> str:
    """Why no class of Sentence Transformers reads it, as the rest of a sentence; empty if one may."""
    kind = str(config.get("model_type", ""))
    if kind.startswith(("blip", "instructblip")):
        return (
            "is a BLIP model. It compares pictures and words through a head that no class of Sentence Transformers "
            "loads; without it the answers would be random. Choose SigLIP 2 or CLIP instead."
        )
    if "imu_embed_dim" in config or "thermal_embed_dim" in config or folder.name.lower().startswith("imagebind"):
        return (
            "is an ImageBind model, whose architecture neither Transformers nor Sentence Transformers has. Choose "
            "CLAP for sound, SigLIP 2 for pictures, or the starter for all of them."
        )
    if (folder / "modules.json").exists():
        return ""
    if not kind and (folder / "open_clip_config.json").exists():
        return (
            "is a raw OpenCLIP checkpoint, which Transformers does not read. Choose one that was converted, with a "
            "config.json of the type clip, such as laion/CLIP-ViT-B-32-laion2B-s34B-b79K."
        )
    written = next(iter(config.get("architectures") or []), "")
    if written.endswith("ForCausalLM") and not (folder / "config_sentence_transformers.json").exists():
        return (
            f"is a model that writes text ({written}), and says nothing of how to make vectors or scores. Choose one "
            "that was made for search, whose folder has a modules.json."
        )
    if not kind and (folder / "config.json").exists():
        return "does not say in its config.json of which architecture it is (model_type), so nothing can load it."
    return ""


def missing_packages(folder: Path) -> list[str]:
    """The packages that a model's processor imports and that are not installed; none of one that brings its own."""
    if "AutoProcessor" in (read_settings(folder / "processor_config.json").get("auto_map") or {}):
        return []
    kinds = {
        str(read_settings(path).get("model_type", ""))
        for path in (folder / "config.json", *folder.glob("*/config.json"))
    }
    wanted = ["torchvision"] if kinds & set(WANT_TORCHVISION) else []
    return [name for name in wanted if importlib.util.find_spec(name) is None]


def wants_own_code(folder: Path) -> bool:
    """Whether a model is made of code that is in its repository and in no library here."""
    if any(not str(module.get("type", "")).startswith(OWN_MODULES) for module in modules_of(folder)):
        return True
    config = read_settings(folder / "config.json")
    if "auto_map" not in config:
        return False
    import transformers

    # Some repositories still ship the code of an architecture that Transformers has learnt since.
    return not all(hasattr(transformers, name) for name in config.get("architectures") or ["?"])


def modules_of(folder: Path) -> list[dict[str, Any]]:
    """The modules that modules.json lists; none where there is no such file."""
    try:
        value = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [module for module in value if isinstance(module, dict)] if isinstance(value, list) else []


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one if there is none to read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
