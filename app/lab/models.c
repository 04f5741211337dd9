/* `models`: the zoo, or one model taken apart. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"
#include "nn/zoo.h"

static int print_entry(const struct nn_zoo_entry *e, struct err *err)
{
    struct nn_graph *g;
    int rc = nn_zoo_build(&g, e->name, NULL, err);
    if (rc < 0)
        return rc;
    char input[32];
    snprintf(input, sizeof input, "%dx%dx%d", e->channels, e->height, e->width);
    printf("%-14s%12zu%10.2f  %-11s%s\n", e->name, nn_graph_parameters(g, false),
           (double)nn_graph_macs(g) / 1e6, input, e->summary);
    nn_graph_destroy(g);
    return 0;
}

int lab_models(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int status = options_begin(&o, &lab_options, &lab_commands[LAB_MODELS], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    size_t n;
    int rc = 0, words;
    char *const *word = options_words(o, &words);
    if (words > 0) {
        bool show = words == 2 && !strcmp(word[0], "show");
        rc = show ? lab_show(&v, word[1], options_given(o, "batch") ? v.batch : 1, err)
                  : err_set(err, ERR_RANGE, "models takes nothing, or: show MODEL");
        options_free(o);
        return show ? (rc < 0 ? STATUS_FAILED : STATUS_OK) : STATUS_USAGE;
    }
    const struct nn_zoo_entry *zoo = nn_zoo_list(&n);
    printf("%-14s%12s%10s  %-11s%s\n", "name", "parameters", "MMAC", "input", "what it is");
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = print_entry(&zoo[i], err);
    options_free(o);
    return rc < 0 ? STATUS_FAILED : STATUS_OK;
}
