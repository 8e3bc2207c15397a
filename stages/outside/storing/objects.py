"""Objects in a bucket, named by their content: written once, checked whenever they are read.

*Errors*: `DataContractError` (exit 2) for an object that is gone or damaged; `ConfigurationError` (exit 5) when the
bucket of `storage.root` does not answer or may not be used.
"""

import hashlib
from pathlib import Path

from stages.errors import DataContractError
from stages.outside.source.reaching import open_uri, told

PARAM = "storage.root"


def put_object(root: str, content: bytes) -> tuple[str, str]:
    """Sha256 and uri of the object with this content; it is written unless it is there."""
    sha256 = hashlib.sha256(content).hexdigest()
    uri = f"{root}/{sha256[:2]}/{sha256}.parquet"
    filesystem, path = open_uri(uri, Path(), PARAM)
    with told(uri, PARAM):
        if not filesystem.exists(path):
            filesystem.pipe_file(path, content)
    return sha256, uri


def get_object(uri: str, sha256: str) -> bytes:
    """The content of an object, which must be the one that was put there."""
    filesystem, path = open_uri(uri, Path(), PARAM)
    with told(uri, PARAM):
        content = bytes(filesystem.cat_file(path))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataContractError(
            f"{uri} does not hold what its name says: delete it, then run again with `dvc repro -f`."
        )
    return content
