"""A torch module as a workload: evaluated in inference mode on the device it lives on."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads.accelerators import accelerators_of, peak_bytes_of, waiter_for
from pytest_costguard.workloads.digests import digest_of
from pytest_costguard.workloads.options import flag, require_known

_OPTIONS = ("autocast", "device", "move_inputs")


class TorchModule:
    """Serves a request by calling the module with it: plain, scripted, compiled or exported.

    A tuple is spread over the positional arguments, a mapping over the keyword arguments; any
    other request is the one argument. While it serves, the module is in evaluation mode and
    gradients are off; afterwards every submodule is in the mode it was in before.

    Args:
        module: a `torch.nn.Module`, on its device already.
        threads: the declared number of threads; what torch uses is shown by `describe`.
        options: `autocast` (True, or a type such as "bfloat16"), `move_inputs` (True moves the
            tensors of a request to the module's device within the timed request), and `device`
            for a module without parameters.

    Raises:
        ConfigError: an option is unknown or not understood.
    """

    def __init__(self, module: Any, *, threads: int, options: Mapping[str, Any]) -> None:
        require_known(options, known=_OPTIONS, adapter="torch")
        self._module = module
        self._threads = threads
        self._moves = flag(options, "move_inputs", adapter="torch")
        self._autocast = options.get("autocast", False)
        self._asked_device = options.get("device")
        self._mode = _EvaluationMode(module)
        self._devices: tuple[Any, ...] = ()
        self._digest: str | None = None

    @property
    def kind(self) -> str:
        """`torch`."""
        return "torch"

    @property
    def is_async(self) -> bool:
        """A module answers at once, whatever its device still does."""
        return False

    def load(self) -> None:
        """Find the devices and check the options against them.

        Raises:
            WorkloadError: the module's weights were never materialised.
            ConfigError: `device` or `autocast` is not understood or not supported there.
        """
        if self._devices:
            return
        devices = self._found_devices()
        if any(device.type == "meta" for device in devices):
            raise WorkloadError(
                "the module's weights are on the meta device: they have shapes but no content",
                remedy="load its weights first: module.to_empty(device=…) and load_state_dict(…)",
            )
        self._check_autocast(devices[0])
        self._devices = devices

    def function(self) -> Callable[[Any], Any]:
        """Return what calls the module with one request."""
        module, device, moves = self._module, self._devices[0], self._moves

        def serve(request: Any) -> Any:
            if moves:
                request = _moved(request, device)
            try:
                if isinstance(request, tuple):
                    return module(*request)
                if isinstance(request, Mapping):
                    return module(**request)
                return module(request)
            except RuntimeError as error:
                if "same device" in str(error):
                    raise _elsewhere(error, device) from error
                raise

        return serve

    def synchronise(self) -> Callable[[], None] | None:
        """Return what waits for the module's devices; None on a CPU."""
        return waiter_for(self._accelerators())

    def serving(self) -> AbstractContextManager[object]:
        """Return a context of evaluation mode, inference mode and autocast."""
        return self._serving()

    def holding(self) -> AbstractContextManager[object]:
        """Return a context of evaluation mode alone, which belongs to the module, not to a thread.

        Inference mode and autocast do not: other workloads of the thread would be in them too.
        """
        return self._mode.entered()

    def describe(self) -> Description:
        """Name the device, the precision, torch's threads; digest the weights.

        The digest is None where weights are not there yet (lazy modules before their first call)
        or cannot be told by their content.
        """
        import torch

        if self._digest is None:
            self._digest = _weights_digest(self._module)
        used = torch.get_num_threads()
        return Description(
            details={
                "device": ", ".join(str(device) for device in self._devices),
                "precision": self._precision(),
                "float32_matmul": torch.get_float32_matmul_precision(),
                "threads": str(used)
                if used == self._threads
                else f"{used} (declared: {self._threads})",
            },
            model_digest=self._digest,
        )

    def device_peak_bytes(self) -> int | None:
        """Return the most bytes allocated on the module's devices together; None on a CPU."""
        return peak_bytes_of(self._accelerators())

    def reset_device_peak(self) -> None:
        """Start anew to look for the peak."""
        for accelerator in self._accelerators():
            accelerator.reset_peak()

    def _accelerators(self) -> Any:
        import torch

        return accelerators_of(torch, self._devices)

    @contextmanager
    def _serving(self) -> Iterator[None]:
        import torch

        with self._mode.entered(), torch.inference_mode(), self._casting(self._devices[0]):
            yield

    def _found_devices(self) -> tuple[Any, ...]:
        import torch

        if self._asked_device is not None:
            try:
                return (torch.device(self._asked_device),)
            except (RuntimeError, TypeError) as error:
                raise ConfigError(
                    f"torch: device={self._asked_device!r} is not understood",
                    remedy="name a device as torch does, for example device='cuda:0'",
                ) from error
        weights = itertools.chain(self._module.parameters(), self._module.buffers())
        return tuple(dict.fromkeys(weight.device for weight in weights)) or (torch.device("cpu"),)

    def _casting(self, device: Any) -> AbstractContextManager[object]:
        import torch

        if self._autocast is False:
            return nullcontext()
        dtype = self._autocast
        if isinstance(dtype, str):
            dtype = getattr(torch, dtype.removeprefix("torch."), None)
        if dtype is not True and not isinstance(dtype, torch.dtype):
            raise ConfigError(
                f"torch: autocast={self._autocast!r} is not a type",
                remedy="give True for the device's own choice, or 'bfloat16' or 'float16'",
            )
        return torch.autocast(device.type, dtype=None if dtype is True else dtype)  # type: ignore[no-any-return]  # torch is not followed

    def _check_autocast(self, device: Any) -> None:
        """Refuse what torch would switch off with a mere warning."""
        import torch

        if self._autocast is False:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with self._casting(device):
                supported = torch.is_autocast_enabled(device.type)
        if not supported:
            raise ConfigError(
                f"torch: autocast={self._autocast!r} is not supported on {device}",
                remedy="give autocast=True for the device's own choice, or leave it out",
            )

    def _precision(self) -> str:
        kinds = sorted({str(p.dtype).removeprefix("torch.") for p in self._module.parameters()})
        own = ", ".join(kinds) or "no parameters"
        if self._autocast is False:
            return own
        import torch

        device = self._devices[0]
        with self._casting(device):
            cast = str(torch.get_autocast_dtype(device.type)).removeprefix("torch.")
        return f"{own}, autocast {cast}"


class _EvaluationMode:
    """Puts a module into evaluation mode while anybody serves it, and back when nobody does.

    The mode belongs to the module and not to a thread: the first caller in sets it, the last one
    out restores it.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._inside = 0
        self._training: list[tuple[Any, bool]] = []

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold the module in evaluation mode."""
        with self._lock:
            if self._inside == 0:
                self._enter()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._leave()

    def _enter(self) -> None:
        modes = [(module, module.training) for module in self._module.modules()]
        if not any(training for _, training in modes):
            return
        try:
            self._module.eval()
        except NotImplementedError:  # an exported module runs as it was exported, always
            return
        self._training = modes

    def _leave(self) -> None:
        modes, self._training = self._training, []
        if not modes:
            return
        # Through train(), which a module may extend (adapters merge their weights there), and
        # then one by one, since it sets all submodules alike.
        self._module.train(modes[0][1])
        for module, training in modes:
            module.training = training


def _weights_digest(module: Any) -> str | None:
    import torch

    if any(torch.nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        return None
    weights = {name.replace("_orig_mod.", ""): v for name, v in module.state_dict().items()}
    digest = digest_of(weights)
    return None if digest.is_partial else digest.hexadecimal


def _moved(value: Any, device: Any) -> Any:
    """Return the request with every tensor in it on the device."""
    if isinstance(value, Mapping):
        return {key: _moved(entry, device) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(entry, device) for entry in value)
    to = getattr(value, "to", None)
    return value if to is None else to(device)


def _elsewhere(error: RuntimeError, device: Any) -> WorkloadError:
    return WorkloadError(
        f"the request is not on the module's device, {device}: {error}",
        remedy="give move_inputs=True to time the transfer too, or inputs that are there already",
    )
