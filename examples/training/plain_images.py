"""Train a small residual net on JPEG files in a plain PyTorch loop."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from made_data import CLASSES, make_jpegs
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

SIDE = 64


class JpegFiles(Dataset):
    """JPEG files, cropped at random and flipped."""

    def __init__(self, listed: list[tuple[Path, int]], delay_ms: float) -> None:
        self.listed = listed
        self.delay_ms = delay_ms

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.listed[index]
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)
        with Image.open(path) as file:
            picture = file.convert("RGB")
        share = float(torch.empty(1).uniform_(0.5, 1.0))
        width, height = int(picture.width * share), int(picture.height * share)
        left = int(torch.randint(picture.width - width + 1, (1,)))
        top = int(torch.randint(picture.height - height + 1, (1,)))
        box = (left, top, left + width, top + height)
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        if torch.rand(1) < 0.5:
            pixels = pixels.flip(2)
        return (pixels - 0.45) / 0.225, label


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(x + self.second_norm(self.second(inner)))


def small_resnet() -> nn.Module:
    """Return a net of three stages: 32, 64 and 128 channels."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (32, 64, 128):
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Block(width),
        ]
        channels = width
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]
    return nn.Sequential(*layers, *pooled)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("example-data/jpegs"))
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    loader = DataLoader(
        JpegFiles(make_jpegs(args.data, args.images), args.delay_ms),
        batch_size=args.batch_size,
        shuffle=True,
        num_workers=args.workers,
        pin_memory=device.type == "cuda",
    )
    model = small_resnet().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(args.epochs):
        for step, (images, labels) in enumerate(loader):
            logits = model(images.to(device))
            loss = functional.cross_entropy(logits, labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 0:
                print(f"epoch {epoch} step {step}: loss {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    main()
