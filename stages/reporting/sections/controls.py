"""The controls: three forecasters whose score is known in advance."""

from stages.reporting.content import Section, grid
from stages.reporting.record import Record

CONTROLS = {
    "echo": "repeats the last value sent: must equal persistence",
    "oracle": "knows the answer: must make no error",
    "shifted_oracle": "knows the answer a minute early: must be visibly worse",
    "oracle_bound": "knows what was planted in an artificial market: must not be beaten",
}


def controls(record: Record) -> Section:
    """A pipeline whose history holds the answer, or that reads the wrong step, cannot pass all three."""
    proofs = record.metrics["controls"]
    figures = ("verdict", "rule", "rmae_min", "rmae_max", "n")
    lines = [
        (name, meaning, *(proofs[name][field] for field in figures))
        for name, meaning in CONTROLS.items()
        if name in proofs
    ]
    sentences = (
        "Three forecasters that would expose this pipeline, scored on the run's own questions. If history held the "
        "answer, or the score read the wrong step, they could not all come out as they must; then no cell may trade.",
    )
    titles = ("control", "what it does", "verdict", "rule", "lowest rMAE", "highest rMAE", "forecasts")
    return Section("controls", "Controls", sentences, grids=(grid("Controls", titles, lines),))
