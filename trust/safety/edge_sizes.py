"""Networks of sizes at which vectors and tiles end, used once each.

    python -m trust.safety.edge_sizes

`trust.memory_safety` runs it under valgrind.
"""

import pickle

import numpy as np

import bpcore as bp

SIZES = ((1, 1), (3, 17, 2), (16, 33, 1), (31, 8, 5), (70, 65, 3))
ROWS = (1, 2, 7, 17)


def main():
    """Every call of a network, for each of the sizes."""
    for i, sizes in enumerate(SIZES):
        dtype = ("float32", "float64")[i % 2]
        rng = np.random.default_rng(i)
        norm = [(None, "batch", "layer")[i % 3]] * (len(sizes) - 2)
        optimizer = (bp.Adam(clip_norm=1.0), bp.SGD(0.1, momentum=0.9), bp.RMSprop())
        net = bp.Network(sizes, norm=norm, dtype=dtype, rng=i, n_threads=1 + i % 2,
                         optimizer=optimizer[i % 3], dropout=0.3 * (i % 2))  # fmt: skip
        for n in ROWS:
            X = rng.normal(size=(n, sizes[0])).astype(dtype)
            y = rng.normal(size=(n, sizes[-1])).astype(dtype)
            if n > 1 or "batch" not in norm:
                net.train_step(X, y)
                net.apply(net.gradients(X, y))
                net.backward(net.forward(X), y)
                net.learn_one(X[0], y[0]) if "batch" not in norm else None
            net.predict(X), net.predict(X), net.predict_one(X[0]), net.evaluate(X, y)
        net.fit(X, y, epochs=2, batch_size=5, accumulate=2, progress=False)
        pickle.loads(pickle.dumps(net)).predict(X)
    print("all", flush=True)


if __name__ == "__main__":
    main()
