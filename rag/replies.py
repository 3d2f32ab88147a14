"""What is said in place of an answer, in the asker's language."""

from dataclasses import dataclass

from rag.types import ABSTENTION, NEAREST


@dataclass(frozen=True)
class Replies:
    """`abstention` is the whole reply; `nearest` stands before the sentences that are quoted instead."""

    abstention: str
    nearest: str


_REPLIES = {
    "ar": Replies("لا تجيب المستندات عن هذا السؤال.", "لا تقول المستندات ذلك صراحةً. الأقرب إليه:"),
    "cs": Replies("Dokumenty na tuto otázku neodpovídají.", "Dokumenty to výslovně neříkají. Nejblíže tomu je:"),
    "da": Replies("Dokumenterne besvarer ikke dette spørgsmål.", "Dokumenterne siger det ikke direkte. Nærmest er:"),
    "de": Replies(
        "Die Dokumente beantworten diese Frage nicht.", "Die Dokumente sagen das nicht ausdrücklich. Am nächsten kommt:"
    ),
    "el": Replies("Τα έγγραφα δεν απαντούν σε αυτή την ερώτηση.", "Τα έγγραφα δεν το λένε ρητά. Το πλησιέστερο:"),
    "en": Replies(ABSTENTION, NEAREST),
    "es": Replies(
        "Los documentos no responden a esta pregunta.", "Los documentos no lo dicen expresamente. Lo más cercano:"
    ),
    "fi": Replies("Asiakirjat eivät vastaa tähän kysymykseen.", "Asiakirjat eivät sano tätä suoraan. Lähimpänä on:"),
    "fr": Replies(
        "Les documents ne répondent pas à cette question.",
        "Les documents ne le disent pas expressément. Au plus près :",
    ),
    "hu": Replies(
        "A dokumentumok nem válaszolnak erre a kérdésre.", "A dokumentumok ezt nem mondják ki. A legközelebbi:"
    ),
    "it": Replies(
        "I documenti non rispondono a questa domanda.", "I documenti non lo dicono espressamente. Il passo più vicino:"
    ),
    "ja": Replies("文書にはこの質問への答えがありません。", "文書にははっきりとは書かれていません。最も近い箇所："),
    "ko": Replies("문서에는 이 질문에 대한 답이 없습니다.", "문서에 분명히 나와 있지는 않습니다. 가장 가까운 부분:"),
    "nl": Replies(
        "De documenten beantwoorden deze vraag niet.",
        "De documenten zeggen dit niet met zoveel woorden. Het dichtst erbij:",
    ),
    "no": Replies(
        "Dokumentene besvarer ikke dette spørsmålet.", "Dokumentene sier ikke dette uttrykkelig. Nærmest er:"
    ),
    "pl": Replies("Dokumenty nie odpowiadają na to pytanie.", "Dokumenty nie mówią tego wprost. Najbliżej tego jest:"),
    "pt": Replies(
        "Os documentos não respondem a esta pergunta.", "Os documentos não o dizem expressamente. O mais próximo:"
    ),
    "ro": Replies(
        "Documentele nu răspund la această întrebare.", "Documentele nu spun acest lucru explicit. Cel mai aproape:"
    ),
    "ru": Replies("Документы не отвечают на этот вопрос.", "В документах это прямо не сказано. Ближе всего:"),
    "sv": Replies("Dokumenten besvarar inte den här frågan.", "Dokumenten säger inte detta uttryckligen. Närmast är:"),
    "tr": Replies("Belgeler bu soruyu yanıtlamıyor.", "Belgeler bunu açıkça söylemiyor. En yakın olanı:"),
    "uk": Replies("Документи не відповідають на це запитання.", "У документах цього прямо не сказано. Найближче:"),
    "zh": Replies("文档没有回答这个问题。", "文档没有明确说明这一点。最接近的内容："),
}
"""By ISO 639-1 code."""
LANGUAGES = frozenset(_REPLIES)
"""Those in which it can be said."""
ABSTENTIONS = frozenset(one.abstention for one in _REPLIES.values())
NEAREST_REPLIES = tuple(one.nearest for one in _REPLIES.values())
"""Every one of each, whatever the language."""


def replies(language: str) -> Replies:
    """What is said in this language, or in English."""
    return _REPLIES.get(language, _REPLIES["en"])
