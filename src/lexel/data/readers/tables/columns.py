"""Which column of a table is the image, which the captions, the label, the split: by name, else by what it holds."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lexel.data.readers.moved_paths import is_absolute_anywhere
from lexel.data.readers.paths import clean_path, find_root, has_image_extension
from lexel.data.readers.tables.caption_columns import CaptionColumns, Captions, caption_columns, check_column
from lexel.data.readers.tables.table import Table
from lexel.data.readers.tables.values import NotTextError, captions_in
from lexel.errors import DataError, UsageError

# In order of preference; compared in lower case, without accents, with _ for blanks and hyphens.
IMAGE_NAMES = (
    *("file_name", "filename", "file_path", "filepath", "image_path", "image_file", "image_name", "img_path"),
    *("img_name", "path", "file", "image", "img", "picture", "photo", "images"),
    *("dateiname", "bilddatei", "bildname", "bild", "datei", "foto", "nom_du_fichier", "nom_fichier", "fichier"),
    *("nombre_de_archivo", "archivo", "imagen", "immagine", "nome_file", "imagem", "arquivo", "bestandsnaam"),
    *("afbeelding", "obraz", "zdjecie", "изображение", "файл", "画像", "图片", "文件名"),
)
CAPTION_NAMES = (
    *("captions", "caption", "text", "texts", "sentences", "sentence", "title", "titles", "description"),
    *("descriptions", "comment", "comments", "raw_caption", "caption_text", "alt_text", "alt", "prompt"),
    *("product_name", "product_title", "product_description", "item_name", "item_title", "display_name"),
    # German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Japanese, Chinese
    *("titel", "bildunterschrift", "beschreibung", "bildbeschreibung", "bezeichnung", "artikelbezeichnung"),
    *("produktbezeichnung", "produktname", "artikelname"),
    *("titre", "legende", "designation", "libelle", "nom_du_produit", "nom_produit"),
    *("titulo", "leyenda", "descripcion", "nombre_del_producto", "nombre_producto"),
    *("titolo", "didascalia", "descrizione", "nome_prodotto", "legenda", "descricao", "nome_do_produto"),
    *("productnaam", "omschrijving", "beschrijving", "tytul", "opis", "nazwa_produktu"),
    *("подпись", "описание", "название", "заголовок", "商品名", "タイトル", "説明", "标题", "描述", "商品名称"),
    # Names of things last: a better description is often beside them.
    *("name", "nom", "nombre", "nome", "naam", "nazwa"),
)
LABEL_NAMES = (
    *("label_name", "class_name", "label", "labels", "class", "category", "categories", "class_label"),
    *("klasse", "kategorie", "categorie", "categoria", "kategoria"),
)
SPLIT_NAMES = ("split",)

_SAMPLE = 50  # values that are looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that the user named. `caption` is a column, a template such as "{colour} {title}", or a list."""

    image: str | None = None
    caption: Captions = None
    label: str | None = None
    text_required: bool = True
    keep_others: bool = False  # the other columns go into `Pair.extras`


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns taken."""

    image: str
    captions: CaptionColumns | None
    label: str | None
    split: str | None

    def __str__(self) -> str:
        taken = [f'image from "{self.image}"']
        taken += [f"captions from {self.captions}"] if self.captions else []
        taken += [f'label from "{self.label}"'] if self.label else []
        return ", ".join(taken)

    def untaken(self, table: Table) -> list[str]:
        """The columns that hold something else."""
        taken = {self.image, self.label, self.split, *(self.captions.columns if self.captions else ())}
        return [column for column in table.columns if column not in taken]


def choose_columns(table: Table, wanted: Wanted) -> Roles:
    """The columns that the user named, and for the rest those that fit. Raises UsageError listing what there is."""
    where, columns = str(table.path), list(table.columns)
    captions = caption_columns(wanted.caption, columns, where)
    named = captions.columns if captions else []
    image = check_column(wanted.image, columns, where, "image") if wanted.image else _find_image(table)
    label = check_column(wanted.label, columns, where, "label") if wanted.label else None
    label = label or _named(table, LABEL_NAMES, taken=(image, *named))
    if captions is None and (column := _named(table, CAPTION_NAMES, taken=(image, label))):
        captions = CaptionColumns((column,))
    split = _named(table, SPLIT_NAMES, taken=(image, label, *(captions.columns if captions else ())))
    if captions is None and label is None:
        column = _only_prose(table, besides=(image, split))
        captions = CaptionColumns((column,)) if column else None
        if captions is None and wanted.text_required and len(table.columns) > 1:
            raise UsageError(
                f"{table.path} has no caption column.\n"
                f'  It has: {", ".join(table.columns)}. Took "{image}" for the image.\n'
                "  Name the caption column: --set data.caption=NAME"
            )
    return Roles(image, captions, label, split)


def _named(table: Table, names: Sequence[str], taken: Sequence[str | None]) -> str | None:
    plain = {_plain(column): column for column in reversed(table.columns) if column not in taken}
    return next((plain[name] for name in map(_plain, names) if name in plain), None)


def _plain(name: str) -> str:
    """The name in lower case without accents, with _ for blanks and hyphens: "Título-SEO" is "titulo_seo"."""
    parts = unicodedata.normalize("NFKD", name.strip().casefold())
    letters = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return letters.replace("ł", "l").replace(" ", "_").replace("-", "_")


def _find_image(table: Table) -> str:
    plain = {_plain(column): column for column in reversed(table.columns)}
    for name in map(_plain, IMAGE_NAMES):
        if name in plain and _holds_pictures(table, plain[name], by_name=True):
            return plain[name]
    for column in table.columns:
        if _holds_pictures(table, column, by_name=False):
            return column
    for column, values in table.columns.items():
        if _are_paths_of_another_machine(values):
            return column
    addresses = next((column for column, values in table.columns.items() if _are_addresses(values)), None)
    if addresses:
        raise DataError(
            f'{table.path}: "{addresses}" holds addresses on the web, and Lexel fetches nothing.\n'
            "  Download the pictures first (img2dataset does that), then name the table that lists the files."
        )
    raise UsageError(
        f"{table.path} has no column of image files that are there. It has: {', '.join(table.columns)}.\n"
        f"  Looked beside the table, in {table.path.parent}. Name the image column: --set data.image=NAME"
    )


def _holds_pictures(table: Table, column: str, *, by_name: bool) -> bool:
    values = _first(table.columns[column])
    if values and all(is_embedded(value) for value in values):
        return True
    if _are_addresses(values):
        return False
    names = [clean_path(value) for value in values if isinstance(value, str)]
    look_like_it = 2 * sum(map(has_image_extension, names)) > len(values)
    if look_like_it and by_name:
        return True
    return (look_like_it or by_name) and find_root(table.path.parent, names) is not None


def is_embedded(value: Any) -> bool:
    """Whether a value is a picture itself, as Hugging Face's tables hold them."""
    return isinstance(value, bytes) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes))


def _are_addresses(values: Sequence[Any]) -> bool:
    values = _first(values)
    found = sum(isinstance(value, str) and value.startswith(("http://", "https://", "s3://")) for value in values)
    return 2 * found > len(values)


def _are_paths_of_another_machine(values: Sequence[Any]) -> bool:
    names = [value for value in _first(values) if isinstance(value, str)]
    found = sum(has_image_extension(name) and is_absolute_anywhere(name) for name in names)
    return 2 * found > len(names)


def _only_prose(table: Table, besides: Sequence[str | None]) -> str | None:
    """The one column that mostly holds several words, or None where there are none or more."""
    prose = [
        name for name, values in table.columns.items() if name not in besides and _is_prose(values, typed=table.typed)
    ]
    return prose[0] if len(prose) == 1 else None


def _is_prose(values: Sequence[Any], *, typed: bool) -> bool:
    sample = values[:_SAMPLE]
    return 2 * sum(_has_words(value, typed) for value in sample) > len(sample)


def _has_words(value: Any, typed: bool) -> bool:
    try:
        captions = captions_in(value, Counter(), typed=typed)
    except NotTextError:
        return False
    return bool(captions) and len(captions[0].split()) > 1


def _first(values: Sequence[Any]) -> list[Any]:
    return list(islice((value for value in values if value not in (None, "")), _SAMPLE))
