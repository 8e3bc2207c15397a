"""The dvc.lock that a run would leave for what lies in a folder's artifacts/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.io.content import content_hash


def record_run(folder: Path, params: Mapping[str, Any] | None = None) -> None:
    """Each folder of artifacts/ becomes a stage, what lies in it its outs; every stage ran with these `params`."""
    stages = {
        stage.name: {
            "params": {"params.yaml": dict(params or {})},
            "outs": [
                {"path": path.relative_to(folder).as_posix(), "md5": content_hash(path)}
                for path in sorted(stage.iterdir())
            ],
        }
        for stage in sorted(filter(Path.is_dir, (folder / "artifacts").iterdir()))
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
