/* Blocked Cholesky factorisation and inverse, both in place.
 *
 * DESIGN. All of the time goes into rank-BLOCK updates of the form C += s * A * B over rows of
 * contiguous doubles, which the compiler turns into vector code. */
#include "catalog/ease.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK = 48 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* c[0..n) += s * b[0..n) */
static void add_row(double *restrict c, const double *restrict b, double s, int n)
{
    for (int i = 0; i < n; i++)
        c[i] += s * b[i];
}

/* Four rows at once: each element of c is loaded and stored once for four products. */
static void add_rows(double *restrict c, const double *const b[4], const double s[4], int n)
{
    const double *restrict b0 = b[0], *restrict b1 = b[1];
    const double *restrict b2 = b[2], *restrict b3 = b[3];
    for (int i = 0; i < n; i++)
        c[i] += s[0] * b0[i] + s[1] * b1[i] + s[2] * b2[i] + s[3] * b3[i];
}

/* c[0..n) += sum over k of s[k] * row k of b, rows `stride` apart. */
static void add_products(double *c, const double *b, size_t stride, const double *s, int rows,
                         int n)
{
    int k = 0;
    for (; k + 4 <= rows; k += 4) {
        const double *four[4] = {b + (size_t)k * stride, b + (size_t)(k + 1) * stride,
                                 b + (size_t)(k + 2) * stride, b + (size_t)(k + 3) * stride};
        add_rows(c, four, s + k, n);
    }
    for (; k < rows; k++)
        add_row(c, b + (size_t)k * stride, s[k], n);
}

/* Who is told how far the work is. Its three steps cost n^3 / 6 multiplications each. */
struct work {
    ease_progress_fn *progress;
    void *payload;
};

/* false: stop. */
static bool tell(const struct work *w, int step, double share)
{
    return w->progress == NULL || w->progress((step + share) / 3, w->payload);
}

/* The cost of a triangle's first rows, or last ones, grows with the cube of their number. */
static double cube(size_t part, size_t n)
{
    double x = (double)part / (double)n;
    return x * x * x;
}

/* Upper Cholesky factor: A = U' U, in the upper triangle of a. Row-oriented: the updates run along
 * rows. ERR_RANGE: not positive definite; ERR_STOPPED. */
static int factor(double *a, size_t n, const struct work *w)
{
    for (size_t b = 0; b < n; b += BLOCK) {
        size_t end = (size_t)least((int)n, (int)b + BLOCK);
        for (size_t k = b; k < end; k++) {
            double *row = a + k * n;
            if (!(row[k] > 0))
                return ERR_RANGE;
            double root = sqrt(row[k]);
            for (size_t j = k; j < n; j++)
                row[j] /= root;
            for (size_t i = k + 1; i < end; i++)
                add_row(a + i * n + i, row + i, -row[i], (int)(n - i));
        }
        for (size_t i = end; i < n; i++) {
            double s[BLOCK];
            for (size_t k = b; k < end; k++)
                s[k - b] = -a[k * n + i];
            add_products(a + i * n + i, a + b * n + i, n, s, (int)(end - b), (int)(n - i));
        }
        if (!tell(w, 0, 1 - cube(n - end, n)))
            return ERR_STOPPED;
    }
    return ERR_OK;
}

/* w = inverse of the upper triangular u: row i from the rows below it, last row first. */
static int invert_upper(double *w, const double *u, size_t n, const struct work *work)
{
    for (size_t i = n; i-- > 0;) {
        double *row = w + i * n;
        memset(row, 0, n * sizeof *row);
        row[i] = 1 / u[i * n + i];
        for (size_t k = i + 1; k < n; k += BLOCK) {
            double s[BLOCK];
            int rows = least((int)(n - k), BLOCK);
            for (int r = 0; r < rows; r++)
                s[r] = -u[i * n + k + (size_t)r] * row[i];
            add_products(row + k, w + k * n + k, n, s, rows, (int)(n - k));
        }
        if (i % BLOCK == 0 && !tell(work, 1, cube(n - i, n)))
            return ERR_STOPPED;
    }
    return ERR_OK;
}

/* p = w w', the inverse of U'U. With the columns of w as rows of `t` (BLOCK at a time), the lower
 * triangle of p is a sum of outer products: again additions of rows. */
static int multiply(double *p, const double *w, double *t, size_t n, const struct work *work)
{
    memset(p, 0, n * n * sizeof *p);
    for (size_t b = 0; b < n; b += BLOCK) {
        size_t rows = (size_t)least((int)(n - b), BLOCK), reach = b + rows;
        for (size_t i = 0; i < reach; i++)
            for (size_t k = 0; k < rows; k++)
                t[k * n + i] = w[i * n + b + k];
        for (size_t i = 0; i < reach; i++)
            add_products(p + i * n, t, n, w + i * n + b, (int)rows, (int)i + 1);
        if (!tell(work, 2, cube(reach, n)))
            return ERR_STOPPED;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            p[i * n + j] = p[j * n + i];
    return ERR_OK;
}

static void to_weights(double *p, size_t n)
{
    double *diagonal = mem_new(n, sizeof *diagonal);
    for (size_t j = 0; j < n; j++)
        diagonal[j] = p[j * n + j];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            p[i * n + j] /= -diagonal[j];
        p[i * n + i] = 0;
    }
    free(diagonal);
}

static int invert(double *gram, double *inverse, double *columns, size_t n, const struct work *w)
{
    int rc = factor(gram, n, w);
    if (rc == ERR_OK)
        rc = invert_upper(inverse, gram, n, w);
    return rc == ERR_OK ? multiply(gram, inverse, columns, n, w) : rc;
}

static int say_why(int rc, struct err *err)
{
    if (rc == ERR_RANGE)
        return err_set(err, ERR_RANGE, "the matrix of ratings cannot be inverted");
    if (err != NULL && err->code == ERR_OK)
        err_set(err, ERR_STOPPED, "stopped");
    return rc;
}

int ease_weights(double *gram, int n, double lambda, ease_progress_fn *progress, void *payload,
                 struct err *err)
{
    const struct work work = {progress, payload};
    size_t size = (size_t)n;
    double *inverse = mem_try_aligned(size * size, sizeof *inverse);
    if (inverse == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for %d x %d weights", n, n);
    double *columns = mem_new(size * BLOCK, sizeof *columns);
    for (size_t i = 0; i < size; i++)
        gram[i * size + i] += lambda;
    int rc = invert(gram, inverse, columns, size, &work);
    if (rc == ERR_OK)
        to_weights(gram, size);
    free(columns);
    mem_free_aligned(inverse);
    return rc == ERR_OK ? rc : say_why(rc, err);
}

double ease_recency(int likes_since, double half_life)
{
    return pow(0.5, (double)likes_since / half_life);
}

int ease_counts_create(struct ease_counts *c, int n, struct err *err)
{
    size_t size = (size_t)n;
    c->n = n;
    c->gram = mem_try_aligned(size * size, sizeof *c->gram);
    if (c->gram == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for %d x %d counts", n, n);
    memset(c->gram, 0, size * size * sizeof *c->gram);
    return ERR_OK;
}

void ease_counts_add(struct ease_counts *c, const int *items, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++)
            c->gram[(size_t)items[i] * (size_t)c->n + (size_t)items[k]] += 1;
}

void ease_counts_free(struct ease_counts *c)
{
    mem_free_aligned(c->gram);
    *c = (struct ease_counts){0};
}
