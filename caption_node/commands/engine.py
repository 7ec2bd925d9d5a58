# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption engine``: build TensorRT engines ahead of time, list, check and remove them."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
import sys
from time import monotonic

from caption_node.backends.engine_build import BuildProgress
from caption_node.backends.engine_cache import EngineCache, EngineEntry
from caption_node.commands.lines import print_line, print_text, say
from caption_node.errors import BackendUnavailableError, CaptionError, ConfigError

_LINE_PERIOD_S = 5.0


def build(options: argparse.Namespace) -> int:
    """
    Build an engine and print where it lies.

    :returns: The exit status.
    """
    from caption_node.backends.device import find_device
    from caption_node.backends.engine_build import ensure_engine, make_spec
    from caption_node.backends.libraries import CURRENT, LIBRARY_NAMES, load_library
    from caption_node.bundle import Bundle, find_bundle

    bundle = Bundle.load(find_bundle(options.model))
    try:
        device = find_device(options.device)
    except BackendUnavailableError as err:
        device, reason = None, str(err)
        if options.target == CURRENT:
            hint = 'name the GPU to build for, for instance --target sm86 (takes tensorrt-rtx)'
            raise BackendUnavailableError(f'no GPU to build for: {reason}', hint) from err
    if options.library and options.library not in LIBRARY_NAMES:
        raise ConfigError(f'no library {options.library!r}', ', '.join(LIBRARY_NAMES))
    library = load_library(options.library or _library_for(options.target, device is not None))
    spec = make_spec(library, bundle, options.target, options.precision, device)
    cache, key = _cache(options), spec.key(bundle)
    if options.force:
        cache.remove(cache.path(key))
    found = bool(cache.load(key)[0])
    ensure_engine(
        cache,
        bundle,
        spec,
        on_progress=None if options.quiet else _progress(),
        on_remark=None if options.quiet else say,
    )
    print_line({'engine': str(cache.path(key)), 'found': found, **asdict(key)})
    return 0


def show(options: argparse.Namespace) -> int:
    """
    List all engines.

    :returns: The exit status.
    """
    cache = _cache(options)
    for entry in cache.entries():
        if options.json:
            key = asdict(entry.key) if entry.key else None
            print_line({**asdict(entry), 'path': str(entry.path), 'key': key})
        else:
            what = f'{entry.build_s:.0f} s, {entry.layers} layers, {entry.built_at}'
            state = f'FAULTY: {entry.fault}' if entry.fault else what
            print_text(f'{entry.path.name}  {entry.size / 1e6:.1f} MB  {state}')
    if not options.json:
        say(f'engines lie in {cache.folder}')
    return 0


def verify(options: argparse.Namespace) -> int:
    """
    Check every engine: its bytes against its record, and, where it can be asked, by the library.

    :returns: 1 if one is faulty, else 0.
    """
    faulty = 0
    for entry in _cache(options).entries():
        fault = entry.fault or _refusal(entry)
        faulty += bool(fault)
        if options.json:
            print_line({'path': str(entry.path), 'fault': fault})
        else:
            print_text(f'{"!!" if fault else "ok"}  {entry.path.name}  {fault}'.rstrip())
    return 1 if faulty else 0


def clean(options: argparse.Namespace) -> int:
    """
    Remove engines that are faulty or of a library version that is not installed any more.

    :returns: The exit status.
    """
    from caption_node.backends.libraries import installed_libraries, load_library

    versions = {}
    for name in installed_libraries():
        try:
            versions[name] = load_library(name).version
        except BackendUnavailableError as err:
            say(f'{err}')
    cache, freed, count = _cache(options), 0, 0
    for entry in cache.entries():
        stale = entry.key is None or versions.get(entry.key.library) != entry.key.library_version
        if options.all or entry.fault or stale:
            freed += cache.remove(entry.path)
            count += 1
            why = 'all are removed' if options.all else entry.fault or 'its library is not here'
            print_text(f'removed {entry.path.name}: {why}')
    print_text(f'{count} engines removed, {freed / 1e6:.1f} MB freed')
    return 0


def quantize(options: argparse.Namespace) -> int:
    """
    Make an int8 model folder.

    :returns: The exit status.
    """
    from caption_node.backends.quantization import quantize_bundle
    from caption_node.bundle import Bundle, find_bundle
    from caption_node.commands.image import find_images

    bundle = Bundle.load(find_bundle(options.model))
    pictures = [Path(i.file) for i in find_images([options.frames]) if not i.problem]
    if not pictures:
        raise ConfigError(f'{options.frames} holds no pictures')
    used = quantize_bundle(bundle, pictures, options.limit, Path(options.output), say)
    print_line({'model': options.output, 'pictures': used})
    return 0


def _cache(options: argparse.Namespace) -> EngineCache:
    return EngineCache(Path(options.folder) if options.folder else None)


def _library_for(target: str, has_device: bool) -> str:
    from caption_node.backends.libraries import CURRENT, installed_libraries

    names = installed_libraries()
    if not names:
        raise BackendUnavailableError(
            'no TensorRT is installed',
            'run `pip install tensorrt-rtx` for an RTX card, `pip install tensorrt` for others',
        )
    if target != CURRENT or not has_device:
        return 'tensorrt_rtx' if 'tensorrt_rtx' in names else names[0]
    return names[0]


def _refusal(entry: EngineEntry) -> str:
    """Ask the library about an engine; only on a machine with a driver, others cannot know."""
    from caption_node.backends.device import find_device
    from caption_node.backends.libraries import load_library

    key = entry.key
    assert key is not None  # or it has a fault
    try:
        device = find_device()
        if device.target != key.target:
            return ''
        library = load_library(key.library)
    except CaptionError:
        return ''
    if library.version != key.library_version:
        return f'built with {key.library} {key.library_version}, {library.version} is installed'
    runtime = library.module.Runtime(library.logger(lambda severity, text: None))
    return library.refusal(runtime, entry.path.read_bytes())


def _progress() -> Callable[[BuildProgress], None]:
    """Return what shows progress: a line that changes on a terminal, else one now and then."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    shown_stage, shown_s = '', 0.0

    def show_progress(progress: BuildProgress) -> None:
        text = f'{progress.stage}, {progress.percent:.0f} %, {progress.elapsed_s:.0f} s'
        nonlocal shown_stage, shown_s
        if on_terminal:
            end = '\n' if progress.percent >= 100 else ''
            print(f'\r\x1b[K{text}', end=end, file=sys.stderr, flush=True)
            return
        now_s = monotonic()
        if progress.stage != shown_stage or now_s - shown_s > _LINE_PERIOD_S:
            shown_stage, shown_s = progress.stage, now_s
            say(text)

    return show_progress
