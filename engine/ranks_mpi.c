/* nn/ranks_mpi.h over MPI. */
#include "nn/ranks_mpi.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ranks_launch.h"

/* An error inside MPI ends all ranks with MPI's sentence (MPI_ERRORS_ARE_FATAL, its default). */
struct mpi_ranks {
    struct nn_ranks ranks; /* first: the callbacks get its address */
    double *numbers;       /* count x n: everybody's */
    size_t numbers_cap;
    float *pieces; /* count x the largest piece: everybody's share of mine */
    size_t pieces_cap;
    int *size, *start;   /* of each rank's piece */
    int *my_size, *from; /* the same for what arrives here */
};

static void sum(struct nn_ranks *r, double *v, size_t n)
{
    struct mpi_ranks *m = (struct mpi_ranks *)(void *)r;
    m->numbers = mem_grow(m->numbers, &m->numbers_cap, n * (size_t)r->count, sizeof *v);
    MPI_Allgather(v, (int)n, MPI_DOUBLE, m->numbers, (int)n, MPI_DOUBLE, MPI_COMM_WORLD);
    memset(v, 0, n * sizeof *v);
    for (int i = 0; i < r->count; i++)
        for (size_t k = 0; k < n; k++)
            v[k] += m->numbers[(size_t)i * n + k];
}

/* Each rank adds one piece of v for everybody: 2 n floats on the wire of each, whatever their
 * number. */
static void sum_part(struct mpi_ranks *m, float *v, int n)
{
    int count = m->ranks.count, me = m->ranks.index;
    for (int i = 0; i < count; i++) {
        m->start[i] = (int)((int64_t)n * i / count);
        m->size[i] = (int)((int64_t)n * (i + 1) / count) - m->start[i];
    }
    int mine = m->size[me];
    for (int i = 0; i < count; i++) {
        m->my_size[i] = mine;
        m->from[i] = mine * i;
    }
    m->pieces = mem_grow(m->pieces, &m->pieces_cap, (size_t)mine * (size_t)count, sizeof *v);
    MPI_Alltoallv(v, m->size, m->start, MPI_FLOAT, m->pieces, m->my_size, m->from, MPI_FLOAT,
                  MPI_COMM_WORLD);
    float *sum = v + m->start[me];
    for (int k = 0; k < mine; k++)
        sum[k] = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < mine; k++)
            sum[k] += m->pieces[(size_t)i * (size_t)mine + (size_t)k];
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, v, m->size, m->start, MPI_FLOAT,
                   MPI_COMM_WORLD);
}

static void sum_floats(struct nn_ranks *r, float *v, size_t n)
{
    enum { PART = 1 << 24 }; /* MPI counts in int */
    for (size_t at = 0; at < n; at += PART)
        sum_part((struct mpi_ranks *)(void *)r, v + at, n - at < PART ? (int)(n - at) : PART);
}

int nn_ranks_mpi_start(struct nn_ranks **out, struct err *err)
{
    int got, count;
    *out = NULL;
    if (!ranks_launched())
        return 0;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &got) != MPI_SUCCESS)
        return err_set(err, ERR_IO, "MPI does not start");
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    struct mpi_ranks *m = mem_new(1, sizeof *m);
    m->ranks = (struct nn_ranks){.count = count, .sum = sum, .sum_floats = sum_floats};
    MPI_Comm_rank(MPI_COMM_WORLD, &m->ranks.index);
    m->size = mem_new(4 * (size_t)count, sizeof *m->size);
    m->start = m->size + count;
    m->my_size = m->start + count;
    m->from = m->my_size + count;
    *out = &m->ranks;
    return 0;
}

void nn_ranks_mpi_stop(struct nn_ranks *r)
{
    struct mpi_ranks *m = (struct mpi_ranks *)(void *)r;
    if (m == NULL)
        return;
    MPI_Finalize();
    free(m->numbers);
    free(m->pieces);
    free(m->size);
    free(m);
}
