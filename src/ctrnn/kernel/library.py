"""The compiled kernel as ctypes sees it: the structures of `kernel.c` and its functions."""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int64, c_uint64, c_void_p
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ctrnn.kernel import build

LANES = 32  # trials in a slice

Floats = NDArray[np.float32]


class SparseC(ctypes.Structure):
    """`Sparse` of kernel.c."""

    _fields_ = [("row", c_void_p), ("column", c_void_p), ("value", c_void_p)]


class NetworkC(ctypes.Structure):
    """`Network` of kernel.c."""

    _fields_ = [
        *((name, c_int64) for name in ("n", "channels", "outputs")),
        *(
            (name, c_void_p)
            for name in ("coefficients", "start", "B", "c", "noise", "W_out", "b_out")
        ),
        ("s_post", c_float),
        ("A", SparseC),
        ("A_transposed", SparseC),
        ("tiles", c_int64),
        ("entries", c_int64),
        *((name, c_void_p) for name in ("tile_begin", "tile_row", "tile_column")),
    ]


class SliceC(ctypes.Structure):
    """`Slice` of kernel.c."""

    _fields_ = [
        *((name, c_int64) for name in ("T", "trials", "slice", "noisy")),
        ("key", c_uint64),
        *((name, c_void_p) for name in ("inputs", "targets", "mask", "x0", "rates", "x", "z")),
        ("scale", c_double),
        ("rate_penalty", c_double),
        *((name, c_void_p) for name in ("dA", "dB", "dc", "dW_out", "db_out")),
        *((name, c_void_p) for name in ("dp", "dnoise", "dstart", "loss", "workspace")),
    ]


@cache
def library(model: str = "rate", activation: str = "sigmoid") -> ctypes.CDLL:
    """The kernel of this machine for a model with an activation, built where need be.

    What does not depend on a model, such as `ctrnn_normals`, is the same in each. Raises RuntimeError as
    `build.library` does.
    """
    path = build.library(model, activation)
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:  # its folder lies where no program may run, say
        raise RuntimeError(
            f"the native kernel cannot be loaded ({error}); name another folder in CTRNN_CACHE, "
            "or set train.backend: torch."
        ) from None
    network, one_slice, i64, pointer = POINTER(NetworkC), POINTER(SliceC), c_int64, c_void_p
    signatures = {
        "ctrnn_formulas": (c_char_p, []),
        "ctrnn_slopes": (c_char_p, []),
        "ctrnn_states": (c_int64, []),
        "ctrnn_workspace": (c_int64, [network, i64, i64]),
        "ctrnn_forward": (None, [network, one_slice]),
        "ctrnn_gradients": (None, [network, one_slice]),
        "ctrnn_effective": (None, [i64, i64, pointer, pointer, pointer, pointer, i64, pointer]),
        "ctrnn_scatter": (
            None,
            [i64, i64, pointer, pointer, pointer, pointer, pointer, i64, pointer],
        ),
        "ctrnn_sum": (c_double, [pointer, i64]),
        "ctrnn_normals": (None, [pointer, i64, i64, pointer]),
        "ctrnn_noise": (None, [one_slice, i64, pointer, pointer]),
        "ctrnn_logistic": (None, [pointer, i64, pointer]),
        "ctrnn_log": (None, [pointer, i64, pointer]),
    }
    for name, (returns, takes) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = returns, takes
    return lib


def address(array: NDArray[np.generic] | None) -> int | None:
    """Where the data of a C-contiguous array begins; None for None. The caller keeps the array alive."""
    if array is None:
        return None
    assert array.flags.c_contiguous
    return array.ctypes.data


_of_thread = threading.local()


def workspace(floats: int) -> Floats:
    """This thread's scratch memory, 64-byte aligned; kept between calls, since fresh pages cost as much as a step."""
    held: Floats | None = getattr(_of_thread, "workspace", None)
    if held is None or held.size < floats:
        raw = np.empty(floats + 16, np.float32)
        held = raw[(-raw.ctypes.data // 4) % 16 :][:floats]
        _of_thread.workspace = held
    return held
