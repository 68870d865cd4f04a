import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import aged
from PIL import Image
from quick_encoder import QuickEncoder

from lexel.calibration import Calibration
from lexel.errors import UsageError
from lexel.evaluation.matching import Generic
from lexel.evaluation.texts.templates import families
from lexel.library.library import Library
from lexel.library.search import ranking
from lexel.library.search.diversity import diversify
from lexel.library.search.query import Query
from lexel.library.search.query_vector import text_parts
from lexel.library.search.strength import MATCH_PRIOR, in_words, matches, shows

COLOURS = ("red", "orange", "yellow", "green", "blue", "navy", "purple", "white", "black", "gray")


def flat(path: Path, colour: str, seed: int) -> None:
    """A picture of one colour, a little noisy, so that no two are alike."""
    pixels = np.asarray(Image.new("RGB", (24, 16), colour)).astype(int)
    noise = np.random.default_rng(seed).integers(-12, 13, pixels.shape)
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(path)
    aged(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Eight pictures of each colour, told by their names."""
    folder = tmp_path_factory.mktemp("colours")
    for number, colour in enumerate(COLOURS * 8):
        flat(folder / f"{colour}-{number // len(COLOURS)}.png", colour, number)
    (folder / "red-0.txt").write_text("a fire engine, seen in Berlin")
    return folder


@pytest.fixture(scope="module")
def library(folder, tmp_path_factory):
    with Library.open(tmp_path_factory.mktemp("l") / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder)
        yield library


def names(hits) -> list[str]:
    return [hit.photo.name.partition("-")[0] for hit in hits]


def test_words_find_what_they_name(library):
    for colour in COLOURS[:6]:
        assert names(library.search(colour, top=8)) == [colour] * 8


def test_results_are_those_of_brute_force_and_pages_go_on(library):
    ids, vectors = library.records.vectors()
    query = library.encoder.embed_texts(["teal"])[0]
    vectors = vectors.astype(np.float64)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1)
    order = ids[np.argsort(-cosines, kind="stable")]
    found = [hit.photo.id for page in (1, 2, 3) for hit in library.search("teal", top=5, page=page)]
    assert found == order[:15].tolist()
    assert library.search("teal", top=50, page=3) == []


def test_weights_say_which_of_two_words_counts_more(library):
    first = library.search(("red", 5.0), ("blue", 1.0), top=1)
    second = library.search(("red", 1.0), ("blue", 5.0), top=1)
    assert names(first + second) == ["red", "blue"]


def test_like_a_photo_of_the_library_finds_others_not_itself(library, folder):
    path = folder / "green-3.png"
    by_path = library.search(like=path, top=7)
    assert names(by_path) == ["green"] * 7
    assert path.name not in [hit.photo.name for hit in by_path]
    (id,) = library.records.ids_of(str(path))
    assert library.search(like=id, top=7) == library.search(like=[id], top=7)
    assert [hit.photo for hit in library.search(like=id, top=7)] == [hit.photo for hit in by_path]


def test_like_any_other_picture_needs_no_place_in_the_library(library):
    assert names(library.search(like=[Image.new("RGB", (9, 9), "navy")], top=3)) == ["navy"] * 3


def test_words_and_pictures_add_up_and_unlike_takes_away(library, folder):
    # The colour halfway between what is said and what is shown.
    assert "purple" in names(library.search("red", like=folder / "blue-0.png", top=12))
    less = library.search(like=[folder / "red-0.png", folder / "blue-0.png"], unlike=folder / "blue-1.png", top=10)
    assert names(less).count("red") > names(less).count("blue")


def test_without_leaves_out_what_shows_it_and_looks_further(library):
    everything = library.search("red", top=60)
    found = library.search("red", without="red", top=60)
    assert "red" in names(everything)
    assert "red" not in names(found)
    assert len(found) > 20


def test_keywords_alone_find_captions_and_names_and_need_no_model(library):
    assert names(library.search(keywords="berlin fire")) == ["red"]
    assert len(library.search(keywords="yell")) == 8  # the last word may be only begun
    with Library.open(library.path, "a/model/that/is/gone") as closed:
        assert names(closed.search(keywords="berlin")) == ["red"]
    assert library.search(keywords='"OR (') == []


def test_keywords_beside_words_raise_what_has_them(library):
    assert "red" not in names(library.search("blue", top=5))
    found = library.search("blue", keywords="berlin", top=5)
    assert "red" in names(found)
    assert "keywords, place 1" in found[names(found).index("red")].why


def test_a_keyword_that_everything_has_costs_no_more_than_the_best_that_have_it(library, monkeypatch):
    asked, search = [], library.vectors.search

    def noted(queries, count, *rest, **options):
        asked.append(count)
        return search(queries, count, *rest, **options)

    monkeypatch.setattr(library.vectors, "search", noted)
    everything = library.search("blue", keywords="png", top=5)
    monkeypatch.setattr(ranking, "MAX_KEYWORD_HITS", 3)
    assert len(library.search("blue", keywords="png", top=5)) == len(everything) == 5
    assert asked == [80, 5 + 3]


def test_what_is_asked_without_words_is_cut_by_the_database(library, monkeypatch):
    lengths, reading = [], {name: getattr(library.records, name) for name in ("rows", "rows_within_budget")}
    for name, rows in reading.items():
        counted = lambda *asked, rows=rows: lengths.append(len(found := rows(*asked))) or found  # noqa: E731
        monkeypatch.setattr(library.records, name, counted)
    assert len(library.search(keywords="png", top=5)) == 5
    assert len(library.search(where="width > 0", top=5)) == 5
    assert max(lengths) == 5


@pytest.mark.parametrize("asked", [{"keywords": "png"}, {"where": "width > 0"}])
def test_pages_of_what_is_asked_without_words_are_full_whatever_is_left_out(library, asked):
    for without in ((), "red"):
        everything = [hit.photo for hit in library.search(**asked, without=without, top=80)]
        pages = [library.search(**asked, without=without, top=9, page=page) for page in range(1, 10)]
        assert [hit.photo for page in pages for hit in page] == everything
        assert len(everything) == 80 or "red" not in names(library.search(**asked, without=without, top=80))


def test_filters_hold_for_every_kind_of_query(library):
    condition = "name LIKE '%-1.png'"
    for asked in ({"texts": "red"}, {"keywords": "png"}, {}):
        found = library.find(Query(**asked, where=condition, top=50))
        assert {hit.photo.name for hit in found} == {f"{colour}-1.png" for colour in COLOURS}


def test_diverse_results_are_of_several_kinds(library):
    assert len(set(names(library.search("red", top=8)))) == 1
    assert len(set(names(library.search("red", top=8, diversity=0.6)))) > 2


def test_a_paragraph_is_asked_sentence_by_sentence(library):
    found = library.search("Red it was.\nAs red as red can be.\nAnd never blue", top=3)
    mean = library.encoder.embed_texts(["Red it was.", "As red as red can be.", "And never blue"]).mean(axis=0)
    best = library.vectors.search((mean / np.linalg.norm(mean))[None], 3)[1][0]
    assert [hit.photo.id for hit in found] == best.tolist()


def test_a_foreign_model_s_matches_are_told_by_the_library_s_own_pictures(library):
    best = library.search("navy", top=1)[0]
    worst = library.search("navy", top=80)[-1]
    assert best.match > worst.match
    assert worst.strength == "unlikely"


def test_a_calibrated_model_says_it_by_its_calibration(library, monkeypatch):
    calibration = Calibration(slope=40, intercept=-20, pairs=100, expected_calibration_error=0.01, source="s")
    monkeypatch.setattr(library.encoder, "calibration", calibration, raising=False)
    hit = library.search("red", top=1)[0]
    assert hit.match == pytest.approx(calibration.probability(np.array(hit.score), prior=MATCH_PRIOR), abs=1e-3)


def test_diversity_of_zero_keeps_the_order_and_one_heeds_only_distance():
    vectors = np.array([[1, 0], [0.99, 0.14], [0, 1]], np.float32)
    scores = np.array([0.9, 0.8, 0.1], np.float32)
    assert diversify(scores, vectors, 3, 0.0) == [0, 1, 2]
    assert diversify(scores, vectors, 2, 0.9) == [0, 2]


def test_any_number_of_results_may_be_asked_for_and_any_page(library):
    assert len(library.search("red", top=10**12)) == 80
    assert library.search("red", top=5, page=10**12) == []


def test_photos_that_vanish_between_search_and_display_are_looked_for_again(folder, tmp_path, monkeypatch):
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add([folder / f"red-{number}.png" for number in range(4)])
        found = library.vectors.search
        best = library.search("red", top=1)[0].photo

        def search_while_another_process_changes_the_library(*arguments, **options):
            result = found(*arguments, **options)
            with library.records.changing() as changes:
                changes.mark_missing([best.id])
            return result

        monkeypatch.setattr(library.vectors, "search", search_while_another_process_changes_the_library)
        assert best.id not in [hit.photo.id for hit in library.search("red")]
        with pytest.raises(UsageError, match="has vanished"):
            library.search(like=best.id)


def test_an_empty_library_finds_nothing_like_words_and_a_picture(tmp_path):
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        assert library.search("red", like=[Image.new("RGB", (9, 9), "navy")]) == []


def test_without_a_calibration_a_match_stands_above_generic_texts_however_common_it_is():
    random = np.random.default_rng(0)
    texts = np.eye(8)[:6] + 0  # (K, D)
    photos = np.abs(random.normal(0.1, 0.02, (300, 8)))  # all alike to the generic texts
    generic = Generic(texts, float(np.median((photos @ texts.T).std(axis=1))))
    cosines = np.where(np.arange(300) < 290, 0.25, 0.1)  # nearly all show what is asked
    chances = matches(cosines, photos, None, generic)
    assert {in_words(chance) for chance in chances[:290]} == {"strong"}
    assert {in_words(chance) for chance in chances[290:]} == {"unlikely"}


def test_without_a_calibration_what_is_not_wanted_is_told_by_generic_texts_however_common_it_is():
    photos = np.array([[0.9, 0.1], [0.8, 0.1], [0.9, 0.1], [0.1, 0.1]])
    generic = Generic(np.array([[0.0, 1.0]]), 0.2)
    assert shows(photos @ np.array([1.0, 0.0]), photos, None, generic).tolist() == [True, True, True, False]


def test_deviations_of_several_texts_are_those_of_each():
    photos, cosines = unit_rows(5, 8), np.random.default_rng(1).random((5, 3))
    generic = Generic(unit_rows(4, 8), 0.1)
    expected = [generic.deviations(photos, column) for column in cosines.T]
    np.testing.assert_allclose(generic.deviations(photos, cosines), np.stack(expected, axis=1))


def unit_rows(count: int, dimensions: int) -> np.ndarray:
    rows = np.random.default_rng(count).standard_normal((count, dimensions))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("dog", "dog"),
        ("a beach", "beach"),
        ("The old  oak", "old oak"),
        ("père noël", "père noël"),
        ("T-shirt", "T-shirt"),
    ],
)
def test_a_word_or_two_are_asked_in_sentences_about_a_photo(text, label):
    asked = []
    encoder = QuickEncoder()
    encoder.embed_texts = lambda texts: asked.extend(texts) or np.ones((len(texts), 48), np.float32)
    [part] = text_parts(encoder, [(text, 1.0)])
    assert asked[0] == f"a photo of a {label}."
    assert len(asked) == len(families()["photo"])
    assert part.name == " ".join(text.split())


@pytest.mark.parametrize("text", ["dog.", "a red bicycle in the snow", "狗", "42", "dog, cat"])
def test_anything_else_is_asked_as_it_stands(text):
    for literal in (False, True):
        [part] = text_parts(QuickEncoder(), [(text, 1.0)], literal)
        np.testing.assert_allclose(part.vector, QuickEncoder().embed_texts([text])[0], rtol=1e-6)


def test_a_word_is_asked_as_it_stands_where_that_is_wanted(library):
    asked = []
    embed = library.encoder.embed_texts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library.encoder, "embed_texts", lambda texts: asked.append(list(texts)) or embed(texts))
        library.search("teal", without="red", literal=True)
    assert asked[:2] == [["teal"], ["red"]]


def calibrated(monkeypatch, library, above: float) -> None:
    """Give the library's model a calibration by which cosines above this one are a match."""
    slope = 200.0
    shift = np.log(1 / MATCH_PRIOR - 1)  # a search looks for what is rare
    made = Calibration(slope=slope, intercept=shift - slope * above, pairs=9, expected_calibration_error=0, source="s")
    monkeypatch.setattr(library.encoder, "calibration", made, raising=False)


def test_the_whole_ranking_is_given_and_says_itself_what_fits(library, monkeypatch):
    calibrated(monkeypatch, library, above=2.0)
    hits = library.search("red", top=5)
    assert names(hits) == ["red"] * 5
    assert [hit.strength for hit in hits] == ["unlikely"] * 5
    assert not any(hit.is_match for hit in hits)
    assert library.search("red", top=5, least="possible") == []


def test_only_what_fits_is_given_where_that_is_wanted_and_its_pages_are_full(library, monkeypatch):
    everything = library.search("red", top=80)
    calibrated(monkeypatch, library, above=(everything[29].score + everything[30].score) / 2)
    fitting = [hit.photo.id for hit in everything[:30]]
    assert [hit.photo.id for hit in library.search("red", top=80, least="possible")] == fitting
    pages = [library.search("red", top=7, page=page, least="possible") for page in range(1, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2, 0]
    assert [hit.photo.id for page in pages for hit in page] == fitting
    strong = library.search("red", top=80, least="strong")
    assert 0 < len(strong) < 30
    assert {hit.strength for hit in strong} == {"strong"}


def test_where_nothing_fits_no_more_is_looked_at_than_the_nearest(library, monkeypatch):
    asked, search = [], library.vectors.search
    calibrated(monkeypatch, library, above=2.0)
    monkeypatch.setattr(
        library.vectors, "search", lambda *given, **options: asked.append(given[1]) or search(*given, **options)
    )
    assert library.search("red", top=1, least="possible") == []
    assert asked == [ranking.MIN_MATCH_CANDIDATES]


def test_keyword_hits_are_kept_however_little_the_picture_fits(library, monkeypatch):
    calibrated(monkeypatch, library, above=2.0)
    [hit] = library.search("blue", keywords="berlin", least="possible")
    assert (hit.photo.name, hit.strength, hit.keyword_rank, hit.is_match) == ("red-0.png", "unlikely", 1, True)


def test_pictures_alone_say_nothing_of_a_match_and_all_are_given(library, folder):
    assert len(library.search(like=folder / "red-0.png", least="strong", top=80)) == 79


@pytest.fixture
def scattered(folder, tmp_path):
    """A library of two folders with four pictures of each of two colours each."""
    homes = [tmp_path / "here", tmp_path / "drive"]
    for home in homes:
        home.mkdir()
        for colour in ("red", "blue"):
            for number in range(4):
                shutil.copy2(folder / f"{colour}-{number}.png", home)
                (home / f"{colour}-{number}.png").rename(home / f"{colour}-{home.name}-{number}.png")
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(homes)
        yield library


def places(hits) -> list[str]:
    return [hit.photo.name.split("-")[1] for hit in hits]


@pytest.mark.parametrize(
    "asked", [{"texts": "red"}, {"keywords": "red"}, {"where": "name LIKE 'red%'"}, {"texts": "red", "keywords": "png"}]
)
def test_photos_of_a_folder_that_is_away_come_last_and_say_so(scattered, tmp_path, asked):
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    hits = scattered.find(Query(**asked, top=16))
    count = len(hits)
    assert count in (8, 16)
    assert places(hits) == ["here"] * (count // 2) + ["drive"] * (count // 2)
    assert [hit.is_there for hit in hits] == [True] * (count // 2) + [False] * (count // 2)
    pages = [scattered.find(Query(**asked, top=3, page=page)) for page in range(1, 7)]
    assert [hit.photo for page in pages for hit in page] == [hit.photo for hit in hits]
    (tmp_path / "unplugged").rename(tmp_path / "drive")
    assert all(hit.is_there for hit in scattered.find(Query(**asked, top=16)))


def test_a_photo_that_was_deleted_since_comes_after_all_that_are_there(scattered, tmp_path):
    best = scattered.search("red", top=1)[0].photo
    Path(best.path).unlink()
    hits = scattered.search("red", top=16)
    assert [hit.photo for hit in hits if not hit.is_there] == [best]
    assert hits[-1].photo == best
    assert best not in [hit.photo for hit in scattered.search("red", top=3)]


def test_diverse_results_are_chosen_among_photos_that_are_there(scattered, tmp_path):
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    assert places(scattered.search("red", top=8, diversity=0.5)) == ["here"] * 8


def test_words_find_the_same_by_search_and_by_find(library):
    assert library.search("red", "dark", top=7, like=3) == library.find(Query(texts=("red", "dark"), top=7, like=3))


@pytest.mark.parametrize("asked", [{"texts": "red"}, {"keywords": "red"}, {"where": "width > 3"}, {"like": 1}])
def test_a_closed_library_says_so(folder, tmp_path, asked):
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder / "red-0.png")
        library.search("red")  # so that all that is kept in memory is there
    with pytest.raises(UsageError, match="has been closed"):
        library.find(Query(**asked))
