"""The built-in profiles that follow from another by facts and formulas.

A profile that was counted by itself (ResNet-50, BERT-base, ...) is written by hand; those
here take its data and recipe and have figures of their own, each with its source.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.workloads.dump import dump_workload
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload
from advisor.workloads.transformer import Transformer, transformer_profile
from fine_tuned_profiles import PADDED, fine_tuned
from mobile_nets import efficientnet, mobilenetv3_large
from profile_parts import (
    CHECKPOINTED_BY_VECTORLM,
    FROM_MEMORY,
    Figures,
    derived,
    measured_as,
    without_tokens,
)
from sources import Texts
from speech_nets import WAV2VEC2_FRAMES, WHISPER_SMALL, wav2vec2_ears

TORCHVISION = "torchvision 0.29.2 weights meta"
TIMM = "on a 24 GB RTX 3090, AMP channels-last (timm repo aa4b5850)"
TIMM_BOUND = (
    "assumption: between the bounds that timm's largest batches at 224 pixels set "
    f"{TIMM}: {{held}} fits, {{more}} does not"
)
MOBILE = (
    "formula: what autograd saves layer by layer (tools/mobile_nets.py: 44.5 MB for "
    "efficientnet-b0, where 44.1 and the image were counted) at {pixels} pixels; timm's "
    f"largest batch {TIMM}, {{held}}"
)
PREPARED_512_MS = 5.0
"""Milliseconds to resize, flip and normalize an image of 512 pixels, see sd15-lora."""
SCALED_KERNELS = "assumption: those of {base}, by the number of blocks"


def weights(parameters_m: float, source: str, state: float = 14.0) -> Figures:
    """Return what follows from the parameters of a net that is trained whole."""
    moments = state - 10.0
    return {
        "parameters_m": (parameters_m, source),
        "trainable_parameters_m": (parameters_m, "all parameters are trained"),
        "checkpoint_gb": (
            round(parameters_m * (4.0 + moments) / 1e3, 4),
            f"derived: {4 + moments:g} B a parameter, weight 4 + optimizer {moments:g}",
        ),
    }


def epochs(number: int, source: str) -> Figures:
    """Return the epochs of a usual job."""
    return {"epochs": (number, source)}


def vision(  # noqa: PLR0917
    base: str,
    name: str,
    title: str,
    parameters_m: float,
    gflops: float,
    recipe: tuple[int, str],
    kept: tuple[float, str],
    kernels: float,
    batch: int,
    benchmark: str | None = None,
    state: float = 14.0,
    pixels: int = 224,
) -> Workload:
    """Return a classifier of ImageNet-1k; `kept`: MB of a sample, and their source."""
    figures: Figures = {
        **weights(parameters_m, TORCHVISION, state),
        **epochs(*recipe),
        "forward_gflops_per_sample": (gflops, f"{TORCHVISION}: 2 x {gflops / 2:g} GMACs"),
        "activation_mb_per_sample": kept,
        "kernels_per_step": (kernels, SCALED_KERNELS.format(base=base)),
        "batch_size": (batch, "assumption: of a usual size for one GPU"),
    }  # fmt: skip
    if state != load_workload(base).state_bytes_per_trainable:
        figures["state_bytes_per_trainable"] = (
            state, "stas00/ml-engineering training/performance: mixed-precision AdamW"
        )  # fmt: skip
    if pixels != 224:
        figures |= of_pixels(load_workload(base), pixels)
    told = None if benchmark is None else {"benchmark": benchmark}
    if benchmark is not None:
        figures["benchmark_units_per_sample"] = (1.0, "the benchmark counts the same")
    text = f"{title} on ImageNet-1k, {recipe[0]} epochs"
    sample = f"image {pixels}x{pixels}"
    return derived(base, name, text, figures, told, sample=sample)


def of_pixels(base: Workload, pixels: int) -> Figures:
    """Return what follows for images of another size than the 224 pixels of `base`."""
    larger = (pixels / 224) ** 2
    more_ms = PREPARED_512_MS / 512**2 * (pixels**2 - 224**2)
    return {
        "gpu_bytes_per_sample": (
            float(3 * pixels**2 * 4),
            f"derived: 3 x {pixels} x {pixels} x 4 B",
        ),
        "cpu_ms_per_sample": (
            round(base.cpu_ms_per_sample + more_ms, 1),
            (
                f"assumption: {base.cpu_ms_per_sample:g} ms at 224 pixels, and "
                f"{more_ms:.1f} ms to resize and normalize {larger:.2g} times as many "
                "(sd15-lora: 5 ms at 512)"
            ),
        ),
    }


def between(held: int, more: int, activation_mb: float) -> tuple[float, str]:
    """Return the MB of a sample between those of timm's largest batch and the next."""
    return activation_mb, TIMM_BOUND.format(held=held, more=more)


def classifiers() -> list[Workload]:
    """Return image classifiers."""
    yolov5 = "90 epochs: yolov5 README (classification models)"
    not_found = "assumption: its recipe's epochs were not found; as "
    return [
        vision("resnet50", "resnet101", "ResNet-101", 44.55, 15.602, (90, yolov5),
               between(256, 384, 70.0), 1170, 128, "resnet101"),
        vision("vit-b16", "vit-s16", "ViT-S/16", 22.05, 9.22,
               (300, "DeiT command lines, --epochs 300"), between(384, 512, 52.0),
               780, 256, "vit_small_patch16_224", state=18.0),
        vision("vit-b16", "vit-l16", "ViT-L/16", 304.33, 123.11,
               (300, not_found + "ViT-B/16"), between(64, 96, 240.0), 1560, 48,
               "vit_large_patch16_224", state=18.0),
        vision("resnet50", "convnext-tiny", "ConvNeXt-T", 28.59, 8.912,
               (300, not_found + "Swin-T"), between(256, 384, 75.0), 900, 128,
               "convnext_tiny", state=18.0),
        vision("vit-b16", "swin-tiny", "Swin-T", 28.29, 8.982,
               (300, "Swin get_started: 8 GPUs, 300 epochs, 128 a GPU"),
               between(256, 384, 78.0), 1800, 128,
               "swin_tiny_patch4_window7_224", state=18.0),
        vision("efficientnet-b0", "mobilenetv3-large", "MobileNetV3-L", 5.48, 0.434,
               (600, "timm hfdocs training_script"),
               (round(mobilenetv3_large().kept_mb, 1),
                MOBILE.format(pixels=224, held="512, is the first that it tried")),
               760, 512,
               "mobilenetv3_large_100", state=18.0),
        vision("efficientnet-b0", "efficientnet-b4", "EfficientNet-B4 at 380 pixels",
               19.34, 8.788, (450, not_found + "timm's B2"),
               (round(efficientnet(1.4, 1.8, 380).kept_mb, 1),
                MOBILE.format(pixels=380, held="64 at 380, bounds it by 357 MB")),
               1940, 48, "efficientnet-b4", state=18.0, pixels=380),
    ]  # fmt: skip


def self_supervised() -> list[Workload]:
    """Return trainings without labels."""
    two = "derived: two views of each image, twice the figure of resnet50"
    resnet50 = load_workload("resnet50")
    # Encoder on a quarter of 196 patches and a class token, decoder of 8 layers of 512
    # on all (He et al., CVPR 2022); 2 x parameters x tokens, and attention.
    encoder = 2 * 85.1e6 * 50 + 4 * 50**2 * 768 * 12
    decoder = 2 * 25.2e6 * 197 + 4 * 197**2 * 512 * 8
    mae = (encoder + decoder) / 1e9
    parameters_m = 111.9
    return [
        derived("resnet50", "simclr-resnet50", "SimCLR pre-training of ResNet-50", {
            **epochs(100, "Chen et al., ICML 2020: 100 epochs, to 1,000 for the best"),
            "forward_gflops_per_sample": (2 * resnet50.forward_gflops_per_sample, two),
            "activation_mb_per_sample": (2 * resnet50.activation_mb_per_sample, two),
            "gpu_bytes_per_sample": (2 * resnet50.gpu_bytes_per_sample, two),
            "cpu_ms_per_sample": (
                3 * resnet50.cpu_ms_per_sample,
                "assumption: two views with color jitter and blur, one decode",
            ),
            "batch_size": (128, "assumption: half of resnet50's, two views each"),
        }, task="self-supervised learning"),
        derived("vit-b16", "mae-vit-b16", "Masked autoencoder, ViT-B/16, 800 epochs", {
            **weights(parameters_m, "derived: encoder 85.8, decoder 26.1", 18.0),
            **epochs(800, "He et al., CVPR 2022: 800 epochs, 1,600 for the best"),
            "forward_gflops_per_sample": (
                round(mae, 2), "formula on He et al., CVPR 2022: a quarter of the patches"
            ),
            "activation_mb_per_sample": (
                45.0, "derived: vit-b16's on a quarter of the patches, and the decoder's"
            ),
            "kernels_per_step": (
                1300, "derived: vit-b16's by blocks, 12 of the encoder and 8 after it"
            ),
            "batch_size": (256, "assumption: a sample keeps less than vit-b16's"),
        }, task="self-supervised learning"),
    ]  # fmt: skip


def detection() -> list[Workload]:
    """Return detectors and segmentation nets."""
    ultralytics = "ultralytics 8.4.190 cfg/models/v8/yolov8.yaml"
    wider = "assumption: yolov8n's {:g} MB, by the width of its layers"
    found = []
    for name, parameters_m, gflops, width, deeper, batch in (
        ("yolov8s", 11.167, 28.8, 2.0, 1.0, 16),
        ("yolov8m", 25.903, 79.3, 3.3, 1.5, 16),
    ):
        base = load_workload("yolov8n")
        found.append(derived("yolov8n", name, f"{name} on COCO 2017, 100 epochs", {
            **weights(parameters_m, ultralytics, 18.0),
            "forward_gflops_per_sample": (gflops, f"{ultralytics}: as it prints them"),
            "activation_mb_per_sample": (
                round(base.activation_mb_per_sample * width, 1),
                wider.format(base.activation_mb_per_sample),
            ),
            "kernels_per_step": (
                base.kernels_per_step * deeper, SCALED_KERNELS.format(base="yolov8n")
            ),
            "batch_size": (batch, "ultralytics default.yaml"),
        }))  # fmt: skip
    found.append(derived("yolov8n", "ssd300", "SSD300 with VGG-16 on COCO, 120 epochs", {
        **weights(35.64, TORCHVISION),
        **epochs(120, "torchvision and mmdetection recipes"),
        "state_bytes_per_trainable": (
            14.0, "stas00/ml-engineering: mixed precision, momentum SGD"
        ),
        "forward_gflops_per_sample": (69.72, f"{TORCHVISION}: 2 x 34.858 GMACs"),
        "activation_mb_per_sample": (
            290.0, "assumption: within 9.9 GB a GPU (mmdetection, ssd300, batch unstated)"
        ),
        "gpu_bytes_per_sample": (1_080_000, "derived: 3 x 300 x 300 x 4 B"),
        "kernels_per_step": (700, "assumption: some 35 layers"),
        "batch_size": (16, "assumption"),
        "cpu_ms_per_sample": (
            10.0, "assumption: as much as yolov8n's; crops and colors, no mosaic"
        ),
    }, {"input_pipeline": "PyTorch DataLoader, Pillow"},
        sample="image 300x300"))  # fmt: skip
    found.append(derived("maskrcnn-r50", "deeplabv3-r50", "DeepLabV3 R50 on ADE20K", {
        **weights(42.0, TORCHVISION),
        **epochs(127, "derived: mmsegmentation's 160,000 iterations of 16 images"),
        "samples_per_epoch": (20_210, f"ADE20K training images; {FROM_MEMORY}"),
        "forward_gflops_per_sample": (
            347.1,
            ("formula: 2 x 173.54 GMACs at 512 pixels, 150 classes; the same gives the "
             f"178.72 of {TORCHVISION} at 520, 21 classes"),
        ),
        "activation_mb_per_sample": (
            1900.0, "assumption: 8.9 GB a GPU with 4 images (mmsegmentation, 512 pixels)"
        ),
        "gpu_bytes_per_sample": (3_145_728, "derived: 3 x 512 x 512 x 4 B"),
        "disk_bytes_per_sample": (45_000, "assumption: an image of ADE20K"),
        "dataset_gb": (1.0, "assumption: ADE20K, images and masks"),
        "cpu_ms_per_sample": (
            7.0,
            ("assumption: decode 1 ms (3.7 of a COCO image, by the bytes), mask 1 ms, "
             "crop and normalize 5 ms at 512 pixels (sd15-lora)"),
        ),
        "kernels_per_step": (900, SCALED_KERNELS.format(base="resnet50")),
        "batch_size": (4, "torchvision and mmsegmentation recipes: 4 a GPU"),
    }, {"benchmark": "", "benchmark_units_per_sample": 1.0},
        task="semantic segmentation", sample="image 512x512"))  # fmt: skip
    found.append(unet())
    yolov8s, yolov8m, *rest = found
    return [yolov8s, yolov8m, *map(unmeasured, rest)]


def unmeasured(workload: Workload) -> Workload:
    """Return the same without what its base's benchmark is said to have measured."""
    said = {
        "precision": "assumption: mixed precision with a loss scaler",
        "era": "assumption: there is no benchmark of it",
        "benchmark_units_per_sample": "there is no benchmark of it",
    }
    return replace(workload, sources={**workload.sources, **said})


def unet() -> Workload:
    """Return the U-Net of Ronneberger et al. with padding, at 256 pixels."""
    macs, parameters, size, channels = 0.0, 0.0, 256, 1
    widths = (64, 128, 256, 512, 1024)
    plan = [(w, 256 >> i) for i, w in enumerate(widths)]
    for width, size in plan:  # two convolutions a stage down
        for inputs in (channels, width):
            macs += 9 * inputs * width * size**2
            parameters += 9 * inputs * width
        channels = width
    for width, size in plan[-2::-1]:  # up, joined, two convolutions
        macs += 4 * 2 * width * width * (size // 2) ** 2
        parameters += 4 * 2 * width * width
        for inputs in (2 * width, width):
            macs += 9 * inputs * width * size**2
            parameters += 9 * inputs * width
    rule = "formula on Ronneberger et al., MICCAI 2015, padded, 256 pixels"
    return derived("maskrcnn-r50", "unet-2d", "U-Net on 2-D slices, 100 epochs", {
        **weights(round(parameters / 1e6, 2), rule, 18.0),
        **epochs(100, "assumption: published recipes differ"),
        "state_bytes_per_trainable": (18.0, "stas00/ml-engineering: mixed AdamW"),
        "samples_per_epoch": (20_000, "assumption: slices of a few hundred volumes"),
        "forward_gflops_per_sample": (round(2 * macs / 1e9, 1), rule),
        "activation_mb_per_sample": (
            210.0, "formula: outputs of its convolutions, norms and ReLUs, 2 B each"
        ),
        "gpu_bytes_per_sample": (262_144, "derived: 256 x 256 x 4 B"),
        "disk_bytes_per_sample": (131_072, "derived: 256 x 256 x 2 B"),
        "dataset_gb": (3.0, "derived: samples x bytes, and masks"),
        "cpu_ms_per_sample": (4.0, "assumption: crops, flips and elastic noise"),
        "kernels_per_step": (620, "assumption: 23 convolutions, norms, activations"),
        "batch_size": (16, "assumption"),
    }, {"benchmark": "", "benchmark_units_per_sample": 1.0},
        task="semantic segmentation", sample="slice 256x256")  # fmt: skip


LLAMA_3_1B = Transformer(16, 2048, 32, 8, 8192, 128_256, True, True, True)
LLAMA_3_8B = Transformer(32, 4096, 32, 8, 14_336, 128_256, True, True, False)
LLAMA_2_13B = Transformer(40, 5120, 40, 40, 13_824, 32_000, True, True, False)
LLAMA_3_70B = Transformer(80, 8192, 64, 8, 28_672, 128_256, True, True, False)
GPT2_MEDIUM = Transformer(24, 1024, 16, 16, 4096, 50_257, False, True, True)
GPT2_XL = Transformer(48, 1600, 25, 25, 6400, 50_257, False, True, True)
BERT_LARGE = Transformer(24, 1024, 16, 16, 4096, 30_522, False, False, True)
WAV2VEC2 = Transformer(12, 768, 12, 12, 3072, 32, False, False, True)


def language() -> list[Workload]:
    """Return language models, pre-trained and fine-tuned."""
    full = replace(load_workload("gpt2-124m"), gradient_checkpointing=True)
    tuned = load_workload("bert-base")
    alpaca = load_workload("llama-7b-lora")
    found = []
    bert = transformer_profile(tuned, BERT_LARGE, "bert-large", 384, source="BERT-large")
    found.append(replace(
        bert,
        description="BERT-large fine-tuned on SQuAD 1.1, 384 tokens, 2 epochs",
        batch_size=16,
        disk_bytes_per_sample=tuned.disk_bytes_per_sample,
        dataset_gb=round(0.09 + bert.parameters_m * 4.0 / 1e3, 2),
        reference=replace(
            tuned.reference, benchmark="bert-large-squad", benchmark_units_per_sample=1.0
        ),
        sources={
            **bert.sources,
            **{
                key: tuned.sources[key]
                for key in ("samples_per_epoch", "epochs", "disk_bytes_per_sample")
            },
            "dataset_gb": (
                "derived: 0.09 GB of SQuAD (HF, raw), pretrained weights, 4 B a parameter"
            ),
            "batch_size": "assumption: 16 GB cards hold it",
            "benchmark_units_per_sample": "the benchmark counts the same samples",
        },
    ))  # fmt: skip
    for name, sizes, batch, title in (
        ("gpt2-350m", GPT2_MEDIUM, 16, "GPT-2 medium (350M)"),
        ("gpt2-1.5b", GPT2_XL, 8, "GPT-2 XL (1.5B)"),
    ):
        child = transformer_profile(full, sizes, name, 1024, source=title)
        found.append(kept(child, full, f"{title} pre-trained on 10 B tokens", batch))
    for name, sizes, batch, sharding, title in (
        ("llama-1b-full", LLAMA_3_1B, 8, "none", "Llama 3.2 1B"),
        ("llama-8b-full", LLAMA_3_8B, 2, "fsdp", "Llama 3.1 8B"),
        ("llama-70b-full", LLAMA_3_70B, 1, "fsdp", "Llama 3.1 70B"),
    ):
        child = transformer_profile(
            replace(full, sharding=sharding), sizes, name, 512, source=title
        )
        text = f"{title}, all weights fine-tuned on Alpaca, 512 tokens"
        child = on_alpaca(child, alpaca, text, batch)
        if sizes == LLAMA_3_8B:
            child = measured_as(
                child,
                "llama3-8b full-rank seq2048",
                2048,
                LLAMA_3_8B,
                "Llama 3 8B",
                checkpointed=CHECKPOINTED_BY_VECTORLM,
            )
        found.append(child)
    for name, sizes, batch, sharding, title in (
        ("llama-8b-lora", LLAMA_3_8B, 8, "none", "Llama 3.1 8B"),
        ("llama-13b-lora", LLAMA_2_13B, 4, "none", "Llama 2 13B"),
        ("llama-70b-lora", LLAMA_3_70B, 2, "fsdp", "Llama 3.1 70B"),
    ):
        child = transformer_profile(
            replace(alpaca, sharding=sharding), sizes, name, 512, lora_rank=8,
            source=title,
        )  # fmt: skip
        text = f"{title}, LoRA fine-tune on Alpaca, 512 tokens, checkpointed"
        child = on_alpaca(child, alpaca, text, batch)
        found.append(
            measured_as(
                child,
                "llama3-8b lora seq2048",
                2048,
                LLAMA_3_8B,
                "Llama 3 8B",
                checkpointed=CHECKPOINTED_BY_VECTORLM,
            )
        )
    return found


def kept(child: Workload, base: Workload, text: str, batch: int) -> Workload:
    """Return a profile that keeps the data and the recipe of its base."""
    same = {
        key: base.sources[key]
        for key in ("samples_per_epoch", "epochs", "dataset_gb", "cpu_ms_per_sample")
    }
    sources = {**child.sources, **same, "batch_size": "assumption: 24 GB cards hold it"}
    return replace(
        child, description=text, batch_size=batch, packed=base.packed, sources=sources
    )


def on_alpaca(child: Workload, alpaca: Workload, text: str, batch: int) -> Workload:
    """Return a profile that is fine-tuned on Alpaca, from downloaded weights."""
    same = ("samples_per_epoch", "epochs", "cpu_ms_per_sample")
    weights_gb = round(child.parameters_m * 2.0 / 1e3, 1)
    sharded = child.sharding == "fsdp"
    return replace(
        child,
        description=text,
        loading="whole" if sharded else "mapped",
        task="llm fine-tuning with LoRA" if "lora" in child.name else "llm fine-tuning",
        batch_size=batch,
        padding_share=alpaca.padding_share,
        epochs=alpaca.epochs,
        samples_per_epoch=alpaca.samples_per_epoch,
        cpu_ms_per_sample=alpaca.cpu_ms_per_sample,
        dataset_gb=weights_gb,
        sources={
            **child.sources,
            **{key: alpaca.sources[key] for key in same},
            "batch_size": "assumption: with checkpointing and sharding as stated",
            "dataset_gb": "derived: the pretrained weights, 2 B a parameter",
            "padding_share": PADDED,
            "loading": (
                "Hugging Face Accelerate: one process holds what FSDP then shards"
                if sharded
                else "Hugging Face Transformers maps the files of safetensors"
            ),
        },
    )


def speech() -> list[Workload]:
    """Return speech recognizers."""
    base = replace(load_workload("gpt2-124m"), precision="amp")
    child = transformer_profile(
        base, WAV2VEC2, "wav2vec2-base", WAV2VEC2_FRAMES, source="wav2vec2"
    )
    ears = wav2vec2_ears()
    parameters_m = round(child.parameters_m + ears.parameters / 1e6, 1)
    gflops = child.forward_gflops_per_sample + ears.flops / 1e9
    kept_mb = child.activation_mb_per_sample + ears.kept_bytes / 1e6
    tuned = without_tokens(kept(child, base, "wav2vec 2.0 base on LibriSpeech 960 h", 8))
    libri = "HF k2-fsa/LibriSpeech: 281,241 utterances, 961.1 h, 60.0 GB"
    wav = replace(
        tuned,
        task="speech recognition",
        sample="utterance of 12.3 s",
        samples_per_epoch=281_241.0,
        epochs=40,
        forward_gflops_per_sample=round(gflops, 1),
        parameters_m=parameters_m,
        trainable_parameters_m=parameters_m,
        activation_mb_per_sample=round(kept_mb, 1),
        checkpoint_gb=round(parameters_m * 12.0 / 1e3, 2),
        dataset_gb=60.0,
        disk_bytes_per_sample=213_000.0,
        gpu_bytes_per_sample=787_200.0,
        cpu_ms_per_sample=12.0,
        reference=replace(
            base.reference, benchmark="", benchmark_units_per_sample=1.0,
            input_pipeline="FLAC decoded by the loader",
        ),
        sources={
            **tuned.sources,
            "samples_per_epoch": libri,
            "epochs": "assumption: published recipes count steps",
            "precision": "mixed precision with a loss scaler",
            "forward_gflops_per_sample": (
                "formula: 7 convolutions at 16 kHz, projection, positions, 12 layers"
            ),
            "parameters_m": (
                "formula: 7 convolutions 4.2, projection 0.4, positions 4.7, 12 layers "
                "84.9, norms and biases left out; Baevski et al., NeurIPS 2020: 95"
            ),
            "activation_mb_per_sample": (
                "formula: 43 B a layer, token and width (Korthikanti et al., MLSys 2023; "
                "autocast as counted on BERT-base), outputs of the convolutions before "
                "and after GELU, the first one's norm in FP32"
            ),
            "dataset_gb": libri,
            "disk_bytes_per_sample": "derived: 60.0 GB over 281,241",
            "gpu_bytes_per_sample": "derived: 12.3 s x 16,000 x 4 B",
            "cpu_ms_per_sample": "assumption: decoding FLAC, 1,000 times real time",
            "benchmark_units_per_sample": "there is no benchmark of it",
        },
    )  # fmt: skip
    whisper = replace(
        wav,
        name="whisper-small",
        description="Whisper small, fine-tuned on 10,000 clips of 30 s",
        sample="clip of 30 s",
        samples_per_epoch=10_000.0,
        epochs=5,
        parameters_m=244.0,
        trainable_parameters_m=244.0,
        forward_gflops_per_sample=round(WHISPER_SMALL.gflops, 1),
        activation_mb_per_sample=round(WHISPER_SMALL.kept_mb),
        kernels_per_step=2300.0,
        checkpoint_gb=2.93,
        dataset_gb=5.8,
        disk_bytes_per_sample=480_000.0,
        gpu_bytes_per_sample=960_000.0,
        cpu_ms_per_sample=45.0,
        batch_size=8,
        sources={
            **wav.sources,
            "samples_per_epoch": "assumption: a data set of one's own",
            "epochs": "assumption",
            "parameters_m": "openai/whisper README",
            "trainable_parameters_m": "all parameters are trained",
            "forward_gflops_per_sample": (
                "formula: 12 layers of 768 on 1,500 frames, 338, 12 on 100 tokens, 20, "
                "keys and values of the frames for them, 42, attention across 6, two "
                "convolutions 6, 51,865 words 8; whisper-large's comes out as counted"
            ),
            "activation_mb_per_sample": (
                "formula: 43 B a layer, token and width (Korthikanti et al., MLSys "
                "2023), keys and values across, words; whisper-large's is 1 % below its "
                "count"
            ),
            "kernels_per_step": "assumption: 24 layers, half of them with two attentions",
            "checkpoint_gb": "derived: 12 B a parameter",
            "dataset_gb": f"derived: samples x bytes; weights in FP32, {FROM_MEMORY}",
            "disk_bytes_per_sample": "assumption: 30 s of compressed sound at 128 kbit/s",
            "gpu_bytes_per_sample": "derived: 80 x 3,000 x 4 B of spectrogram",
            "cpu_ms_per_sample": "assumption: decoding, and the spectrogram on the CPU",
        },
    )
    return [wav, whisper]


SD15_FORWARD, SD15_UNET = 1934.0, 804.0
"""10^9 operations of a forward pass, and of the U-Net in it, see ``sd15-lora``."""


def others() -> list[Workload]:
    """Return diffusion, recommenders, graphs, reinforcement learning, tables."""
    none = {"benchmark": "", "benchmark_units_per_sample": 1.0}
    full = derived("sd15-lora", "sd15-full", "Stable Diffusion 1.5, the whole U-Net", {
        "training_flops_factor": (
            round((SD15_FORWARD + 2.0 * SD15_UNET) / SD15_FORWARD, 2),
            ("derived: the U-Net, 804, three times its forward pass, the encoders, "
             "1,130, once; what checkpointing computes again is not in it"),
        ),
        "epochs": (1, "assumption: 212,776 steps of one image"),
        "trainable_parameters_m": (859.5, "BK-SDM model card: U-Net of 860 million"),
        "state_bytes_per_trainable": (18.0, "stas00/ml-engineering: mixed AdamW"),
        "checkpoint_gb": (10.3, "derived: 12 B a trained parameter"),
        "batch_size": (1, "diffusers text_to_image README: 1 on 24 GB, checkpointed"),
    }, task="diffusion fine-tuning", technique="full",
        gradient_checkpointing=True)  # fmt: skip
    dit = derived("vit-b16", "dit-xl2", "DiT-XL/2 on ImageNet latents, 256 pixels", {
        **weights(675.0, "Peebles and Xie, ICCV 2023", 18.0),
        **epochs(80, "Peebles and Xie: 400,000 steps of 256"),
        "benchmark_units_per_sample": (1.0, "the benchmark counts the same samples"),
        "forward_gflops_per_sample": (237.3, "Peebles and Xie: 118.64 GMACs x 2"),
        "activation_mb_per_sample": (
            520.0, "formula: 43 B x 28 layers x 256 tokens x 1,152, modulation too"
        ),
        "kernels_per_step": (3000, "assumption: 28 layers with modulation"),
        "disk_bytes_per_sample": (8192, "derived: latents of 4 x 32 x 32, 2 B"),
        "gpu_bytes_per_sample": (16_384, "derived: latents of 4 x 32 x 32, 4 B"),
        "cpu_ms_per_sample": (0.1, "assumption: latents are made before training"),
        "dataset_gb": (12.0, "derived: latents of all images"),
        "batch_size": (32, "Peebles and Xie: 256 over 8 GPUs"),
    }, {"benchmark": "dit-xl/2 256x256"}, task="diffusion pre-training",
        sample="latent of 256x256")  # fmt: skip
    ncf_macs = 256 * 256 + 256 * 128 + 128 * 64 + 128
    ncf = derived("bert-base", "ncf", "Neural collaborative filtering on ML-20m", {
        **weights(31.8, "derived: 165,237 users and items x 192 numbers", 18.0),
        **epochs(30, "NVIDIA DeepLearningExamples NCF README"),
        "samples_per_epoch": (
            99_300_000, "derived: 19.9 million ratings of ML-20m, 4 negatives each"
        ),
        "forward_gflops_per_sample": (
            2e-9 * ncf_macs,
            ("formula: embeddings of 2 x 128 through layers of 256, 128 and 64, and the "
             "output (NVIDIA's NCF)"),
        ),
        "activation_mb_per_sample": (
            0.010, "NVIDIA's NCF README: about 10 GB at a batch of 1,048,576"
        ),
        "kernels_per_step": (150, "assumption: 5 layers, embeddings, Adam"),
        "disk_bytes_per_sample": (12, "derived: user, item, label of 4 B"),
        "gpu_bytes_per_sample": (12, "derived: user, item, label of 4 B"),
        "cpu_ms_per_sample": (1e-5, "assumption: negatives are drawn on the GPU"),
        "dataset_gb": (1.5, "derived: samples x bytes; it is held on the GPU"),
        "batch_size": (1_048_576, "NVIDIA's NCF README"),
        "benchmark_units_per_sample": (1.0, "the benchmark counts the same samples"),
    }, {"benchmark": "ncf", "input_pipeline": "data held on the GPU"},
        task="recommendation", sample="user and item")  # fmt: skip
    dlrm_macs = 13 * 512 + 512 * 256 + 256 * 128 + 27 * 26 // 2 * 128
    dlrm_macs += (27 * 26 // 2 + 128) * 1024 + 1024**2 + 1024 * 512 + 512 * 256 + 256
    dlrm = derived("bert-base", "dlrm-small", "DLRM small on Criteo 1TB, one pass", {
        **weights(4000.0, "NVIDIA DLRM README: embeddings of some 15 GB"),
        **epochs(1, "NVIDIA DeepLearningExamples DLRM README"),
        "state_bytes_per_trainable": (4.5, "plain SGD on FP32 embeddings, small MLPs"),
        "samples_per_epoch": (4_000_000_000, "NVIDIA Merlin docs: over four billion"),
        "forward_gflops_per_sample": (
            round(2e-9 * dlrm_macs, 4),
            "formula: MLPs of 512-256-128 and 1024-1024-512-256-1, products of vectors",
        ),
        "activation_mb_per_sample": (
            0.06, "assumption: within 20.5 GB at 65,536 (NVIDIA DLRM README)"
        ),
        "kernels_per_step": (250, "assumption: 8 layers, 26 embeddings in one"),
        "disk_bytes_per_sample": (92, "derived: 370 GB preprocessed over 4 x 10^9"),
        "gpu_bytes_per_sample": (160, "derived: 13 + 26 + 1 numbers of 4 B"),
        "cpu_ms_per_sample": (2e-4, "assumption: binary rows read in blocks"),
        "dataset_gb": (370.0, "NVIDIA DLRM README: preprocessed"),
        "checkpoint_gb": (16.5, "NVIDIA DLRM README: 15.0 GB, and what SGD keeps"),
        "batch_size": (65_536, "NVIDIA DLRM README"),
        "benchmark_units_per_sample": (1.0, "the benchmark counts the same samples"),
    }, {"benchmark": "dlrm small", "input_pipeline": "binary rows, read in blocks"},
        task="recommendation", sample="click")  # fmt: skip
    # A layer computes the nodes that the next one needs, from each and its neighbors.
    graph_macs = 2 * ((1 + 15 + 150) * 100 * 256 + (1 + 15) * 256 * 256 + 256 * 47)
    graph = derived("bert-base", "graphsage-products", "GraphSAGE on ogbn-products", {
        **weights(0.206, "formula: three layers of 256 on 100 features", 18.0),
        **epochs(20, "OGB examples/nodeproppred/products"),
        "samples_per_epoch": (196_615, "OGB: training nodes of ogbn-products"),
        "forward_gflops_per_sample": (
            round(2e-9 * graph_macs, 4),
            "formula: fan-out of 15, 10, 5: 166, 16 and 1 nodes in three layers of 256",
        ),
        "activation_mb_per_sample": (1.5, "assumption: some 900 neighbors a node"),
        "kernels_per_step": (300, "assumption: three layers, Adam"),
        "disk_bytes_per_sample": (400, "derived: 100 features of 4 B"),
        "gpu_bytes_per_sample": (360_000, "derived: some 900 neighbors x 100 x 4 B"),
        "cpu_ms_per_sample": (1.0, "assumption: neighbors are drawn on the CPU"),
        "dataset_gb": (1.9, "derived: 2,449,029 nodes x 100 x 4 B, and edges"),
        "batch_size": (1024, "OGB examples"),
    }, {**none, "input_pipeline": "neighbors drawn by the CPU"},
        task="graph learning", sample="node and its neighborhood")  # fmt: skip
    atari_macs = 400 * 64 * 4 * 32 + 81 * 16 * 32 * 64 + 49 * 9 * 64 * 64 + 3136 * 512
    ppo = derived("bert-base", "ppo-atari", "PPO on Atari, bound by the simulation", {
        **weights(1.69, "formula: Mnih et al., Nature 2015, and a value head", 18.0),
        **epochs(10, "derived: 10 million frames in ten parts"),
        "samples_per_epoch": (1_000_000, "assumption: a part of a usual run of 10^7"),
        "forward_gflops_per_sample": (
            2e-9 * atari_macs, "formula: Mnih et al., Nature 2015, 84 x 84 x 4"
        ),
        "training_flops_factor": (
            10.0, "derived: one pass to act, three epochs of three passes to learn"
        ),
        "activation_mb_per_sample": (0.25, "formula: activations of 4 B, and input"),
        "kernels_per_step": (700, "assumption: acting step by step, and learning"),
        "disk_bytes_per_sample": (1e-6, "no data: the simulator makes them"),
        "gpu_bytes_per_sample": (28_224, "derived: 84 x 84 x 4 B"),
        "cpu_ms_per_sample": (
            0.7, "assumption: four frames of the emulator, and preprocessing"
        ),
        "dataset_gb": (0.0, "there is none"),
        "batch_size": (1024, "assumption: 8 to 256 environments, 128 steps in parts"),
    }, {**none, "input_pipeline": "emulators on the CPU's cores"},
        task="reinforcement learning", sample="step of a game")  # fmt: skip
    width = 512
    table_parameters = 28 * width + 3 * width * width + width
    tabular = derived("bert-base", "tabular-mlp", "MLP on HIGGS, 28 columns", {
        **weights(table_parameters / 1e6, "formula: 28 - 512 x 4 - 1", 18.0),
        **epochs(20, "assumption"),
        "samples_per_epoch": (10_500_000, "UCI HIGGS: 11,000,000 rows, 500,000 to test"),
        "forward_gflops_per_sample": (
            2e-9 * table_parameters, "formula: 2 x parameters"
        ),
        "activation_mb_per_sample": (0.02, "formula: 4 layers of 512, some copies, 2 B"),
        "kernels_per_step": (90, "assumption: 5 layers, Adam"),
        "disk_bytes_per_sample": (116, "derived: 29 numbers of 4 B"),
        "gpu_bytes_per_sample": (116, "derived: 29 numbers of 4 B"),
        "cpu_ms_per_sample": (0.002, "assumption: rows sliced from one array"),
        "dataset_gb": (2.8, "UCI HIGGS: the compressed file"),
        "batch_size": (4096, "assumption"),
    }, {**none, "input_pipeline": "an array in memory"},
        task="tabular learning", sample="row of 28 columns")  # fmt: skip
    return [full, dit, ncf, dlrm, *map(unmeasured, (graph, ppo, tabular))]


def build() -> Texts:
    """Return every derived profile as TOML."""
    profiles = (
        *classifiers(), *self_supervised(), *detection(),
        *language(), *speech(), *others(),
    )  # fmt: skip
    profiles = (*profiles, *fine_tuned({one.name: one for one in profiles}))
    return {
        f"advisor/workloads/builtin/{profile.name}.toml": (
            f"# Written by tools/builtin_profiles.py.\n\n{dump_workload(profile)}"
        )
        for profile in profiles
    }
