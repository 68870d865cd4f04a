import pytest

from lexel.data.audit.language_mix import NOT_TOLD, LanguageMix

SENTENCES = {
    "English": "Two children are playing with the dog in a garden",
    "German": "Zwei Kinder spielen mit dem Hund auf der Wiese",
    "French": "Deux enfants jouent avec un chien dans le jardin",
    "Spanish": "Dos niños juegan con el perro en la playa",
    "Italian": "Due bambini giocano con il cane nel giardino",
    "Portuguese": "Duas crianças brincam com um cão na praia",
    "Dutch": "Twee kinderen spelen met een hond op het strand",
    "Polish": "Dwoje dzieci bawi się z psem na plaży",
    "Czech": "Dvě děti si hrají se psem na pláži",
    "Swedish": "Två barn leker med en hund på stranden och är glada",
    "Danish or Norwegian": "To børn leger med en hund på stranden",
    "Finnish": "Kaksi lasta leikkii koiran kanssa ja nauraa",
    "Turkish": "İki çocuk bir köpek ile bahçede oynuyor",
    "Romanian": "Doi copii se joacă cu un câine în grădină",
    "Hungarian": "Két gyerek játszik egy kutyával és nevet",
    "Vietnamese": "Hai đứa trẻ đang chơi với một con chó trên bãi biển",
    "Indonesian": "Dua anak bermain dengan seekor anjing di pantai",
}


def mix(*captions: str) -> dict[str, int]:
    found = LanguageMix()
    for caption in captions:
        found.add(caption)
    return found.counts()


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_in_its_language(language):
    assert mix(SENTENCES[language]) == {language: 1}


def test_languages_are_counted_and_titles_without_small_words_are_not_told():
    found = mix(SENTENCES["German"], SENTENCES["German"], SENTENCES["French"], "Lucera Silver Earrings", "Men's V Neck")
    assert found == {"German": 2, NOT_TOLD: 2, "French": 1}


def test_words_of_several_languages_count_for_the_one_that_the_others_are_in():
    assert mix(SENTENCES["Dutch"], "in de zee") == {"Dutch": 2}
    assert mix(SENTENCES["French"], "la mer") == {"French": 2}
    assert mix("la") == {NOT_TOLD: 1}
