"""What the processor is called."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

from pytest_costguard.host.proc import parse_fields, read_text

# Vendors and models of arm64 cores by their MIDR numbers, as lscpu names them (util-linux,
# sys-utils/lscpu-arm.c). Those that serve models; any other is named by its numbers.
_ARM_VENDORS = {
    0x41: "ARM",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x61: "Apple",
    0x6D: "Microsoft",
    0xC0: "Ampere",
}
_ARM_MODELS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x43, 0x0AF): "ThunderX2-99xx",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan-v110",
    (0x4E, 0x004): "Carmel",
    (0x6D, 0xD49): "Azure-Cobalt-100",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}


def cpu_model(root: Path, *, sysctl: Callable[[str], str] | None = None) -> str:
    """Return the processor's name, never empty.

    Args:
        root: where `proc` is.
        sysctl: answers for macOS; None asks the program of that name.
    """
    named = parse_cpuinfo(read_text(root / "proc/cpuinfo") or "")
    named = named or (sysctl or ask_sysctl)("machdep.cpu.brand_string")
    named = named or platform.processor()
    return " ".join(named.split()) or f"unknown ({platform.machine() or 'no architecture'})"


def parse_cpuinfo(text: str) -> str:
    """Return the processor's name from `/proc/cpuinfo`, or "" where there is none in it.

    x86 gives a name; arm64 gives numbers for each core, of which there are several kinds where
    large and small cores are mixed; POWER and s390x call it otherwise.
    """
    processors = [parse_fields(block) for block in text.split("\n\n")]
    for processor in processors:
        for key in ("model name", "cpu", "cpu model", "uarch", "machine"):
            if processor.get(key) and not processor.get(key, "").startswith("ARMv"):
                return processor[key]
    arm = {name for processor in processors if (name := _arm_name(processor))}
    return " + ".join(sorted(arm))


def ask_sysctl(name: str) -> str:
    """Return what the program `sysctl` says of a name, or "" where there is none (not macOS)."""
    if platform.system() != "Darwin":
        return ""
    try:
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _arm_name(processor: dict[str, str]) -> str:
    try:
        vendor = int(processor["CPU implementer"], 16)
        part = int(processor["CPU part"], 16)
    except (KeyError, ValueError):
        return ""
    maker = _ARM_VENDORS.get(vendor, f"implementer {vendor:#04x}")
    return f"{maker} {_ARM_MODELS.get((vendor, part), f'part {part:#05x}')}"
