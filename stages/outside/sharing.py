"""DVC's default remote as the place that machines share, when it is wanted and within reach."""

import sys

from stages.errors import BudgetStop
from stages.forecasting.params import ApiParams
from stages.outside.bucket_place import needs_network, open_remote
from stages.outside.places import Place, PlaceDown
from stages.outside.workspace import default_remote


def shared_place(api: ApiParams) -> Place | None:
    """The remote's place, if it is wanted and may be asked: offline, only a folder may."""
    remote = default_remote() if api.share else None
    if remote is None or (api.mode == "offline" and needs_network(remote)):
        return None
    try:
        return open_remote(remote)
    except PlaceDown as error:
        told = f"DVC's default remote {remote.name!r} is down: {error}"
        if api.remote_down == "stop" or (api.scope == "remote" and api.mode == "online"):
            raise BudgetStop(f"{told}. Run again when it answers (api.remote_down, api.scope).") from None
        print(f"{told}; this run goes on with what lies here.", file=sys.stderr, flush=True)
        return None
