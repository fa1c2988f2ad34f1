"""Settings: what is read, what is refused, and in which words."""

from pathlib import Path

import pytest

from app.config import (
    KEYS,
    ConfigBudgetExceeded,
    ConfigError,
    ConfigKeyRepeated,
    ConfigKeyUnknown,
    ConfigLineInvalid,
    ConfigUnreadable,
    ConfigValueInvalid,
    LogDetail,
    SecretStoreKind,
    Settings,
    load_settings,
    save_settings,
)
from app.domain.errors import OperationalError
from app.domain.limits import BufferBudgetExceeded

SHIPPED = Path(__file__).parents[3] / "etc" / "system.conf"


def conf(folder: Path, text: str, name: str = "system.conf") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "absent.conf", tmp_path / "nowhere" / "system.conf") == Settings()


def test_the_shipped_file_sets_every_key_to_its_default() -> None:
    assert load_settings(SHIPPED) == Settings()
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    assert [line.split("=")[0] for line in lines if line and not line.startswith("#")] == list(KEYS)


def test_every_key_can_be_set(tmp_path: Path) -> None:
    file = conf(
        tmp_path,
        "bk_tsk_thd=2\ni2vp_transbuffer=16\nsecret_store=file\nlog_level=debug\nlog_file_mb=3\nlog_files=9\n",
    )
    assert load_settings(file) == Settings(
        bk_tsk_thd=2,
        i2vp_transbuffer=16,
        secret_store=SecretStoreKind.FILE,
        log_level=LogDetail.DEBUG,
        log_file_mb=3,
        log_files=9,
    )


def test_the_operators_file_overrides_the_shipped_one_key_by_key(tmp_path: Path) -> None:
    shipped = conf(tmp_path, "bk_tsk_thd=8\nlog_level=warning\n", "shipped.conf")
    own = conf(tmp_path, "bk_tsk_thd=6\n", "own.conf")
    settings = load_settings(shipped, own)
    assert (settings.bk_tsk_thd, settings.log_level) == (6, LogDetail.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        "bk_tsk_thd=3",
        "  bk_tsk_thd \t=  3  \n",
        "# eight is too many\nbk_tsk_thd=3 # for the old array\n",
        "\ufeffbk_tsk_thd=3\n",
        "\r\nbk_tsk_thd=3\r\n",
        "\rbk_tsk_thd=3\r",
        "bk_tsk_thd=003",
        "bk_tsk_thd=+3",
    ],
    ids=["no line end", "blanks", "comments", "byte order mark", "CRLF", "CR", "leading zeros", "plus sign"],
)
def test_the_form_is_forgiving(tmp_path: Path, text: str) -> None:
    assert load_settings(conf(tmp_path, text)).bk_tsk_thd == 3


@pytest.mark.parametrize(
    "value", ["0", "-0", "-4", "", "four", "4.5", "4 MB", "0x4", "1_0", "４", "33", "9" * 5000]
)
@pytest.mark.parametrize("key", ["bk_tsk_thd", "i2vp_transbuffer"])
def test_a_number_that_makes_no_sense_is_refused_with_file_line_key_and_value(
    tmp_path: Path, key: str, value: str
) -> None:
    file = conf(tmp_path, f"# first\n\n{key}={value}\n")
    with pytest.raises(ConfigValueInvalid) as caught:
        load_settings(file)
    assert f"{file}, line 3: {key}={value[:40]}" in caught.value.message
    assert caught.value.hint == "Write a whole number from 1 to 32."
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("value", "problem"),
    [("0", "zero makes no sense here"), ("-4", "it is negative"), ("four", "it is not a whole number")],
)
def test_the_problem_is_named(tmp_path: Path, value: str, problem: str) -> None:
    with pytest.raises(ConfigValueInvalid, match=problem):
        load_settings(conf(tmp_path, f"bk_tsk_thd={value}"))


@pytest.mark.parametrize(("tasks", "buffer_mb"), [(8, 4), (32, 1), (1, 32), (4, 8), (3, 10)])
def test_a_product_of_at_most_32_is_accepted(tmp_path: Path, tasks: int, buffer_mb: int) -> None:
    settings = load_settings(conf(tmp_path, f"bk_tsk_thd={tasks}\ni2vp_transbuffer={buffer_mb}\n"))
    assert settings.limits.product_mb == tasks * buffer_mb


def test_a_product_over_32_is_refused_with_the_sum_and_what_would_fit(tmp_path: Path) -> None:
    file = conf(tmp_path, "bk_tsk_thd=8\ni2vp_transbuffer=5\n")
    with pytest.raises(ConfigBudgetExceeded) as caught:
        load_settings(file)
    assert f"{file}, line 2: i2vp_transbuffer=5" in caught.value.message
    assert "bk_tsk_thd × i2vp_transbuffer = 8 × 5 = 40 > 32" in caught.value.message
    assert f"bk_tsk_thd is set in {file}, line 1" in caught.value.message
    assert caught.value.hint == "Set i2vp_transbuffer to at most 4 or bk_tsk_thd to at most 6."


def test_a_product_that_a_default_makes_too_large_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigBudgetExceeded, match=r"9 × 4 = 36 > 32 .*i2vp_transbuffer has its default"):
        load_settings(conf(tmp_path, "bk_tsk_thd=9\n"))


def test_a_product_over_two_files_blames_the_operators_file_and_names_both(tmp_path: Path) -> None:
    shipped = conf(tmp_path, "bk_tsk_thd=8\ni2vp_transbuffer=4\n", "shipped.conf")
    own = conf(tmp_path, "# more!\nbk_tsk_thd=16\n", "own.conf")
    with pytest.raises(ConfigBudgetExceeded) as caught:
        load_settings(shipped, own)
    assert f"{own}, line 2: bk_tsk_thd=16" in caught.value.message
    assert f"i2vp_transbuffer is set in {shipped}, line 2" in caught.value.message


def test_an_unknown_key_is_refused_and_the_near_one_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigKeyUnknown) as caught:
        load_settings(conf(tmp_path, "log_level=info\nBK_TSK_THDS=4\n"))
    assert "line 2: the key 'BK_TSK_THDS' (value '4') is unknown" in caught.value.message
    assert caught.value.hint == "Perhaps bk_tsk_thd is meant."


def test_an_unknown_key_like_no_other_gets_the_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigKeyUnknown) as caught:
        load_settings(conf(tmp_path, "颜色=红\n"))
    assert all(key in caught.value.hint for key in KEYS)


def test_a_key_set_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigKeyRepeated, match=r"line 3: log_files=2 .*line 1 sets it already"):
        load_settings(conf(tmp_path, "log_files=2\n\nlog_files=2\n"))


@pytest.mark.parametrize("line", ["bk_tsk_thd", "= 8", "just words"])
def test_a_line_of_another_form_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigLineInvalid, match="line 1") as caught:
        load_settings(conf(tmp_path, line))
    assert line.strip() in caught.value.message


def test_a_choice_that_does_not_exist_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ConfigValueInvalid) as caught:
        load_settings(conf(tmp_path, "secret_store=plain\n"))
    assert caught.value.hint == "Choose one of: keyring, file."


@pytest.mark.parametrize("raw", [b"log_files=2\nbk_tsk_thd=\xff8\n", "bk_tsk_thd=8".encode("utf-16")])
def test_another_encoding_is_refused(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "system.conf"
    file.write_bytes(raw)
    with pytest.raises(ConfigUnreadable, match="not UTF-8") as caught:
        load_settings(file)
    assert "UTF-8" in caught.value.hint


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="cannot be read"):
        load_settings(tmp_path)
    with pytest.raises(ConfigUnreadable, match="larger than"):
        load_settings(conf(tmp_path, "#" * (1 << 20) + "\n"))


def test_every_refusal_is_an_error_that_the_operator_can_fix() -> None:
    assert issubclass(ConfigError, OperationalError)
    kinds = ConfigError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) == 7


# --- writing -----------------------------------------------------------------------------------------------------


def test_saving_changes_its_keys_only_and_keeps_comments(tmp_path: Path) -> None:
    file = conf(tmp_path, "# mine\nbk_tsk_thd = 6   # old array\n\n# noise\nlog_level=debug\n")
    old = load_settings(file)
    save_settings(file, old, Settings(bk_tsk_thd=4, log_level=LogDetail.DEBUG, i2vp_transbuffer=8))
    assert (
        file.read_text(encoding="utf-8")
        == "# mine\nbk_tsk_thd=4   # old array\n\n# noise\nlog_level=debug\ni2vp_transbuffer=8\n"
    )


def test_saving_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "config" / "system.conf"
    new = Settings(secret_store=SecretStoreKind.FILE)
    save_settings(file, Settings(), new)
    assert load_settings(file) == new


def test_saving_nothing_new_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "system.conf"
    save_settings(file, Settings(), Settings())
    assert not file.exists()


def test_saving_limits_that_do_not_fit_is_refused_with_the_sum_and_writes_nothing(tmp_path: Path) -> None:
    file = conf(tmp_path, "bk_tsk_thd=8\n")
    with pytest.raises(BufferBudgetExceeded, match="8 × 5 = 40 > 32"):
        save_settings(file, Settings(), Settings(i2vp_transbuffer=5))
    assert file.read_text(encoding="utf-8") == "bk_tsk_thd=8\n"
