# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
TensorRT 10, TensorRT 11 and TensorRT for RTX behind one face.

Everything that differs between the three stands here and nowhere else:

- The module: ``tensorrt`` or ``tensorrt_rtx``.
- Precision: 11 and RTX know strongly typed networks only, 10 has to be asked for one.
- Targets: RTX builds for named compute capabilities with no GPU in the machine; the others for the
  GPU that is there.
- The execution context: RTX compiles its kernels when they are first used, and keeps them in a
  runtime cache; it also has to be told that a CUDA graph will be captured.
- Engine headers: RTX says why it will not load an engine; the others only refuse it.
"""

from collections.abc import Callable
from dataclasses import dataclass
import importlib
from importlib import metadata
import importlib.util
import re
from types import ModuleType
from typing import Any

from caption_node.errors import BackendUnavailableError, EngineError

CURRENT = 'current'
LIBRARY_NAMES = ('tensorrt', 'tensorrt_rtx')
_PACKAGES = {
    'tensorrt': ('tensorrt', 'tensorrt-cu13', 'tensorrt-cu12'),
    'tensorrt_rtx': ('tensorrt-rtx', 'tensorrt-rtx-cu13', 'tensorrt-rtx-cu12'),
}
_OLDEST = {'tensorrt': (10, 0), 'tensorrt_rtx': (1, 2)}
_TARGET = re.compile(r'sm[0-9]{2,3}')

Say = Callable[[str, str], None]
"""Takes (severity, text) of a message of the library; severity: error, warning, info."""


@dataclass(frozen=True, slots=True)
class Library:
    """
    One of the libraries, loaded.

    :param name: ``tensorrt`` or ``tensorrt_rtx``.
    :param version: For instance ``10.3.0.30``.
    :param cuda: Major version of the CUDA that it was built for; empty if it does not say.
    :param module: The Python module.
    """

    name: str
    version: str
    cuda: str
    module: Any

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities that it can build for without such a GPU, as ``sm86``."""
        members = getattr(getattr(self.module, 'ComputeCapability', None), '__members__', {})
        return tuple(sorted(n.lower() for n in members if _TARGET.fullmatch(n.lower())))

    @property
    def has_runtime_cache(self) -> bool:
        """Whether kernels are compiled at first use, and can be kept."""
        return hasattr(self.module, 'IRuntimeCache')

    def logger(self, say: Say) -> Any:
        """Return a logger of the library that hands its messages on."""
        severity = self.module.ILogger.Severity
        words = {
            severity.INTERNAL_ERROR: 'error',
            severity.ERROR: 'error',
            severity.WARNING: 'warning',
        }

        class _Logger(self.module.ILogger):  # type: ignore[name-defined, misc]
            def __init__(self, base: Any) -> None:
                base.__init__(self)

            def log(self, level: Any, text: str) -> None:
                say(words.get(level, 'info'), text)

        return _Logger(self.module.ILogger)

    def create_network(self, builder: Any) -> Any:
        """Return an empty strongly typed network."""
        flags = self.module.NetworkDefinitionCreationFlag
        strongly_typed = getattr(flags, 'STRONGLY_TYPED', None)
        return builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))

    def create_config(self, builder: Any, target: str, level: int | None) -> Any:
        """
        Return a build configuration for a target.

        :param target: ``current``, or one of :attr:`targets`; or several, joined by ``+``, for one
            engine that runs on each of them.
        :param level: Builder optimization level 0..5; None leaves the library's own.
        :raises EngineError: If it cannot build for a target.
        """
        config = builder.create_builder_config()
        if target != CURRENT:
            targets = target.split('+')
            config.num_compute_capabilities = len(targets)
            for place, name in enumerate(targets):
                self.check_target(name)
                capability = getattr(self.module.ComputeCapability, name.upper())
                config.set_compute_capability(capability, place)
        # RTX: memory that it takes by itself while running cannot be captured in a CUDA graph.
        in_graph = getattr(self.module.BuilderFlag, 'REQUIRE_USER_ALLOCATION', None)
        if in_graph is not None:
            config.set_flag(in_graph)
        # What is FP32 is meant: TF32 would round it like FP16.
        config.clear_flag(self.module.BuilderFlag.TF32)
        if level is not None:
            config.builder_optimization_level = level
        config.profiling_verbosity = self.module.ProfilingVerbosity.LAYER_NAMES_ONLY
        return config

    def check_target(self, target: str) -> None:
        """
        Refuse a target that it cannot build for without such a GPU.

        :raises EngineError: If that is so.
        """
        if target in self.targets:
            return
        if self.targets:
            raise EngineError(
                f'{self.name} {self.version} does not build for {target}',
                'targets: current, ' + ', '.join(self.targets) + '; others (Hopper, Orin) take '
                'the classic tensorrt, on the machine itself',
            )
        raise EngineError(
            f'{self.name} {self.version} builds for the GPU of this machine only, not {target}',
            'build on the machine with that GPU, or install tensorrt-rtx',
        )

    def refusal(self, runtime: Any, engine: bytes) -> str:
        """
        Say why the library would not load an engine.

        :param runtime: The library's Runtime.
        :returns: The reason; empty if it knows of none.
        """
        if not hasattr(runtime, 'get_engine_validity'):
            return ''
        validity, diagnostics = runtime.get_engine_validity(engine)
        if validity != self.module.EngineValidity.INVALID:
            return ''
        kinds = self.module.EngineInvalidityDiagnostics.__members__
        names = [n.lower() for n, kind in kinds.items() if int(kind) & int(diagnostics)]
        return ', '.join(names).replace('_', ' ') or 'the engine is not valid here'

    def memory_bytes(self, engine: Any) -> int:
        """Return how much device memory a context of the engine works in."""
        size = getattr(engine, 'device_memory_size_v2', None)
        return int(engine.device_memory_size if size is None else size)

    def give_memory(self, context: Any, address: int, size: int) -> None:
        """Let a context work in device memory of ours."""
        if hasattr(context, 'set_device_memory'):
            context.set_device_memory(address, size)
        else:  # before 10.1
            context.device_memory = address

    def can_capture(self, context: Any, stream: int) -> bool:
        """Say whether a run can be captured in a CUDA graph."""
        if not hasattr(context, 'is_stream_capturable'):
            return True
        return bool(context.is_stream_capturable(stream))


class Contexts:
    """
    Creates execution contexts of an engine, which work in memory of ours, and keeps their kernels.

    :param kernels: Runtime cache of an earlier process; empty if there is none.
    """

    def __init__(self, library: Library, engine: Any, kernels: bytes) -> None:
        self._library, self._engine = library, engine
        self._cache: Any = None
        trt = library.module
        self._how: Any = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if not library.has_runtime_cache:
            return
        config = engine.create_runtime_config()
        self._cache = config.create_runtime_cache()
        if kernels:
            # It checks version, GPU and driver itself and stays empty if they differ.
            self._cache.deserialize(kernels)
        config.set_runtime_cache(self._cache)
        config.set_execution_context_allocation_strategy(self._how)
        # Kernels for the very shape, compiled before the capture and not behind its back.
        strategies = trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        # We capture ourselves, together with the copy back.
        config.cuda_graph_strategy = trt.CudaGraphStrategy.DISABLED
        self._how = config

    def create(self) -> Any:
        """
        Create a context.

        :raises EngineError: If the library gives none.
        """
        context = self._engine.create_execution_context(self._how)
        if context is None:
            raise EngineError(f'{self._library.name} creates no execution context')
        return context

    def kernels(self) -> bytes:
        """Return the runtime cache, to be kept; empty if the library has none."""
        return b'' if self._cache is None else bytes(self._cache.serialize())


def installed_libraries() -> tuple[str, ...]:
    """Return the names of the libraries that are installed, without loading them."""
    return tuple(n for n in LIBRARY_NAMES if importlib.util.find_spec(n) is not None)


def load_library(name: str) -> Library:
    """
    Load one of the libraries.

    :raises BackendUnavailableError: If it is missing, broken, or older than this package knows.
    """
    package = _PACKAGES[name][0]
    try:
        module = importlib.import_module(name)
        version = str(module.__version__)
    except Exception as err:  # not installed, or a shared library is missing or does not fit
        reason = 'is not installed' if isinstance(err, ModuleNotFoundError) else f'fails: {err}'
        raise BackendUnavailableError(
            f'{name} {reason}', f'run `pip install {package}`, or use the one of JetPack'
        ) from err
    found = tuple(int(n) for n in re.findall(r'[0-9]+', version)[:2])
    if found < _OLDEST[name] or not hasattr(module, 'Runtime'):
        oldest = '.'.join(str(n) for n in _OLDEST[name])
        raise BackendUnavailableError(
            f'{name} {version} is too old', f'{name} {oldest} or newer is needed'
        )
    return Library(name, version, _cuda_major(name, module), module)


def _cuda_major(name: str, module: ModuleType) -> str:
    for package in _PACKAGES[name]:
        try:
            requirements = [package, *(metadata.requires(package) or [])]
        except metadata.PackageNotFoundError:
            continue
        for text in requirements:
            match = re.search(r'[-_]cu([0-9]+)', text)
            if match:
                return match[1]
    return ''
