"""Which requests the live page's listener answers: no network, no files, only the rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.access import PATHS, Access, Request
from monitor.web.answer import Answer

TOKEN = "a-token-that-nobody-guesses"
HERE = Access(TOKEN, port=9101)
BEYOND = Access(TOKEN, names=None, port=9101, is_private=False)
BEARER = ("Authorization", f"Bearer {TOKEN}")
texts = st.text(max_size=60)
headers = st.lists(
    st.tuples(
        st.sampled_from(["Host", "Cookie", "Authorization", "Sec-Fetch-Site", "Sec-Fetch-Mode", "X"]),
        st.one_of(texts, st.sampled_from(["localhost:9101", "none", "same-origin", "navigate", "Bearer "])),
    ),
    max_size=8,
)


def request(
    target: str = "/", *more: tuple[str, str], method: str = "GET", host: str = "localhost:9101"
) -> Request:
    return Request(method, target, (("Host", host), *more))


def refused(asked: Request, access: Access = HERE) -> int:
    """The status of the refusal; 0: it is answered."""
    answer = access.refusal(asked)
    return 0 if answer is None else answer.status


def exchanged(*more: tuple[str, str]) -> Answer:
    answer = HERE.refusal(request(f"/?token={TOKEN}", *more))
    assert answer is not None
    return answer


def cookie() -> tuple[str, str]:
    """What a browser sends back of what it was sent with the token."""
    return "Cookie", exchanged().headers["Set-Cookie"].partition(";")[0]


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_program_with_the_token_reads_every_path(path: str) -> None:
    assert refused(request(path, BEARER)) == 0
    assert refused(request(path, BEARER, method="HEAD")) == 0


@pytest.mark.parametrize("path", ["/", "/events", "/api/report"])
def test_without_the_token_nothing_that_names_files_is_read(path: str) -> None:
    assert refused(request(path)) == 401
    assert refused(request(path, ("Authorization", f"Bearer {TOKEN}x"))) == 401
    assert refused(request(path, ("Authorization", TOKEN))) == 401


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_metrics_and_health_need_no_token_on_the_own_machine_and_one_beyond_it(path: str) -> None:
    assert refused(request(path)) == 0
    assert refused(request(path), BEYOND) == 401
    assert refused(request(path, BEARER), BEYOND) == 0


def test_the_token_in_the_address_becomes_a_cookie_that_no_script_reads_and_no_site_gets() -> None:
    answer = exchanged()
    assert (answer.status, answer.headers["Location"]) == (303, "./")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))
    for path in ("/", "/events", "/api/report"):
        assert refused(request(path, cookie())) == 0


def test_a_link_on_another_page_opens_the_page_without_a_redirect_after_which_the_cookie_is_withheld() -> None:
    site = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")
    answer = exchanged(*site)
    assert (answer.status, answer.headers["Refresh"]) == (200, "0; url=./")
    assert "Set-Cookie" in answer.headers


def test_the_token_counts_in_the_address_of_the_page_alone() -> None:
    assert refused(request(f"/api/report?token={TOKEN}")) == 401
    assert refused(request("/?token=wrong")) == 401
    assert refused(request("/?token=wrong", cookie())) == 303


def test_cookies_of_other_programs_of_the_host_do_not_hide_ours() -> None:
    name, ours = cookie()
    assert refused(request("/", (name, f'odd"; =;;, a=b; {ours}; z'))) == 0
    assert refused(request("/", (name, "other=1"), (name, ours))) == 0


@pytest.mark.parametrize(
    "host", ["localhost:9101", "LOCALHOST:9101", "127.0.0.1:9101", "[::1]:9101", " localhost:9101 "]
)
def test_the_page_is_reached_by_the_names_of_the_own_machine(host: str) -> None:
    assert refused(request("/healthz", host=host)) == 0


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:9101", "localhost.evil.example:9101", "evil.example", "", "localhost", "localhost:9102"),
        *("localhost:", "localhost:9101:9101", "127.0.0.1.:9101", "user@localhost:9101", "localhost:9101/", "::1"),
        *("localhost:٩١٠١", "[::1]", "[localhost]:9101", "127.0.0.2:9101"),
    ],
)
def test_a_name_of_elsewhere_that_leads_here_is_refused(host: str) -> None:
    assert refused(request("/healthz", BEARER, host=host)) == 421


def test_one_host_is_named_no_less_and_no_more() -> None:
    assert refused(Request("GET", "/healthz")) == 400
    assert refused(request("/healthz", ("Host", "localhost:9101"))) == 400


def test_a_tunnel_to_a_local_socket_may_have_any_port() -> None:
    assert refused(request("/healthz", host="localhost:8765"), Access(TOKEN)) == 0
    assert refused(request("/healthz", host="evil.example:8765"), Access(TOKEN)) == 421


def test_beyond_the_own_machine_any_name_is_ours_and_the_token_is_needed() -> None:
    assert refused(request("/", host="node7.cluster:9101"), BEYOND) == 401
    assert refused(request("/", BEARER, host="node7.cluster:9101"), BEYOND) == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
@pytest.mark.parametrize("path", sorted(PATHS))
def test_the_pages_of_other_sites_read_nothing(path: str, site: str) -> None:
    assert refused(request(path, BEARER, cookie(), ("Sec-Fetch-Site", site))) == 403


def test_a_link_of_another_site_to_the_page_is_followed_and_to_nothing_else() -> None:
    link = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")
    assert refused(request("/", cookie(), *link)) == 0
    assert refused(request("/api/report", cookie(), *link)) == 403
    framed = (*link[:2], ("Sec-Fetch-Dest", "iframe"))
    assert refused(request("/", cookie(), *framed)) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get", ""])
def test_nothing_can_be_written(method: str) -> None:
    answer = HERE.refusal(request("/", BEARER, method=method))
    assert answer is not None
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "target",
    ["/../../etc/passwd", "/%2e%2e/etc/passwd", "//", "/events/", "/Metrics", "*", "", "http://localhost:9101/"],
)
def test_there_are_these_paths_and_no_others(target: str) -> None:
    assert refused(request(target, BEARER)) == 404


@given(st.text(max_size=10), texts, headers)
def test_no_request_is_answered_with_files_unless_it_holds_the_token(
    method: str, target: str, given_headers: list[tuple[str, str]]
) -> None:
    for path in ("/", "/events", "/api/report", target):
        asked = Request(method, path, given_headers)
        if path not in ("/healthz", "/metrics"):
            assert refused(asked) >= 400
        assert refused(asked, BEYOND) >= 400


@given(headers)
def test_no_request_gets_the_token_that_does_not_bring_it(given_headers: list[tuple[str, str]]) -> None:
    for target in ("/", "/?token=", "/?token=%00", "/?token=a&token=b"):
        answer = HERE.refusal(Request("GET", target, given_headers))
        assert answer is None or TOKEN not in f"{answer.headers}{answer.body!r}"


@given(st.text(max_size=40))
def test_only_the_own_names_pass_as_host(host: str) -> None:
    is_own = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\]):0?9101", host.strip().lower()) is not None
    assert (refused(request("/healthz", host=host)) == 0) is is_own
