"""The answer store: every paid answer by its key, kept for good.

Each answer is one immutable JSON record at `<aa>/<rest>.json` of the local store, and is copied to the remote store
when there is one.

*Errors*: `ConfigurationError` (exit 5) when the disk cannot be read or written. Damage raises nothing: a damaged record
is moved to `quarantine/`, reported on stderr, and counts as missing, as does a record dropped by `make drop`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from stages.errors import ConfigurationError, PipelineError, count
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.terminal import print_to_stderr, progress
from stages.paid.records import Dropped, Record, checked, decoded, key_of, path_of, records_in
from stages.paid.shared_answers import Rescue, SharedAnswers

SHARED_WITH = "shared_with.txt"


class AnswerStore:
    """Answers by key: read from the local store first, then from the remote; written to both.

    Records that are not shared yet are marked in `unshared/`. The next run that has a remote shares them.
    """

    def __init__(
        self,
        local: LocalStore,
        remote: ObjectStore | None,
        *,
        must_share: bool = False,
        rescue: Rescue | None = None,
        on_damage: Callable[[str], None] | None = None,
    ) -> None:
        self.local = local
        self.dropped = Dropped(local)
        self.shared = SharedAnswers(remote, self.dropped, must_share=must_share, on_damage=on_damage)
        self.rescue = rescue or Rescue(local)
        self.hits_remote = 0

    @property
    def remote(self) -> ObjectStore | None:
        """The remote store, while it answers."""
        return self.shared.objects

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that exist for these keys. Records found elsewhere are copied to the local store."""
        wanted = list(dict.fromkeys(keys))
        found = {key: record for key in wanted if (record := self._local(key)) is not None}
        if len(found) < len(wanted):
            rescued = self.restore_rescued()
            found |= {key: rescued[key] for key in wanted if key not in found and key in rescued}
        for key, record in self.shared.get(key for key in wanted if key not in found).items():
            self._adopt(record)
            self.hits_remote += 1
            found[key] = record
        return found

    def require_keepable(self, keys: Iterable[str]) -> None:
        """Check that answers to these keys can be written. *Errors*: `ConfigurationError` if not."""
        names = [path_of(key) for key in keys]
        self.local.require_writable([*names, "unshared/mark"])
        for name in names:
            if self.local.read(name) is not None and self._local(key_of(name)) is None and self.local.read(name):
                raise ConfigurationError(
                    f"{self.local.root / name} is damaged and cannot be moved out of the way, so its answer cannot be "
                    "kept: correct the permissions of the file, or delete it."
                )

    def keep(self, record: Record) -> Record:
        """Write an answer to disk, marked as not shared. Returns the record that counts: the first one written."""
        self.local.create(f"unshared/{record.key}", b"", durable=False)
        if not self.local.create(path_of(record.key), record.encode()):
            first = self._local(record.key)
            if first is not None:
                return first
            self.local.replace(path_of(record.key), record.encode())
        return record

    def keep_all(self, records: Sequence[Record]) -> list[Record]:
        """Write paid answers to disk. Records that the store cannot take are rescued, with a note on stderr."""
        kept, unkept, reason = [], [], ""
        for record in records:
            try:
                kept.append(self.keep(record))
            except (PipelineError, OSError) as error:
                kept.append(record)
                unkept.append(record.encode())
                reason = str(error)
        if unkept:
            print_to_stderr(
                f"{count(len(unkept), 'answer')} just paid cannot be kept: {reason} {self._rescued(unkept)}"
            )
        return kept

    def _rescued(self, lines: Sequence[bytes]) -> str:
        try:
            return (
                f"They are saved in {self.rescue.save(lines)}; `make verify` or the next run moves them into the store."
            )
        except PipelineError as error:
            return (
                f"They could not be saved elsewhere ({error}): only this run and the remote, if there is one, have "
                "them."
            )

    def restore_rescued(self) -> dict[str, Record]:
        """Move rescued answers into the store if it takes them now. Returns all rescued records by key.

        A damaged one moves to `quarantine/`.
        """
        rescued: dict[str, Record] = {}
        for path, lines in self.rescue.waiting():
            read = {line: decoded(None, line, f"a record in {path}") for line in lines if line not in self.dropped}
            records = [one for one in read.values() if one is not None]
            damaged = b"".join(line for line, one in read.items() if one is None)
            rescued |= {record.key: record for record in records}
            try:
                for record in records:
                    self.keep(record)
                if damaged:
                    self.local.create(f"quarantine/{path.name}", damaged)
                path.unlink(missing_ok=True)
            except (PipelineError, OSError) as error:
                print_to_stderr(
                    f"{len(records)} rescued answers stay in {path} and are used from there, since the store cannot "
                    f"take them ({error})."
                )
            else:
                print_to_stderr(f"{len(records)} rescued answers were moved from {path} into the store.")
        return rescued

    def share(self, record: Record, standing: Record | None = None) -> Record:
        """Copy a kept answer to the remote, unless it has `standing`. The remote's answer is used here too."""
        standing = self.shared.put(record) if standing is None else standing
        if standing is None:
            return record
        with suppress(OSError):
            (self.local.root / "unshared" / record.key).unlink()
        if standing != record:
            self._adopt(standing)
        return standing

    def share_again(self) -> None:
        """Share what earlier runs could not share, or everything if the remote is new; mend damaged remote records."""
        if self.remote is None:
            return
        address = self.remote.address.encode()
        same = self.local.read(SHARED_WITH) == address
        keys = self.local.names("unshared") if same else list(map(key_of, self.names()))
        standing = self.shared.get(keys)  # many at once, while each is written alone
        for key in progress([*keys, *self.shared.set_aside()], "sharing"):
            record = self._local(key)
            if record is not None:
                self.share(record, standing.get(key))
        if self.remote is not None and self.shared.takes and not same:
            with suppress(ConfigurationError):  # a store that may only be read
                self.local.replace(SHARED_WITH, address)

    def mend_remote(self) -> Iterator[str]:
        """Read every remote record, mend damaged ones, and yield the keys without a sound record on either side.

        Records that the remote lost are shared again.
        """
        if self.remote is None:
            return
        there = self.shared.names()
        for key in self.shared.damaged(there):
            record = self._local(key)
            if record is None:
                yield key
            else:
                self.share(record)
        lost, shared = [name for name in self.names() if name not in there], 0
        for name in progress(lost, "sharing"):
            if (record := self._local(key_of(name))) is not None:
                self.share(record)
                shared += 1
        if shared and self.remote is not None and self.shared.takes:
            print_to_stderr(f"{count(shared, 'answer')} that the remote lacked lie there now.")

    def drop(self, key: str) -> None:
        """Move a kept answer to quarantine and never use this record again.

        The remote may hold it in other bytes, with what a later version of this program adds.
        """
        name, same = path_of(key), self.shared.get([key]).get(key) == self._local(key)
        there = self.shared.read([name]).values() if same else ()
        for content in (self.local.read(name) or b"", *there):
            self.dropped.note(key, content)
        self.quarantine(key)

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Name and defect of every local record that does not match its name."""
        for name in self.names():
            try:
                checked(key_of(name), self.local.read(name) or b"")
            except (ValueError, TypeError) as error:
                yield name, str(error)

    def size(self) -> int:
        """Number of local answers."""
        return sum(1 for _ in self.names())

    def is_empty(self) -> bool:
        """Whether neither this store nor a remote can hold an answer."""
        return self.remote is None and next(self.names(), None) is None

    def names(self) -> Iterator[str]:
        """Paths of the local answers."""
        for folder in self.local.names(""):
            if len(folder) == 2:
                yield from records_in(folder, self.local.names(folder))

    def _local(self, key: str) -> Record | None:
        content = self.local.read(path_of(key))
        if content is None:
            return None
        record = None if content in self.dropped else decoded(key, content, "the stored answer to")
        if record is None:
            self.quarantine(key)
        return record

    def _adopt(self, record: Record) -> None:
        """Copy the remote's record to the local store if possible; it is used either way."""
        try:
            self.local.replace(path_of(record.key), record.encode())
        except ConfigurationError as error:
            print_to_stderr(f"an answer from the remote is used but could not be kept here: {error}")

    def quarantine(self, key: str) -> None:
        """Move a damaged record out of the way, where it stays readable."""
        number = sum(name.startswith(key) for name in self.local.names("quarantine"))
        target = self.local.root / "quarantine" / f"{key}-{number}.json"
        try:
            target.parent.mkdir(exist_ok=True)
            (self.local.root / path_of(key)).rename(target)
        except OSError as error:
            print_to_stderr(f"the damaged answer {key} could not be moved ({error.strerror}).")
