"""`make page` of a run of the past: its params as they stood, and today's where it had none."""

from stages.commands.pages import shown


def test_a_run_older_than_a_key_of_the_report_is_shown_as_today(project):
    today = project.params()
    past = today | {"report": {"study": "the first one", "fan_days": 1}}
    found = shown(past)
    assert found["report"] == today["report"] | {"study": "the first one", "fan_days": 1}
    assert "api" not in found
    assert {name: found[name] for name in ("rules", "gates")} == {name: today[name] for name in ("rules", "gates")}
