"""What machines say when they cannot run an image, and what others say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.software.misfit import MISFITS, Symptom, symptom_in_log, symptom_of

SAID = {
    "image_lacks_gpu": (
        (
            "RuntimeError: CUDA error: no kernel image is available for execution on the "
            "device"
        ),
        (
            "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with "
            "the current PyTorch installation."
        ),
    ),
    "driver_too_old": (
        (
            "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, "
            "please update your driver to a newer version"
        ),
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12020)",
        "CUDA driver version is insufficient for CUDA runtime version",
    ),
    "cpu_arch": (
        "exec /opt/nvidia/nvidia_entrypoint.sh: exec format error",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
    ),
    "host_ram_too_small": (
        "Memory cgroup out of memory: Killed process 71 (python) total-vm:9kB",
        "container exited: OOMKilled",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-4f",
    ),
}
"""Misfit -> what Docker, NVIDIA's runtime, PyTorch and Linux say of it."""

WORKER = "RuntimeError: DataLoader worker (pid 4242) is killed by signal: Killed."
REFUSED = (
    "[enforce fail] DefaultCPUAllocator: {} memory: you tried to allocate {} bytes. Error"
)
PRINTED = {
    "image_lacks_gpu": (
        (
            "RuntimeError: CUDA error: no kernel image is available for execution on the "
            "device"
        ),
        "cupy_backends.cuda.api.driver.CUDADriverError: CUDA_ERROR_NO_BINARY_FOR_GPU",
    ),
    "driver_too_old": (
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12020)",
        (
            "RuntimeError: CUDA error: the provided PTX was compiled with an unsupported "
            "toolchain."
        ),
        (
            "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: "
            "forward compatibility was attempted on non supported HW"
        ),
    ),
    "gpu_memory_too_small": (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "RuntimeError: CUDA error: out of memory",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while",
    ),
    "host_ram_too_small": (
        REFUSED.format("can't allocate", 141_000_000_000),
        REFUSED.format("not enough", 16_000_000_000),
    ),
}
"""Misfit -> errors with which a command ends."""

NOT_PRINTED = (
    "OSError: [Errno 8] Exec format error: './train.sh'",
    "exec /opt/nvidia/nvidia_entrypoint.sh: exec format error",
    (
        "UserWarning: NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not "
        "compatible with the current PyTorch installation."
    ),
    (
        "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old "
        "(found version 12020)."
    ),
    REFUSED.format("can't allocate", 400_000_000_000_000),
    REFUSED.format("can't allocate", 10**29),
    "memory.events: oom_kill 3",
    "started with --oom-kill-disable",
    "Out of memory: Killed process 4242 (python3)",
    WORKER,
)
"""What a command may print that shows nothing of its machine."""

NOTHING = (
    "",
    "epoch 3: loss nan",
    "Killed",
    "oom_kill 0",
    "oom_kill=0",
    "oom_kill: 0",
    "oom_killer: off",
    "docker run --oom-kill-disable",
    '"OOMKilled": false',
    "ModuleNotFoundError: No module named 'timm'",
    "ssh: connect to host 192.0.2.1 port 22: Connection refused",
    "success, running pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime",
)


@pytest.mark.parametrize(
    ("misfit", "text"), [(name, text) for name, said in SAID.items() for text in said]
)
def test_a_misfit_is_recognized(misfit: str, text: str) -> None:
    """By the words of Docker, NVIDIA, PyTorch and Linux, amid others."""
    symptom = symptom_of(f"begin\n  {text}\nTraceback (most recent call last):")
    assert symptom is not None
    assert symptom.misfit == misfit
    assert symptom.evidence == " ".join(text.split())[: len(symptom.evidence)]


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_misfit(text: str) -> None:
    """A GPU's memory that is full, a kill alone, a failure of the user's: none."""
    assert symptom_of(text) is None


@pytest.mark.parametrize(
    ("misfit", "text"), [(name, text) for name, said in PRINTED.items() for text in said]
)
def test_an_error_that_ends_a_command_is_recognized(misfit: str, text: str) -> None:
    """Of the image, the driver, or memory that a host can lack, however it is counted."""
    for counted in (True, False):
        symptom = symptom_in_log(f"step 3\n{text}\nbye", counted=counted)
        assert symptom is not None
        assert (symptom.misfit, symptom.evidence) == (misfit, text)


@pytest.mark.parametrize("text", [*NOT_PRINTED, *NOTHING])
def test_what_a_command_prints_is_not_believed_at_once(text: str) -> None:
    """A warning, a script without its first line, a size that no host has: nothing."""
    assert symptom_in_log(f"{text}\nSyntaxError: invalid syntax", counted=True) is None


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ("torch.distributed.elastic.multiprocessing.errors.ChildFailedError:", True),
        ("subprocess.CalledProcessError: Command '['python']' returned 1", True),
        ("SyntaxError: invalid syntax", False),
        ("[rank0]: ValueError: no such file", False),
        ("KeyboardInterrupt", False),
    ],
)
def test_only_what_ended_the_command_counts(after: str, counts: bool) -> None:
    """A batch that was too large and tried again smaller is past."""
    full = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    found = symptom_in_log(f"{full}\nTraceback:\n  x\n{after}\n", counted=True)
    assert (found is not None) == counts


def test_a_killed_worker_shows_where_nobody_counts() -> None:
    """Only the kernel kills a loader's worker so; where it counts, the count decides."""
    found = symptom_in_log(f"begin\n{WORKER}\n", counted=False)
    assert found == Symptom("host_ram_too_small", WORKER)


def test_every_misfit_has_words() -> None:
    """Each is said in plain words, with what showed it."""
    for misfit in MISFITS:
        said = str(Symptom(misfit, "evidence"))
        assert said.endswith(" (evidence)")
        assert misfit not in said


def test_the_first_of_several_counts() -> None:
    """What fails first is the cause of what fails next."""
    first, second = SAID["host_ram_too_small"][0], SAID["image_lacks_gpu"][0]
    found = symptom_of(f"{first}\n{second}")
    assert found is not None
    assert found.misfit == "host_ram_too_small"


@given(st.text(), st.sampled_from([text for said in SAID.values() for text in said]))
def test_the_evidence_is_one_short_line(noise: str, text: str) -> None:
    """Whatever stands around: it can be printed, and it is short."""
    symptom = symptom_of(f"{noise}\n{text} {'x' * 500}\n{noise}")
    assert symptom is not None
    assert symptom.evidence.isprintable()
    assert len(symptom.evidence) <= 200
