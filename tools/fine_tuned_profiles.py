"""The built-in profiles of fine-tuning as people do it, by recipes that are published.

The nets of images, videos and speech were counted once, on PyTorch's meta device, from
their published configurations (diffusers 0.42, transformers 5.24, PyTorch 2.13; half
precision, attention fused, adapters in place); language models follow from formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from advisor.workloads.memory import BASE_WEIGHT_BYTES
from advisor.workloads.profile import Workload
from advisor.workloads.transformer import Transformer, transformer_profile
from profile_parts import (
    CHECKPOINTED_BY_VECTORLM,
    FROM_MEMORY,
    Figures,
    derived,
    measured_as,
)

QWEN_2_5_7B = Transformer(28, 3584, 28, 4, 18_944, 152_064, True, True, False)
LLAMA_3_8B = Transformer(32, 4096, 32, 8, 14_336, 128_256, True, True, False)
QWEN_7B = Transformer(32, 4096, 32, 32, 11_008, 151_936, True, True, False)
MISTRAL_7B = Transformer(32, 4096, 32, 8, 14_336, 32_000, True, True, False)

ALPACA, TOKENS = 52_002, 130
PADDED = (
    "assumption: texts of 130 tokens padded to 512: alpaca_data.json has 22.8 MB for "
    "52,002, some 4 B a token less its keys, and some 40 tokens of prompt"
)
PACKED = (
    "derived: 52,002 texts of Alpaca, some 130 tokens each (assumption: 4 B a token of "
    "22.8 MB, and the prompt), packed into sequences of {:,}"
)
KEPT = "counted on the meta device: bytes that autograd saves"
AGAIN = "derived: the input of every block, and all of one"
LATENTS = "derived: latents {}, and text embeddings {}, 2 B a number, made once"


class Counted(NamedTuple):
    """A net as it was counted.

    Attributes
    ----------
    parameters_m, trained_m : 10^6, adapters among both
    matrix_gflops, attention_gflops : of a forward pass, 10^9
    gradient_gflops : of the backward pass, its attention left out
    kept_mb, checkpointed_mb : that a sample keeps, whole and with blocks computed again
    kernels : of a step, the optimizer's left out
    """

    parameters_m: float
    trained_m: float
    matrix_gflops: float
    attention_gflops: float
    gradient_gflops: float
    kept_mb: float
    checkpointed_mb: float
    kernels: float

    @property
    def forward_gflops(self) -> float:
        """10^9 operations of a forward pass."""
        return self.matrix_gflops + self.attention_gflops

    @property
    def step_gflops(self) -> float:
        """10^9 operations of a step, nothing computed again."""
        return self.factor * self.forward_gflops

    def shorter(self, share: float) -> Counted:
        """Return the same net on fewer tokens, the `share` of them that is left.

        Matrix products go by the tokens, attention by their square.
        """
        return self._replace(
            matrix_gflops=self.matrix_gflops * share,
            attention_gflops=self.attention_gflops * share**2,
            gradient_gflops=self.gradient_gflops * share,
            kept_mb=self.kept_mb * share,
            checkpointed_mb=self.checkpointed_mb * share,
        )

    @property
    def factor(self) -> float:
        """Operations of a step over those of its forward pass.

        Each of attention's two products has two in the backward pass, trained or not.
        """
        backward = self.gradient_gflops + 2.0 * self.attention_gflops
        return (self.forward_gflops + backward) / self.forward_gflops


# Kept with blocks computed again: inputs of 70 transformer blocks of SDXL (4,096 tokens
# of 640 in ten of them, 1,024 of 1,280 in sixty) and of its 17 convolution blocks, and
# one of each kind; 57 blocks of 4,608 tokens of 3,072 of FLUX; 30 of 32,760 tokens of
# 1,536 of Wan; 32 of 1,500 frames and 32 of 100 tokens of 1,280 of Whisper, FP32.
SDXL_FULL = Counted(2567.5, 2567.5, 5977.3, 783.9, 11901.8, 7308.0, 1100.0, 5630.0)
SDXL_LORA = Counted(2590.7, 23.22, 6018.7, 783.9, 5817.5, 6025.0, 900.0, 8471.0)
FLUX_LORA = Counted(11920.1, 18.68, 59676.7, 14872.4, 59558.0, 23709.0, 2030.0, 9769.0)
WAN_LORA = Counted(1430.8, 11.80, 82677.4, 200907.1, 82629.7, 84562.0, 5840.0, 8216.0)
WAN_MEASURED = WAN_LORA.shorter(21 * 30 * 30 / 32_760)
WHISPER = Counted(1543.5, 1541.6, 2379.8, 394.9, 4756.6, 3223.0, 370.0, 4388.0)


def fine_tuned(known: Mapping[str, Workload]) -> list[Workload]:
    """Return fine-tuning of language, images, videos and speech.

    Parameters
    ----------
    known : name -> profile, of those that these follow from
    """
    return [
        *language(known["llama-8b-lora"], known["llama-8b-full"]),
        *images(),
        whisper(known["whisper-small"]),
    ]


def language(lora: Workload, full: Workload) -> list[Workload]:
    """Return language models: LoRA, QLoRA, and all weights in half precision."""
    qwen = packed(
        transformer_profile(
            lora, QWEN_2_5_7B, "qwen-7b-lora", 2048, lora_rank=8, everywhere=True,
            source="Qwen2.5 7B",
        ),
        QWEN_2_5_7B, "Qwen2.5 7B, LoRA fine-tune on Alpaca, packed into 2,048 tokens",
        epochs=3, batch=8, of="LLaMA-Factory examples/train_lora: {}",
    )  # fmt: skip
    qlora = packed(
        transformer_profile(
            lora, LLAMA_3_8B, "llama-8b-qlora", 4096, lora_rank=32, everywhere=True,
            source="Llama 3 8B",
        ),
        LLAMA_3_8B, "Llama 3 8B, QLoRA fine-tune on Alpaca, packed into 4,096 tokens",
        epochs=4, batch=8, of="axolotl examples/llama-3/qlora.yml: {}",
    )  # fmt: skip
    mistral = packed(
        transformer_profile(
            replace(full, sharding="none", master_weights=False, loading="mapped"),
            MISTRAL_7B, "mistral-7b-full", 8192, source="Mistral 7B",
        ),
        MISTRAL_7B, "Mistral 7B, all weights fine-tuned on Alpaca, 8,192 tokens packed",
        epochs=4, batch=8, of="axolotl examples/mistral/config.yml: {}",
    )  # fmt: skip
    return [
        measured_as(
            qwen, "qwen-7b lora seq2048", 2048, QWEN_7B, "Qwen 7B",
            checkpointed="QwenLM/Qwen finetune/finetune_lora_single_gpu.sh: "
            "--gradient_checkpointing",
        ),
        measured_as(
            quantized(qlora),
            "llama3.1-8b qlora seq2048",
            2048,
            LLAMA_3_8B,
            "Llama 3.1 8B",
            checkpointed="pytorch/torchtune llama3_1/8B_qlora_single_device.yaml: "
            "enable_activation_checkpointing: True",
            compiled="pytorch/torchtune README: compile=True, RTX 4090",
        ),
        measured_as(
            in_half(mistral),
            "llama3-8b full-rank seq8192",
            8192,
            LLAMA_3_8B,
            "Llama 3 8B",
            checkpointed=CHECKPOINTED_BY_VECTORLM,
        ),
    ]  # fmt: skip


def packed(
    child: Workload, sizes: Transformer, text: str, *, epochs: int, batch: int, of: str
) -> Workload:
    """Return a profile of Alpaca packed into its sequences, by a published recipe."""
    tokens = int(child.tokens_per_sample)
    kept = sizes.checkpointed_bytes(tokens, autocast=False) / 1e6
    return replace(
        child,
        description=text,
        task="llm fine-tuning with LoRA" if child.technique != "full" else child.task,
        samples_per_epoch=float(round(ALPACA * TOKENS / tokens)),
        epochs=epochs,
        batch_size=batch,
        packed=True,
        gradient_checkpointing=True,
        checkpointed_mb_per_sample=kept,
        dataset_gb=round(sizes.parameters * 2.0 / 1e9, 1),
        sources={
            **child.sources,
            "samples_per_epoch": PACKED.format(tokens),
            "padding_share": "assumption: packed sequences are full",
            "epochs": of.format(f"{epochs} epochs"),
            "batch_size": of.format(f"{batch} by micro-batches and accumulation"),
            "precision": of.format("bf16"),
            "checkpointed_mb_per_sample": (
                "formula: the input of every layer, all of one, and logits (Korthikanti "
                "et al., MLSys 2023)"
            ),
            "dataset_gb": "derived: the pretrained weights, 2 B a parameter",
        },
    )


def quantized(lora: Workload) -> Workload:
    """Return the same beside weights in NF4."""
    frozen = lora.parameters_m - lora.trainable_parameters_m
    kept = lora.embedding_parameters_m
    half, four = BASE_WEIGHT_BYTES["half"], BASE_WEIGHT_BYTES["nf4"]
    each = (kept * half + (frozen - kept) * four) / frozen
    how = "derived: NF4 of 0.516 B (Dettmers et al., NeurIPS 2023), embeddings in half"
    return replace(
        lora,
        technique="qlora",
        base_weights="nf4",
        attention="flash",
        weight_bytes_per_parameter=round(each, 4),
        sources={
            **lora.sources,
            "weight_bytes_per_parameter": how,
            "state_bytes_per_trainable": (
                "derived: adapters in FP32, weight 4 + gradient 4 + paged AdamW 8"
            ),
        },
    )


def in_half(full: Workload) -> Workload:
    """Return the same with weights, gradients and an 8-bit optimizer in few bytes."""
    state = 2.0 + 2.0 + 2.0
    return replace(
        full,
        optimizer="adam-8bit",
        attention="flash",
        state_bytes_per_trainable=state,
        checkpoint_gb=round(full.trainable_parameters_m * 4.0 / 1e3, 1),
        sources={
            **full.sources,
            "state_bytes_per_trainable": (
                "axolotl examples/mistral/config.yml: weights in BF16, adamw_bnb_8bit; "
                "weight 2 + gradient 2 + moments 2"
            ),
            "checkpoint_gb": "derived: 2 B a weight, 2 B of an 8-bit optimizer, and ids",
            "loading": "Hugging Face Transformers maps the files of safetensors",
        },
    )


def images() -> list[Workload]:
    """Return diffusion nets, what surrounds them encoded before the training."""
    pokemon = (
        833.0,
        f"HF lambdalabs/pokemon-blip-captions: num_examples; {FROM_MEMORY}",
    )
    sdxl = cached("latents 4 x 128 x 128", 65_536, "77 x 2,048 + 1,280", 158_976)
    wan_text = cached("16 x 21 x 60 x 104", 2_096_640, "512 x 4,096", 2_097_152)
    flux = cached("16 x 128 x 128", 262_144, "512 x 4,096 + 768", 2_097_920)
    readme = "diffusers examples/text_to_image/README_sdxl.md: {}"
    toolkit = "ostris/ai-toolkit config/examples/train_lora_flux_24gb.yaml: {}"
    name = "counted on the meta device from the configuration of {}, diffusers 0.42"
    base = name.format("stabilityai/stable-diffusion-xl-base-1.0")
    return [
        diffusion("sdxl-lora", "Stable Diffusion XL, LoRA of the U-Net, 1,024 pixels",
            SDXL_LORA, base, {
            **sdxl,
            "samples_per_epoch": pokemon,
            "epochs": (2, readme.format("num_train_epochs 2")),
            "batch_size": (1, readme.format("train_batch_size 1")),
            "precision": ("amp", readme.format("mixed_precision fp16")),
            "dataset_gb": (7.4, f"SDXL's files, 6.94 GB; {FROM_MEMORY}; and latents"),
            "checkpoint_gb": (0.28, "derived: 12 B a trained parameter"),
        }, technique="lora", gradient_checkpointing=False,
            benchmark="sdxl lora 1024x1024", sample="image 1024x1024 with caption",
            task="diffusion fine-tuning with LoRA"),
        diffusion("sdxl-full", "Stable Diffusion XL, the whole U-Net, 1,024 pixels",
            SDXL_FULL, base, {
            **sdxl,
            "samples_per_epoch": pokemon,
            "epochs": (48, readme.format("10,000 steps of 4 over 833 images")),
            "batch_size": (4, readme.format("1, gradients of 4 added up")),
            "precision": (
                "bf16", f"kohya-ss/sd-scripts: --full_bf16 fits 24 GB; {FROM_MEMORY}"
            ),
            "state_bytes_per_trainable": (
                4.01, "derived: BF16 weight 2 + gradient 2, Adafactor's sums"
            ),
            "dataset_gb": (7.4, f"SDXL's files, 6.94 GB; {FROM_MEMORY}; and latents"),
            "checkpoint_gb": (5.2, "derived: BF16 weights, Adafactor's sums"),
        }, technique="full", optimizer="adafactor", master_weights=False,
            gradient_checkpointing=True, sample="image 1024x1024 with caption",
            task="diffusion fine-tuning"),
        diffusion("flux-lora", "FLUX.1 dev, LoRA beside 8-bit weights, 1,024 pixels",
            FLUX_LORA, name.format("black-forest-labs/FLUX.1-dev"), {
            **flux,
            "samples_per_epoch": (20.0, "assumption: ostris/ai-toolkit speaks of 10-20"),
            "epochs": (100, toolkit.format("2,000 steps of one image")),
            "batch_size": (1, toolkit.format("batch_size 1")),
            "precision": ("bf16", toolkit.format("dtype bf16")),
            "weight_bytes_per_parameter": (
                1.0, toolkit.format("quantize, 8-bit mixed precision")
            ),
            "state_bytes_per_trainable": (
                10.0, toolkit.format("adamw8bit; FP32 weight 4 + gradient 4 + moments 2")
            ),
            "dataset_gb": (34.0, "derived: 11,902 + 4,762 million weights of 2 B (T5)"),
            "checkpoint_gb": (0.112, "derived: 6 B a trained parameter"),
        }, technique="qlora", base_weights="int8", optimizer="stated",
            benchmark="flux.1-dev lora 1024x1024",
            checkpointed="both sources of the benchmark: gradient checkpointing",
            gradient_checkpointing=True, sample="image 1024x1024 with caption",
            task="diffusion fine-tuning with LoRA"),
        diffusion("wan-lora", "Wan 2.1 1.3B, LoRA on clips of 81 frames, 832x480",
            WAN_LORA, name.format("Wan-AI/Wan2.1-T2V-1.3B"), {
            **wan_text,
            "samples_per_epoch": (50.0, "assumption: a set of one's own clips"),
            "epochs": (40, "assumption: 2,000 steps"),
            "batch_size": (1, "SimpleTuner wan2.1-t2v-1.3b-480p: batch 1"),
            "precision": ("bf16", "SimpleTuner wan2.1-t2v-1.3b-480p: bf16"),
            "dataset_gb": (14.7, "derived: 1.4 + 5.7 billion weights of 2 B, and clips"),
            "checkpoint_gb": (0.142, "derived: 12 B a trained parameter"),
            "benchmark_units_per_sample": (
                round(WAN_LORA.step_gflops / WAN_MEASURED.step_gflops, 3),
                "derived: step at 32,760 tokens over that at 18,900, as measured",
            ),
        }, technique="lora", gradient_checkpointing=True,
            benchmark="wan 2.1 t2v 1.3b lora 832x480x81",
            checkpointed="SimpleTuner: most rows of the benchmark, whole or in part",
            sample="clip of 81 frames, 832x480", task="diffusion fine-tuning with LoRA"),
    ]  # fmt: skip


def cached(latents: str, numbers: int, texts: str, more: int) -> Figures:
    """Return the bytes of a sample whose latents and texts were encoded before."""
    each = float(2 * (numbers + more))
    how = LATENTS.format(latents, texts)
    return {
        "disk_bytes_per_sample": (each, how),
        "gpu_bytes_per_sample": (each, how),
        "cpu_ms_per_sample": (0.5, "assumption: a file of latents is read"),
    }


def diffusion(
    name: str,
    text: str,
    net: Counted,
    how: str,
    figures: Figures,
    *,
    benchmark: str = "",
    checkpointed: str = "",
    **texts: Any,
) -> Workload:
    """Return a profile of a diffusion net of which nothing else is held on the GPU.

    `benchmark` is empty where the table has no measurement of it that a GPU bounds,
    `checkpointed` where nothing says that these computed activations again.
    """
    lora = texts["technique"] != "full"
    own: Figures = {
        "forward_gflops_per_sample": (round(net.forward_gflops, 1), how),
        "training_flops_factor": (
            round(net.factor, 3), "counted likewise: forward, gradients, attention twice"
        ),
        "parameters_m": (net.parameters_m, f"{how}; VAE and text encoders are not held"),
        "trainable_parameters_m": (
            net.trained_m,
            "adapters of rank 16 on the projections of every attention"
            if lora
            else "all of the U-Net",
        ),
        "activation_mb_per_sample": (net.kept_mb, KEPT),
        "checkpointed_mb_per_sample": (net.checkpointed_mb, AGAIN),
        "kernels_per_step": (net.kernels, "counted likewise: operations, no views"),
        "benchmark_units_per_sample": (
            (1.0, "the benchmark counts the same samples")
            if benchmark
            else (1.0, "no benchmark of it is in the table")
        ),
    }  # fmt: skip
    found = derived(
        "sd15-lora", name, text, {**own, **figures},
        {
            "benchmark": benchmark,
            "input_pipeline": "latents and texts encoded before",
            "checkpointed": bool(checkpointed),
        },
        **texts,
    )  # fmt: skip
    more = {"checkpointed": checkpointed} if checkpointed else {}
    return replace(found, sources={**found.sources, "era": "years of its recipe", **more})


def whisper(small: Workload) -> Workload:
    """Return the largest Whisper, fine-tuned as Hugging Face's guide does small."""
    guide = "huggingface.co/blog/fine-tune-whisper: {}; " + FROM_MEMORY
    how = "counted on the meta device: openai/whisper-large-v3, 100 tokens of text"
    return derived(small, "whisper-large",
        "Whisper large v3, fine-tuned on Common Voice, clips of 30 s", {
        "samples_per_epoch": (6540.0, guide.format("Common Voice 11, Hindi")),
        "epochs": (12, guide.format("5,000 steps of 16")),
        "batch_size": (16, guide.format("batch of 16")),
        "forward_gflops_per_sample": (round(WHISPER.forward_gflops, 1), how),
        "training_flops_factor": (round(WHISPER.factor, 3), "counted likewise"),
        "parameters_m": (WHISPER.parameters_m, how),
        "trainable_parameters_m": (
            WHISPER.trained_m, "all but the positions of frames, which are fixed"
        ),
        "activation_mb_per_sample": (
            WHISPER.kept_mb, f"{KEPT}, times 43 / 34 for autocast"
        ),
        "checkpointed_mb_per_sample": (WHISPER.checkpointed_mb, AGAIN),
        "kernels_per_step": (WHISPER.kernels, "counted likewise: operations, no views"),
        "gpu_bytes_per_sample": (
            1_536_000.0, "derived: spectrogram of 128 x 3,000 x 4 B"
        ),
        "dataset_gb": (6.3, "derived: samples x bytes; weights, 2 B a parameter"),
        "checkpoint_gb": (18.5, "derived: 12 B a parameter"),
    }, gradient_checkpointing=True)  # fmt: skip
