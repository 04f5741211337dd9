/* Elementwise slots, reductions and optimisers against scalar. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static size_t pick_length(void)
{
    return (size_t)(pick(0, 4) ? pick(0, 70) : pick(71, 3000));
}

void check_affine16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_affine16 a = {.pixels = pick_length() / 4, .accumulate = pick(0, 1)};
    size_t n = a.pixels * 16;
    a.a = input(n);
    a.b = pick(0, 1) ? input(n) : NULL;
    a.a_scale = pick(0, 1) ? input(16) : NULL;
    a.b_scale = pick(0, 1) ? input(16) : NULL;
    a.shift = pick(0, 1) ? input(16) : NULL;
    pick_clip(&a.lo, &a.hi);
    SHAPE("pixels %zu b %d scales %d %d shift %d", a.pixels, a.b != NULL, a.a_scale != NULL,
          a.b_scale != NULL, a.shift != NULL);
    float *want = input(n), *got = twin(want, n);
    a.y = want;
    ref->affine16(&a);
    a.y = got;
    k->affine16(&a);
    compare("y", want, got, n, tol * 4);
}

/* Functions are checked over [-12, 12] and at the specials. */
static float *wide_input(size_t n)
{
    float *p = input(n);
    float range = pick(0, 1) ? 12 : 2;
    for (size_t i = 0; i < n; i++)
        p[i] *= range;
    return p;
}

static void check_function(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                           bool back)
{
    struct nn_func_args a = {.func = (enum nn_func)pick(0, NN_FUNC_COUNT - 1),
                             .alpha = 0.2f,
                             .beta = 0.5f,
                             .n = pick_length()};
    a.x = wide_input(a.n);
    a.dy = input(a.n);
    SHAPE("function %d n %zu", a.func, a.n);
    float *want = input(a.n), *got = twin(want, a.n);
    a.y = want;
    (back ? ref->func_back : ref->func)(&a);
    a.y = got;
    (back ? k->func_back : k->func)(&a);
    compare_relative("y", want, got, a.n, tol);
}

void check_func(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_function(ref, k, tol, false);
}

void check_func_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_function(ref, k, tol, true);
}

void check_clip_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *y = input(n), *dy = input(n), *want = input(n), *got = twin(want, n), lo, hi;
    pick_clip(&lo, &hi);
    for (size_t i = 0; i < n; i++)
        y[i] = y[i] < lo ? lo : y[i] > hi ? hi : y[i];
    ref->clip_back(y, dy, want, n, lo, hi);
    k->clip_back(y, dy, got, n, lo, hi);
    compare("dx", want, got, n, tol);
}

void check_mul(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *a = input(n), *b = input(n), *want = input(n), *got = twin(want, n);
    ref->mul(a, b, want, n);
    k->mul(a, b, got, n);
    compare("y", want, got, n, tol);
}

void check_axpby(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float a = random_value(), b = pick(0, 1) ? 0 : random_value();
    float *x = input(n), *want = input(n), *got = twin(want, n);
    ref->axpby(a, x, b, want, n);
    k->axpby(a, x, b, got, n);
    compare("y", want, got, n, tol);
}

void check_u8_to_f32(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    uint8_t *x = mem_new(n + 1, 1);
    for (size_t i = 0; i < n; i++)
        x[i] = (uint8_t)pick(0, 255);
    float *want = input(n), *got = twin(want, n);
    ref->u8_to_f32(x, 1 / 127.5f, -1, want, n);
    k->u8_to_f32(x, 1 / 127.5f, -1, got, n);
    compare("y", want, got, n, tol);
    free(x);
}

void check_f32_to_u8(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    uint8_t *want = input_bits(n, 1);
    uint8_t *got = (uint8_t *)twin((float *)want, n / sizeof(float) + 1);
    ref->f32_to_u8(x, 150, 120, want, n);
    k->f32_to_u8(x, 150, 120, got, n);
    compare_bytes(want, got, n, (int)tol);
}

void check_f32_to_bf16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    uint16_t *want = input_bits(n, sizeof *want);
    uint16_t *got = (uint16_t *)twin((float *)want, n * sizeof *want / sizeof(float) + 1);
    ref->f32_to_bf16(x, want, n);
    k->f32_to_bf16(x, got, n);
    compare_bytes((uint8_t *)want, (uint8_t *)got, n * sizeof *want, (int)tol);
}

void check_bf16_to_f32(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    const uint16_t *x = input_bits(n, sizeof *x);
    float *want = input(n), *got = twin(want, n);
    ref->bf16_to_f32(x, want, n);
    k->bf16_to_f32(x, got, n);
    compare("y", want, got, n, tol);
}

static void check_number(const char *what, double want, double got, double tolerance)
{
    if (!same(want, got, tolerance))
        fail(what, 0, want, got);
}

void check_dot(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n), *y = input(n);
    SHAPE("n %zu", n);
    check_number("dot", ref->dot(x, y, n), k->dot(x, y, n), tol * (double)(n + 1));
}

void check_max(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    SHAPE("n %zu", n);
    check_number("max", ref->max(x, n), k->max(x, n), tol);
}

void check_exp_sum(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = wide_input(n), *want = input(n), *got = twin(want, n), shift = 1;
    SHAPE("n %zu", n);
    double a = ref->exp_sum(x, shift, want, n), b = k->exp_sum(x, shift, got, n);
    check_number("sum", a, b, tol * (1 + fabs(a)));
    compare_relative("y", want, got, n, tol);
}

void check_sums16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t pixels = pick_length() / 2;
    float *x = input(pixels * 16), *y = input(pixels * 16);
    double want[2][16] = {{0}}, got[2][16] = {{0}};
    SHAPE("pixels %zu", pixels);
    ref->sums16(x, y, pixels, want[0], want[1]);
    k->sums16(x, y, pixels, got[0], got[1]);
    for (int i = 0; i < 32; i++)
        check_number("sum", want[i / 16][i % 16], got[i / 16][i % 16], tol * (double)(pixels + 1));
}

static struct nn_norm16 pick_norm(void)
{
    struct nn_norm16 n = {.rows = pick(0, 5), .cols = pick(0, 40), .accumulate = pick(0, 1)};
    n.x_row = n.dy_row = n.dx_row = (size_t)n.cols * 16;
    n.x = input((size_t)n.rows * n.x_row);
    n.dy = input((size_t)n.rows * n.dy_row);
    const float **lanes[] = {&n.scale, &n.shift, &n.of_dy, &n.of_x, &n.of_1};
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
        *lanes[i] = input(16);
    pick_clip(&n.lo, &n.hi);
    return n;
}

void check_norm_sums16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_norm16 n = pick_norm();
    double want[2][16] = {{0}}, got[2][16] = {{0}};
    SHAPE("%d x %d", n.rows, n.cols);
    ref->norm_sums16(&n, want[0], want[1]);
    k->norm_sums16(&n, got[0], got[1]);
    for (int i = 0; i < 32; i++)
        check_number("sum", want[i / 16][i % 16], got[i / 16][i % 16], tol * (n.rows * n.cols + 1));
}

void check_norm_back16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_norm16 n = pick_norm();
    size_t floats = (size_t)n.rows * n.dx_row;
    float *want = input(floats), *got = twin(want, floats);
    SHAPE("%d x %d", n.rows, n.cols);
    n.dx = want;
    ref->norm_back16(&n);
    n.dx = got;
    k->norm_back16(&n);
    compare("dx", want, got, floats, tol * 4);
}

static void check_step(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                       void (*run)(const struct nn_kernels *, const struct nn_step *))
{
    struct nn_step s = {.n = pick_length(),
                        .lr = 0.1f,
                        .momentum = 0.9f,
                        .rho = 0.99f,
                        .eps = 1e-3f,
                        .decay = pick(0, 1) ? 0.01f : 0,
                        .g_scale = 0.5f,
                        .m_fix = 1.5f,
                        .v_fix = 2,
                        .nesterov = pick(0, 1)};
    float *g = input(s.n);
    float *w[2], *m[2], *v[2];
    bool has_m = pick(0, 1);
    w[0] = input(s.n);
    m[0] = input(s.n);
    v[0] = input(s.n);
    for (size_t i = 0; i < s.n; i++)
        v[0][i] = v[0][i] < 0 ? -v[0][i] : v[0][i];
    w[1] = twin(w[0], s.n);
    m[1] = twin(m[0], s.n);
    v[1] = twin(v[0], s.n);
    SHAPE("n %zu", s.n);
    for (int side = 0; side < 2; side++) {
        s.g = g;
        s.w = w[side];
        s.m = has_m || run != NULL ? m[side] : NULL;
        s.v = v[side];
        if (run != NULL)
            run(side == 0 ? ref : k, &s);
        else
            (side == 0 ? ref : k)->step_sgd(&s);
    }
    compare_relative("w", w[0], w[1], s.n, tol);
    compare_relative("m", m[0], m[1], s.n, tol);
    compare_relative("v", v[0], v[1], s.n, tol);
}

static void run_rmsprop(const struct nn_kernels *k, const struct nn_step *s)
{
    k->step_rmsprop(s);
}

static void run_adam(const struct nn_kernels *k, const struct nn_step *s)
{
    k->step_adam(s);
}

void check_step_sgd(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, NULL);
}

void check_step_rmsprop(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, run_rmsprop);
}

void check_step_adam(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, run_adam);
}

static void check_burst(double (*ref)(size_t), double (*burst)(size_t), double tol)
{
    check_number("operations of none", ref(0), burst(0), tol);
    if (!(burst(3) >= ref(3)))
        fail("operations", 3, ref(3), burst(3));
}

void check_fma_burst(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_burst(ref->fma_burst, k->fma_burst, tol);
}

void check_bf16_burst(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_burst(ref->bf16_burst, k->bf16_burst, tol);
}
