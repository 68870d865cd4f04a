import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tars import captioned, jpeg, write_tar

from lexel.data.picture_hash import hash_of, load_with_hash
from lexel.data.readers import read_source
from lexel.data.shards.names import expand_braces
from lexel.data.shards.samples import MAX_CAPTION_CHARACTERS
from lexel.data.shards.scan import split_name_of_member
from lexel.errors import BadImageError, DataError, UnfitSettingError, UsageError
from lexel.images import decode


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def said(text: Path | str, **columns) -> list[tuple]:
    return [(pair.key, pair.captions, pair.label) for pair in read_source(str(text), **columns).pairs]


def noted(path: Path) -> str:
    return "\n".join(read_source(str(path)).notes)


def test_a_tar_of_pictures_and_captions_is_a_source(tmp_path):
    shard = write_tar(tmp_path / "a.tar", captioned(range(3)))
    source = read_source(str(shard))
    assert [(pair.key, pair.captions) for pair in source.pairs] == [(f"{n:06d}", (f"picture {n}",)) for n in range(3)]
    assert np.array_equal(np.asarray(source.pairs[2].picture.load()), np.asarray(decode(jpeg(2))))
    assert "1 shard, 3 images, 3 captions" in source.notes[0]


def test_img2dataset_s_json_and_text_are_read_once(tmp_path):
    stored = {"caption": "a dog", "url": "http://x/1.jpg", "key": "000000001", "status": "success"}
    shard = write_tar(tmp_path / "00000.tar", [("1.jpg", jpeg()), ("1.json", stored), ("1.txt", "a dog")])
    assert said(shard) == [("1", ("a dog",), None)]
    assert read_source(str(shard), keep_columns=True).pairs[0].extras == stored


def test_captions_come_from_json_where_there_is_no_text(tmp_path):
    members = [("1.jpg", jpeg()), ("1.json", {"captions": ["a dog", "a pet"], "label": "dog"})]
    assert said(write_tar(tmp_path / "a.tar", members)) == [("1", ("a dog", "a pet"), "dog")]


def test_a_cls_member_is_the_label(tmp_path):
    assert said(write_tar(tmp_path / "a.tar", [("1.png", jpeg()), ("1.cls", "7")])) == [("1", (), "7")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"caption": "alt"}, ("b",)),
        ({"caption": ["alt", "txt"]}, ("b", "a")),
        ({"caption": "{colour} {alt}"}, ("red b",)),
    ],
)
def test_fields_are_named_like_columns(tmp_path, columns, expected):
    members = [("1.jpg", jpeg()), ("1.txt", "a"), ("1.json", {"alt": "b", "colour": "red"})]
    assert said(write_tar(tmp_path / "a.tar", members), **columns)[0][1] == expected


@pytest.mark.parametrize(
    ("columns", "unknown"),
    [
        ({"caption": "nonsense"}, "nonsense"),
        ({"caption": ["alt", "nonsense"]}, "nonsense"),
        ({"caption": {"alt": 0.5, "{nonsense}": 0.5}}, "{nonsense}"),
        ({"label": "kind"}, "kind"),
        ({"image": "png"}, "png"),
    ],
)
def test_what_no_sample_has_is_refused_with_what_there_is(tmp_path, columns, unknown):
    shard = write_tar(tmp_path / "a.tar", [("1.jpg", jpeg()), ("1.json", {"alt": "a dog", "width": 3})])
    with pytest.raises(UnfitSettingError) as refusal:
        read_source(str(shard), **columns)
    assert f'no sample has a value for "{unknown}"' in str(refusal.value)
    assert "Samples have jpg, json, and in the json alt, width." in str(refusal.value)


def test_an_encoding_is_not_for_shards(tmp_path):
    with pytest.raises(UnfitSettingError, match="UTF-8"):
        read_source(str(write_tar(tmp_path / "a.tar", captioned([1]))), encoding="cp1251")


def test_members_of_a_sample_may_stand_apart(tmp_path):
    members = [(f"{n}.jpg", jpeg(n)) for n in range(2)] + [(f"{n}.txt", f"text {n}") for n in range(2)]
    assert said(write_tar(tmp_path / "a.tar", members)) == [("0", ("text 0",), None), ("1", ("text 1",), None)]


def test_patterns_lists_and_folders_name_the_same_shards(tmp_path):
    for number in range(3):
        write_tar(tmp_path / "s" / f"{number:02d}.tar", captioned([number]))
    folder = said(tmp_path / "s")
    assert [key for key, _, _ in folder] == ["00/000000", "01/000001", "02/000002"]
    assert said(f"{tmp_path}/s/{{00..02}}.tar") == folder
    assert said(f"{tmp_path}/s/*.tar") == folder
    assert said("::".join(f"{tmp_path}/s/{name}.tar" for name in ("00", "01", "02"))) == folder


def test_split_folders_of_shards_are_splits(tmp_path):
    write_tar(tmp_path / "train" / "0.tar", captioned([1, 2]))
    write_tar(tmp_path / "validation" / "0.tar", captioned([3]))
    source = read_source(str(tmp_path), prefer=("train",))
    assert (source.split, source.splits, len(source.pairs)) == ("train", ("train", "val"), 2)
    assert read_source(f"{tmp_path}/val").pairs[0].captions == ("picture 3",)
    assert len(read_source(str(tmp_path)).pairs) == 3
    with pytest.raises(UsageError, match='has no split "test"'):
        read_source(f"{tmp_path}/test")


def test_a_folder_of_pictures_with_a_tar_among_them_stays_one_of_pictures(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    write_tar(tmp_path / "backup.tar", captioned([1]))
    assert said(tmp_path) == [("a.jpg", (), None)]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_compressed_shard_reads_like_a_plain_one(tmp_path, cache, kind):
    plain = write_tar(tmp_path / "a.tar", captioned(range(5)))
    packed = tmp_path / f"b.tar.{kind}"
    if kind == "gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        packed.write_bytes(pytest.importorskip("zstandard").compress(plain.read_bytes()))
    assert said(packed) == said(plain)
    assert hash_of(read_source(str(packed)).pairs[3].picture) == hash_of(read_source(str(plain)).pairs[3].picture)
    assert len(list((cache / "shards" / "unpacked").iterdir())) == 1


def test_a_compressed_shard_that_is_cut_off_gives_what_came_before(tmp_path):
    plain = write_tar(tmp_path / "a.tar", captioned(range(40)))
    packed = gzip.compress(plain.read_bytes())
    (tmp_path / "b.tgz").write_bytes(packed[: len(packed) // 2])
    source = read_source(str(tmp_path / "b.tgz"))
    assert 5 < len(source.pairs) < 35
    assert any("cut off" in note for note in source.notes)


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.02, 0.98))
def test_a_shard_cut_off_anywhere_gives_its_whole_samples(tmp_path_factory, share):
    folder = tmp_path_factory.mktemp("cut")
    content = write_tar(folder / "a.tar", captioned(range(4))).read_bytes()
    end = 4 * 4 * 512  # of the members: a header and a block of content each
    (folder / "a.tar").write_bytes(content[: int(share * min(end, len(content)))])
    try:
        source = read_source(str(folder / "a.tar"))
    except DataError:  # within the first sample
        return
    assert any("is cut off" in note for note in source.notes)
    for number, pair in enumerate(source.pairs):
        assert pair.captions in ((f"picture {number}",), ())
        assert hash_of(pair.picture) == load_with_hash(pair.picture)[1]


def test_what_is_wrong_with_samples_is_counted_and_named(tmp_path):
    members = [
        ("no_text.jpg", jpeg()),
        ("no_picture.txt", "alone"),
        ("empty.jpg", jpeg(1)),
        ("empty.txt", "  \n"),
        ("latin.jpg", jpeg(2)),
        ("latin.txt", "caf\udce9"),  # é in Latin-1
        ("long.jpg", jpeg(3)),
        ("long.txt", "word " * 200_000),
        ("twice.jpg", jpeg(4)),
        ("twice.txt", "first"),
        ("twice.txt", "second"),
        ("odd.jpg", jpeg(5)),
        ("odd.json", "[1, 2"),
        ("number.jpg", jpeg(6)),
        ("number.json", {"caption": 7}),
    ]
    shard = write_tar(tmp_path / "a.tar", members)
    found = {key: captions for key, captions, _ in said(shard)}
    assert found["latin"] == ("caf�",)
    assert len(found["long"][0]) == MAX_CAPTION_CHARACTERS
    assert found["twice"] == ("first",)
    assert found["empty"] == found["no_text"] == found["number"] == found["odd"] == ()
    notes = noted(shard)
    for problem in (
        "samples without a picture: 1, such as a/no_picture",
        "samples without a caption or label: 4",
        "texts that are not UTF-8",
        "captions over 32,768 characters, cut there: 1",
        "members skipped, because an earlier one has the same name: 1, such as a/twice.txt",
        ".json members that are not objects: 1",
        "samples whose caption is not a text: 1",
    ):
        assert problem in notes


def test_a_shard_that_is_no_tar_is_left_out_of_many_and_refused_alone(tmp_path):
    write_tar(tmp_path / "a.tar", captioned([1]))
    (tmp_path / "b.tar").write_bytes(b"<html>404</html>" * 100)
    (tmp_path / "c.tar").write_bytes(b"")
    assert len(read_source(str(tmp_path)).pairs) == 1
    assert "left out" in noted(tmp_path)
    for name in ("b.tar", "c.tar"):
        with pytest.raises(DataError, match=f"{name} is not a tar"):
            read_source(str(tmp_path / name))


def test_tars_joined_by_cat_are_told(tmp_path):
    first = write_tar(tmp_path / "a.tar", captioned([1])).read_bytes()
    (tmp_path / "b.tar").write_bytes(first + first)
    assert "data after its end" in noted(tmp_path / "b.tar")


def test_links_devices_and_names_that_lead_elsewhere_are_harmless(tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        link = tarfile.TarInfo("evil.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataError, match="holds no pictures"):
        read_source(str(tmp_path / "a.tar"))


def test_the_index_is_kept_and_made_again_when_the_shard_changes(tmp_path, cache, monkeypatch):
    shard = write_tar(tmp_path / "a.tar", captioned([1, 2]))
    before = said(shard)
    with monkeypatch.context() as context:
        context.setattr("lexel.data.shards.source.scan", lambda *_: pytest.fail("it is indexed already"))
        assert said(shard) == before
    write_tar(shard, captioned([3, 4, 5]))
    assert [captions for _, captions, _ in said(shard)] == [("picture 3",), ("picture 4",), ("picture 5",)]
    for file in (cache / "shards").iterdir():
        file.write_bytes(file.read_bytes()[:-40])
    assert len(said(shard)) == 3


def test_a_cache_folder_that_cannot_be_written_is_no_hindrance(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "file"))
    assert len(said(write_tar(tmp_path / "a.tar", captioned([1, 2])))) == 2


def test_a_shard_that_shrinks_under_a_run_gives_bad_pictures(tmp_path):
    shard = write_tar(tmp_path / "a.tar", captioned([1, 2]))
    pair = read_source(str(shard)).pairs[1]
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(BadImageError, match=r"a\.tar at \d+: the tar was cut off"):
        pair.picture.load()


def test_pairs_are_sliced_and_sent_without_being_made(tmp_path):
    for number in range(3):
        write_tar(tmp_path / f"{number}.tar", captioned(range(number * 10, number * 10 + 4)))
    pairs = read_source(str(tmp_path)).pairs
    assert [pair.key for pair in pairs[1::5][1:]] == [pair.key for pair in list(pairs)[1::5][1:]]
    assert [pair.key for pair in pickle.loads(pickle.dumps(pairs[2:7]))] == [pair.key for pair in pairs[2:7]]
    assert pairs[-1] == list(pairs)[-1]
    assert list(pairs[2:9].shard_ends) == [2, 6, 7]
    with pytest.raises(IndexError):
        pairs[12]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a{8..11}.tar", ["a8.tar", "a9.tar", "a10.tar", "a11.tar"]),
        ("{a,b}/{00..01}.tar", ["a/00.tar", "a/01.tar", "b/00.tar", "b/01.tar"]),
    ],
)
def test_braces_expand_as_in_a_shell(text, expected):
    assert expand_braces(text) == expected


@pytest.mark.parametrize("text", ["{3..1}.tar", "{a}.tar", "{0..3.tar", "{0..9999999999}.tar", "{a,{b,c}}.tar"])
def test_braces_that_mean_nothing_are_refused(text):
    with pytest.raises(UsageError):
        read_source(text)


def test_shards_that_are_not_there_are_named(tmp_path):
    write_tar(tmp_path / "0001.tar", captioned([1]))
    with pytest.raises(UsageError, match=r"2 of 3 shards are not there, such as .*0002\.tar"):
        read_source(f"{tmp_path}/{{0001..0003}}.tar")
    with pytest.raises(UsageError, match=r'Did you mean "0001.tar"'):
        read_source(f"{tmp_path}/001.tar")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./a/b.seg.PNG", ("a/b", "seg.png")), ("x.jpg", ("x", "jpg")), ("x", ("x", "")), ("d.1/y.z", ("d.1/y", "z"))],
)
def test_the_extension_begins_after_the_first_dot(name, expected):
    assert split_name_of_member(name) == expected


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: text.strip() == text)


@settings(deadline=None, max_examples=30)
@given(captions=st.lists(texts, min_size=1, max_size=5))
def test_captions_come_back_as_they_were_written(tmp_path_factory, captions):
    folder = tmp_path_factory.mktemp("round")
    members = [(f"{n}.{end}", what) for n, c in enumerate(captions) for end, what in (("jpg", jpeg(n)), ("txt", c))]
    assert [found for _, found, _ in said(write_tar(folder / "a.tar", members))] == [(c,) for c in captions]


def test_webdataset_reads_the_same_samples(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    shard = write_tar(tmp_path / "a.tar", captioned(range(6)))
    theirs = [
        (sample["__key__"], sample["txt"].decode(), sample["jpg"])
        for sample in webdataset.WebDataset(str(shard), shardshuffle=False)
    ]
    ours = [(pair.key, pair.captions[0], pair.picture.content()) for pair in read_source(str(shard)).pairs]
    assert ours == theirs
