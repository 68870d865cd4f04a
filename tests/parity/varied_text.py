"""Captions of every kind that a tokenizer may meet, made up from a seed: plain ones, mangled ones and pure noise."""

import random
from collections.abc import Iterator


def _listed(words: str) -> list[str]:
    return words.split()


WORDS = _listed("""
a the photo of dog cat people standing on beach, red bicycle's wheels don't they're I'LL we've I'd 3 1024 2024-05-01
25cm T-shirt (close-up) #sunset @home 50% $9.99 e-mail http://example.com/a?b=c&d=e C++ rock'n'roll O'Neil's naïve
café Ångström straße İstanbul ΑΣ ὈΔΥΣΣΕΎΣ ǅ ﬁne ﬅ ſtop 'ſ it'S 猫が好き 한국어 ภาษาไทย हिन्दी العربية Кошка ① ½ ٣٤ ㊗
Ⅷ ² 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☕️ ❤ … — “quoted” ‘single’ ¿qué? № ™ � _under_score_ a_b <b>bold</b> `code` ~ ^ | \\ {} []
""")
ENTITIES = _listed("""
&amp; &amp;amp; &lt;3 &gt; &quot;x&quot; &#39;s &#x27;t &eacute; &nbsp; &copy &notit; &#128512; &#0; &#xD800;
&#x110000; &#1; &#9; &zwj; &amp;eacute; &AMP &amp;amp;lt; & &; &#; &#x; &#xFB05; &#x130; e&#769; &NewLine; &#133;
""")
MOJIBAKE = ["cafÃ©", "â€œquoteâ€\x9d", "donâ€™t", "ÂŁ20", "ðŸ˜€", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "schÃ¶n", "\x85\x93\x94"]
SPACES = ["  ", "\r\n", *"\t\n\r\v\f\x1c\x1f\x85\xa0\u2003\u200b\u2028\u3000\ufeff"]
CONTROLS = ["\x1b[31m", "\ud83d\ude00", *"\0\x01\x08\x1b\x7f\x9f\u202e\u2066\ufff9\ud83d\ude00"]
MARKS = list("\u0301\u0308\u0327\u20e3\ufe0f\u0345\u0e31\u093f\u3099\u0338")
NAMES = _listed("""
<start_of_text> <end_of_text> <START_OF_TEXT> <ſtart_of_text> <end_of_text !<start_of_text>
<end_of_text><end_of_text> x<start_of_text>y <|endoftext|> <|startoftext|> </s> <pad> [SEP] </w>
""")
FORGOTTEN = ["", " ", "\n", "a", "'", "&", "<", "a" * 10_000, "a photo " * 1_250, "é" * 10_000, "😀" * 2_500, *NAMES]
BLOCKS = [
    *[(0x20, 0x7E)] * 4,
    *[(0, 0x24F)] * 3,
    *[(0x250, 0x2FFF)] * 3,
    *[(0x3000, 0xFFFF)] * 2,
    (0x10000, 0x323AF),
    (0, 0x10FFFF),
]


def varied_texts(count: int, seed: int = 0, surrogates: bool = True) -> Iterator[str]:
    """`count` texts, always the same ones for a seed. The first are those that are easily forgotten."""
    draw = random.Random(seed)
    makers = (_sentence, _sentence, _sentence, _messy, _messy, _noise, _glued)
    for number in range(count):
        text = FORGOTTEN[number] if number < len(FORGOTTEN) else draw.choice(makers)(draw)
        yield text if surrogates else text.encode("utf-8", "replace").decode()


def _sentence(draw: random.Random) -> str:
    words = draw.choices(WORDS, k=draw.randint(1, 24))
    if draw.random() < 0.3:
        words = [draw.choice((str.upper, str.title, str.lower))(word) for word in words]
    return " ".join(words)


def _messy(draw: random.Random) -> str:
    parts = []
    for _ in range(draw.randint(1, 14)):
        parts.append(draw.choice(draw.choice((WORDS, WORDS, WORDS, ENTITIES, MOJIBAKE, CONTROLS, MARKS, NAMES))))
        parts.append(draw.choice((" ", " ", "", draw.choice(SPACES))))
    return "".join(parts)


def _noise(draw: random.Random) -> str:
    low, high = draw.choice(BLOCKS)
    return "".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 40)))


def _glued(draw: random.Random) -> str:
    """Letters, digits, marks and signs without spaces, as hashtags and serial numbers have them."""
    kinds = ("abcXYZsßſKéñ", "0123456789٣½", ".,!'’-_/&;#<>|", "".join(MARKS[:6]), "猫あ가กкΣİ😀")
    return "".join(draw.choice(draw.choice(kinds)) for _ in range(draw.randint(1, 30)))
