"""`make params`: the text DVC would write, and an applied experiment that nobody throws away unasked."""

import pytest
from dvc.utils.hydra import compose_and_dump

from stages.commands import spending
from stages.configuration.compose import compose, describe, differences, to_yaml
from stages.errors import ConfigurationError, DataContractError
from tests.support.locks import record_run


@pytest.mark.parametrize(
    "overrides", [[], ["preset=aapl_2024"], ["preset=smoke", "rules.k_sigma=1", "forecaster=ewma_fhs"]]
)
def test_the_text_is_byte_for_byte_what_dvc_exp_run_writes(project, overrides):
    compose_and_dump("by_dvc.yaml", str(project.path / "conf"), None, "config", str(project.path), overrides)
    assert to_yaml(compose(overrides=overrides)) == project.text("by_dvc.yaml")


def test_differences_name_each_key_with_both_values():
    left = {"rules": {"k_sigma": 1.0, "s_stop": 2.0}, "grid": [1, 2], "gone": 1}
    right = {"rules": {"k_sigma": 0.5, "s_stop": 2.0}, "grid": [2, 1]}
    assert differences(left, right) == {
        ("rules", "k_sigma"): (1.0, 0.5),
        ("grid",): ([1, 2], [2, 1]),
        ("gone",): (1, "(absent)"),
    }


def test_values_are_reported_as_yaml_writes_them_and_of_a_whole_section_only_its_size():
    assert describe({("rules",): (None, {"k_sigma": 0.5, "s_stop": 1.0})}, "then") == "rules = null (then: 2 keys)"
    assert describe({("a", "b"): (True, {"c": 1}), ("d",): (1, "x")}) == "a.b = true (conf: 1 key), d = 1 (conf: x)"


def test_a_first_params_yaml_is_simply_made(project):
    (project.path / "params.yaml").unlink()
    project.run("params", "--check")
    assert project.text("params.yaml") == to_yaml(compose())


def test_an_edited_conf_is_composed_again_and_again(project):
    """The loop of somebody who edits conf/: neither the committed nor the last composed params are an experiment."""
    for k_sigma in ("0.6", "0.7"):
        before = str(project.params()["rules"]["k_sigma"])
        project.edit("conf/rules/default.yaml", f"k_sigma: {before}", f"k_sigma: {k_sigma}")
        project.run("params", "--check")
        assert project.params()["rules"]["k_sigma"] == float(k_sigma)


def test_the_plan_prices_what_would_run_next_an_edited_conf_or_an_applied_experiment(project, monkeypatch):
    priced = []
    monkeypatch.setattr(spending, "tell_price", lambda document: priced.append(document["rules"]["k_sigma"]))
    project.run("plan")
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.6")
    project.run("plan")
    project.apply_experiment("rules.k_sigma=1.0")
    project.run("plan")
    assert priced == [0.5, 0.6, 1.0]


def test_an_applied_experiment_is_refused_by_name_of_key_with_the_remedies(project):
    project.apply_experiment("rules.k_sigma=1.0")
    kept = project.text("params.yaml")
    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma = 1\.0 \(conf: 0\.5\).*make adopt.*make params"):
        project.run("params", "--check")
    assert project.text("params.yaml") == kept


def test_an_experiment_with_the_params_that_were_adopted_and_taken_back_is_one_again(project):
    project.apply_experiment("rules.k_sigma=1.0")
    project.run("adopt")
    project.git("checkout", "-q", ".")
    project.apply_experiment("rules.k_sigma=1.0")
    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma = 1\.0 \(conf: 0\.5\)"):
        project.run("params", "--check")
    project.run("adopt")
    assert compose()["rules"]["k_sigma"] == 1.0


def test_a_committed_experiment_is_refused_too(project):
    project.apply_experiment("rules.k_sigma=1.0")
    project.commit()
    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma"):
        project.run("params", "--check")


def test_an_experiment_on_another_preset_names_eight_keys_and_counts_the_rest(project):
    project.apply_experiment("preset=aapl_2024")
    with pytest.raises(ConfigurationError, match=r"of study 'AAPL 2024'.* and \d+ more"):
        project.run("params", "--check")


def test_make_params_discards_an_experiment_and_says_what_it_was(project):
    project.apply_experiment("rules.k_sigma=1.0")
    assert "discarded rules.k_sigma = 1.0 (conf: 0.5)" in project.run("params")
    assert project.params()["rules"]["k_sigma"] == 0.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("k_sigma: 0.5", "k_sigma: -0.5", r"rules\.k_sigma = -0\.5"),
        ("k_sigma: 0.5", "ksigma: 0.5", r"rules\.ksigma"),
        ('time_stop_et: "15:55"', "time_stop_et: 15:55", r"rules\.time_stop_et = 955"),
        ("${requests.history_days.0}", "41", r"\[41\] of rules\.history_days.*requests\.history_days \[40\]"),
        ("k_sigma: 0.5", "k_sigma: [", "conf/ does not compose"),
        ("horizon_min_by_symbol: {}", "horizon_min_by_symbol: {NULL: 5}",
         r"conf/rules/default\.yaml: .*horizon_min_by_symbol \(quote it"),
        ("horizon_min_by_symbol: {}", "horizon_min_by_symbol: {ON: 5}",
         r"rules\.horizon_min_by_symbol\.True is a key that YAML does not read as text: quote it"),
        ("k_sigma: 0.5", "k_sigma: '${'", r"conf/rules/default\.yaml: .*full_key: k_sigma"),
        ("k_sigma: 0.5", "k_sigma: !!bool abc", r"conf/rules/default\.yaml: 'abc'"),
    ],
)  # fmt: skip
def test_an_impossible_param_ends_with_one_sentence_and_params_yaml_as_it_was(project, old, new, said):
    kept = project.text("params.yaml")
    project.edit("conf/rules/default.yaml", old, new)
    with pytest.raises(ConfigurationError, match=said):
        project.run("params", "--check")
    assert project.text("params.yaml") == kept


TORN = {"torn": b"rules: [", "Latin-1": "study: Z\xfcrich".encode("latin-1"), "a list": b"- 1", "a number": b"5"}


@pytest.mark.parametrize("what", TORN)
def test_a_params_yaml_that_cannot_be_read_is_reported_so_and_written_again(project, what):
    (project.path / "params.yaml").write_bytes(TORN[what])
    with pytest.raises(ConfigurationError, match="run `make params` to write it"):
        project.run("params", "--check")
    assert "params.yaml" in project.run("params")
    assert project.params() == compose()


CONF_TRICKS = {
    "Latin-1": "# Z\xfcrich".encode("latin-1"), "a number": b"5", "itself": b"&a [*a]",
    "no choice": b"defaults: [nosuch]",
    "defaults that are no list": b"defaults: 5", "a day as a key": b"2024-01-01: 1", "no key": b"s_stop: ${no.key}",
}  # fmt: skip


@pytest.mark.parametrize("what", CONF_TRICKS)
def test_a_file_of_conf_that_cannot_be_read_is_reported_so(project, what):
    (project.path / "conf/rules/default.yaml").write_bytes(CONF_TRICKS[what])
    with pytest.raises(ConfigurationError):
        project.run("params", "--check")


def test_what_lies_in_artifacts_of_other_params_is_reported_when_they_are_composed(project):
    project.write_json("artifacts/evaluate/gates.json", {})
    record_run(project.path, {"rules": project.params()["rules"] | {"s_stop": 1.5}})
    assert "rules.s_stop = 1.0 (artifacts: 1.5). Next: `make run`" in project.run("params")
    record_run(project.path, {"rules": project.params()["rules"]})
    assert project.run("params") == ""


def test_an_empty_lock_stops_a_run_before_dvc_reads_it(project):
    project.write_json("conf/manifests/synthetic.json", {"source": "synthetic", "files": []})
    (project.path / "dvc.lock").write_text("")
    with pytest.raises(ConfigurationError, match="is empty, incomplete or in the middle of"):
        project.run("params", "--check")


def test_a_source_that_is_not_listed_yet_is_allowed_where_it_is_about_to_be(project):
    project.edit("conf/source/synthetic.yaml", "name: synthetic", "name: another")
    with pytest.raises(DataContractError, match=r"conf/manifests/another\.json is missing: run `make refresh`"):
        project.run("params", "--check")
    project.run("params", "--check", "--unlisted")
    assert project.params()["source"]["name"] == "another"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (["-S", "rules.k_sigma=abc"], "rules.k_sigma = 'abc'"),
        (["--temp", "--set-param=rules.k_sigm=1"], "rules.k_sigm"),
        (["-Srules.horizon_min=7"], r"\[7\] of rules.horizon_min"),
        (["-S", "preset=nosuch"], r"compose: there is no conf/preset/nosuch\.yaml: name one of aapl_2024, .*yahoo\.$"),
        (["-S", "rules.ksigma=1"], r"compose: there is no key rules\.ksigma: docs/PARAMS\.md lists all keys,"),
        (
            ["-S", "rules.horizon_min_by_symbol={STRONG: 5}"],
            r"compose: there is no key rules\.horizon_min_by_symbol\.STRONG: .* how to add an entry to a mapping or",
        ),
        (["-S", "split.walk_forward.fold_sessions=5"], r"fold_sessions: .* set a group that is null\.$"),
        (["-S", "rules.k_sigma=[1"], r"compose: no viable alternative at input '\[1'$"),
        (["-S", "a;b"], r"compose: LexerNoViableAltException: a;b$"),
        (
            ["-S", "rules.k_sigma=${no.key}"],
            r"compose: Interpolation key 'no\.key' not found full_key: rules\.k_sigma$",
        ),
    ],
)
def test_a_run_that_is_impossible_is_refused_before_dvc_writes_its_params(project, how, said):
    with pytest.raises(ConfigurationError, match=said):
        project.run("params", "--listed=smoke", "--", *how)


def test_words_that_would_have_no_effect_are_refused(project):
    with pytest.raises(ConfigurationError, match=r"conf/ as it stands, so forecaster=har has no effect: `make use"):
        project.run("params", "forecaster=har")


def test_a_preset_that_does_not_stand_says_how_its_source_is_listed(project):
    before = project.text("params.yaml")
    project.run("params", "--listed=smoke")
    with pytest.raises(
        DataContractError, match=r"massive\.json is missing: `make use PRESET=massive` and `make refresh`"
    ):
        project.run("params", "--listed=massive")
    assert project.text("params.yaml") == before


def test_a_text_that_params_cannot_hold_is_named_with_its_key() -> None:
    """As of a folder ${x}, whose braces are doubled in a template."""
    with pytest.raises(ConfigurationError, match=r"^source.uri_template holds \$\{, which names another key: rename"):
        to_yaml({"source": {"uri_template": "a ${{x}}/{symbol}.csv"}})
