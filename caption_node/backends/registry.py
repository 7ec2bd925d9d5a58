# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which backends there are, which of them work here, and how one is opened by name.

For a node, in its configure step::

    cancel = threading.Event()                      # set it in cleanup and shutdown
    backend = open_backend(
        values['backend'], bundle, values['threads'],
        fallback=values['fallback'], on_progress=show, on_remark=log, cancel=cancel,
    )
    pipeline = CaptionPipeline(bundle, backend)

With ``fallback`` this returns at once: captions come from ONNX Runtime while a thread builds the
engine, ``show`` takes stage, percent and seconds from that thread, and the backend changes over
between two batches. Without it the call blocks until the engine is ready; set ``cancel`` from
another thread to end it, which raises BuildCancelledError. ``backend.close()`` ends a build, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from caption_node.backends.device import Device, find_device
from caption_node.backends.engine_build import EngineSpec, OnProgress, ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import (
    CURRENT,
    Library,
    installed_libraries,
    load_library,
)
from caption_node.backends.onnx_runtime import OnnxRuntimeBackend, check_cuda_provider
from caption_node.backends.protocol import Backend
from caption_node.backends.switching import SwitchingBackend
from caption_node.bundle import Bundle
from caption_node.errors import (
    BackendError,
    BackendUnavailableError,
    BuildCancelledError,
    ConfigError,
    EngineError,
)

_BACKGROUND_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """
    How a backend is wanted.

    :param threads: CPU threads of one run; 0 lets the runtime choose.
    :param precision: Of a TensorRT engine; empty takes the best for the model.
    :param device: Number of the GPU.
    :param engines: Folder of built engines; None is the default one.
    :param on_progress: Takes how a build goes.
    :param on_remark: Takes lines for people: what was chosen, and why.
    :param cancel: Ends a build.
    :param niceness: How far a build steps back behind other processes.
    """

    threads: int = 0
    precision: str = ''
    device: int = 0
    engines: Path | None = None
    on_progress: OnProgress | None = None
    on_remark: Callable[[str], None] = lambda _: None
    cancel: Event = field(default_factory=Event)
    niceness: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """
    What one backend comes to on this machine.

    :param name: As in :data:`BACKENDS`.
    :param works: Whether it can be opened at once, without building anything.
    :param reason: Why, or why not.
    """

    name: str
    works: bool
    reason: str


def open_backend(
    name: str,
    bundle: Bundle,
    threads: int = 0,
    *,
    precision: str = '',
    device: int = 0,
    engines: Path | None = None,
    fallback: bool = False,
    on_progress: OnProgress | None = None,
    on_remark: Callable[[str], None] | None = None,
    cancel: Event | None = None,
) -> Backend:
    """
    Start a backend on a model; see the top of this module for a node.

    :param name: ``auto`` takes the best that works on this machine at once; with ``fallback`` also
        TensorRT, whose engine is then built in the background.
    :param fallback: Serve with ONNX Runtime while an engine is built, and if it cannot be.
    :raises ConfigError: If there is no backend of that name.
    :raises BackendUnavailableError: If its library or device is missing; not with ``fallback``.
    :raises EngineError: If its engine cannot be built; not with ``fallback``.
    """
    request = Request(
        threads=threads,
        precision=precision,
        device=device,
        engines=engines,
        on_progress=on_progress,
        on_remark=on_remark or (lambda _: None),
        cancel=cancel or Event(),
        niceness=_BACKGROUND_NICENESS if fallback else 0,
    )
    if name != 'auto' and name not in BACKENDS:
        raise ConfigError(f'no backend {name!r}', 'backends: ' + ', '.join(BACKEND_NAMES))
    if name == 'auto':
        return _open_best(bundle, request, fallback)
    if name == 'tensorrt' and fallback:
        return _open_with_fallback(bundle, request)
    return BACKENDS[name](bundle, request)


def options(
    bundle: Bundle, precision: str = '', device: int = 0, engines: Path | None = None
) -> list[Option]:
    """Say of every backend, best first, what it comes to on this machine."""
    found = []
    for name, probe in _PROBES.items():
        try:
            found.append(Option(name, *probe(bundle, precision, device, engines)))
        except (BackendError, ConfigError) as err:
            found.append(Option(name, False, str(err)))
    return found


def choose(found: list[Option]) -> tuple[str, str]:
    """
    Take the best option.

    :returns: its name, and one line that says why.
    """
    best = next((o for o in found if o.works), found[-1])
    passed = [f'{o.name}: {o.reason}' for o in found[: found.index(best)]]
    return best.name, f'backend {best.name} ({best.reason})' + ''.join(f'; {p}' for p in passed)


def find_library(bundle: Bundle, precision: str, device: Device) -> tuple[Library, EngineSpec]:
    """
    Load the first TensorRT library that can serve a GPU.

    :raises BackendUnavailableError: If none is installed, or none knows the GPU.
    """
    names = installed_libraries()
    if not names:
        raise BackendUnavailableError(
            'no TensorRT is installed',
            'run `pip install tensorrt-rtx` for an RTX card, `pip install tensorrt` for others',
        )
    reasons = []
    for name in names:
        try:
            library = load_library(name)
            return library, make_spec(library, bundle, CURRENT, precision, device)
        except (BackendUnavailableError, EngineError) as err:
            reasons.append(str(err))
    raise BackendUnavailableError(
        '; '.join(reasons), 'RTX cards take tensorrt-rtx, others tensorrt'
    )


def _open_best(bundle: Bundle, request: Request, fallback: bool) -> Backend:
    found = options(bundle, request.precision, request.device, request.engines)
    name, why = choose(found)
    if name == 'tensorrt' or (fallback and _can_build(bundle, request)):
        return _open_with_fallback(bundle, request)
    backend = BACKENDS[name](bundle, request)
    request.on_remark(why)
    return backend


def _open_with_fallback(bundle: Bundle, request: Request) -> Backend:
    """Open TensorRT at once if its engine is there; else serve with ONNX Runtime meanwhile."""
    try:
        gpu = find_device(request.device)
        library, spec = find_library(bundle, request.precision, gpu)
        cache = EngineCache(request.engines)
        engine, fault = cache.load(spec.key(bundle))
        if engine:
            backend = _start(bundle, request, gpu, spec, engine)
            request.on_remark(f'backend {backend.name} {library.version} on {gpu.name}')
            return backend
        request.on_remark(
            f'building an engine for {gpu.name} with {library.name} {library.version}'
            + (f': the one that is there was {fault}' if fault else '')
        )
    except (BackendError, ConfigError) as err:
        request.on_remark(f'no TensorRT: {err}' + (f' ({err.hint})' if err.hint else ''))
        return _open_onnx_runtime(bundle, request)
    return SwitchingBackend(
        _open_onnx_runtime(bundle, request),
        lambda: _open_tensorrt(bundle, request),
        request.cancel,
        request.on_remark,
    )


def _can_build(bundle: Bundle, request: Request) -> bool:
    try:
        find_library(bundle, request.precision, find_device(request.device))
    except (BackendError, ConfigError):
        return False
    return True


def _open_tensorrt(bundle: Bundle, request: Request) -> Backend:
    gpu = find_device(request.device)
    _, spec = find_library(bundle, request.precision, gpu)
    engine = ensure_engine(
        EngineCache(request.engines),
        bundle,
        spec,
        on_progress=request.on_progress,
        on_remark=request.on_remark,
        cancel=request.cancel,
        niceness=request.niceness,
    )
    if request.cancel.is_set():
        raise BuildCancelledError('stopped before the engine was loaded')
    return _start(bundle, request, gpu, spec, engine)


def _start(
    bundle: Bundle, request: Request, gpu: Device, spec: EngineSpec, engine: bytes
) -> Backend:
    from caption_node.backends.tensorrt import TensorRtBackend

    cache, key = EngineCache(request.engines), spec.key(bundle)

    def keep(kernels: bytes) -> None:
        try:
            cache.store_kernels(key, kernels)
        except EngineError as err:  # it runs; only the next start is slower
            request.on_remark(f'compiled kernels are not kept: {err}')

    return TensorRtBackend(
        bundle,
        spec.library,
        engine,
        gpu,
        spec.precision,
        cache.load_kernels(key),
        keep,
        request.on_remark,
    )


def _open_onnx_runtime(bundle: Bundle, request: Request) -> Backend:
    """Open what serves without an engine: the GPU if ONNX Runtime can use it, else the CPU."""
    try:
        return _open_cuda(bundle, request)
    except BackendError:
        return _open_cpu(bundle, request)


def _open_cuda(bundle: Bundle, request: Request) -> Backend:
    find_device(request.device)
    return OnnxRuntimeBackend(bundle, request.threads, request.device)


def _open_cpu(bundle: Bundle, request: Request) -> Backend:
    return OnnxRuntimeBackend(bundle, request.threads)


def _probe_tensorrt(
    bundle: Bundle, precision: str, device: int, engines: Path | None
) -> tuple[bool, str]:
    gpu = find_device(device)
    library, spec = find_library(bundle, precision, gpu)
    what = f'{library.name} {library.version} on {gpu.name} ({gpu.target}), {spec.precision}'
    engine, fault = EngineCache(engines).load(spec.key(bundle))
    if engine:
        return True, what
    why = fault or 'not built yet'
    return False, f'{what}: the engine is {why}; `caption engine build` builds it'


def _probe_cuda(
    bundle: Bundle, precision: str, device: int, engines: Path | None
) -> tuple[bool, str]:
    gpu = find_device(device)
    check_cuda_provider()
    return True, f'on {gpu.name}'


def _probe_cpu(
    bundle: Bundle, precision: str, device: int, engines: Path | None
) -> tuple[bool, str]:
    return True, 'on the CPU'


BACKENDS: Mapping[str, Callable[[Bundle, Request], Backend]] = {
    'tensorrt': _open_tensorrt,
    'onnxruntime-cuda': _open_cuda,
    'onnxruntime': _open_cpu,
}
_PROBES: Mapping[str, Callable[[Bundle, str, int, Path | None], tuple[bool, str]]] = {
    'tensorrt': _probe_tensorrt,
    'onnxruntime-cuda': _probe_cuda,
    'onnxruntime': _probe_cpu,
}
BACKEND_NAMES = ('auto', *BACKENDS)
