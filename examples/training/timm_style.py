"""Train a small MobileNet in the manner of timm's train.py.

Its arguments are that script's; images travel as bytes and are normalized on the device,
the net computes in bfloat16 with channels last, and an average of its weights is kept.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from made_data import CLASSES, make_jpegs
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset


class ImageBytes(Dataset):
    """JPEG files as bytes, cropped at random."""

    def __init__(
        self, listed: list[tuple[Path, int]], side: int, delay_ms: float = 0.0
    ) -> None:
        self.listed = listed
        self.side = side
        self.delay_ms = delay_ms

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        path, label = self.listed[index]
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)
        with Image.open(path) as file:
            picture = file.convert("RGB")
        side = int(min(picture.size) * float(torch.empty(1).uniform_(0.6, 1.0)))
        left = int(torch.randint(picture.width - side + 1, (1,)))
        top = int(torch.randint(picture.height - side + 1, (1,)))
        box = (left, top, left + side, top + side)
        picture = picture.resize((self.side,) * 2, Image.Resampling.BICUBIC, box=box)
        return np.asarray(picture).transpose(2, 0, 1), label


def fast_collate(batch: list[tuple[np.ndarray, int]]) -> tuple[Tensor, Tensor]:
    """Return a batch of bytes: a quarter of what floats would take."""
    images = torch.from_numpy(np.stack([image for image, _ in batch]))
    return images, torch.tensor([label for _, label in batch])


class PrefetchLoader:
    """A loader whose images are normalized on the device."""

    def __init__(
        self, loader: DataLoader, device: torch.device, order: torch.memory_format
    ):
        self.loader = loader
        self.device = device
        self.order = order
        shape = (1, 3, 1, 1)
        self.mean = torch.tensor([123.7, 116.3, 103.5], device=device).view(shape)
        self.std = torch.tensor([58.4, 57.1, 57.4], device=device).view(shape)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for data, labels in self.loader:
            images = data.to(self.device, non_blocking=True).float()
            images = images.sub(self.mean).div(self.std)
            images = images.contiguous(memory_format=self.order)
            yield images, labels.to(self.device, non_blocking=True)


def separable(channels: int, width: int, stride: int) -> nn.Sequential:
    """Return a convolution of each channel alone, and one across them."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )


def create_model(name: str, num_classes: int) -> nn.Module:
    """Return a net by its name (Howard et al., MobileNets, 2017)."""
    widths = {"mobilenet_tiny": (32, 64, 128, 128, 256), "mobilenet_nano": (16, 32, 64)}
    layers: list[nn.Module] = [
        nn.Conv2d(3, widths[name][0], 3, 2, 1, bias=False),
        nn.BatchNorm2d(widths[name][0]),
        nn.ReLU6(),
    ]
    for place, (before, after) in enumerate(pairwise(widths[name])):
        layers.append(separable(before, after, 1 + place % 2))
    pooled = [
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(widths[name][-1], num_classes),
    ]
    return nn.Sequential(*layers, *pooled)


def create_optimizer(
    name: str, model: nn.Module, lr: float, decay: float
) -> torch.optim.Optimizer:
    """Return an optimizer by its name; norms and biases do not decay."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=lr)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Training in the manner of timm")
    parser.add_argument("--data-dir", type=Path, default=Path("example-data/jpegs"))
    parser.add_argument("--model", default="mobilenet_tiny")
    parser.add_argument("--num-classes", type=int, default=CLASSES)
    parser.add_argument("--img-size", type=int, default=96)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("-b", "--batch-size", type=int, default=32)
    parser.add_argument("--grad-accum-steps", type=int, default=1)
    parser.add_argument("-j", "--workers", type=int, default=1)
    parser.add_argument("--opt", choices=["sgd", "adamw"], default="adamw")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--amp-dtype", default="bfloat16")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--model-ema", action="store_true")
    parser.add_argument("--model-ema-decay", type=float, default=0.999)
    parser.add_argument("--log-interval", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    return parser.parse_args()


def train_one_epoch(
    model: nn.Module,
    loader: PrefetchLoader,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    args: argparse.Namespace,
) -> None:
    """Go through the images once."""
    autocast = nullcontext()
    if args.amp:
        dtype = getattr(torch, args.amp_dtype)
        autocast = torch.autocast(loader.device.type, dtype=dtype)
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(loader):
        with autocast:
            output = model(images)
            loss = functional.cross_entropy(output, labels, label_smoothing=0.1)
        (loss / args.grad_accum_steps).backward()
        if (batch + 1) % args.grad_accum_steps:
            continue
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            update(average, model, args.model_ema_decay)
        if (batch + 1) % args.log_interval == 0:
            print(f"Train: [{batch}/{len(loader)}]  Loss: {loss.item():.3f}", flush=True)


@torch.no_grad()
def update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average of the weights towards the weights."""
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)


def main() -> None:
    """Train."""
    args = parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(42)
    order = torch.channels_last if args.channels_last else torch.contiguous_format
    model = create_model(args.model, args.num_classes)
    model = model.to(device, memory_format=order)
    average = copy.deepcopy(model) if args.model_ema else None
    optimizer = create_optimizer(args.opt, model, args.lr, args.weight_decay)
    dataset = ImageBytes(
        make_jpegs(args.data_dir, args.images), args.img_size, args.delay_ms
    )
    loader = DataLoader(
        dataset,
        args.batch_size,
        shuffle=True,
        num_workers=args.workers,
        collate_fn=fast_collate,
        pin_memory=device.type == "cuda",
        drop_last=True,
        persistent_workers=args.workers > 0,
    )
    fed = PrefetchLoader(loader, device, order)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    for _ in range(args.epochs):
        train_one_epoch(model, fed, optimizer, average, args)
        schedule.step()


if __name__ == "__main__":
    main()
