# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which GPU there is, asked of the driver itself.

This comes before anything else of CUDA is loaded: without a driver, TensorRT 10 and 11 crash in
their first call, and the Python bindings alone take half a second to load.
"""

import ctypes
from dataclasses import dataclass

from caption_node.errors import BackendUnavailableError

_DRIVERS = ('libcuda.so.1', 'libcuda.so')
_MAJOR, _MINOR, _INTEGRATED = 75, 76, 18
_NO_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Device:
    """
    A GPU that CUDA can use.

    :param index: Its number, as CUDA_VISIBLE_DEVICES leaves it.
    :param target: Compute capability, as ``sm86``.
    :param driver: Newest CUDA that the driver knows, for instance ``13.0``.
    :param is_integrated: Whether it shares the memory of the CPU, as on Jetson.
    """

    index: int
    name: str
    target: str
    driver: str
    is_integrated: bool


def find_device(index: int = 0) -> Device:
    """
    Ask the driver for a GPU.

    :raises BackendUnavailableError: If there is no driver or no such GPU.
    """
    driver = _load_driver()
    _check(driver, driver.cuInit(0), 'the NVIDIA driver does not start')
    count, version = ctypes.c_int(), ctypes.c_int()
    _check(driver, driver.cuDeviceGetCount(ctypes.byref(count)), 'GPUs cannot be counted')
    if not 0 <= index < count.value:
        raise BackendUnavailableError(
            f'there is no GPU number {index}: CUDA sees {count.value}',
            'check nvidia-smi and CUDA_VISIBLE_DEVICES',
        )
    handle = ctypes.c_int()
    _check(driver, driver.cuDeviceGet(ctypes.byref(handle), index), 'the GPU does not answer')
    name = ctypes.create_string_buffer(128)
    _check(driver, driver.cuDeviceGetName(name, len(name), handle), 'the GPU has no name')
    _check(driver, driver.cuDriverGetVersion(ctypes.byref(version)), 'the driver has no version')
    major, minor, integrated = (
        _attribute(driver, number, handle) for number in (_MAJOR, _MINOR, _INTEGRATED)
    )
    return Device(
        index=index,
        name=name.value.decode(errors='replace'),
        target=f'sm{major}{minor}',
        driver=f'{version.value // 1000}.{version.value % 1000 // 10}',
        is_integrated=bool(integrated),
    )


def _load_driver() -> ctypes.CDLL:
    for file in _DRIVERS:
        try:
            return ctypes.CDLL(file)
        except OSError:
            continue
    raise BackendUnavailableError(
        'no NVIDIA driver on this machine', 'nothing to do without an NVIDIA GPU: the CPU is used'
    )


def _attribute(driver: ctypes.CDLL, number: int, handle: ctypes.c_int) -> int:
    value = ctypes.c_int()
    status = driver.cuDeviceGetAttribute(ctypes.byref(value), number, handle)
    _check(driver, status, 'the GPU does not answer')
    return value.value


def _check(driver: ctypes.CDLL, status: int, what: str) -> None:
    if status == 0:
        return
    text = ctypes.c_char_p()
    driver.cuGetErrorString(status, ctypes.byref(text))
    reason = (text.value or b'').decode(errors='replace') or f'CUDA error {status}'
    hint = 'check nvidia-smi and CUDA_VISIBLE_DEVICES'
    if status != _NO_DEVICE:
        hint = 'check that the driver is loaded, and that this user may use it: nvidia-smi'
    raise BackendUnavailableError(f'{what}: {reason}', hint)
