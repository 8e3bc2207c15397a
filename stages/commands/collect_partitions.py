"""`make collect-partitions`: what no recorded run names in the bucket of `storage.root`; ARGS=--delete removes it."""

from stages.errors import ConfigurationError
from stages.io.arguments import Arguments
from stages.io.clock import SystemClock
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.storage import StorageParams
from stages.runs.garbage import OLDEST_RUN, delete, garbage


def main() -> None:
    """Bucket and manifests -> objects that nobody needs, named; deleted only when told so."""
    parser = Arguments(prog="make collect-partitions", description="partitions that no run names")
    parser.add_argument("--delete", action="store_true", help="remove them; without it they are only named")
    deleting = parser.parse_args().delete
    root = read_params(StorageParams).root
    if root is None:
        raise ConfigurationError("storage.root is null: partitions lie in artifacts/, where `dvc gc` collects them.")
    uris, needed = garbage(root, SystemClock().now() - OLDEST_RUN)
    for uri in uris:
        print(f"  {uri}")
    if deleting and uris:
        delete(uris)
    say("collect_partitions", needed=needed, garbage=len(uris), deleted=len(uris) if deleting else 0)


if __name__ == "__main__":
    run(main)
