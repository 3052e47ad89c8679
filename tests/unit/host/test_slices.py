"""Slices of a core: asked for, given back, and left alone where they cannot be had."""

from __future__ import annotations

import ctypes
import os

import pytest

from pytest_costguard.host import slices
from pytest_costguard.host.slices import own_slices, slice_seconds


@pytest.fixture
def own():
    """The system's own slice, on a system that heeds another."""
    before = slice_seconds()
    with own_slices(0.008):
        heeded = slice_seconds() == 0.008
    if not heeded:
        pytest.skip("this system has no slices of a thread's own")
    return before


@pytest.mark.skipif(os.name != "posix", reason="there are no nice values")
def test_a_slice_is_held_and_given_back_and_nothing_else_is_changed(own):
    nice = os.nice(0)
    with own_slices(0.02):
        assert slice_seconds() == 0.02
        assert os.nice(0) == nice
    assert slice_seconds() == own
    assert os.nice(0) == nice


def test_a_slice_is_given_back_after_an_error(own):
    with pytest.raises(RuntimeError), own_slices(0.02):
        raise RuntimeError
    assert slice_seconds() == own


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "riscv64")])
def test_elsewhere_nothing_is_asked(monkeypatch, system, machine):
    monkeypatch.setattr(slices.sys, "platform", system)
    monkeypatch.setattr(slices.platform, "machine", lambda: machine)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("there is nothing to call"))
    with own_slices(0.008):
        assert slice_seconds() is None


class Refusing:
    """A system that forbids the calls, as a container's filter may."""

    def syscall(self, *_words: object) -> int:
        return -1


def test_a_system_that_forbids_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(slices.sys, "platform", "linux")
    monkeypatch.setattr(slices.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Refusing())
    with own_slices(0.008):
        assert slice_seconds() is None
