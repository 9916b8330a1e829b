"""Root without its right to pass over permissions, so that a forbidden folder is forbidden to the tests as well."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_VERSION, _HERE = 0x20080522, 0
_PASSING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Let what this thread does, and the threads it starts, be refused what permissions forbid, whoever it is."""
    if os.geteuid():
        yield
        return
    system, header, rights = ctypes.CDLL(None, use_errno=True), _Header(_VERSION, _HERE), (_Rights * 2)()
    if system.capget(ctypes.byref(header), rights):
        pytest.skip("rights cannot be laid down here")
    had = rights[0].effective
    rights[0].effective = had & ~_PASSING
    if system.capset(ctypes.byref(header), rights):
        pytest.skip("rights cannot be laid down here")
    try:
        yield
    finally:
        rights[0].effective = had
        assert not system.capset(ctypes.byref(header), rights)
