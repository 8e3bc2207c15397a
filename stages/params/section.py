"""How a section of params.yaml becomes a frozen value.

Each noun declares its own model beside its functions; `outside/settings.py` fills it. No model has a default: what a
run does stands in `conf/` and nowhere else.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """The section `section` of params.yaml, whole; with `partial`, only the keys that the model names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    section: ClassVar[str]
    partial: ClassVar[bool] = False
