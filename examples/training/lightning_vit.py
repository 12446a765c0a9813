"""Train a small vision transformer on JPEG files with Lightning."""

from __future__ import annotations

import argparse
from pathlib import Path

import lightning
import torch
from made_data import CLASSES, make_jpegs
from plain_images import SIDE, JpegFiles
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

PATCH = 8
WIDTH = 192
HEADS = 3
DEPTH = 4


class Layer(nn.Module):
    """Attention and a multilayer perceptron, each behind a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, 4 * WIDTH),
            nn.GELU(),
            nn.Linear(4 * WIDTH, WIDTH),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, mixed."""
        batch, tokens, _ = x.shape
        qkv = self.qkv(self.attention_norm(x))
        qkv = qkv.view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, WIDTH))
        return x + self.mlp(x)


class VisionTransformer(lightning.LightningModule):
    """A vision transformer (Dosovitskiy et al., ICLR 2021), small."""

    def __init__(self) -> None:
        super().__init__()
        tokens = (SIDE // PATCH) ** 2
        self.patches = nn.Conv2d(3, WIDTH, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.randn(tokens, WIDTH) * 0.02)
        self.layers = nn.Sequential(*(Layer() for _ in range(DEPTH)))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each class."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.layers(tokens).mean(dim=1))

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        loss = functional.cross_entropy(self(images), labels)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return what updates the weights."""
        return torch.optim.AdamW(self.parameters(), lr=3e-4)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("example-data/jpegs"))
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    args = parser.parse_args()
    lightning.seed_everything(0)
    loader = DataLoader(
        JpegFiles(make_jpegs(args.data, args.images), args.delay_ms),
        batch_size=args.batch_size,
        shuffle=True,
        num_workers=args.workers,
        persistent_workers=args.workers > 0,
    )
    trainer = lightning.Trainer(
        max_epochs=args.epochs,
        precision=args.precision,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(VisionTransformer(), loader)


if __name__ == "__main__":
    main()
