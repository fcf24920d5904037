"""Standard normals from the kernel's generator: each row a pure function of its own seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctrnn.kernel.library import LANES, Floats, address, library

Words = NDArray[np.uint32]


def normals(seeds: NDArray[np.uint64], count: int) -> Floats:
    """Standard normals [trial, count]; row i depends on seeds[i] alone, and a longer row begins as a shorter one.

    seeds: uint64 [trial]. Drawn by the compiled kernel where one can be built, else by the numpy definition below:
    the same bits.
    """
    seeds = np.ascontiguousarray(seeds, np.uint64)
    try:
        lib = library()
    except RuntimeError:
        return normals_definition(seeds, count)
    rows = np.empty((seeds.size, count), np.float32)
    lib.ctrnn_normals(address(seeds), seeds.size, count, address(rows))
    return rows


def normals_definition(seeds: NDArray[np.uint64], count: int, first_slice: int = 0) -> Floats:
    """What `normals` returns, in numpy: the definition that the kernel is held to.

    Blocks of 32 cosines and 32 sines from 32 lanes of xoshiro128 (Blackman and Vigna 2018), two sums of its words a
    step, by Box and Muller's transform with polynomials. `first_slice` is the slice of trials whose noise it is.
    """
    state = _seeded(np.asarray(seeds, np.uint64), first_slice)
    blocks = [np.concatenate(_pair(*_draw(state)), axis=1) for _ in range(-(-count // (2 * LANES)))]
    if not blocks:
        return np.empty((len(seeds), 0), np.float32)
    return np.concatenate(blocks, axis=1)[:, :count]


def _mixed(a: Words) -> Words:
    a = (a ^ (a >> np.uint32(16))) * np.uint32(0x7FEB352D)
    a = (a ^ (a >> np.uint32(15))) * np.uint32(0x846CA68B)
    return a ^ (a >> np.uint32(16))


def _seeded(seeds: NDArray[np.uint64], of_slice: int) -> list[Words]:
    """Four words of state [trial, lane], hashes of the seed, the word's number and the lane's."""
    low, high = seeds.astype(np.uint32), (seeds >> np.uint64(32)).astype(np.uint32)
    lane = np.arange(of_slice * LANES, (of_slice + 1) * LANES).astype(np.uint32) * np.uint32(
        0x85EBCA6B
    )
    steps = np.arange(1, 5, dtype=np.uint32) * np.uint32(0x9E3779B9)
    return [_mixed(_mixed(_mixed(low + step) ^ high)[:, None] + lane) for step in steps]


def _draw(s: list[Words]) -> tuple[Words, Words]:
    """Two words a lane; `s` moves on."""
    a, b, c, d = s
    p, q = a + d, b + c
    c, d = c ^ a, d ^ b
    s[:] = a ^ d, b ^ c, c ^ (b << np.uint32(9)), (d << np.uint32(11)) | (d >> np.uint32(21))
    return p, q


def _pair(p: Words, q: Words) -> tuple[Floats, Floats]:
    """Two independent normals from two words; see kernel.c. All arithmetic in float32, each operation rounded."""
    f = np.float32
    k = ((p & np.uint32(0x7FFFFFBE)) | np.uint32(1)).astype(np.int32).astype(f).view(np.int32)
    e = (157 - (k >> 23)).astype(f)
    m = ((k & 0x7FFFFF) | 0x3F800000).view(f)
    mm = m * m
    P = (f(2.583935427) - f(2.061298864) * m) + mm * (
        (f(1.1878655663) - f(0.3719279291) * m) + mm * f(0.0476672633)
    )
    radius = np.sqrt(e * f(1.3862943611) + (f(2) - m) * P)
    read_new = q.view(np.int32).astype(f) * f(2.0**-31)
    y = read_new * read_new
    yy = y * y
    sine = read_new * (
        (f(1.5707951251) - f(0.6459262326) * y) + yy * (f(0.0795016341) - f(0.0043716726) * y)
    )
    cosine = (f(0.9999932956) - f(1.2334844955) * y) + yy * (f(0.2525802152) - f(0.0190957195) * y)
    xi = ((radius * cosine).view(np.uint32) ^ (p & np.uint32(0x80000000))).view(f)
    return xi, radius * sine
