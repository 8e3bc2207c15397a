"""What one conf/ composes to is composed once in a process: Hydra takes a tenth of a second for each."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

Compose = Callable[..., DictConfig]


def remembering(compose: Compose) -> Compose:
    """`hydra.compose`, which answers from memory while no byte of its folder changed."""
    known: dict[object, bytes] = {}

    def composed(config_name: str, overrides: Sequence[str] | None = None, **options: object) -> DictConfig:
        asked = (content(), config_name, tuple(overrides or ()), str(options))
        if asked not in known:
            known[asked] = pickle.dumps(compose(config_name, overrides=list(overrides or ()), **options))
        return pickle.loads(known[asked])

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


def taken_over(node: Any) -> Any:
    """A node that OmegaConf puts into another config, itself: Hydra, which reads it anew, needs no copy of it."""
    return node


def hydras_own() -> DictConfig:
    """The config of Hydra itself. Its `defaults` (launchers, loggers) are a third of a composition that drops them."""
    own: DictConfig = ConfigStore.instance().repo["hydra"]["config.yaml"].node
    return own


def content() -> str:
    """A digest of every YAML file below the folders that Hydra searches at this moment."""
    digest = md5(usedforsecurity=False)
    for element in GlobalHydra.instance().config_loader().get_search_path().get_path():
        if "://" not in element.path:  # of a package
            for path in sorted(Path(element.path).rglob("*.yaml")):
                digest.update(f"\0{path.relative_to(element.path)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
