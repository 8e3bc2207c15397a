"""The address of a forecast service, `forecaster.base_url`: whether it is one, and what of it names the deployment."""

from urllib.parse import urlsplit

AZURE_IN_SDK = "ai.azure"  # an address that nixtla 0.9.0 takes for Azure's


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
