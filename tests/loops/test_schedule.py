"""Kernels of a few programs: what is fused, what is kept where, what is computed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from symopt.loops.printer import print_kernel
from symopt.loops.program import Kernel, Rows, Storage, Update, updates_of
from tests.support.loops import kernel_of, passes, targets

PROGRAMS = {
    "logistic": """\
data X[n, d], y[n]
param w[d] init 0, b init 0
model z = X @ w + b
minimize mean(softplus(z) - y * z)
""",
    "two_passes": """\
data x[n], y[n]
param a init 1
v[i] = tanh(a * x[i])
minimize log(sum(exp(v[i]) * y[i]^2 for i))
""",
    "neighbours": """\
data y[n]
param u[n] init 0
minimize sum((u[i] - y[i])^2 for i) + sum((u[i+1] - u[i])^2 for i in range(n-1))
""",
    "gather": """\
data cam[m] in c, obs[m, 2]
param P[c, 2] init 0
r[k, a] = P[cam[k], a] - obs[k, a]
minimize sumsq(r)
""",
    "scatter": """\
data x[n], group[n] in k
param a init 1
total[group[i]] += a * x[i]
minimize sum(total[g]^2 for g)
""",
    "ragged": """\
data x[n], off[m+1] in n+1
param a[m] init 1
q[g] = sum(x[i] * a[g] for i in range(off[g], off[g+1])) for g in range(m)
minimize sum(q[g]^2 for g)
""",
    "states": """\
data u[T, b], y[b]
param a[2] init 1, w init 1
h[0, s] = 0
h[t, s] = tanh(a[0] * h[t-1, s] + a[1] * u[t-1, s]) for t in range(1, T + 1)
model z[s] = w * h[T, s]
minimize mean((z - y)^2)
""",
    "two_samples": """\
data x[n], y[m]
param a init 1, b init 1
minimize sum((x[i] - a)^2 for i) * sum((y[k] - a * b)^2 for k)
""",
    "classes": """\
data X[n, d], label[n] in k
param W[d, k] init 0
z = X @ W
minimize mean(cross_entropy(z, label))
""",
}


@pytest.mark.parametrize("function", ["value", "grad"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_printed_kernels(name: str, function: str, golden: Callable[[str, str], None]) -> None:
    kernel = kernel_of(PROGRAMS[name], function)
    golden(f"loops/{name}.{function}.txt", print_kernel(kernel) + "\n")


def _storage(kernel: Kernel, name: str) -> Storage:
    return kernel.buffers[name].storage


def test_a_gradient_is_one_pass() -> None:
    kernel = kernel_of(PROGRAMS["logistic"], "value_and_grad")
    (only,) = passes(kernel)
    assert {"z", "z.bar", "w.bar.lanes", "b.bar.lanes"} <= set(targets(only))
    assert _storage(kernel, "z") is _storage(kernel, "z.bar") is Storage.LOCAL
    assert only.lanes == 8


def test_a_later_pass_computes_again() -> None:
    kernel = kernel_of(PROGRAMS["two_passes"], "grad")
    first, second = passes(kernel)
    assert "v" in targets(first) and "v" in targets(second)
    assert _storage(kernel, "v") is Storage.LOCAL


def test_sideways_reads_are_kept() -> None:
    text = "data x[n]\nparam a init 1\nv[i] = tanh(a * x[i])\n"
    kernel = kernel_of(text + "minimize sum(v[i+1] * v[i] for i in range(n-1))")
    assert _storage(kernel, "v") is Storage.WORKSPACE
    writer, reader = passes(kernel)
    assert targets(writer) == ["v"]
    assert "v" not in targets(reader)


def test_a_shorter_range_is_another_pass() -> None:
    kernel = kernel_of(PROGRAMS["neighbours"])
    assert {str(node.loop.upper) for node in passes(kernel)} == {"n", "n - 1"}


def test_lanes_run_in_step() -> None:
    """Where the bounds of an inner loop differ from sample to sample, samples go one by one."""
    assert {node.lanes for node in passes(kernel_of(PROGRAMS["ragged"], "grad"))} == {1}
    text = (
        "data x[n]\nparam a[n] init 1\nq[i] = sum(a[j] for j in range(i)) * x[i]\nminimize sum(q)"
    )
    assert 1 in {node.lanes for node in passes(kernel_of(text))}


def test_writing_at_another_sample_is_never_new() -> None:
    """`f.bar[i+1]` of one iteration must not be overwritten by the next as its first."""
    text = "data x[n]\nparam u[n] init 0\nf[i] = u[i] for i in n\n"
    text += "minimize logsumexp(f) + sum((f[i+1] if i < n - 1 else 0.5) * x[i] for i in n)"
    kernel = kernel_of(text, "grad")
    updates = [part for node in passes(kernel) for part in node.body if isinstance(part, Update)]
    assert not any(part.first for part in updates if part.target == "f.bar")


def _normalised(layers: int) -> str:
    """Layers that each need a mean of the one before: a pass each, forward and back."""
    text = f"data x[n]\nparam a[{layers}] init 1\nh0[i] = tanh(x[i] * a[0])\n"
    for k in range(1, layers):
        text += f"h{k}[i] = tanh(h{k - 1}[i] - mean(h{k - 1}) * a[{k}])\n"
    return text + f"minimize sum(h{layers - 1})"


def test_what_many_passes_need_is_stored() -> None:
    """Else every pass would compute all layers again, and code would grow with their square."""
    short, long = (kernel_of(_normalised(layers), "grad") for layers in (8, 16))
    sizes = [sum(len(node.body) for node in passes(kernel)) for kernel in (short, long)]
    assert sizes[1] < 3 * sizes[0]
    assert _storage(long, "h0") is Storage.WORKSPACE
    assert _storage(kernel_of(_normalised(2), "grad"), "h0") is Storage.LOCAL


EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.sym"))
    if "reproductions" not in path.parts  # small ones, or of no samples
]
# All pairs of samples are what a Gaussian process is about.
OF_SAMPLES = [path for path in EXAMPLES if path.parent.name != "gaussian-process"]


@pytest.mark.parametrize("path", OF_SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_memory_does_not_grow_with_the_samples(path: Path) -> None:
    kernel = kernel_of(path.read_text(encoding="utf-8"), "value_and_grad")
    ours = [b for b in kernel.buffers.values() if b.storage in (Storage.WORKSPACE, Storage.LOCAL)]
    grown = [b.name for b in ours if any("n" in size.dims for size in b.shape)]
    assert not grown


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("function", ["value_and_grad", "hvp"])
def test_a_pass_computes_nothing_in_vain(path: Path, function: str) -> None:
    """What is local to a pass is read in it."""
    kernel = kernel_of(path.read_text(encoding="utf-8"), function)
    for node in passes(kernel):
        updates = [update for part in node.body for update in updates_of(part)]
        read = {r.tensor for part in updates for r in part.reads}
        read |= {part.columns for part in node.body if isinstance(part, Rows) and part.write}
        idle = {part.target for part in updates if _storage(kernel, part.target) is Storage.LOCAL}
        assert idle <= read
