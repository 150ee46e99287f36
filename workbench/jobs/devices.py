"""The devices of this computer that jobs take in turn, counted without importing torch.

GPUs go by the numbers that `nvidia-smi -L` gives them, and a job is bound to one by its UUID: numbers mean something
else in each process that sees only some of them. A computer without a GPU of NVIDIA has one device, whatever it is.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

NAMES_VARIABLE = "WORKBENCH_DEVICES"
ONLY_DEVICE = "default"
PROCESSOR = "cpu"
NVIDIA_SMI_SECONDS = 15.0
LISTED = re.compile(r"^(?P<part>\s*)(?:GPU|MIG)\b.*\(UUID: (?P<uuid>[^)\s]+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Device:
    """Something that one job at a time computes on.

    visible: what CUDA_VISIBLE_DEVICES must be for a process that uses it alone; None leaves that as it is.
    spare: taken only by a job that names it.
    """

    name: str
    visible: str | None = None
    spare: bool = False

    @property
    def lock(self) -> str:
        """The file that whoever uses it locks. Where GPUs cannot be counted, `default` is the first of them."""
        name = ONLY_DEVICE if self.name == "cuda:0" else re.sub(r"[^a-z0-9]+", "-", self.name)
        return f"device-{name}.lock"

    def bind(self) -> None:
        """Let this process, and all that it starts, see this device alone. Only before torch looks for devices."""
        if self.visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.visible
            os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"


def find_devices() -> list[Device]:
    """The devices that jobs may use, the first choice first.

    $WORKBENCH_DEVICES names them (``cuda:0,cuda:2``); else all GPUs, or those that $CUDA_VISIBLE_DEVICES leaves.
    """
    gpus = _gpus()
    named = [name.strip().lower() for name in os.environ.get(NAMES_VARIABLE, "").split(",") if name.strip()]
    if named:
        known = {gpu.name: gpu for gpu in gpus}
        return [known.get(name) or Device(name, _number(name)) for name in dict.fromkeys(named)]
    return [*gpus, Device(PROCESSOR, "", spare=True)] if gpus else [Device(ONLY_DEVICE)]


def wanted_device(spec: Mapping[str, Any]) -> str:
    """The device that a job names; empty where any will do."""
    settings = spec.get("settings")
    asked = spec.get("device") or (settings.get("device") if isinstance(settings, Mapping) else None)
    name = str(asked or "").strip().lower()
    return "" if name in ("auto", ONLY_DEVICE) else name


def fitting(devices: Sequence[Device], wanted: str) -> list[Device]:
    """Those of the devices that a job which names `wanted` may take."""
    if not wanted:
        return [device for device in devices if not device.spare]
    if [device.name for device in devices] == [ONLY_DEVICE]:
        return list(devices) if wanted in (PROCESSOR, "mps", "cuda", "cuda:0") else []
    return [device for device in devices if wanted in (device.name, device.name.partition(":")[0])]


def check_wanted(devices: Sequence[Device], wanted: str) -> None:
    """Raise WorkbenchError for a device that is not here."""
    if not fitting(devices, wanted):
        here = ", ".join(device.name for device in devices if device.name != ONLY_DEVICE)
        raise WorkbenchError(
            f"There is no device “{wanted[:40]}” here. "
            + (f"Choose one of {here}, or auto." if here else "This computer has one, so leave it to auto.")
        )


def first_choice(free: Sequence[Device], named: Collection[str]) -> Device | None:
    """The first of the free devices that nobody else waits for by its name, else the first one."""
    return next((device for device in free if device.name not in named), free[0] if free else None)


def _gpus() -> list[Device]:
    """The GPUs of NVIDIA that this process may see, each with its UUID; none for a torch that cannot use them."""
    if not _torch_uses_gpus():
        return []
    listed, chosen = read_list(_nvidia_smi()), os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [Device(f"cuda:{number}", uuid) for number, uuid in enumerate(listed)]
    found: list[Device] = []
    for part in (part.strip() for part in chosen.split(",")):
        matching = [i for i, uuid in enumerate(listed) if part and (part == str(i) or uuid.startswith(part))]
        if matching:
            found.append(Device(f"cuda:{matching[0]}", listed[matching[0]]))
        elif part and part != "-1" and not listed:  # they cannot be counted, so what was chosen is taken at its word
            found.append(Device(f"cuda:{part if part.isdigit() else len(found)}", part))
        else:
            break  # as CUDA reads it: what stands behind such a one is hidden too
    return found


def read_list(text: str) -> list[str]:
    """The UUIDs in what `nvidia-smi -L` prints: of the GPUs, and for a GPU that is cut in parts, of its parts."""
    found: list[str] = []
    whole = ""
    for match in LISTED.finditer(text):
        if not match["part"]:
            whole = match["uuid"]
        elif whole in found:
            found.remove(whole)
        found.append(match["uuid"])
    return found


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=NVIDIA_SMI_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _torch_uses_gpus() -> bool:
    """Whether the installed torch was built for GPUs of NVIDIA, as a file of it says; it is not imported."""
    torch = importlib.util.find_spec("torch")
    try:
        told = Path(torch.origin).with_name("version.py").read_text() if torch and torch.origin else ""
    except OSError:
        told = ""
    return re.search(r"^cuda\b[^=]*= *None", told, re.MULTILINE) is None


def _number(name: str) -> str | None:
    """What makes a device visible that is known by its name alone."""
    if name == PROCESSOR:
        return ""
    return name.partition(":")[2] or None if name.startswith("cuda:") else None
