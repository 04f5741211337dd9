/* Whether a launcher of parallel programs started this one. */
#ifndef ENGINE_RANKS_LAUNCH_H
#define ENGINE_RANKS_LAUNCH_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Set by mpirun of Open MPI, and by that of MPICH and Intel MPI and by Slurm's srun. */
static inline bool ranks_launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (int i = 0; i < 2; i++) {
        const char *size = getenv(names[i]);
        if (size != NULL && strcmp(size, "1") != 0)
            return true;
    }
    return false;
}

#endif
