"""The toy's pack against JAX: CPU milliseconds of a member-round, packed and as jit(scan(vmap(step))).

Both train P non-saturating GANs of three layers with 128 features on the ring, batch 64, Adam with a
learning rate of each member, on one thread, in turns; "compiled" is a pack with `Study.compile`. JAX draws
its own numbers and runs a hundred rounds in one call, as a careful user of it writes. Setup is tracing or
compiling.

    python benchmarks/against_jax.py [--packs 1 16] [--turns 7] [--venv FOLDER]

It installs JAX into a virtual environment of its own, in a folder that is deleted unless it is named.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, SECONDS, BATCH, HIDDEN = 100, 0.5, 64, 128
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def jax_rounds(data: Any, n_members: int) -> Any:
    """Returns what trains all members for ROUNDS rounds."""
    import jax
    import jax.numpy as jnp

    def layer(key: Any, i: int, o: int) -> Any:
        return {"w": jax.random.normal(key, (i, o)) * (2 / i) ** 0.5, "b": jnp.zeros(o)}

    def mlp(key: Any, sizes: tuple[int, ...]) -> Any:
        keys = jax.random.split(key, len(sizes))
        return [layer(k, i, o) for k, i, o in zip(keys, sizes, sizes[1:], strict=False)]

    def apply(layers: Any, x: Any, activation: Any) -> Any:
        for each in layers[:-1]:
            x = activation(x @ each["w"] + each["b"])
        return x @ layers[-1]["w"] + layers[-1]["b"]

    def make(z: Any) -> Any:
        return lambda generator: apply(generator, z, jax.nn.relu)

    def score(discriminator: Any, x: Any) -> Any:
        return apply(discriminator, x, lambda h: jax.nn.leaky_relu(h, 0.2))

    def d_loss(discriminator: Any, generator: Any, x: Any, z: Any) -> Any:
        real, fake = score(discriminator, x), score(discriminator, make(z)(generator))
        return jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()

    def g_loss(generator: Any, discriminator: Any, z: Any) -> Any:
        return jax.nn.softplus(-score(discriminator, make(z)(generator))).mean()

    def adam(params: Any, gradients: Any, state: Any, lr: Any) -> Any:
        mean, square, step = state
        step = step + 1
        mean = jax.tree.map(lambda m, g: 0.5 * m + 0.5 * g, mean, gradients)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradients)
        rate = lr / (1 - 0.5**step)
        root = jnp.sqrt(1 - 0.999**step)
        moved = jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s) / root + 1e-8), params, mean, square)
        return moved, (mean, square, step)

    def start(key: Any) -> Any:
        g_key, d_key = jax.random.split(key)
        nets = mlp(g_key, (2, HIDDEN, HIDDEN, data.shape[1])), mlp(d_key, (data.shape[1], HIDDEN, HIDDEN, 1))
        zeros = [jax.tree.map(jnp.zeros_like, net) for net in nets]
        return nets, [(zero, zero, 0.0) for zero in zeros]

    def step(carry: Any, key: Any, lr: Any) -> Any:
        (generator, discriminator), (g_state, d_state) = carry
        index, z1, z2 = jax.random.split(key, 3)
        x = samples[jax.random.randint(index, (BATCH,), 0, len(samples))]
        z1, z2 = (jax.random.uniform(k, (BATCH, 2), minval=-1, maxval=1) for k in (z1, z2))
        gradients = jax.grad(d_loss)(discriminator, generator, x, z1)
        discriminator, d_state = adam(discriminator, gradients, d_state, lr)
        gradients = jax.grad(g_loss)(generator, discriminator, z2)
        generator, g_state = adam(generator, gradients, g_state, lr)
        return (generator, discriminator), [g_state, d_state]

    @jax.jit
    def rounds(carry: Any, key: Any) -> Any:
        def one(carry: Any, key: Any) -> Any:
            return jax.vmap(step)(carry, jax.random.split(key, n_members), lrs), None

        return jax.lax.scan(one, carry, jax.random.split(key, ROUNDS))[0]

    samples = jnp.asarray(data)
    lrs = jnp.linspace(1e-4, 1e-3, n_members)
    carry = jax.vmap(start)(jax.random.split(jax.random.key(0), n_members))
    keys = iter(jax.random.split(jax.random.key(1), 10**5))

    def run() -> None:
        nonlocal carry
        carry = jax.block_until_ready(rounds(carry, next(keys)))

    return run


def pack_rounds(n_members: int, is_compiled: bool) -> Any:
    """The same of a pack."""
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    import torch
    import training

    torch.set_num_threads(1)
    pack = training.trainer(training.Configuration("mlp", n_members, is_compiled))

    def run() -> None:
        for _ in range(ROUNDS):
            pack.round()

    return run


def work(side: str, data: str, packs: list[int]) -> None:
    """In a process of one side: for each number of members on stdin, print CPU ms of a member-round."""
    made, setup = {}, {}
    for n_members in packs:
        started = time.process_time()
        if side == "jax":
            made[n_members] = jax_rounds(np.load(data), n_members)
        else:
            made[n_members] = pack_rounds(n_members, is_compiled=side == "compiled")
        made[n_members]()
        setup[n_members] = time.process_time() - started
    print(json.dumps(setup), flush=True)
    for line in sys.stdin:
        n, started = 0, time.process_time()
        while n == 0 or time.process_time() - started < SECONDS:
            made[int(line)]()
            n += ROUNDS * int(line)
        print(1e3 * (time.process_time() - started) / n, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--venv", type=Path, help="a folder for the environment with JAX")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        compare(options, Path(temporary))


def compare(options: argparse.Namespace, folder: Path) -> None:
    venv = options.venv or folder / "venv"
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", "jax>=0.10"], check=True)
    sys.path[:0] = [str(ROOT)]
    from gansweep import data
    from gansweep.run.ray.connect import KEEP_FREED_MEMORY

    file = folder / "ring.npy"
    np.save(file, data.load("ring").train.numpy())
    sides, setup = {}, {}
    ours = sys.executable
    for side, python in (("pack", ours), ("compiled", ours), ("jax", str(venv / "bin" / "python"))):
        sides[side] = subprocess.Popen(
            [python, __file__, side, str(file), *map(str, options.packs)],
            env=os.environ | ONE_THREAD | KEEP_FREED_MEMORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        setup[side] = json.loads(sides[side].stdout.readline())  # type: ignore[union-attr]
    found = {(side, n): [] for side in sides for n in options.packs}  # type: ignore[var-annotated]
    print(f"load before: {os.getloadavg()[0]:.1f}; CPU ms of a member-round")
    for _ in range(options.turns):
        for side, n in found:
            process = sides[side]
            process.stdin.write(f"{n}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            found[side, n].append(float(process.stdout.readline()))  # type: ignore[union-attr]
    for n in options.packs:
        for side in sides:
            ratios = [b / a for a, b in zip(found[side, n], found["jax", n], strict=True)]
            print(
                f"P={n:<3} {side:<9} {statistics.median(found[side, n]):.4f} ms, "
                f"setup {setup[side][str(n)]:.1f} s, "
                f"jax / this {statistics.median(ratios):.2f}x ({min(ratios):.2f}..{max(ratios):.2f})"
            )
    for process in sides.values():
        process.communicate()


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] in ("pack", "compiled", "jax"):
        work(sys.argv[1], sys.argv[2], [int(n) for n in sys.argv[3:]])
    else:
        main()
