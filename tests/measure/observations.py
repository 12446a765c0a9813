"""Observations by hand: what the hooks would have written of a training."""

from __future__ import annotations

from dataclasses import replace

from advisor.measure.hooks.observation import (
    Counted,
    Ended,
    Loader,
    Loop,
    Model,
    Observation,
    Optimizer,
    Process,
    Steps,
    Tensor,
)
from advisor.measure.hooks.observation import Precision as Arithmetic

PICTURES = Tensor("0", [32, 3, 64, 64], "float32")
TOKENS = Tensor("input_ids", [8, 128], "int64")


def of_pictures() -> Observation:
    """Return what is seen of a small net of pictures that trains on a CPU."""
    return Observation(
        process=Process(pid=7, python="3.11.7", torch="2.13.0+cpu", threads=1, cores=2),
        ended=Ended("stopped", "steps"),
        steps=Steps(
            seen=60,
            warm_up=3,
            counted=3,
            timed=40,
            backwards_per_step=1.0,
            batches_per_step=1.0,
            samples_per_step=32.0,
            samples_per_batch=32.0,
            samples_from="loader",
        ),
        loop=Loop(
            step_s=[0.1] * 40,
            wait_s=[0.001] * 40,
            samples=[32.0] * 40,
            seconds=4.0,
            total_samples=1280.0,
        ),
        loaders=[
            Loader(
                is_training=True,
                dataset="JpegFiles",
                dataset_samples=640,
                sampler_samples=640,
                samples_per_epoch=640.0,
                batches_per_epoch=20,
                batch_size=32,
                workers=2,
                batch_bytes=49_160.0,
                tensors=[PICTURES, Tensor("1", [32], "int64")],
                fetch_cpu_s=1.0,
                loading_cpu_s=1.3,
                fetched_samples=1000.0,
                read_bytes=30_000_000.0,
            )
        ],
        models=[
            Model(
                name="Sequential",
                parameters=480_000,
                trainable=480_000,
                parameter_bytes=1_920_000,
                dtypes={"float32": 480_000},
                is_trained=True,
                inputs=[PICTURES],
                memory_format="contiguous",
            )
        ],
        optimizers=[
            Optimizer(
                name="torch.optim.sgd.SGD",
                bases=["torch.optim.optimizer.Optimizer"],
                is_main=True,
                parameters=480_000,
                dtypes={"float32": 480_000},
                state_bytes=1_920_000,
                state_bytes_per_parameter=4.0,
                momentum=0.9,
                steps=60,
            )
        ],
        precision=Arithmetic(matmul_tf32=False, cudnn_tf32=True),
        counted=Counted(
            steps=3,
            batches=3,
            backwards=3,
            samples=96.0,
            flops={"forward": 96 * 134e6, "backward": 96 * 266e6},
            kernels={"forward": 180.0, "backward": 240.0, "optimizer": 360.0},
            activation_bytes=96 * 2e6,
        ),
    )


def of_texts() -> Observation:
    """Return what is seen of a language model, gradients of two batches added up."""
    pictures = of_pictures()
    return replace(
        pictures,
        steps=replace(
            pictures.steps,
            backwards_per_step=2.0,
            batches_per_step=2.0,
            samples_per_step=16.0,
            samples_per_batch=8.0,
        ),
        models=[
            replace(
                pictures.models[0],
                name="GPT2LMHeadModel",
                inputs=[TOKENS, Tensor("attention_mask", [8, 128], "int64")],
                memory_format=None,
            )
        ],
        counted=replace(pictures.counted, batches=6, backwards=6, samples=48.0),
        attention=replace(pictures.attention, fused_calls=24),
    )
