# SPDX-License-Identifier: GPL-3.0-or-later
"""The inner loops of the published system (ToonDecompose) as its description has them: networks, samples a step, steps, for timing.
They descend on random data of the right shapes; nothing can be decomposed with them, and they use nothing of the engine's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["HEIGHT", "SAMPLES", "Loop", "Shape", "loops"]

# From the published source: it works at 256 lines, and every loop draws 10,000 pixels a step for Adam (1e-4) on networks 256 wide.
HEIGHT, SAMPLES, WIDTH, RATE = 256, 10_000, 256, 1e-4
MOTION_STEPS, MASK_STEPS, FIRST_STEPS, SECOND_STEPS = 40_000, 40_000, 40_000, 60_000
NEIGHBORS = 4               # flows of a frame: to the frames 3 and 1 before and behind
TEXTURE = 512               # px: side of a sprite's own picture in every frame
JITTER = 0.03               # of a texture, when it is written


@dataclass(frozen=True)
class Shape:
    """The clip: frames, width at 256 lines, sprites with the background."""
    frames: int
    width: int
    sprites: int


@dataclass(frozen=True)
class Loop:
    """`step` does one step of `steps`."""
    name: str
    steps: int
    step: Callable[[], None]


def loops(shape: Shape, device: torch.device, *, samples: int = SAMPLES) -> Iterator[Loop]:
    """The five loops one after another; each holds its data only until the next is asked for."""
    clip = _Clip(shape, device, samples)
    first = _Motion(clip)
    yield Loop("motion of the background", MOTION_STEPS, first.background)
    yield Loop("motion of the other sprites", MOTION_STEPS * (shape.sprites - 1), first.free)
    yield Loop("masks and motions together", MASK_STEPS, first.masks)
    second = _Sprites(clip)
    yield Loop("sprites, first stage", FIRST_STEPS, second.first)
    yield Loop("sprites, second stage", SECOND_STEPS, second.second)


def _network(inputs: int, outputs: int, layers: int) -> nn.Sequential:
    sizes = [inputs, *[WIDTH] * (layers - 1), outputs]
    parts: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:]):
        parts += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts[:-1])


def _waves(values: torch.Tensor, frequencies: int) -> torch.Tensor:
    """Sines and cosines of (N, C) in octaves: (N, 2 C frequencies)."""
    octaves = 2.0 ** torch.arange(frequencies, device=values.device) * (math.pi / 2)
    angles = values[..., None] * octaves
    return torch.cat([angles.sin(), angles.cos()], 1).flatten(1)


class _Clip:
    """Random frames, flows and labels; draws the samples of a step."""

    def __init__(self, shape: Shape, device: torch.device, samples: int):
        self.shape, self.device, self.samples = shape, device, samples
        where = (shape.frames, HEIGHT, shape.width)
        self.colors = torch.rand(*where, 3, device=device)
        self.flows = torch.randn(shape.frames, NEIGHBORS, HEIGHT, shape.width, 2, device=device)
        self.labels = torch.rand(*where, shape.sprites, device=device)

    def draw(self) -> tuple[torch.Tensor, ...]:
        """frame, neighbor, row, column: int64 (N,) each."""
        ends = self.shape.frames, NEIGHBORS, HEIGHT, self.shape.width
        return tuple(torch.randint(end, (self.samples,), device=self.device) for end in ends)


class _Motion:
    """What explains the flow: an affine motion a frame pair, a free flow a sprite, and who is to be seen where."""

    def __init__(self, clip: _Clip):
        self.clip, sprites = clip, clip.shape.sprites
        self.affine = _network(24, 6, 6).to(clip.device)
        self.flows = [_network(26, 2, 12).to(clip.device) for _ in range(sprites - 1)]
        self.mask = _network(6, sprites, 8).to(clip.device)
        every = [parameter for net in (self.affine, *self.flows, self.mask) for parameter in net.parameters()]
        self.one, self.other = _adam(self.affine.parameters()), _adam(self.flows[0].parameters())
        self.all = _adam(every)

    def background(self) -> None:
        pairs, place, flow, _ = self._sample()
        _descend(self.one, self._distance(self._affine(pairs, place), flow).sum())

    def free(self) -> None:
        pairs, place, flow, _ = self._sample()
        _descend(self.other, self._distance(self.flows[0](torch.cat([pairs, place], 1)), flow).sum())

    def masks(self) -> None:
        pairs, place, flow, seen = self._sample()
        shares = self.mask(seen)
        moved = torch.stack([self._affine(pairs, place), *(net(torch.cat([pairs, place], 1)) for net in self.flows)], 1)
        error = (moved - flow[:, None]).square().sum(2).sqrt()
        best = nn.functional.one_hot(error.argmin(1), shares.shape[1])
        doubtful = (error.std(1) > 4)[:, None]
        _descend(self.all, ((best - shares).abs() * doubtful).sum() + self._distance((best[..., None] * moved).sum(1), flow).sum())

    def _sample(self) -> tuple[torch.Tensor, ...]:
        """Frame pair as waves (N, 24), place (N, 2), flow (N, 2), and frame, place and color (N, 6)."""
        frame, neighbor, row, column = self.clip.draw()
        count = self.clip.shape.frames
        pair = torch.stack([frame / count, (frame - 3 + 2 * neighbor).clamp(0, count - 1) / count], 1)
        place = torch.stack([column / self.clip.shape.width, row / HEIGHT], 1)
        seen = torch.cat([pair[:, :1], place, self.clip.colors[frame, row, column]], 1)
        return _waves(pair, 6), place, self.clip.flows[frame, neighbor, row, column], seen

    def _affine(self, pairs: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        matrix = self.affine(pairs).view(-1, 2, 3)
        return (matrix[..., :2] * place[:, None]).sum(2) + matrix[..., 2] - place

    @staticmethod
    def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().sum(1).sqrt()


class _Sprites:
    """What the sprites look like: a network for the background, a texture a frame for each other; and a color and alpha network each."""

    def __init__(self, clip: _Clip):
        self.clip, shape = clip, clip.shape
        self.homographies = torch.eye(3, device=clip.device).repeat(shape.sprites, shape.frames, 1, 1)
        self.background = _network(72, 3, 10).to(clip.device)
        self.textures = [torch.rand(shape.frames, 3, TEXTURE, TEXTURE, device=clip.device) for _ in range(shape.sprites - 1)]
        self.alphas = [_network(3 + 3 * shape.sprites, 4, 8).to(clip.device) for _ in range(shape.sprites)]
        self.all = _adam(parameter for net in (self.background, *self.alphas) for parameter in net.parameters())

    def first(self) -> None:
        frame, row, column, color, label = self._sample()
        places, contents = self._contents(frame, row, column)
        colors, alphas = self._predict(frame, row, column, color, contents)
        blend = sum(c * a.clamp(0, 1) for c, a in zip(colors, alphas))
        anywhen = self.background(_waves(torch.cat([places[0], torch.rand_like(places[0][:, :1])], 1), 12))
        memory = ((anywhen - color).abs() * label[:, :1]).sum()
        self._write(frame, places, color, alphas)
        _descend(self.all, (blend - color).abs().sum() + (torch.cat(alphas, 1) - label).abs().sum() + memory)

    def second(self) -> None:
        frame, row, column, color, label = self._sample()
        places, contents = self._contents(frame, row, column)
        _, alphas = self._predict(frame, row, column, color, contents)
        memory = ((contents[0] - color).abs() * alphas[0].clamp(0, 1).detach()).sum()
        error = (torch.stack(contents, 1).detach() - color[:, None]).square().sum(2).sqrt()
        best = nn.functional.one_hot(error.argmin(1), len(contents))
        self._write(frame, places, color, alphas)
        found = torch.cat(alphas, 1)
        _descend(self.all, (best - found).abs().sum() + memory + (found - label).abs().sum())

    def _sample(self) -> tuple[torch.Tensor, ...]:
        frame, _, row, column = self.clip.draw()
        return frame, row, column, self.clip.colors[frame, row, column], self.clip.labels[frame, row, column]

    def _contents(self, frame: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Each sprite's place in its picture (N, 2) and what is there (N, 3)."""
        shape = self.clip.shape
        points = torch.stack([column / shape.width, row / HEIGHT, torch.ones_like(row)], 1)[..., None]
        projected = [torch.bmm(matrices[frame], points)[..., 0] for matrices in self.homographies]
        places = [point[:, :2] / point[:, 2:] for point in projected]
        background = self.background(_waves(torch.cat([places[0], (frame / shape.frames)[:, None]], 1), 12))
        return places, [background, *(texture[frame, :, *_texels(place)] for texture, place in zip(self.textures, places[1:]))]

    def _predict(self, frame, row, column, color, contents) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Color (N, 3) and alpha (N, 1) of each sprite, from the pixel and from what the other sprites hold there."""
        shape = self.clip.shape
        seen = torch.cat([torch.stack([frame / shape.frames, row / HEIGHT, column / shape.width], 1), color], 1)
        found = [net(torch.cat([seen, *(content.detach() for j, content in enumerate(contents) if j != i)], 1))
                 for i, net in enumerate(self.alphas)]
        return [values[:, :3] for values in found], [values[:, 3:] for values in found]

    @torch.no_grad()
    def _write(self, frame: torch.Tensor, places: list[torch.Tensor], color: torch.Tensor, alphas: list[torch.Tensor]) -> None:
        for texture, place, alpha in zip(self.textures, places[1:], alphas[1:]):
            rows, columns = _texels(place + JITTER * torch.randn_like(place))
            texture[frame, :, rows, columns] = (texture[frame, :, rows, columns] + color * alpha.clamp(0, 1)) / 2


def _texels(place: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    column, row = (place * TEXTURE).round().long().clamp(0, TEXTURE - 1).unbind(1)
    return row, column


def _adam(parameters) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=RATE)


def _descend(optimizer: torch.optim.Adam, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
