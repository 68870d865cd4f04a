"""Which encoding a text is in, told from its bytes."""

import pytest
from pictures import save

from lexel.data.readers import read_source
from lexel.data.readers.column_settings import ColumnSettings
from lexel.data.readers.encodings import check_encoding, find_encoding
from lexel.data.readers.text import decode_text, encoding_note
from lexel.errors import DataError, UsageError

pytest.importorskip("charset_normalizer")

SENTENCES = {
    "gb18030": ["一个穿粉色裙子的小女孩在爬楼梯", "两只狗在草地上奔跑", "一个男人在海边冲浪"],
    "cp1251": ["Маленькая девочка поднимается по лестнице", "Две собаки бегут по траве", "Дети играют в снегу"],
    "cp1250": ["Malá holčička leze do dřevěného hracího domku", "Dva psi běží po trávě", "Děti si hrají ve sněhu"],
    "cp1252": ["ein Mädchen auf der Straße", "un niño pequeño corre", "une fillette à la plage"],
    "cp932": ["ピンクのドレスを着た女の子が階段を上っている", "二匹の犬が芝生を走っている", "海辺の男性"],
    "cp949": ["분홍색 드레스를 입은 소녀가 계단을 오르고 있다", "두 마리의 개가 잔디밭을 달린다", "바닷가의 남자"],
    "cp1253": ["ένα κορίτσι ανεβαίνει τις σκάλες", "δύο σκυλιά τρέχουν στο γρασίδι", "ένας άντρας στη θάλασσα"],
    "cp1255": ["ילדה קטנה עולה במדרגות", "שני כלבים רצים על הדשא", "גבר גולש בים"],
    "cp1256": ["فتاة صغيرة تصعد الدرج", "كلبان يركضان على العشب", "رجل يتزلج على الماء"],
    "cp1254": ["Küçük kız merdivenleri çıkıyor", "İki köpek çimlerde koşuyor", "Çocuklar karda oynuyor"],
}


def table(sentences: list[str]) -> str:
    return "file_name,caption\n" + "".join(f"{number}.png,{text}\n" for number, text in enumerate(sentences))


@pytest.mark.parametrize("encoding", SENTENCES)
def test_a_table_in_an_older_encoding_is_read_as_it_was_written(encoding):
    text = table(SENTENCES[encoding])
    assert decode_text(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("language", SENTENCES)
def test_every_form_of_unicode_is_told_with_or_without_its_mark(encoding, language):
    text = table(SENTENCES[language])
    assert decode_text(text.encode(encoding))[0].removeprefix("\ufeff") == text


def test_a_lone_sign_beyond_ascii_is_taken_for_a_western_one():
    assert find_encoding("price,caption\n5 £,a mug\n".encode("cp1252")) == "cp1252"


def test_what_no_encoding_fits_is_read_as_latin_1():
    assert decode_text(b"caf\xe9 \x81")[1] == "latin-1"


def test_the_note_shows_the_first_caption_that_tells_whether_it_was_read_well():
    assert encoding_note("gb18030", ["plain", "两只狗"]) == [
        'not UTF-8, read as gb18030, such as "两只狗"; another is named by --set data.encoding=NAME'
    ]
    assert encoding_note("utf-16-le", ["两只狗"]) == []


def test_without_charset_normalizer_the_guess_is_called_one(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "charset_normalizer", None)
    text, encoding = decode_text("größer und weiter".encode("cp1252"))
    assert (text, encoding) == ("größer und weiter", "cp1252")
    assert 'a guess: to tell encodings apart, pip install "lexel[data]"' in encoding_note(encoding, [text])[0]


def test_a_named_encoding_is_followed_and_one_that_does_not_fit_is_refused(tmp_path):
    save(tmp_path / "0.png", 0)
    (tmp_path / "t.csv").write_bytes("file_name,caption\n0.png,Ж\n".encode("koi8_r"))
    named = ColumnSettings.from_changes(["data.encoding=koi8-r"])
    assert read_source(str(tmp_path / "t.csv"), **named.arguments()).pairs[0].captions == ("Ж",)
    with pytest.raises(DataError, match=r"t\.csv is not in utf-8: byte 0xf6 at 24 does not fit"):
        read_source(str(tmp_path / "t.csv"), encoding="utf-8")
    with pytest.raises(UsageError, match=r'no encoding "kio8-r"\. Did you mean'):
        read_source(str(tmp_path / "t.csv"), encoding="kio8-r")
    with pytest.raises(UsageError, match='no encoding "base64"'):
        check_encoding("base64")
