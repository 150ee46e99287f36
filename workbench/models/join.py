"""Join models: a text embedder and encoders of pictures or sound become one model that finds any by any.

The result is an ordinary Sentence Transformers folder: a `Router` over the text embedder's own modules and, for each
encoder, the encoder, a pooling and a new projection to the embedder's dimension. What was text keeps its vectors; what
the projections say is chance until a run has trained them (see `projections` and the setting `thaw_after`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.added import PREFIX, AddedModel, add_model, added_model
from workbench.models.embedder import Embedder
from workbench.models.encoders import AUDIO_SECONDS, NOUNS, Encoder, take_encoder
from workbench.models.examine import measured
from workbench.models.families import family_of
from workbench.models.load import load_embedder, loading_in_words
from workbench.models.refusals import read_settings, wants_own_code
from workbench.models.source import HUB_ID, find, fingerprint_folder, settings_folder
from workbench.workspace import Workspace, check_name, new_folder, write_json

JOINED_FILE = "joined.json"
SEED = 20240607
Say = Callable[[str], None]


def join_models(
    workspace: Workspace,
    *,
    text: str,
    image: str = "",
    audio: str = "",
    name: str,
    audio_seconds: float = AUDIO_SECONDS,
    say: Say = lambda words: None,
) -> dict[str, Any]:
    """Make one model of a text embedder and an encoder of pictures, of sound, or both; keep it as `added:NAME`.

    text: any embedder. image, audio: models whose encoder is taken out, as `take_encoder` does. Returns what a check
    of it found, as `examine` does. Raises WorkbenchError for models that cannot be joined and a name that is taken.
    """
    encoders = {
        kind: reference.strip() for kind, reference in (("image", image), ("audio", audio)) if reference.strip()
    }
    _check_wanted(workspace, name, encoders, audio_seconds)
    say("Loading the text embedder")
    base = _text_embedder(workspace, text.strip(), encoders)
    taken = {}
    for modality, reference in encoders.items():
        say(f"Loading the encoder of {NOUNS[modality]}")
        taken[modality] = take_encoder(workspace, reference, modality, audio_seconds)
    say("Joining and trying them")
    reference, final = PREFIX + name, workspace.models / name
    with new_folder(final) as folder:
        joined(base, taken).save_pretrained(str(folder), create_model_card=False)
        write_json(folder / JOINED_FILE, _parts(workspace, base, taken))
        (folder / "README.md").write_text(_card(name, base, taken), encoding="utf-8")
        found = measured(_opened(folder, reference))
    words = f"Joined by you from {' and '.join([base.reference, *encoders.values()])}."
    try:
        add_model(workspace, AddedModel(
            reference=reference, kind="embedder", modalities=found["modalities"], dimension=found["dimension"],
            parameters=found["parameters"], words=words, folder=str(final.relative_to(workspace.root)),
        ))  # fmt: skip
    except BaseException:
        shutil.rmtree(final, ignore_errors=True)
        raise
    notes = [
        f"Train it next: until then {' and '.join(NOUNS[kind] for kind in encoders)} can be found by chance alone."
    ]
    more = {"licence": "", "packages": [], "own_code": False, "notes": notes, "problem": ""}
    return {"reference": reference, **found, **more}


def run_join(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a `join-models` job: spec {"text", "image", "audio", "name"}. Returns what `join_models` found."""
    return join_models(workspace, **job.spec, say=lambda words: job.progress(0, 1, words))


def never_trained(workspace: Workspace, reference: str) -> bool:
    """Whether a model was joined here and holds projections that have learnt nothing yet."""
    added = added_model(workspace, reference)
    return bool(added and added.folder and (workspace.root / added.folder / JOINED_FILE).exists())


def has_projections(workspace: Workspace, reference: str) -> bool | None:
    """Whether a model has projections that can learn before the rest; None for one whose files are not here."""
    if HUB_ID.fullmatch(reference) and not Path(reference).is_dir():
        return None
    router = read_settings(settings_folder(workspace, reference) / "router_config.json")
    types, routes = router.get("types", {}), router.get("structure", {})
    mappings = router.get("parameters", {}).get("route_mappings", {})
    of_text = {route for taken, route in mappings.items() if "'text'" in taken}
    return any("Dense" in types.get(one, "") for name in routes if name not in of_text for one in routes[name])


def joined(base: Embedder, encoders: dict[str, Encoder]) -> Any:
    """One SentenceTransformer of an embedder and encoders by modality, all in float32.

    Text goes through the embedder's modules as before, its prompts included. The projections are drawn with a fixed
    seed, so that the same models joined again are the same model.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Router
    from sentence_transformers.sentence_transformer.modules import Normalize

    routes, mappings, default = _routes_of(list(base.model))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for modality, encoder in encoders.items():
            projection: Any = Dense(encoder.dimension, base.dimension, activation_function=torch.nn.Identity())
            routes[modality] = [*encoder.modules, projection]
            mappings[None, modality] = modality
    router = Router(routes, default_route=default, route_mappings=mappings)
    return SentenceTransformer(
        modules=[router, Normalize()],
        prompts={side: prompt or "" for side, prompt in base.model.prompts.items()},
        default_prompt_name=base.model.default_prompt_name,
        similarity_fn_name="cosine",
        device="cpu",
    ).float()


def _routes_of(modules: list[Any]) -> tuple[dict[str, list[Any]], dict[Any, str], str | None]:
    """An embedder's modules as routes, what each route takes, and the one that takes the rest.

    A last Normalize is left out: the joined model ends with one for all routes.
    """
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import Normalize

    if isinstance(modules[-1], Normalize):
        modules = modules[:-1]
    router, *after = modules
    if isinstance(router, Router):
        held: Any = router.sub_modules
        routes = {name: [*route, *after] for name, route in held.items()}
        return routes, dict(router.route_mappings), router.default_route
    return {"text": modules}, {(None, modality): "text" for modality in router.modalities}, "text"


def _check_wanted(workspace: Workspace, name: str, encoders: dict[str, str], audio_seconds: float) -> None:
    check_name(name, "model")
    if not encoders:
        raise WorkbenchError("Name an encoder of pictures, one of sound, or both, to be joined with the text embedder.")
    if not 0.5 <= audio_seconds <= 30:
        raise WorkbenchError(f"A sound is heard for 0.5 to 30 seconds, not {audio_seconds:g}.")
    if added_model(workspace, PREFIX + name) is not None or (workspace.models / name).exists():
        raise WorkbenchError(
            f"There is already a model named “{name}”. Choose another name, or remove it: "
            f"python -m workbench models remove {PREFIX}{name}"
        )


def _text_embedder(workspace: Workspace, reference: str, encoders: dict[str, str]) -> Embedder:
    """The embedder whose vectors the others learn to meet. Raises WorkbenchError for one that cannot be joined."""
    if not reference:
        raise WorkbenchError("Name the text embedder whose vectors the encoders are to meet, for example starter.")
    source = find(workspace, reference)
    reason = family_of(reference, source.folder).untrainable
    if reference.startswith("remote:"):
        reason = "It lies behind an address, and only models that are here can become parts of another."
    if source.folder is not None and wants_own_code(source.folder):
        reason = "It runs program code from its own repository, which a joined model would have to bring along."
    if reason:
        raise WorkbenchError(f"“{reference}” cannot be joined. {reason}")
    base = load_embedder(workspace, reference, device="cpu")
    if "text" not in base.modalities:
        raise WorkbenchError(f"“{reference}” reads no text. Choose a text embedder, and this one as the encoder.")
    for modality in encoders:
        if modality in base.modalities:
            raise WorkbenchError(
                f"“{reference}” reads {NOUNS[modality]} already. Leave the encoder of {NOUNS[modality]} out, or choose "
                "another text embedder."
            )
    return base


def _opened(folder: Path, reference: str) -> Embedder:
    """The joined model as anybody would load it."""
    from sentence_transformers import SentenceTransformer

    with loading_in_words(reference):
        model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"use_safetensors": True})
    return Embedder(model, reference, fingerprint_folder(folder))


def _parts(workspace: Workspace, base: Embedder, encoders: dict[str, Encoder]) -> dict[str, Any]:
    """joined.json: what the model was made of."""
    revision = find(workspace, base.reference).revision
    parts = {"text": {"model": base.reference, "revision": revision}}
    parts |= {kind: {"model": one.reference, "revision": one.revision} for kind, one in encoders.items()}
    return {"parts": parts, "dimension": base.dimension, "seed": SEED}


def _card(name: str, base: Embedder, encoders: dict[str, Encoder]) -> str:
    parts = "".join(f"- {NOUNS[kind]}: `{one.reference}`\n" for kind, one in encoders.items())
    return (
        f"---\nlibrary_name: sentence-transformers\n---\n\n# {name}\n\nJoined with the workbench from\n\n"
        f"- text: `{base.reference}`\n{parts}\nIts projections are new and have to be trained.\n"
    )
