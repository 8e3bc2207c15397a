"""DVC's state outside the cache: its site cache (what it knows about files) and its lock of running commands.

DVC's default site cache, /var/tmp/dvc, may be written by every user of the machine, who could then decide what is up to
date here. So each clone gets a folder `.dvc/tmp/site` that only its user may enter, named by an absolute path in
`.dvc/config.local`, which DVC copies into temporary experiments. `DVC_SITE_CACHE_DIR`, and any other folder in
`core.site_cache_dir`, take precedence.

*Errors*: `ConfigurationError` (exit 5) for a clone whose path DVC cannot write, for a folder that is not this user's,
and for a lock that a kill left torn.
*Source*: DVC 3.67.1: `dvc.dirs.site_cache_dir`, `dvc.rwlock`.
"""

import json
import os
from pathlib import Path
from stat import S_IMODE, S_IWOTH

from stages.errors import ConfigurationError
from stages.io.atomic import disk_errors
from stages.io.dvc_internals import DEFAULT_SITE_CACHE, read_config, write_local
from stages.io.workspace import main_root

OWN = Path(".dvc/tmp/site")
CONFIG = Path(".dvc/config.local")
RWLOCKS = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))  # of commands, and of queued experiments
VARIABLE, OPTION = "DVC_SITE_CACHE_DIR", "core.site_cache_dir"


def own_site_cache() -> None:
    """Give DVC a site cache in this clone, unless the user has chosen one."""
    root = main_root()
    if not str(root).isascii():
        raise ConfigurationError(
            f"DVC's queue would wait forever, since the path of this clone, {root}, is not in ASCII: move the clone "
            "to a folder whose path is."
        )
    if os.environ.get(VARIABLE):
        return
    own = root / OWN
    config = root / CONFIG
    stated = config.read_text(encoding="utf-8", errors="replace") if config.exists() else ""  # DVC says what is wrong
    if f"site_cache_dir = {own}\n" not in stated:
        chosen = read_config(root).get("core", {}).get("site_cache_dir")
        if chosen and not chosen.endswith(f"/{OWN}"):  # a path that ends so was written before a move or copy
            return
        with disk_errors(config):
            write_local(root, "core", "site_cache_dir", str(own))
    with disk_errors(own):
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.stat().st_uid != os.getuid():
            raise ConfigurationError(
                f"{own} belongs to another user: set {VARIABLE} to a folder of yours and export it, or work in a "
                "clone of your own."
            )
        own.chmod(0o700)


def require_own_site_cache() -> Path:
    """The site cache that DVC uses. *Errors*: if every user may write it."""
    variable = os.environ.get(VARIABLE)
    stated = variable or read_config(main_root()).get("core", {}).get("site_cache_dir")
    folder = Path(stated or DEFAULT_SITE_CACHE)
    may_be_written = S_IMODE(folder.stat().st_mode) & S_IWOTH if folder.is_dir() else not stated
    if may_be_written:
        remedy = f"`chmod 700 {folder}`" if stated else "`python -m stages prepare` gives it a folder of its own"
        raise ConfigurationError(
            f"DVC keeps its records of files in {folder}, where every user of this machine may write: {remedy}."
        )
    return folder


def require_whole_rwlock() -> None:
    """*Errors*: when DVC's lock of running commands, or of queued experiments, is not what DVC writes."""
    for lock in RWLOCKS:
        _require_whole(main_root() / lock)


def _require_whole(path: Path) -> None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        document = None
    if not isinstance(document, dict) or not document.keys() <= {"read", "write"}:
        raise ConfigurationError(
            f"{path} is empty or incomplete, perhaps after a killed run: `rm {path}` while no dvc command runs here, "
            "then run again."
        )
