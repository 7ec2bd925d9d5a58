# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Tensors from somebody else's file, which is not trusted.

Read are safetensors, and PyTorch files through its restricted unpickler: it makes tensors and
plain containers, and refuses whatever would call a function.
"""

from collections.abc import Mapping
from pathlib import Path
import pickle
import zipfile

import torch
from torch import Tensor

from caption_node.errors import BundleError

LARGEST_BYTES = 2 << 30
_WRAPPERS = ('state_dict', 'model_state_dict', 'model', 'module')
_PREFIXES = ('module.', 'backbone.', 'model.', 'encoder.')
_FORMATS = 'save it as safetensors, or with torch.save(model.state_dict(), FILE)'


def read_tensors(path: Path) -> dict[str, Tensor]:
    """
    Read a state dict.

    Wrappers that training programs put around it (``state_dict``, ``module.``) are taken off.

    :returns: floating-point tensors as float32; other tensors and entries are left out.
    :raises BundleError: If the file is missing, too large, damaged, of another format, holds code,
        or holds no tensors.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BundleError(f'weights {path} are not a file', _FORMATS)
    except OSError as err:
        raise BundleError(f'weights {path} cannot be read: {err.strerror}') from err
    _check_size(path, size)
    try:
        with path.open('rb') as file:
            head = file.read(16)
    except OSError as err:
        raise BundleError(f'weights {path} cannot be read: {err.strerror}') from err
    found = _read_safetensors(path) if _is_safetensors(head, size) else _read_torch(path)
    tensors = _without_prefix(_unwrapped(found))
    # A few bytes can claim to be a tensor of any size.
    _check_size(path, sum(4 * value.numel() for value in tensors.values()))
    # Copies: the file may change while it is mapped into memory.
    tensors = {name: value.detach().clone().float() for name, value in tensors.items()}
    if not tensors:
        raise BundleError(f'weights {path} hold no tensors by name', _FORMATS)
    bad = next((name for name, value in tensors.items() if not bool(value.isfinite().all())), '')
    if bad:
        raise BundleError(f'weights {path}: {bad} holds values that are not finite')
    return tensors


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST_BYTES:
        limit = LARGEST_BYTES >> 20
        raise BundleError(f'weights {path} are {size >> 20} MB, at most {limit} MB are read')


def _is_safetensors(head: bytes, size: int) -> bool:
    """Tell by the first bytes, not by the suffix: a length, then a JSON object."""
    return len(head) > 8 and head[8:9] == b'{' and int.from_bytes(head[:8], 'little') < size


def _read_safetensors(path: Path) -> object:
    import safetensors
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except (safetensors.SafetensorError, OSError, KeyError, ValueError, RuntimeError) as err:
        raise BundleError(f'weights {path} are a damaged safetensors file: {err}') from err


def _read_torch(path: Path) -> object:
    is_program = False
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (OSError, zipfile.BadZipFile) as err:
            raise BundleError(f'weights {path} are damaged: {err}') from err
        _check_size(path, sum(entry.file_size for entry in entries))
        is_program = any('/code/' in entry.filename for entry in entries)
    if is_program:
        raise BundleError(
            f'weights {path} are a program (TorchScript), which is not run', _FORMATS
        )
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as err:
        lines = str(err).splitlines()
        why = next((line.strip() for line in lines if 'Unsupported' in line), lines[0].strip())
        raise BundleError(
            f'weights {path} are no plain PyTorch tensors, nothing of them was run: {why}',
            _FORMATS,
        ) from err
    except Exception as err:  # a stranger's bytes: the unpickler fails in as many ways
        why = (str(err).strip() or type(err).__name__).splitlines()[0]
        raise BundleError(
            f'weights {path} are damaged or of another format: {why}', _FORMATS
        ) from err


def _unwrapped(found: object) -> dict[str, Tensor]:
    for _ in range(len(_WRAPPERS)):
        if not isinstance(found, Mapping):
            return {}
        inner = next((found[w] for w in _WRAPPERS if isinstance(found.get(w), Mapping)), None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name): value
        for name, value in found.items()
        if isinstance(value, Tensor) and value.is_floating_point() and not value.is_sparse
    }


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what stands before every name."""
    for _ in _PREFIXES:
        prefix = next((p for p in _PREFIXES if all(n.startswith(p) for n in tensors)), '')
        if not prefix or not tensors:
            break
        tensors = {name[len(prefix) :]: value for name, value in tensors.items()}
    return tensors
