/* moodreel-lab: the workshop for models. */
#include <stdio.h>

#include "lab/lab.h"
#include "vision/opencv_c.h"

int main(int argc, char **argv)
{
    struct err err = {0};
    cvc_setup();
    int status = commands_run(&lab_options, "trains and measures the networks of moodreel",
                              MOODREEL_VERSION, lab_commands, LAB_COMMAND_COUNT, argc, argv, &err);
    if (status != STATUS_OK && err.text[0] != '\0')
        fprintf(stderr, "moodreel-lab: %s\n", err.text);
    return status;
}
