"""Each family loads as it was made: its prompts, its pooling, its normalisation, checked against Transformers alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import png_bytes, wav_bytes
from tests.models import hub_layouts as hub
from workbench.collection.store import Item
from workbench.models import Embedder, load_embedder, load_reranker
from workbench.models.families import family_of
from workbench.workspace import Workspace, open_workspace

TEXTS = ["a red cat", "the small blue house near it, on a hill"]
ITEMS = [Item(text=text) for text in TEXTS]
T5 = {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4, "d_kv": 8}
E5_PROMPTS = {"query": "query: ", "document": "passage: "}
BGE_PROMPTS = {"query": "Represent this sentence for searching relevant passages: ", "document": ""}
NOMIC_PROMPTS = {"query": "search_query: ", "document": "search_document: "}
INSTRUCTIONS = {
    "query": "Represent the question for retrieving supporting documents: ",
    "document": "Represent the document for retrieval: ",
}
NONE = {"query": "", "document": ""}

# (Hub id, architecture, pooling, normalised, prompts that the checkpoint states, prompts that it must read with)
TEXT_FAMILIES: list[tuple[str, str, str, bool, dict[str, str] | None, dict[str, str]]] = [
    ("sentence-transformers/all-MiniLM-L6-v2", "Bert", "mean", True, None, NONE),
    ("intfloat/multilingual-e5-small", "XLMRoberta", "mean", True, None, E5_PROMPTS),
    ("BAAI/bge-small-en-v1.5", "Bert", "cls", True, None, BGE_PROMPTS),
    ("BAAI/bge-m3", "XLMRoberta", "cls", True, None, NONE),
    ("Alibaba-NLP/gte-modernbert-base", "ModernBert", "cls", False, {}, NONE),
    ("nomic-ai/modernbert-embed-base", "ModernBert", "mean", True, NOMIC_PROMPTS, NOMIC_PROMPTS),
    ("nomic-ai/nomic-embed-text-v1.5", "NomicBert", "mean", True, None, NOMIC_PROMPTS),
    ("hkunlp/instructor-base", "T5", "mean", True, None, INSTRUCTIONS),
]
CONFIGS = {"XLMRoberta": {"max_position_embeddings": 192}, "T5": T5}
MODERN = {"cls_token_id": 2, "bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
Fetched = Callable[[str, Path], Path]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """Says that an id on the Hub is the model in a folder here."""
    there: dict[str, Path] = {}
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda reference, **_: str(there[reference]))

    def fetch(reference: str, folder: Path) -> Path:
        there[reference] = folder
        return folder

    return fetch


def by_hand(folder: Path, pooling: str, prompt: str, *, pools_prompt: bool = True) -> np.ndarray:
    """What the vectors of `TEXTS` must be, from Transformers alone: read one by one, pooled, scaled to length 1."""
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer, T5EncoderModel

    loader = T5EncoderModel if folder.name == "instructor-base" else AutoModel
    model, tokenizer = loader.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        read = tokenizer(prompt + text, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            tokens = model(**read).last_hidden_state[0]
        if not pools_prompt:
            # The prompt's own tokens, [CLS] among them and without its [SEP].
            tokens = tokens[len(tokenizer(prompt)["input_ids"]) - 1 :]
        rows.append(tokens[0] if pooling == "cls" else tokens.mean(dim=0))
    vectors = torch.stack(rows)
    if (folder / "2_Dense").is_dir():
        vectors = vectors @ load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"].T
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def same_after_saving(embedder: Embedder, folder: Path, *, encode: dict[str, Any] | None = None, **load: Any) -> Any:
    """Save an embedder and load it with the plain library: its vectors of texts must be the same. Returns that one."""
    from sentence_transformers import SentenceTransformer

    embedder.model.save_pretrained(str(folder), create_model_card=False)
    plain = SentenceTransformer(str(folder), device="cpu", **load)
    texts = [{"text": text} for text in TEXTS]
    queries = plain.encode_query(texts, normalize_embeddings=True)
    documents = plain.encode_document(texts, normalize_embeddings=True)
    np.testing.assert_allclose(embedder.encode_queries(ITEMS), queries, atol=1e-6)
    np.testing.assert_allclose(embedder.encode_documents(ITEMS), documents, atol=1e-6)
    return plain


@pytest.mark.parametrize(("reference", "architecture", "pooling", "normalize", "stated", "needed"), TEXT_FAMILIES)
def test_a_text_family_reads_with_its_prompts_and_pooling(
    reference: str, architecture: str, pooling: str, normalize: bool, stated: Any, needed: dict[str, str],
    workspace: Workspace, fetched: Fetched, tmp_path: Path,
) -> None:  # fmt: skip
    folder = fetched(reference, tmp_path / reference.split("/")[1])
    hub.text_embedder(
        folder, architecture, pooling=pooling, normalize=normalize, dense=architecture == "T5", prompts=stated,
        config=CONFIGS.get(architecture) or (MODERN if architecture == "ModernBert" else {}),
    )  # fmt: skip
    embedder = load_embedder(workspace, reference, device="cpu")
    kept = family_of(reference).pools_prompt
    queries = by_hand(folder, pooling, needed["query"], pools_prompt=kept)
    documents = by_hand(folder, pooling, needed["document"], pools_prompt=kept)
    np.testing.assert_allclose(embedder.encode_queries(ITEMS), queries, atol=1e-5)
    np.testing.assert_allclose(embedder.encode_documents(ITEMS), documents, atol=1e-5)
    assert embedder.asymmetric == (needed["query"] != needed["document"])
    plain = same_after_saving(embedder, tmp_path / "saved")
    assert {side: plain.prompts.get(side) or "" for side in needed} == needed
    assert [type(module).__name__ for module in plain] == [type(module).__name__ for module in embedder.model]
    assert ("Normalize" in [type(module).__name__ for module in plain]) == normalize


@pytest.mark.parametrize(
    ("reference", "stated", "read"),
    [
        ("someone/mine", {"query": "query: ", "passage": "passage: "}, "passage: "),
        ("someone/mine", {"query": "ask: ", "corpus": "found: ", "document": ""}, "found: "),
        ("intfloat/e5-small-v2", {"query": "query: "}, "passage: "),
    ],
)
def test_the_prompt_of_a_document_is_found_under_each_of_its_names(
    reference: str, stated: dict[str, str], read: str, workspace: Workspace, fetched: Fetched, tmp_path: Path
) -> None:
    folder = fetched(reference, hub.text_embedder(tmp_path / "there", "Bert", pooling="mean", prompts=stated))
    embedder = load_embedder(workspace, reference, device="cpu")
    np.testing.assert_allclose(embedder.encode_queries(ITEMS), by_hand(folder, "mean", stated["query"]), atol=1e-5)
    np.testing.assert_allclose(embedder.encode_documents(ITEMS), by_hand(folder, "mean", read), atol=1e-5)
    same_after_saving(embedder, tmp_path / "saved")


def test_a_folder_of_the_hub_s_cache_is_of_its_model_s_family(tmp_path: Path) -> None:
    assert family_of("x", tmp_path / "models--intfloat--e5-small" / "snapshots" / "0123").name == "E5"
    assert family_of("x", tmp_path / "e5-small").name == ""


def test_jina_reads_queries_and_documents_through_their_adapters(
    workspace: Workspace, fetched: Fetched, tmp_path: Path
) -> None:
    reference = "jinaai/jina-embeddings-v3"
    folder = fetched(reference, hub.jina_v3(tmp_path / "jina"))
    embedder = load_embedder(workspace, reference, trust_remote_code=True, device="cpu")
    assert embedder.asymmetric
    prompts, vectors = family_of(reference).prompts, {}
    for side, encode, roll in (("query", embedder.encode_queries, 1), ("document", embedder.encode_documents, 2)):
        vectors[side] = encode(ITEMS)
        expected = np.roll(by_hand(folder, "mean", prompts[side]), roll, axis=1)
        np.testing.assert_allclose(vectors[side], expected, atol=1e-5)
    from sentence_transformers import SentenceTransformer

    embedder.model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    plain = SentenceTransformer(str(tmp_path / "saved"), device="cpu", trust_remote_code=True)
    for side, task in family_of(reference).tasks.items():
        again = plain.encode(TEXTS, task=task, prompt_name=side, normalize_embeddings=True)
        np.testing.assert_allclose(vectors[side], again, atol=1e-6)


@pytest.mark.parametrize("reference", ["sentence-transformers/clip-ViT-B-32", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"])
def test_clip_reads_words_and_pictures(reference: str, workspace: Workspace, fetched: Fetched, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, CLIPModel

    if reference.startswith("laion/"):
        folder = fetched(reference, hub.clip(tmp_path / "clip"))
        # OpenCLIP's own settings lie beside those of the converted one.
        (folder / "open_clip_config.json").write_text("{}")
    else:
        folder = fetched(reference, hub.legacy_clip(tmp_path / "clip")) / "0_CLIPModel"
    embedder = load_embedder(workspace, reference, device="cpu")
    words = AutoTokenizer.from_pretrained(folder)(TEXTS[:1], return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = CLIPModel.from_pretrained(folder).get_text_features(**words).pooler_output
    expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    np.testing.assert_allclose(embedder.encode_queries(ITEMS[:1]), expected, atol=1e-5)
    plain = same_after_saving(embedder, tmp_path / "saved")
    picture = Item(image=png_bytes())
    same_picture(embedder, plain, picture)


def same_picture(embedder: Embedder, plain: Any, picture: Item) -> None:
    from workbench.media import decode_image

    seen = plain.encode_document([decode_image(picture.image or b"")], normalize_embeddings=True)
    np.testing.assert_allclose(embedder.encode_documents([picture]), seen, atol=1e-6)


def test_siglip_pads_every_text_to_its_full_length(workspace: Workspace, fetched: Fetched, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, SiglipModel

    reference = "google/siglip2-base-patch16-224"
    folder = fetched(reference, hub.siglip(tmp_path / "siglip"))
    embedder = load_embedder(workspace, reference, device="cpu")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), SiglipModel.from_pretrained(folder)
    padded = tokenizer(TEXTS, padding="max_length", max_length=48, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = model.get_text_features(input_ids=padded).pooler_output
    expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    np.testing.assert_allclose(embedder.encode_queries(ITEMS), expected, atol=1e-5)
    assert embedder.encode_queries([Item(text="long " * 200)]).shape == (1, hub.WIDTH)
    plain = same_after_saving(embedder, tmp_path / "saved")
    same_picture(embedder, plain, Item(image=png_bytes()))


def test_clap_hears_at_its_own_sampling_rate(workspace: Workspace, fetched: Fetched, tmp_path: Path) -> None:
    from workbench.media import decode_audio

    reference = "laion/clap-htsat-unfused"
    fetched(reference, hub.clap(tmp_path / "clap"))
    embedder = load_embedder(workspace, reference, device="cpu")
    assert embedder.form.sampling_rate == 48000
    sound = Item(audio=wav_bytes(seconds=0.5))
    plain = same_after_saving(embedder, tmp_path / "saved")
    array, rate = decode_audio(sound.audio or b"", 48000)
    heard = plain.encode_document([{"audio": {"array": array, "sampling_rate": rate}}], normalize_embeddings=True)
    np.testing.assert_allclose(embedder.encode_documents([sound]), heard, atol=1e-6)


@pytest.mark.parametrize(
    ("reference", "build", "kind"),
    [
        ("answerdotai/answerai-colbert-small-v1", hub.stanford_colbert, "late-interaction"),
        ("lightonai/GTE-ModernColBERT-v1", hub.pylate_colbert, "late-interaction"),
        ("vidore/colpali-v1.3-hf", hub.colpali, "late-interaction"),
        ("BAAI/bge-reranker-v2-m3", hub.cross_encoder, "reranker"),
    ],
)
def test_a_reranking_family_scores_the_same_when_saved_and_loaded_plainly(
    reference: str, build: Callable[[Path], Path], kind: str, workspace: Workspace, fetched: Fetched, tmp_path: Path
) -> None:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder

    fetched(reference, build(tmp_path / "there"))
    reranker = load_reranker(workspace, reference, device="cpu")
    assert reranker.kind == kind
    documents = [Item(image=png_bytes()), Item(image=png_bytes((3, 90, 200)))] if "colpali" in reference else ITEMS
    scores = reranker.score(ITEMS[0], documents)
    reranker.model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    if kind == "reranker":
        plain: Any = CrossEncoder(str(tmp_path / "saved"), device="cpu")
        again = plain.predict([(TEXTS[0], text) for text in TEXTS])
    else:
        plain = MultiVectorEncoder(str(tmp_path / "saved"), device="cpu")
        inputs = TEXTS if documents is ITEMS else [picture(item) for item in documents]
        again = plain.similarity(plain.encode_query(TEXTS[:1]), plain.encode_document(inputs))[0]
    np.testing.assert_allclose(scores, np.asarray(again), rtol=1e-5)


def picture(item: Item) -> Any:
    from workbench.media import decode_image

    return decode_image(item.image or b"")


@pytest.mark.parametrize(("build", "mark"), [(hub.stanford_colbert, "[unused0]"), (hub.pylate_colbert, "[Q]")])
def test_colbert_marks_and_expands_its_queries(
    build: Callable[[Path], Path], mark: str, workspace: Workspace, tmp_path: Path
) -> None:
    model = load_reranker(workspace, str(build(tmp_path / "colbert")), device="cpu").model
    query = model.preprocess([TEXTS[0]], prompt=model.prompts["query"], task="query")
    assert query["input_ids"].shape[1] == 24
    assert query["input_ids"][0, 1] == model.tokenizer.convert_tokens_to_ids(mark)
    assert query["input_ids"][0, -1] == model.tokenizer.mask_token_id


def test_prompts_that_the_user_told_go_before_the_model_s_own(tmp_path: Path) -> None:
    from workbench.models.added import AddedModel, add_model

    workspace = open_workspace(tmp_path / "workspace")
    folder = hub.text_embedder(tmp_path / "mine", "Bert", pooling="mean", prompts=NOMIC_PROMPTS)
    told = {"query": "ask: "}
    add_model(workspace, AddedModel("added:mine", "embedder", ["text"], 32, 1, prompts=told, folder=str(folder)))
    embedder = load_embedder(workspace, "added:mine", device="cpu")
    assert embedder.model.prompts["query"] == "ask: " and embedder.model.prompts["document"] == "search_document: "
    assert embedder.fingerprint == load_embedder(workspace, str(folder), device="cpu").fingerprint
    elsewhere = open_workspace(tmp_path / "elsewhere")
    assert embedder.fingerprint != load_embedder(elsewhere, str(folder), device="cpu").fingerprint
