/* nn/ranks_mpi.h of a build without MPI. */
#include "nn/ranks_mpi.h"

#include "ranks_launch.h"

int nn_ranks_mpi_start(struct nn_ranks **out, struct err *err)
{
    *out = NULL;
    if (ranks_launched())
        return err_set(err, ERR_UNSUPPORTED,
                       "this program was built without MPI: build it with -DMOODREEL_MPI=ON");
    return 0;
}

void nn_ranks_mpi_stop(struct nn_ranks *r)
{
    (void)r;
}
