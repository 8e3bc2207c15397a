"""The API key: refused when it cannot be one, and seen by nobody in whatever form it comes back.

That it stands in no file, error, output or log is asked of every test that buys: see the fixture `server`.
"""

import base64

import pytest

from stages.errors import ConfigurationError
from stages.paid.client import read_key, scrubbed, secrets_of
from tests.support.contexts import ContextFactory, asked, everything_under, states
from tests.support.timegpt_server import KEY, KEY_AS_WRITTEN, NEVER_SEEN, TimeGPTServer

PIECES = ("nixak-ONE", "nixak-TWO")


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", "\t", "\x1b", "\x00", "ä", "\u2028"])
def test_a_key_of_two_words_or_with_unprintable_signs_is_refused_before_anything(
    between: str, contexts: ContextFactory, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.environ", {"NIXTLA_API_KEY": between.join(PIECES)})  # a real one takes no zero byte
    with pytest.raises(ConfigurationError, match="NIXTLA_API_KEY is not one word of printable ASCII") as refused:
        contexts.backend().answer([asked()])
    assert (server.sent, states(contexts)) == (0, {})
    assert not [piece for piece in PIECES if piece in str(refused.value) + everything_under(contexts.root)]


def test_space_around_a_key_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIXTLA_API_KEY", " nixak-ONE\n")
    assert read_key() == "nixak-ONE"


@pytest.mark.parametrize("form", KEY_AS_WRITTEN)
def test_every_form_of_a_key_is_taken_out(form: str):
    seen = scrubbed(f"before {KEY_AS_WRITTEN[form]} after", [KEY])
    assert not [hidden for hidden in NEVER_SEEN if hidden in seen]
    assert seen == "before *** after" or form.startswith("base64")  # whose ends depend on what stands beside
    assert seen.startswith("before ")
    assert seen.endswith(" after")


@pytest.mark.parametrize("before", ["", "u", "u:"])
def test_a_key_within_base64_text_is_taken_out_wherever_it_begins(before: str):
    text = base64.b64encode(f"{before}{KEY}:and more".encode()).decode()
    seen = scrubbed(text, [KEY])
    assert "***" in seen
    assert len(seen) < len(text) - len(KEY)


def test_a_text_without_the_key_stays_as_it_is():
    assert scrubbed("the key is unknown: 401", [KEY]) == "the key is unknown: 401"
    assert scrubbed("nothing to hide", ["", KEY]) == "nothing to hide"


def test_of_a_secret_that_begins_with_another_nothing_is_left():
    secrets = {KEY[:length] for length in range(8, len(KEY) + 1)}
    assert scrubbed(f"before {KEY} after", secrets) == "before *** after"


def test_credentials_in_the_address_are_secrets_too():
    secrets = secrets_of(KEY, "https://jane:pass%2Fword@proxy.example/nixtla")
    told = "no route to jane with pass/word (pass%2Fword)"
    assert scrubbed(told, secrets) == "no route to *** with *** (***)"
