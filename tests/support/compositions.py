"""What one conf/ composes to is composed once in a process: Hydra takes a tenth of a second for each."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import InputDefault
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

Read = dict[str, bytes | None]


class Compositions:
    """What a conf/ composes to, and its plain form, from memory while no file that Hydra looked for changed.

    A changed file of conf/ leaves what other choices compose to as it was. Nobody may change a composition.
    """

    def __init__(self, composed: Callable[..., DictConfig], plain: Callable[..., Any]) -> None:
        self.compose, self.to_plain = composed, plain
        self.known: dict[object, list[tuple[Read, DictConfig]]] = {}
        self.plains: dict[int, dict[str, bytes]] = {}

    def composed(self, conf: Path, overrides: Sequence[str] = (), **options: bool) -> DictConfig:
        """As `stages.configuration.compose._composed`."""
        earlier = self.known.setdefault((tuple(overrides), str(options)), [])
        now = cache(partial(content, conf))
        for read, result in earlier:
            if all(now(name) == before for name, before in read.items()):
                return result
        Plugins.instance()  # which registers the kinds of sources
        folders = SourcesRegistry.instance().resolve("file")
        with pytest.MonkeyPatch.context() as patch:
            read: Read = {}
            patch.setattr(folders, "is_config", noting(folders.is_config, read))
            result = self.compose(conf, overrides, **options)
        earlier.append((read, result))
        self.plains[id(result)] = {}
        return result

    def plain(self, config: Any, **options: bool) -> Any:
        """As `OmegaConf.to_container`."""
        plains, asked = self.plains.get(id(config)), str(options)
        if plains is None:
            return self.to_plain(config, **options)
        if asked not in plains:
            plains[asked] = pickle.dumps(self.to_plain(config, **options))
        return pickle.loads(plains[asked])


def where_needed(choices: Callable[..., DictConfig]) -> Callable[..., DictConfig | None]:
    """The choices known to one file's list of defaults: a quarter of a composition, and only names of others need it.

    Hydra makes them of each file.
    """

    def made(overrides: object, defaults: Sequence[InputDefault], self_added: bool) -> DictConfig | None:
        return choices(overrides, defaults, self_added) if any(one.is_interpolation() for one in defaults) else None

    return made


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


def noting(is_config: Callable[[Any, str], bool], read: Read) -> Callable[[Any, str], bool]:
    """`is_config`, which Hydra asks of each file before it reads it; the content goes into `read`."""

    def noted(source: Any, name: str) -> bool:
        read[name] = content(Path(source.path), name)
        return is_config(source, name)

    return noted


def content(folder: Path, name: str) -> bytes | None:
    """Of a file of conf/, which may be named without its ending; None if it is missing."""
    path = folder / f"{name.removesuffix('.yaml')}.yaml"
    return path.read_bytes() if path.is_file() else None
