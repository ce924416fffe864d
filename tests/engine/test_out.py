"""predict(out=): arrays that are refused, and the shape for one row."""

import numpy as np

from helpers.bad_input import X, assert_refused, misaligned, read_only, small, table

OUT = np.zeros((6, 2), "float32")
SHAPE_AND_DTYPE = r"shape \(6, 2\) and dtype float32"
BAD_OUT = {
    "list": (OUT.tolist(), TypeError, "NumPy array", "list"),
    "narrow": (OUT[:, :1].copy(), ValueError, SHAPE_AND_DTYPE, r"\(6, 1\)"),
    "short": (OUT[:5].copy(), ValueError, SHAPE_AND_DTYPE, r"\(5, 2\)"),
    "flat": (OUT.ravel(), ValueError, SHAPE_AND_DTYPE, r"\(12,\)"),
    "float64": (OUT.astype("f8"), ValueError, SHAPE_AND_DTYPE, "float64"),
    "int": (OUT.astype("i4"), ValueError, SHAPE_AND_DTYPE, "int32"),
    "byte order": (OUT.astype(">f4"), ValueError, SHAPE_AND_DTYPE, ">f4"),
    "read-only": (read_only(OUT), ValueError, "writable", "read-only"),
    "Fortran": (np.asfortranarray(OUT), ValueError, "C-contiguous", "strided"),
    "strided": (np.zeros((6, 4), "f4")[:, ::2], ValueError, "C-contig", "strided"),
    "misaligned": (misaligned(OUT), ValueError, "aligned", "misaligned"),
    "the input": (X.reshape(-1)[:12].reshape(6, 2), ValueError, "share memory", "one"),
}


@table(BAD_OUT)
def test_bad_out(Network, bad, error, expected, got):
    net = small(Network)
    row = ("out", error, expected, got, bad)
    assert_refused(net, lambda: net.predict(X, out=bad), *row)
    assert_refused(net, lambda: net(X, out=bad), *row)


def test_out_refuses_the_parameters(Network):
    net = small(Network)
    bad = net.parameters[:12].reshape(6, 2)
    got = ("out", ValueError, "not share memory", "")
    assert_refused(net, lambda: net.predict(X, out=bad), *got)


def test_out_of_one_row_is_one_row(Network):
    net, out = small(Network), np.zeros((1, 2), "float32")
    got = ("out", ValueError, r"shape \(2,\)", r"\(1, 2\)")
    assert_refused(net, lambda: net.predict(X[0], out=out), *got, out)
