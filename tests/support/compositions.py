"""What one conf/ composes to is composed once in a process: Hydra takes a tenth of a second for each."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

Compose = Callable[..., DictConfig]


def remembering(compose: Compose) -> Compose:
    """`hydra.compose`, which answers from memory while no file that it looked for changed.

    A changed file of conf/ leaves what other choices compose to as it was.
    """
    known: dict[object, list[tuple[dict[str, bytes | None], bytes]]] = {}

    def composed(config_name: str, overrides: Sequence[str] | None = None, **options: object) -> DictConfig:
        earlier = known.setdefault((config_name, tuple(overrides or ()), str(options)), [])
        now = cache(partial(content, folder()))
        for read, result in earlier:
            if all(now(name) == before for name, before in read.items()):
                return pickle.loads(result)
        with pytest.MonkeyPatch.context() as patch:
            read: dict[str, bytes | None] = {}
            folders = SourcesRegistry.instance().resolve("file")
            patch.setattr(folders, "is_config", noting(folders.is_config, read))
            result = pickle.dumps(compose(config_name, overrides=list(overrides or ()), **options))
        earlier.append((read, result))
        return pickle.loads(result)

    return composed


def remembering_text(write: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """The text of params.yaml, written once for the same params."""
    known: dict[str, str] = {}

    def written(document: Mapping[str, Any]) -> str:
        asked = repr(document)
        if asked not in known:
            known[asked] = write(document)
        return known[asked]

    return written


def remembering_yaml(load: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`yaml.load`, which parses the same text once."""
    known: dict[object, bytes] = {}

    def loaded(text: Any, Loader: Any) -> Any:  # noqa: N803  # the name that callers use
        if not isinstance(text, str):
            return load(text, Loader)
        asked = (text, Loader)
        if asked not in known:
            known[asked] = pickle.dumps(load(text, Loader))
        return pickle.loads(known[asked])

    return loaded


def remembering_files(load: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`OmegaConf.load`, which reads the same text once."""
    known: dict[str, bytes] = {}

    def loaded(file: Any) -> Any:
        if not hasattr(file, "read"):
            return load(file)
        text = file.read()
        if text not in known:
            file.seek(0)
            known[text] = pickle.dumps(load(file))
        return pickle.loads(known[text])

    return loaded


def hydras_own() -> DictConfig:
    """The config of Hydra itself. Its `defaults` (launchers, loggers) are a third of a composition that drops them."""
    own: DictConfig = ConfigStore.instance().repo["hydra"]["config.yaml"].node
    return own


def noting(is_config: Callable[[Any, str], bool], read: dict[str, bytes | None]) -> Callable[[Any, str], bool]:
    """`is_config`, which Hydra asks of each file before it reads it; the content goes into `read`."""

    def noted(source: Any, name: str) -> bool:
        read[name] = content(Path(source.path), name)
        return is_config(source, name)

    return noted


def folder() -> Path:
    """The one that Hydra reads at this moment."""
    paths = [element.path for element in GlobalHydra.instance().config_loader().get_search_path().get_path()]
    return next(Path(path) for path in paths if "://" not in path)


def content(folder: Path, name: str) -> bytes | None:
    """Of a file of conf/, which may be named without its ending; None if it is missing."""
    path = folder / f"{name.removesuffix('.yaml')}.yaml"
    return path.read_bytes() if path.is_file() else None
