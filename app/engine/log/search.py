"""From what a reader types to what is looked for."""

from app.contract.log import LogFilter
from app.domain.history import LogSearch, LogWord
from app.engine.messages import MessageCatalogue


def log_search(wanted: LogFilter, texts: MessageCatalogue) -> LogSearch:
    """Turn a filter into a search: each word may occur in a message in English or in the reader's language."""
    translations = dict(wanted.translations)
    return LogSearch(
        start=wanted.start,
        end=wanted.end,
        at_least=wanted.at_least,
        words=tuple(_word(text, texts, translations) for text in wanted.text.split()),
        rule=wanted.rule,
        vm=wanted.vm,
        task=wanted.task,
    )


def _word(text: str, texts: MessageCatalogue, translations: dict[str, str]) -> LogWord:
    needle = text.casefold()
    codes = {
        code
        for code, template in texts.templates.items()
        if needle in template.casefold() or needle in translations.get(template, "").casefold()
    }
    templates = set(texts.templates.values())
    actions = {
        action for action, name in translations.items() if action not in templates and needle in name.casefold()
    }
    inside = {source for source, name in translations.items() if needle in name.casefold()}
    return LogWord(text=text, codes=frozenset(codes), templates=frozenset(inside), actions=frozenset(actions))
