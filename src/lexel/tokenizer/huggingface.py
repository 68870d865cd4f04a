"""Tokenizers from Hugging Face folders: `tokenizer.json`, or built from the vocabularies that older folders hold.

What transformers decides by the tokenizer's class rather than by `tokenizer.json` is decided here too: which tokens a
Gemma tokenizer adds, the language that an NLLB one begins with.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from lexel.errors import ModelError, UsageError
from lexel.files import read_json_object
from lexel.tokenizer.bounds import check_backend
from lexel.tokenizer.cleaning import TextRules
from lexel.tokenizer.clip import parse_merges
from lexel.tokenizer.sentencepiece import read_sentencepiece
from lexel.tokenizer.tokenizer import Tokenizer, damage_named, read_backend

Settings = dict[str, Any]  # tokenizer_config.json
SHIFTED = {"XLMRobertaTokenizer", "NllbTokenizer", "CamembertTokenizer", "MBartTokenizer"}  # ids unlike their .model's
END_NAMES = ("</s>", "<|endoftext|>", "<eos>", "[SEP]")
PAD_NAMES = ("<pad>", "[PAD]")


def huggingface_tokenizer(
    path: Path,
    context_length: int,
    *,
    rules: TextRules = TextRules(special_names="anywhere"),  # noqa: B008 - frozen
    padded: bool = False,
    lower: bool = False,
) -> Tokenizer:
    """The tokenizer of a Hugging Face folder, or of a `tokenizer.json`, with the ids that transformers gives.

    `padded` fills every row with the tokenizer's padding token. `lower` folds case where the tokenizer does not
    (SigLIP 2). Raises UsageError when the folder has no tokenizer and ModelError when its files are damaged.
    """
    backend, end_of_text, pad_id = _read(path, lower)
    return Tokenizer(backend, context_length, end_of_text, pad_id if padded else None, rules, pad_id or 0)


def _read(path: Path, lower: bool) -> tuple[Backend, int, int | None]:
    """The tokenizer of a folder or of a `tokenizer.json`, its end-of-text id and its padding id.

    Raises UsageError when there is none, ModelError when its files are damaged.
    """
    folder = path if path.is_dir() else path.parent
    settings = _settings(folder)
    backend = read_backend(path) if path.is_file() else _from_folder(path, settings)
    _set_frame(backend, settings)
    if lower:
        parts = [normalizers.Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
        backend.normalizer = normalizers.Sequence(parts)
    end = _id(backend, settings, ("eos_token", "sep_token"), END_NAMES)
    if end is None:
        raise ModelError(f"{path} does not say which token ends a text: tokenizer_config.json names no eos_token.")
    return backend, end, _id(backend, settings, ("pad_token",), PAD_NAMES)


def _settings(folder: Path) -> Settings:
    settings: Settings = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            settings |= read_json_object(folder / name, "Fetch it again.")
    settings["tokenizer_class"] = str(settings.get("tokenizer_class") or "").removesuffix("Fast")
    return settings


def _from_folder(folder: Path, settings: Settings) -> Backend:
    for names, read in READERS.items():
        if all((folder / name).is_file() for name in names):
            with damage_named(f"{folder / names[0]} is not a readable vocabulary"):
                backend = read(folder, settings)
                check_backend(backend)
                return backend
    raise UsageError(
        f"{folder} has no tokenizer.\nFetch the model's tokenizer.json and tokenizer_config.json into it, or "
        "vocab.json with merges.txt, vocab.txt or spiece.model."
    )


def _from_json(folder: Path, settings: Settings) -> Backend:
    return read_backend(folder / "tokenizer.json")


def _from_merges(folder: Path, settings: Settings) -> Backend:
    """CLIP's kind of byte-level BPE, whose words end in </w>, or else RoBERTa's, whose words begin with their space."""
    vocabulary = read_json_object(folder / "vocab.json", "Fetch it again.")
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = parse_merges(line for line in lines if not line.startswith("#version"))
    return (_clip if "a</w>" in vocabulary else _roberta)(vocabulary, merges, settings)


def _clip(vocabulary: dict[str, int], merges: list[tuple[str, str]], settings: Settings) -> Backend:
    start = _name(settings, "bos_token") or "<|startoftext|>"
    end = _name(settings, "eos_token") or "<|endoftext|>"
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=end))
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), behavior="removed", invert=True
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    return _framed(backend, [start], [end])


def _roberta(vocabulary: dict[str, int], merges: list[tuple[str, str]], settings: Settings) -> Backend:
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(settings.get("add_prefix_space")))
    backend.decoder = decoders.ByteLevel()
    special = [name for name in ("<s>", "<pad>", "</s>", "<unk>") if name in vocabulary]
    backend.add_special_tokens([AddedToken(name, normalized=True, special=True) for name in special])
    if "<mask>" in vocabulary:
        backend.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return _framed(backend, ["<s>"], ["</s>"])


def _from_word_pieces(folder: Path, settings: Settings) -> Backend:
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {line.rstrip("\r"): number for number, line in enumerate(lines) if line}
    backend = Backend(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    special = [name for name in ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]") if name in vocabulary]
    backend.add_special_tokens(special)
    return _framed(backend, ["[CLS]"], ["[SEP]"])


def _from_sentences(folder: Path, settings: Settings) -> Backend:
    path = next(folder / name for name in SENTENCE_MODELS if (folder / name).is_file())
    if settings["tokenizer_class"] in SHIFTED or path.name == "sentencepiece.bpe.model":
        raise UsageError(f"The ids of {path} are not the model's own. Fetch the model's tokenizer.json beside it.")
    backend = read_sentencepiece(path)
    return _framed(backend, [], [_name(settings, "eos_token") or "</s>"])


SENTENCE_MODELS = ("spiece.model", "sentencepiece.model", "sentencepiece.bpe.model", "tokenizer.model")
READERS: dict[tuple[str, ...], Callable[[Path, Settings], Backend]] = {
    ("tokenizer.json",): _from_json,
    ("vocab.json", "merges.txt"): _from_merges,
    ("vocab.txt",): _from_word_pieces,
    **{(name,): _from_sentences for name in SENTENCE_MODELS},
}


def _set_frame(backend: Backend, settings: Settings) -> None:
    """Put around a caption what the tokenizer's class does, where `tokenizer.json` is known to differ from it."""
    match settings["tokenizer_class"]:
        case "GemmaTokenizer" | "Siglip2Tokenizer" if {"add_bos_token", "add_eos_token"} & settings.keys():
            before = [_name(settings, "bos_token") or "<bos>"] if settings.get("add_bos_token") else []
            behind = [_name(settings, "eos_token") or "<eos>"] if settings.get("add_eos_token") else []
            _framed(backend, before, behind)
        case "NllbTokenizer" if not settings.get("legacy_behaviour"):
            _framed(backend, [_name(settings, "src_lang") or "eng_Latn"], ["</s>"])


def _framed(backend: Backend, before: list[str], behind: list[str]) -> Backend:
    ids = {name: backend.token_to_id(name) for name in (*before, *behind)}
    if missing := [name for name, number in ids.items() if number is None]:
        raise ModelError(f"The vocabulary has no {', '.join(missing)}, which belongs around every text.")
    backend.add_special_tokens([name for name in ids if name not in _added(backend)])
    backend.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", *behind], special_tokens=list(ids.items())
    )
    return backend


def _added(backend: Backend) -> set[str]:
    return {token.content for token in backend.get_added_tokens_decoder().values()}


def _name(settings: Settings, role: str) -> str | None:
    """The token that has a role. It is written as a string or as an object with its content."""
    token = settings.get(role)
    return token.get("content") if isinstance(token, dict) else token


def _id(backend: Backend, settings: Settings, roles: tuple[str, ...], usual: tuple[str, ...]) -> int | None:
    """The id of the token that has one of the roles, else of the first of the usual names that there is."""
    for name in (*(_name(settings, role) for role in roles), *usual):
        if name is not None and (number := backend.token_to_id(name)) is not None:
            return number
    return None
