"""DataLoaders: what they are asked for, what they give, and what that costs."""

from __future__ import annotations

import functools
import time
import weakref
from collections import deque
from typing import Any, Callable

from .batches import Batch, batch_of
from .counters import Loading, Reading, written
from .made import described, made_with
from .observation import Loader, Tensor
from .quiet import Notes

_SHOWN_BATCH = 3
"""The batch whose tensors are told of: the first ones may be odd."""
_LOOKED_AT = 100
"""Batches of a loader whose tensors are looked at, and whose cost is counted where the
loop loads them itself: looking at more would be a short step's loss."""
_MOST_SIZES = 50


class LoaderWatch:
    """What is known of one DataLoader, or of several that take one another's place.

    Attributes
    ----------
    credit : backward passes whose last batch before was of this loader
    loading : what loading costs in this process, where there are no workers
    """

    def __init__(self, loader: Any) -> None:
        self._follow(loader)
        self.credit = 0
        self.loading = Loading()
        self.batches, self.samples, self.epochs = 0, 0.0, 0
        self.is_sized = True
        self._seeds: set[int] = set()
        self._sizes: dict[str, int] = {}
        self._bytes = self._weighed = 0.0
        self._tensors: list[Tensor] = []
        self._padding: list[float] = []
        self._epoch_samples: float | None = None
        self._static = described(loader)

    def takes(self, loader: Any) -> bool:
        """Say whether a loader takes the place of this one, as one made for each epoch.

        It was made in the same way, and this one is gone. A data set that was made anew
        as well is known by its length; a stream has none, and must be the same.
        """
        if self._loader() is not None or self._made_with != made_with(loader):
            return False
        is_same = self._dataset is not None and self._dataset() is loader.dataset
        if not is_same and self._static.dataset_samples is None:
            return False
        self._follow(loader)
        return True

    def _follow(self, loader: Any) -> None:
        self._loader = weakref.ref(loader)
        self._made_with = made_with(loader)
        try:
            self._dataset: Any = weakref.ref(loader.dataset)
        except TypeError:  # a list has no such references
            self._dataset = None

    @property
    def queued(self) -> float:
        """Batches that its workers load ahead."""
        return float(self._static.workers * (self._static.prefetch or 0))

    def iterated(self, iterator: Any) -> None:
        """Note an iterator that was made of it."""
        self._seeds.add(int(getattr(iterator, "_base_seed", 0)))

    def add(self, data: Any, indices: int | None) -> tuple[float | None, str]:
        """Add a batch; return its samples and what says so.

        Parameters
        ----------
        indices : that the sampler gave for it; None: the data set makes batches itself
        """
        self.batches += 1
        is_map = indices is not None and self._static.sampler_samples is not None
        if self.batches > _LOOKED_AT and is_map:
            samples, said_by = _samples(None, indices, self._static)
        else:
            batch = batch_of(data)
            samples, said_by = _samples(batch.rows, indices, self._static)
            self._look_at(batch, samples)
        if samples is None:
            self.is_sized = False
            return None, said_by
        self.samples += samples
        key = str(int(samples))
        if key in self._sizes or len(self._sizes) < _MOST_SIZES:
            self._sizes[key] = self._sizes.get(key, 0) + 1
        return samples, said_by

    def _look_at(self, batch: Batch, samples: float | None) -> None:
        """Note the bytes of a batch, and of the first ones what is in them."""
        self._bytes += batch.bytes
        self._weighed += samples or 0.0
        if self.batches in {1, _SHOWN_BATCH}:
            self._tensors = batch.described()
        if self.batches <= _LOOKED_AT and (padding := batch.padding_share) is not None:
            self._padding.append(padding)

    def passed(self, samples: float | None) -> None:
        """Note a whole pass over the data and its samples."""
        self.epochs += 1
        self._epoch_samples = samples

    def described(self, folder: str, *, is_training: bool) -> Loader:
        """Return what is known."""
        found = [one for one in written(folder) if one.seed in self._seeds]
        if not self._static.workers:
            found = [self.loading.loaded]
        samples = sum(one.samples for one in found)
        loader = self._static
        read = [one for one in found if one.read_bytes >= 0.0]
        loader.is_training = is_training
        loader.batches, loader.epochs = self.batches, self.epochs
        loader.samples = self.samples if self.is_sized and self.batches else None
        loader.batch_bytes = self._bytes / self._weighed if self._weighed else None
        loader.tensors = self._tensors
        if self._padding:
            loader.padding_share = sum(self._padding) / len(self._padding)
        loader.batch_sizes = dict(self._sizes)
        loader.seen_workers = len(found) if self._static.workers else 0
        if samples > 0.0:
            loader.fetched_samples = samples
            loader.fetch_cpu_s = sum(one.fetch_cpu_s for one in found)
            loader.loading_cpu_s = sum(one.loading_cpu_s for one in found)
            if not self._static.workers:
                loader.loading_cpu_s = loader.fetch_cpu_s
            if read:
                loader.read_bytes = sum(one.read_bytes for one in read)
                loader.device_read_bytes = sum(one.device_read_bytes for one in read)
        mapped = [one.mapped_bytes for one in found if one.mapped_bytes >= 0.0]
        loader.mapped_bytes = max(mapped, default=None)
        if loader.samples_per_epoch is None:
            loader.samples_per_epoch = self._epoch_samples
        return loader

    def peak_of(self, folder: str) -> float:
        """Return the most memory of one of its workers; 0: none has told."""
        peaks = [one.peak_bytes for one in written(folder) if one.seed in self._seeds]
        return max(peaks, default=0.0)


class Loaders:
    """All DataLoaders of the process.

    Parameters
    ----------
    folder : where workers write
    arrived : is called with watch, samples, what says so and the seconds of the wait
    silent : returns a context in which nothing is counted
    is_counting : says whether operators are counted now, which makes loading slow
    notes : takes what could not be seen
    """

    def __init__(
        self,
        folder: str,
        arrived: Callable[..., None],
        silent: Callable[[], Any],
        is_counting: Callable[[], bool],
        notes: Notes,
    ) -> None:
        self._folder, self._arrived = folder, arrived
        self._silent, self._is_counting = silent, is_counting
        self._pass = notes.quietly("A DataLoader")(self._pass_of)
        self._arrive = notes.quietly("A batch")(self._take_note)
        self._before = notes.quietly("The cost of loading")(self._reading)
        self._after = notes.quietly("The cost of loading")(self._add)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know of no loader, as in a process that was just forked."""
        self._watches: Any = weakref.WeakKeyDictionary()
        self.every: list[LoaderWatch] = []
        self._current: LoaderWatch | None = None
        self._worker: Loading | None = None

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker of another's DataLoader."""
        return self._worker is not None

    def training(self) -> LoaderWatch | None:
        """Return the loader that feeds the training; None: none does."""
        fed = [one for one in self.every if one.credit]
        return max(fed, key=lambda one: one.credit, default=None)

    def hook(self, torch: Any) -> None:
        """See all DataLoaders from now on."""
        data = torch.utils.data
        iterators = data.dataloader._BaseDataLoaderIter  # noqa: SLF001  (of PyTorch)
        self._hook_iterator(iterators)
        fetchers = data._utils.fetch  # noqa: SLF001
        for one in (fetchers._MapDatasetFetcher, fetchers._IterableDatasetFetcher):  # noqa: SLF001
            self._hook_fetcher(one, data.get_worker_info)

    def _pass_of(self, iterator: Any, loader: Any) -> _Pass:
        """Return what is known of a pass over a loader's data."""
        watch = self._watches.get(loader)
        if watch is None:
            watch = next((one for one in self.every if one.takes(loader)), None)
            if watch is None:
                watch = LoaderWatch(loader)
                self.every.append(watch)
            self._watches[loader] = watch
        watch.iterated(iterator)
        return _Pass(watch)

    def _hook_iterator(self, iterators: Any) -> None:
        init, reset = iterators.__init__, iterators._reset  # noqa: SLF001
        next_index, following = iterators._next_index, iterators.__next__  # noqa: SLF001

        @functools.wraps(init)
        def made(iterator: Any, loader: Any) -> None:
            init(iterator, loader)
            iterator._advisor = self._pass(iterator, loader)  # noqa: SLF001

        @functools.wraps(reset)
        def begin(iterator: Any, *args: Any, **named: Any) -> None:
            if (current := _pass_in(iterator)) is not None:
                iterator._advisor = _Pass(current.watch)  # noqa: SLF001
            reset(iterator, *args, **named)

        @functools.wraps(next_index)
        def index_of_next(iterator: Any) -> Any:
            index = next_index(iterator)
            if (current := _pass_in(iterator)) is not None:
                made_here = getattr(iterator, "_auto_collation", False)
                current.sizes.append(_indices(index, made_here))
            return index

        @functools.wraps(following)
        def follow(iterator: Any) -> Any:
            current = _pass_in(iterator)
            if current is None:
                return following(iterator)
            self._current = current.watch
            started = time.perf_counter()
            try:
                with self._silent():
                    data = following(iterator)
            except StopIteration:
                current.end()
                raise
            finally:
                self._current = None
            self._arrive(current, data, time.perf_counter() - started)
            return data

        iterators.__init__, iterators._reset = made, begin  # noqa: SLF001
        iterators._next_index, iterators.__next__ = index_of_next, follow  # noqa: SLF001

    def _take_note(self, current: _Pass, data: Any, wait_s: float) -> None:
        """Take note of a batch that came."""
        size = current.sizes.popleft() if current.sizes else None
        with self._silent():
            samples, said_by = current.watch.add(data, size)
        current.samples += samples or 0.0
        self._arrived(current.watch, samples, said_by, wait_s)

    def _hook_fetcher(self, fetcher: Any, worker_info: Callable[[], Any]) -> None:
        fetch = fetcher.fetch

        @functools.wraps(fetch)
        def counted(one: Any, index: Any) -> Any:
            before = self._before(worker_info())
            data = fetch(one, index)
            if before is not None:
                self._after(before, one, index, data)
            return data

        fetcher.fetch = counted

    def _reading(self, worker: Any) -> tuple[Loading, Reading] | None:
        """Return what adds up the cost of a batch, and its counters before it.

        None where counting operators makes loading too dear, or enough were counted.
        """
        if worker is not None:
            if self._worker is None:
                self._worker = Loading(int(worker.seed) - int(worker.id), self._folder)
            return self._worker, self._worker.reading()
        if self._current is None or self._is_counting():
            return None
        loading = self._current.loading
        if loading.loaded.batches > _LOOKED_AT:
            return None
        return loading, loading.reading()

    @staticmethod
    def _add(
        before: tuple[Loading, Reading], fetcher: Any, index: Any, data: Any
    ) -> None:
        """Add the cost of a batch that was loaded."""
        loading, reading = before
        asked = _indices(index, getattr(fetcher, "auto_collation", False))
        is_stream = hasattr(fetcher, "dataset_iter")
        rows = batch_of(data).rows
        loading.add(reading, _sized(rows, asked, is_stream=is_stream) or 0.0)


def _pass_in(iterator: Any) -> _Pass | None:
    """Return what is known of the pass of an iterator; None: nothing is."""
    return getattr(iterator, "_advisor", None)


def _indices(index: Any, made_here: Any) -> int | None:
    """Return how many samples were asked for; None: the data set makes batches itself."""
    return len(index) if made_here and hasattr(index, "__len__") else None


class _Pass:
    """One pass over a loader's data.

    Attributes
    ----------
    sizes : indices of the batches that were asked for and have not come
    samples : that came
    """

    def __init__(self, watch: LoaderWatch) -> None:
        self.watch = watch
        self.sizes: deque[int | None] = deque()
        self.samples = 0.0

    def end(self) -> None:
        """Note that it is over."""
        if self.samples:
            self.watch.passed(self.samples if self.watch.is_sized else None)
        self.sizes.clear()
        self.samples = 0.0


def _samples(
    rows: int | None, indices: int | None, loader: Loader
) -> tuple[float | None, str]:
    """Return the samples of a batch and what says so."""
    samples = _sized(rows, indices, is_stream=loader.sampler_samples is None)
    return samples, "loader" if indices is not None else "rows"


def _sized(rows: int | None, indices: int | None, *, is_stream: bool) -> float | None:
    """Return the samples of a batch; None: nothing says it.

    A stream may end within a batch, so that fewer rows come than were asked for.
    """
    if indices is None:
        return None if rows is None else float(rows)
    if is_stream and rows is not None and rows < indices:
        return float(rows)
    return float(indices)
