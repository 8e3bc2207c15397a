"""Params section `storage`: where the tables of many symbols are kept."""

from typing import Annotated

from pydantic import StringConstraints

from stages.params.section import Section

Root = Annotated[str, StringConstraints(pattern=r"^gs://[^/]+(/[^/]+)*$")]


class StorageParams(Section, section="storage"):
    """`root` null: one file a symbol below `artifacts/`. A bucket's url: objects named by their content.

    A manifest below `artifacts/` then names the objects.
    """

    root: Root | None
