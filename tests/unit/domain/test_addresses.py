"""Addresses as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.addresses import LINK_LOCAL, BadAddress, ascii_host, is_local, web_address, with_port
from app.domain.notifications import EmailSettings, MailSecurity, NotificationSettings, WebhookSettings


@pytest.mark.parametrize(
    ("typed", "host", "target"),
    [
        ("http://host/通知", "host", "/%E9%80%9A%E7%9F%A5"),
        ("http://host/a?查询=磐备&x=1", "host", "/a?%E6%9F%A5%E8%AF%A2=%E7%A3%90%E5%A4%87&x=1"),
        ("https://例子.公司/x", "xn--fsqu00a.xn--55qx5d", "/x"),
        ("https://bücher.example", "xn--bcher-kva.example", "/"),
        ("https://HOST.example:8443/a%20b?c=%2F#part", "host.example", "/a%20b?c=%2F"),
        ("http://host/100%", "host", "/100%25"),
        ("http://host/a[1]{2}|3", "host", "/a%5B1%5D%7B2%7D%7C3"),
        ("http://[2001:db8::1]:8080/", "2001:db8::1", "/"),
        ("http://10.0.0.1", "10.0.0.1", "/"),
    ],
)
def test_what_can_be_sent_is_encoded(typed: str, host: str, target: str) -> None:
    address = web_address(typed)
    assert (address.host, address.target) == (host, target)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "host/path",
        "ftp://host/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://.example/",
        "https://a..b/",
        f"https://{'a' * 70}.example/",
        f"https://{'a.' * 140}example/",
        "https://-a.example/",
        "https://host:0/",
        "https://host:65536/",
        "https://host:99999999999/",
        "https://host:port/",
        "https://me:secret@host/",
        "https://me@host/",
        "https://@host/",
        "https://[::1/",
        "https://host name/",
        "https://host\\path/",
        "https://host\n/",
        "https://ho\u0000st/",
        "https://ho\u200bst\u202e/",
        "https://exa%mple/",
        "https://ex\ud800mple/",
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_set(typed: str) -> None:
    with pytest.raises(BadAddress):
        web_address(typed)
    settings = NotificationSettings(webhook=WebhookSettings(enabled=True, url=typed))
    assert [field for field, _ in settings.problems()] == ["webhook.url"]


@given(st.text(max_size=80))
def test_whatever_is_typed_gives_ascii_or_a_clear_refusal(text: str) -> None:
    for typed in (text, f"https://{text}", f"https://host/{text}", f"https://host:{text}/", f"http://{text}@x/"):
        try:
            address = web_address(typed)
        except BadAddress:
            pass
        else:
            assert (address.host + address.target + address.origin).isascii()
            assert address.target.isprintable()
            assert " " not in address.target


@given(st.text(max_size=300))
def test_whatever_is_typed_as_a_server_gives_ascii_or_a_clear_refusal(text: str) -> None:
    try:
        host = ascii_host(text)
    except BadAddress:
        pass
    else:
        assert host.isascii()
        assert host.encode("idna")


@pytest.mark.parametrize("host", [".example", "a" * 70, "a..b", "mail host", "", "mail/x", "me@mail"])
def test_a_mail_server_that_cannot_be_named_is_refused(host: str) -> None:
    email = EmailSettings(
        enabled=True, host=host, security=MailSecurity.NONE, sender="a@b.c", recipients=("d@e.f",)
    )
    assert [field for field, _ in NotificationSettings(email=email).problems()] == ["email.host"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:192.168.1.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.0.1", True),
        ("169.254.1.1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("nas", True),
        ("hook.local", True),
        ("hook.corp.internal.", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("hooks.example.com", False),
        ("local.example.com", False),
    ],
)
def test_what_is_near_needs_no_proxy(host: str, *, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("::1", "::1"),
        ("[::1]", "::1"),
        (" [2001:DB8:0:0::00A] ", "2001:db8::a"),
        ("2001:db8::a", "2001:db8::a"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_ip_address_has_one_form_however_it_is_typed(typed: str, known: str) -> None:
    assert ascii_host(typed) == known


@pytest.mark.parametrize("typed", ["fe80::1", "[fe80::1%eth0]", "fe80::1%25eth0", "::1%lo"])
def test_an_address_of_one_interface_is_refused_with_the_reason(typed: str) -> None:
    with pytest.raises(BadAddress) as caught:
        ascii_host(typed)
    assert caught.value.reason is LINK_LOCAL


def test_a_port_follows_an_ipv6_address_in_brackets() -> None:
    assert (with_port("::1", 443), with_port("vc.lab", 443)) == ("[::1]:443", "vc.lab:443")
