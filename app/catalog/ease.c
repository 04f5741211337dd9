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

/* Upper Cholesky factor: A = U' U, in the upper triangle of a. Row-oriented: the updates run along
 * rows. false: not positive definite. */
static bool factor(double *a, size_t n)
{
    for (size_t b = 0; b < n; b += BLOCK) {
        size_t end = (size_t)least((int)n, (int)b + BLOCK);
        for (size_t k = b; k < end; k++) {
            double *row = a + k * n;
            if (!(row[k] > 0))
                return false;
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
    }
    return true;
}

/* w = inverse of the upper triangular u: row i from the rows below it, last row first. */
static void invert_upper(double *w, const double *u, size_t n)
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
    }
}

/* p = w w', the inverse of U'U. With the columns of w as rows of `t` (BLOCK at a time), the lower
 * triangle of p is a sum of outer products: again additions of rows. */
static void multiply(double *p, const double *w, double *t, size_t n)
{
    memset(p, 0, n * n * sizeof *p);
    for (size_t b = 0; b < n; b += BLOCK) {
        size_t rows = (size_t)least((int)(n - b), BLOCK), reach = b + rows;
        for (size_t i = 0; i < reach; i++)
            for (size_t k = 0; k < rows; k++)
                t[k * n + i] = w[i * n + b + k];
        for (size_t i = 0; i < reach; i++)
            add_products(p + i * n, t, n, w + i * n + b, (int)rows, (int)i + 1);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            p[i * n + j] = p[j * n + i];
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

int ease_weights(double *gram, int n, double lambda, struct err *err)
{
    size_t size = (size_t)n;
    double *inverse = mem_try_aligned(size * size, sizeof *inverse);
    double *columns = mem_new(size * BLOCK, sizeof *columns);
    int rc = ERR_OK;
    if (inverse == NULL) {
        free(columns);
        return err_set(err, ERR_NO_MEMORY, "no memory for %d x %d weights", n, n);
    }
    for (size_t i = 0; i < size; i++)
        gram[i * size + i] += lambda;
    if (!factor(gram, size)) {
        rc = err_set(err, ERR_RANGE, "the matrix of ratings cannot be inverted");
    } else {
        invert_upper(inverse, gram, size);
        multiply(gram, inverse, columns, size);
        to_weights(gram, size);
    }
    free(columns);
    mem_free_aligned(inverse);
    return rc;
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
