"""Which languages captions in Latin letters are in, by their small words and by letters that few languages have.

A caption of five words is no sure sign, so this is a mix of a whole source and not a label of each caption: where the
words fit several languages, the one of them that most other captions are in is taken.
"""

import re
from collections import Counter, defaultdict

NOT_TOLD = "not told"  # product titles, names and other texts without small words

# Articles, prepositions and the like; a word of several languages counts for each by its share.
_SMALL_WORDS = {
    "English": "the a an of and in on with is are at to by for his her from two while it its near over do no not",
    "German": "der die das ein eine einen einem einer und mit auf in im ist sind von zu zwei vor am an den dem für",
    "French": "le la les un une des du de et avec sur dans est sont en au aux deux qui pour devant d l",
    "Spanish": "el la los las un una de del y con en sobre por para es está que al dos se su",
    "Italian": "il lo la i gli le un una di del della e con su in per che è sono nel nella due al da",
    "Portuguese": "o a os as um uma de do da e com em no na por para que está dois duas ao seu sua",
    "Dutch": "de het een van en met op in is zijn aan voor bij naar die dat twee te door",
    "Polish": "i w na z do się jest od przez dla po nie to ze który która dwa dwie obok",
    "Czech": "a v na se s z do je ve jsou po u k dva dvě který která při před si",
    "Swedish": "en ett och på med i är som av för den det till två från",
    "Danish or Norwegian": "en et og på med i er som af av for den det til to fra",
    "Finnish": "ja on joka kaksi ei että kanssa sekä jossa",
    "Turkish": "bir ve ile bu için de da olan iki üzerinde çok önünde",
    "Romanian": "un o și cu în pe de la este sunt care doi două din",
    "Hungarian": "a az egy és van is nem két aki meg egyik",
    "Vietnamese": "một và của đang với trên trong là có người hai",
    "Indonesian": "yang dan di dengan dari seorang sebuah dua pada untuk itu",
}
_LETTERS = {
    "German": "ß",
    "Spanish": "ñ¿¡",
    "Portuguese": "ãõ",
    "Polish": "łśźżćńąę",
    "Czech": "ěřů",
    "Turkish": "ğış",
    "Romanian": "ășț",
    "Hungarian": "őű",
    "Danish or Norwegian": "øæ",
    "Vietnamese": "ơưđạảấầẩậắặẻếềểễệịọỏốồổỗộớờợụủứừữựỳỹ",
}
_WORD = re.compile(r"(?<!['’\w])[^\W\d_]+")  # not the s of "men's"
SINGLE_LETTER = 0.25  # weight of a word of one letter, which may be a V-neck or the U.S.; alone it tells no language

_LANGUAGES_OF: defaultdict[str, list[str]] = defaultdict(list)
for _language, _words in _SMALL_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF[_word].append(_language)
for _language, _letters in _LETTERS.items():
    for _letter in _letters:
        _LANGUAGES_OF[_letter].append(_language)  # a letter is no word, so the table can hold both


class LanguageMix:
    """Counts captions by language."""

    def __init__(self) -> None:
        self._fitting: Counter[tuple[str, ...]] = Counter()  # the languages that fit a caption best

    def add(self, caption: str) -> None:
        """Count a caption in Latin letters."""
        scores: defaultdict[str, float] = defaultdict(float)
        is_sure = False
        text = caption.lower()
        signs = set() if text.isascii() else {sign for sign in text if not sign.isascii()}
        for part in (*_WORD.findall(text), *signs):
            if languages := _LANGUAGES_OF.get(part):
                is_letter = len(part) == 1 and part.isascii()
                is_sure = is_sure or not is_letter
                weight = SINGLE_LETTER if is_letter else 1.0
                for language in languages:
                    scores[language] += weight / len(languages)
        best = max(scores.values(), default=0.0)
        fitting = tuple(sorted(name for name, score in scores.items() if score > best - 1e-9))
        self._fitting[fitting if len(fitting) > 1 or is_sure else ()] += 1

    def counts(self) -> dict[str, int]:
        """Captions in each language, the most frequent first, and NOT_TOLD."""
        sure = Counter({fitting[0]: count for fitting, count in self._fitting.items() if len(fitting) == 1})
        found = Counter(sure)
        for fitting, count in self._fitting.items():
            if not fitting:
                found[NOT_TOLD] += count
            elif len(fitting) > 1:
                found[max(fitting, key=lambda name: sure[name]) if sure.total() else NOT_TOLD] += count
        return dict(found.most_common())
