"""What people call the columns of a table, in the languages that tables come in."""

import re
import unicodedata
from collections.abc import Sequence

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
WEIGHTS_COLUMN = "caption_weights"  # a list of numbers beside the list of captions, as lexel data filter writes it
# Columns that hold the number or the bare name of a picture's file: 42 for 000042.jpg.
ID_NAMES = (
    *("image_id", "img_id", "imageid", "imgid", "photo_id", "picture_id", "file_id", "id", "key", "uid", "uuid"),
    *("coco_id", "cocoid", "sku", "asin", "article_id", "product_id", "item_id", "name"),
)
# Folders that stand in a column of their own beside the file name, as in Karpathy's files.
FOLDER_NAMES = ("filepath", "file_path", "folder", "directory", "dir", "subdir", "path")

_LANGUAGES = (  # as they stand at the end of a column's name
    " aa af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy is it ja jp ka kk km"
    " kn ko ky la lb lo lt lv mk ml mn mr ms mt my nb ne nl nn no pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tl tr"
    " uk ur uz vi yi zh zu cn eng deu ger fra fre spa ita por rus jpn kor zho chi ara hin english german french spanish"
    " italian portuguese dutch polish russian japanese chinese korean arabic hindi turkish czech "
)
_OF_SEVERAL = re.compile(r"(?P<name>.+?)_?(?P<which>\d{1,2})|(?P<base>.+)_(?P<language>[a-z]{2,10})(?:_[a-z]{2})?")


def plain_name(name: str) -> str:
    """The name in lower case without accents, with _ for blanks and hyphens: "Título-SEO" is "titulo_seo"."""
    parts = unicodedata.normalize("NFKD", name.strip().casefold())
    letters = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return letters.replace("ł", "l").replace(" ", "_").replace("-", "_")


def several_of(columns: Sequence[str]) -> list[str]:
    """The columns that hold one caption each of several: `caption_1` to `caption_5`, or `text_en` and `text_de`.

    several_of(["file", "caption_1", "caption_2", "price"])  →  ["caption_1", "caption_2"]
    """
    families: dict[str, list[str]] = {}
    for column in columns:
        found = _OF_SEVERAL.fullmatch(plain_name(column))
        if found is None:
            continue
        if found["name"] or f" {found['language']} " in _LANGUAGES:
            families.setdefault(found["name"] or found["base"], []).append(column)
    return next((families[name] for name in map(plain_name, CAPTION_NAMES) if name in families), [])
