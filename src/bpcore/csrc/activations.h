/* Activations and their derivatives over (n, width) arrays, row after row. */

/* z = f(z) */
static void T(activate)(bpcore_activation f, REAL *z, ptrdiff_t n, ptrdiff_t width) {
    switch (f) {
    case BPCORE_IDENTITY: break;
    case BPCORE_SIGMOID: T(map)(T(sigmoid), z, z, n * width); break;
    case BPCORE_TANH: T(map)(T(tanh), z, z, n * width); break;
    case BPCORE_RELU: T(map)(T(relu), z, z, n * width); break;
    case BPCORE_SOFTMAX: T(softmax_rows)(z, n, width); break;
    }
}

/* d = d * f'(z), given a = f(z); for softmax the product with its Jacobian. */
static void T(times_derivative)(bpcore_activation f, REAL *d, const REAL *a,
                                ptrdiff_t n, ptrdiff_t width) {
    switch (f) {
    case BPCORE_IDENTITY: break;
    case BPCORE_SIGMOID:
        T(combine)(T(x_times_sigmoid_derivative), d, d, a, 0, n * width);
        break;
    case BPCORE_TANH:
        T(combine)(T(x_times_tanh_derivative), d, d, a, 0, n * width);
        break;
    case BPCORE_RELU:
        T(combine)(T(x_times_relu_derivative), d, d, a, 0, n * width);
        break;
    case BPCORE_SOFTMAX:
        for (ptrdiff_t i = 0; i < n; i++)
            T(times_softmax_derivative_row)(d + i * width, a + i * width, width);
        break;
    }
}
