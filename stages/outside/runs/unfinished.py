"""Which stages have not run with what lies here now."""

from dvc.repo import Repo

STAGE_SEPARATOR = ":"


def unfinished_stages() -> list[str]:
    """Stages whose code, params, inputs or outputs differ from dvc.lock, in the order of dvc.yaml; none after a run."""
    with Repo() as repo:
        changed = {name.rpartition(STAGE_SEPARATOR)[2] for name in repo.status()}
        return [stage.name for stage in repo.index.stages if getattr(stage, "name", None) in changed]
