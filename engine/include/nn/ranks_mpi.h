/* Ranks connected by MPI, for `mpirun -n N program`. The library nn_mpi, which is built with or
 * without MPI (CMake option MOODREEL_MPI): without it a program is always alone, and says so when
 * mpirun started it. */
#ifndef NN_RANKS_MPI_H
#define NN_RANKS_MPI_H

#include "base/err.h"
#include "nn/ranks.h"

/* Once in a program, on the thread that will learn. *out is NULL when it is alone. When a rank ends
 * without nn_ranks_mpi_stop(), as after an error, mpirun ends the others and says so.
 * ERR_UNSUPPORTED: mpirun started this program, which was built without MPI. */
int nn_ranks_mpi_start(struct nn_ranks **out, struct err *err);
/* Waits for all ranks. NULL is allowed. */
void nn_ranks_mpi_stop(struct nn_ranks *r);

#endif
