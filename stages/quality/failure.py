"""A fault that no session can be saved from: the run stops, and the report says why."""

from datetime import date

from stages.errors import DataContractError


class HardFailure(DataContractError):
    """One hard check of one symbol; `detail` is the sentence with value, param and remedy."""

    def __init__(self, check: str, detail: str, session: date | None = None) -> None:
        super().__init__(detail)
        self.check = check
        self.detail = detail
        self.session = session

    def __reduce__(self) -> tuple[type["HardFailure"], tuple[str, str, date | None]]:
        """What another process needs to make it anew."""
        return HardFailure, (self.check, self.detail, self.session)
