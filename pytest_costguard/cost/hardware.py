"""Whether a machine is the target: the price of one times the throughput of another is no money."""

from __future__ import annotations

import re

from pytest_costguard.records import Fingerprint, Target

_BREAKS = re.compile(r"[^a-z0-9]+")
_MAKERS = frozenset({"nvidia", "tesla", "geforce", "amd", "instinct", "intel", "aws"})
"""Drivers and catalogues write them or leave them out: "Tesla T4" is "NVIDIA T4"."""
_OTHER_FORMS = frozenset({"pcie", "nvl"})
_LEAST_MEMORY, _MOST_MEMORY = 0.7, 1.1
"""Of what an instance is sold with, that its system shows: firmware keeps some for itself."""
_ARCHITECTURE = re.compile(r"\b(?:x86_64|amd64|AMD64|aarch64|arm64)\b")
_SAME = {"amd64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64"}
_ARM = {
    "aws": re.compile(r"(?:a1|[a-z]+\d+[a-z]*?g[a-z]*|p6e-gb200)\."),
    "azure": re.compile(r"(?:standard_)?[a-z]+\d+(?:-\d+)?[a-z]*p[a-z]*_"),
    "github": re.compile(r".*_arm\b"),
    "gcp": re.compile(r"(?:t2a|c4a|n4a|a4x)-"),
}


def same_gpu(declared: str, found: str) -> bool:
    """Return whether the device that the driver calls `found` is the model that is `declared`.

    Every word of the declaration must be in the driver's name: "A100 80GB" is "NVIDIA
    A100-SXM4-80GB", "T4" is "Tesla T4" but not "NVIDIA T4G". Drivers do not always say SXM
    ("NVIDIA H100 80GB HBM3"), so it is taken for given where no other form is named.
    """
    there = _words(found)
    wanted = _words(declared)
    sxm = {word for word in wanted if word.startswith("sxm")}
    if sxm:
        wanted -= sxm
        named = {word for word in there if word.startswith("sxm")}
        if there & _OTHER_FORMS or (named and "sxm" not in sxm and not named & sxm):
            return False
    return bool(wanted) and wanted <= there


def _words(name: str) -> set[str]:
    return {word for word in _BREAKS.split(name.lower()) if word} - _MAKERS


def mismatches(target: Target, fingerprint: Fingerprint) -> tuple[str, ...]:
    """Name each way in which a machine is not the target; empty where it matches.

    What the target does not declare is taken from its instance's row in the price table, where
    that tells, and else not compared. A machine that was priced directly, or that the user says
    stands for the target, always matches. A detected one does too, unless it has accelerators
    that its price leaves out: Google lists them apart from their host.
    """
    if target.stands_for or target.origin == "price":
        return ()
    if target.origin == "detected":
        return _accelerators_left_out(target, fingerprint)
    found = (
        _cores(target, fingerprint),
        _memory(target, fingerprint),
        _architecture(target, fingerprint),
        _cpu_model(target, fingerprint),
        _gpus(target, fingerprint),
    )
    return tuple(text for text in found if text)


def declares_hardware(target: Target) -> bool:
    """Return whether there is anything by which a machine can be told from the target."""
    return (
        target.cores is not None
        or target.cpu_model is not None
        or target.gpu is not None
        or target.quote.vcpu is not None
        or bool(target.quote.accelerator)
    )


def _accelerators_left_out(target: Target, fingerprint: Fingerprint) -> tuple[str, ...]:
    if not fingerprint.gpus or target.quote.accelerator:
        return ()
    return (
        f"the price of {target.name} includes no GPU, this machine has {_counted(fingerprint)}",
    )


def _cores(target: Target, fingerprint: Fingerprint) -> str:
    cores = target.cores if target.cores is not None else target.quote.vcpu
    if cores is None or cores == fingerprint.cores:
        return ""
    return f"the target has {_number(cores, 'core')}, this machine {fingerprint.cores}"


def _memory(target: Target, fingerprint: Fingerprint) -> str:
    gib = target.quote.memory_gib
    # An override of the cores says that the machine is not as its row has it.
    if gib is None or not fingerprint.memory_bytes or target.cores is not None:
        return ""
    here = fingerprint.memory_bytes / 2**30
    if _LEAST_MEMORY <= here / float(gib) <= _MOST_MEMORY:
        return ""
    return f"the target has {float(gib):g} GiB of memory, this machine {here:.3g}"


def _architecture(target: Target, fingerprint: Fingerprint) -> str:
    wanted = architecture_of(target.quote.provider, target.quote.instance)
    found = _ARCHITECTURE.search(fingerprint.os)
    here = "" if found is None else _SAME.get(found[0], found[0])
    if not wanted or not here or wanted == here:
        return ""
    return f"the target is a machine of {wanted}, this one is of {here}"


def architecture_of(provider: str | None, instance: str | None) -> str:
    """Return `arm64` or `x86_64` where an instance's name tells it, else "".

    Sources: the naming conventions of Amazon EC2 (a `g` after the generation: Graviton), Azure (a
    `p` among the features: Arm), Google Compute Engine (the series T2A, C4A and N4A: Arm) and the
    labels of GitHub's own machines.
    """
    name = (instance or "").lower()
    tells = _ARM.get(provider or "")
    if tells is None or not name:
        return ""
    return "arm64" if tells.match(name) else "x86_64"


def _cpu_model(target: Target, fingerprint: Fingerprint) -> str:
    if target.cpu_model is None:
        return ""
    try:
        matched = re.search(target.cpu_model, fingerprint.cpu_model, re.IGNORECASE)
    except re.error as error:
        return f"the target's cpu_model {target.cpu_model!r} is no regular expression ({error})"
    if matched:
        return ""
    here = fingerprint.cpu_model or "not known"
    return f"the target's CPU model matches {target.cpu_model!r}, this machine's is {here}"


def _gpus(target: Target, fingerprint: Fingerprint) -> str:
    quote = target.quote
    wanted = target.gpu or quote.accelerator
    here = _counted(fingerprint)
    if wanted:
        if not any(same_gpu(wanted, gpu) for gpu in fingerprint.gpus):
            return f"the target has {wanted}, this machine {here}"
        count = quote.accelerator_count
        if count and count != len(fingerprint.gpus):
            return f"the target has {_number(count, 'GPU')}, this machine {here}"
        return ""
    if quote.vcpu is not None and fingerprint.gpus:
        # Its hardware is known, so an empty accelerator means that there is none.
        return f"the target has no GPU, this machine {here}"
    return ""


def _counted(fingerprint: Fingerprint) -> str:
    gpus = fingerprint.gpus
    if not gpus:
        return "no GPU"
    kinds = dict.fromkeys(gpus)
    return " and ".join(f"{gpus.count(kind)} x {kind}" for kind in kinds)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
