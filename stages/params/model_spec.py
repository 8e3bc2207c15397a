"""The model spec: what `ForecasterParams` tells a question of who answers, and the address of a service that does."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

AZURE_IN_SDK = "ai.azure"  # an address that nixtla 0.9.0 takes for Azure's


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model on a deployment, as far as it can change a question or its answer.

    `options` go into the question as written; `deployment` holds no secret. `input_size` and `model_horizon` are the
    model's own numbers; null while unknown. `remote`: values are sent over the network; a local forecaster gets no
    clock.
    """

    model: str
    model_epoch: str
    deployment: str
    min_rows: int
    options: dict[str, float | int | str] = field(default_factory=dict)
    input_size: int | None = None
    model_horizon: int | None = None
    remote: bool = True

    def row_limit(self, horizon_min: int, *, exogenous: bool) -> int | None:
        """How many of the latest rows are sent; None means all.

        *Source*: nixtla 0.9.0 keeps `3 * input_size + max(model horizon, h)` rows when levels are asked, and every row
        with an exogenous column or finetuning. Rows are cut before hashing, so histories that send the same rows have
        one key.
        """
        whole = exogenous or bool(self.options.get("finetune_steps"))
        if whole or self.input_size is None or self.model_horizon is None:
            return None
        return 3 * self.input_size + max(self.model_horizon, horizon_min)


def is_address(text: str) -> bool:
    """Whether requests can be sent there: http or https, a host, a port if any, no query and no white space.

    The SDK writes each path behind the address, so behind a query it would be a part of that.
    """
    try:
        url = urlsplit(text)
        host, port = (url.hostname or "").encode("idna"), url.port
    except ValueError:
        return False
    plain = "?" not in text and not any(map(str.isspace, text))
    return url.scheme in {"http", "https"} and bool(host) and port != 0 and plain


def deployment_of(address: str) -> str:
    """The address without credentials, fragment or final slash."""
    url = urlsplit(address)
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.hostname}{port}{url.path.rstrip('/')}"


def is_azure(address: str) -> bool:
    """Whether this is an Azure address, where the service does not give its model's numbers."""
    return (urlsplit(address).hostname or "").endswith(".azure.com") or AZURE_IN_SDK in address
