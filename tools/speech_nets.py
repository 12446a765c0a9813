"""Nets that hear, by formula from their published configurations."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.workloads.transformer import AUTOCAST_ACTIVATION_BYTES, LOGIT_BYTES

CROSS_SHARE = 13.0 / 34.0
"""What a second attention adds to what a layer keeps: 11 of its 34 bytes, and 2 for its
norm (Korthikanti et al., MLSys 2023)."""


@dataclass(frozen=True, slots=True)
class Whisper:
    """An encoder of frames of sound, and a decoder of text that attends to them.

    Attributes
    ----------
    mels : of the spectrogram, whose frames the encoder halves
    width, layers : of both, 4 x as wide in between
    words : of the output
    frames, tokens : that the encoder and the decoder compute
    """

    mels: int
    width: int
    layers: int
    words: int
    frames: int = 1500
    tokens: int = 100

    @property
    def gflops(self) -> float:
        """10^9 operations of a forward pass."""
        return sum(self.parts.values()) / 1e9

    @property
    def parts(self) -> dict[str, float]:
        """Operations of a forward pass by part."""
        heard, said, width, layers = self.frames, self.tokens, self.width, self.layers
        return {
            "convolutions": 6.0 * self.mels * width * 2 * heard + 6.0 * width**2 * heard,
            "encoder": layers * (24.0 * width**2 * heard + 4.0 * heard**2 * width),
            "decoder": layers * 28.0 * width**2 * said,
            "keys and values of the frames": layers * 4.0 * width**2 * heard,
            "attention of the text": layers * 4.0 * said * (said + heard) * width,
            "words": 2.0 * self.words * width * said,
        }

    @property
    def kept_mb(self) -> float:
        """10^6 bytes that a clip keeps under autocast, attention fused."""
        heard, said, width, layers = self.frames, self.tokens, self.width, self.layers
        each = AUTOCAST_ACTIVATION_BYTES * layers * width
        kept = each * (heard + said * (1.0 + CROSS_SHARE))
        keys_and_values = 2.0 * 2.0 * layers * heard * width
        stem = 4.0 * 3 * heard * width  # outputs of convolutions, and of their GELUs
        return (kept + keys_and_values + stem + LOGIT_BYTES * said * self.words) / 1e6


WHISPER_SMALL = Whisper(80, 768, 12, 51_865)
WHISPER_LARGE = Whisper(128, 1280, 32, 51_866)

WAV2VEC2_FRAMES = 615
"""Of 12.3 s of sound, 50 a second."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What wav2vec 2.0 base has before its layers (Baevski et al., NeurIPS 2020).

    Seven convolutions of 512 channels on sound of 16 kHz, a projection to 768, and a
    convolution of 128 frames in 16 groups for the positions.
    """

    parameters: float
    flops: float
    kept_bytes: float


def wav2vec2_ears(seconds: float = 12.3) -> Ears:
    """Return what the layers of wav2vec 2.0 base follow.

    In half precision an output is kept before and after its GELU; the first, whose norm
    is in FP32, before and after the norm too.
    """
    parameters = flops = kept = 0.0
    length, inputs = 16_000 * seconds, 1
    for kernel, stride in ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)):
        length /= stride
        weights = kernel * inputs * 512
        parameters += weights
        flops += 2.0 * weights * length
        kept += (10.0 if inputs == 1 else 4.0) * 512 * length
        inputs = 512
    rest = 512 * 768 + 128 * 768 * (768 // 16)
    return Ears(parameters + rest, flops + 2.0 * rest * length, kept)
