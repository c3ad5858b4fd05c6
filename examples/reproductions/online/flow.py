"""A stream of turbulence: two-dimensional flows that are computed while a network learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flow:
    """Forced two-dimensional turbulence on a periodic square, several flows side by side.

    ∂ω/∂t + (U + u) · ∇ω = ν ∇²ω − α ω + f in the vorticity ω, by Fourier series: products without
    aliases (the upper third of the waves left out), second-order Adams-Bashforth steps, a force
    that changes at random in waves 2 to 4, friction, and a wind U that carries all along.
    """

    size: int = 32  # places of the grid along each side
    flows: int = 16
    step: float = 0.05
    viscosity: float = 0.01
    friction: float = 0.1
    force: float = 2.0
    wind: float = 2.0
    lead: int = 6  # steps that the network has to look ahead
    every: int = 2  # the network sees every so many places along each side

    @property
    def places(self) -> int:
        """How many places the network sees."""
        return (self.size // self.every) ** 2

    def stream(self, seed: int, settling: int = 400) -> Iterator[dict[str, Array]]:
        """Batches of one pattern of each flow, `lead` steps apart; it does not end."""
        seen = self.fields(np.random.default_rng(seed), self._still())
        for _ in range(settling):
            next(seen)
        now = next(seen)
        while True:
            for _ in range(self.lead - 1):
                next(seen)
            later = next(seen)
            yield {"now": now, "later": later}
            now = later

    def fields(self, chance: np.random.Generator, start: Array) -> Iterator[Array]:
        """The vorticity where the network sees it, (flows, places), after each step from a start.

        That is (flows, size, size).
        """
        waves = np.fft.fftfreq(self.size, 1 / self.size)
        kx, ky = waves[:, None], waves[None, : self.size // 2 + 1].copy()
        ky[0, -1] = self.size // 2
        squares = kx**2 + ky**2
        kept = (np.abs(kx) < self.size / 3) & (ky < self.size / 3)
        forced = kept & (squares >= 4) & (squares <= 16)
        inverse = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
        decay = np.exp(
            -self.step * (self.viscosity * squares + self.friction + 1j * self.wind * kx)
        )
        w = np.fft.rfft2(start)
        before = -_advection(w, kx, ky, inverse) * kept
        while True:
            white = np.fft.rfft2(chance.normal(size=(self.flows, self.size, self.size)))
            push = self.force * np.sqrt(self.step) * forced * white
            change = -_advection(w, kx, ky, inverse) * kept
            w = decay * (w + self.step * (1.5 * change - 0.5 * before) + push)
            before = decay * change  # carried along and decayed as the flow is
            field = np.fft.irfft2(w)[:, :: self.every, :: self.every]
            yield field.reshape(self.flows, -1)

    def _still(self) -> Array:
        return np.zeros((self.flows, self.size, self.size))


def _advection(w: NDArray[np.complex128], kx: Array, ky: Array, inverse: Array) -> Array:
    """The waves of u · ∇ω, for the velocity u of the stream function ψ, ∇²ψ = −ω."""
    psi = w * inverse
    u, v = np.fft.irfft2(1j * ky * psi), np.fft.irfft2(-1j * kx * psi)
    product = u * np.fft.irfft2(1j * kx * w) + v * np.fft.irfft2(1j * ky * w)
    return np.fft.rfft2(product)
