"""The reader of ``system.conf`` under any input: settings or a ConfigError, and what is written is read again."""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from app.config import (
    KEYS,
    ConfigError,
    LogDetail,
    SecretStoreKind,
    Settings,
    load_settings,
    parse_entries,
    save_settings,
    settings_of,
    text_of,
    with_changes,
)

FILE = Path("system.conf")

limits = st.integers(1, 32).flatmap(lambda tasks: st.tuples(st.just(tasks), st.integers(1, 32 // tasks)))
settings_strategy = st.builds(
    lambda pair, **rest: Settings(bk_tsk_thd=pair[0], i2vp_transbuffer=pair[1], **rest),
    limits,
    secret_store=st.sampled_from(SecretStoreKind),
    log_level=st.sampled_from(LogDetail),
    log_file_mb=st.integers(1, 1024),
    log_files=st.integers(1, 100),
)
noise = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
lines = st.one_of(
    noise,
    noise.map(lambda text: f"#{text}"),
    st.tuples(st.sampled_from(KEYS), st.one_of(noise, st.integers(-5, 40).map(str))).map("=".join),
)
texts = st.lists(lines, max_size=8).flatmap(
    lambda some: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(some))
)


def outcome(action: Callable[[], Settings]) -> Settings | ConfigError:
    try:
        return action()
    except ConfigError as error:
        return error


def read(text: str) -> Settings:
    return settings_of([parse_entries(FILE, text)])


@given(texts)
@example("bk_tsk_thd=" + "9" * 5000)
@example("bk_tsk_thd=٣")
@example("=\x00")
def test_any_text_gives_settings_that_fit_or_a_config_error(text: str) -> None:
    result = outcome(lambda: read(text))
    if isinstance(result, Settings):
        assert 1 <= result.bk_tsk_thd * result.i2vp_transbuffer <= 32
    else:
        assert str(FILE) in result.message
        assert result.hint
        assert len(str(result)) < 600


@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00")
def test_any_bytes_give_settings_or_a_config_error(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "system.conf"
        file.write_bytes(raw)
        result = outcome(lambda: load_settings(file))
        assert isinstance(result, Settings) or str(file) in result.message


@given(settings_strategy, st.randoms(use_true_random=False))
def test_what_is_written_is_read_again_in_any_order(settings: Settings, shuffler: random.Random) -> None:
    rows = [f"{key}={text_of(getattr(settings, key))}" for key in KEYS]
    shuffler.shuffle(rows)
    assert read("\n".join(rows)) == settings


@given(settings_strategy, settings_strategy, st.lists(noise.map(lambda text: f"# {text}"), max_size=4))
def test_changing_a_file_keeps_its_comments_and_gives_the_new_settings(
    old: Settings, new: Settings, comments: list[str]
) -> None:
    before = "\n".join([*comments, with_changes("", {key: text_of(getattr(old, key)) for key in KEYS})])
    after = with_changes(before, {key: text_of(getattr(new, key)) for key in KEYS})
    assert read(before) == old
    assert read(after) == new
    assert after.split("\n")[: len(comments)] == comments


@given(settings_strategy, settings_strategy)
def test_saving_twice_ends_at_the_last_settings(first: Settings, second: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config" / "system.conf"
        save_settings(file, Settings(), first)
        save_settings(file, load_settings(file), second)
        assert load_settings(file) == second
