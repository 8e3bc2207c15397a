"""Sentences for a reader who sees both the buyer's verdict and the gates', from the document `worth.json`."""

from stages.worth.verdict import State
from stages.worth.verdict_lines import Document, in_money


def why_gates_differ(worth: Document, gates: str) -> str:
    """Why this verdict and that of the gates differ; empty if they agree."""
    state = State(worth["state"])
    if state is State.WORTH_IT and gates in {"FAIL", "INCONCLUSIVE"}:
        asks = (
            "the rule earns more than with a forecast that"
            if in_money(worth)
            else "the whole distribution beats one that"
        )
        return (
            f"The gates say {gates} because they ask another question, once: is the median better than persistence, "
            f"and does the rule earn money? Worth asks whether {asks} is free."
        )
    if state in {State.NOT_WORTH_IT, State.NOT_SHOWN} and gates == "PASS":
        asks = "the rule earns as much with a free one" if in_money(worth) else "a free one is as good"
        return (
            f"The gates say PASS because they ask another question: are the forecasts good? Worth asks whether {asks}."
        )
    return ""


def many_looks(looks: int, planned_sessions: int) -> str:
    """A warning that the gates, unlike the verdict, allow only one look; empty after a single one."""
    if looks < 2:
        return ""
    return (
        f"The gates were looked at {looks} times, over different spans, and each look is a chance to pass by luck: "
        f"judge them at the planned end, session {planned_sessions}."
    )
