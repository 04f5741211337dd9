/* Classifies a grey picture: classify MODEL.onnx FACE.pgm (binary, of the model's input size).
 * cc classify.c $(pkg-config --cflags --libs nn) */
#include <stdio.h>
#include <stdlib.h>

#include <nn/onnx.h>
#include <nn/run.h>

int main(int argc, char **argv)
{
    struct err err;
    struct nn_graph *graph;
    struct nn_run *run;
    int width, height;
    FILE *picture = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!picture || fscanf(picture, "P5 %d %d 255", &width, &height) != 2 || getc(picture) == EOF)
        return fprintf(stderr, "usage: classify MODEL.onnx FACE.pgm\n"), 2;
    if (nn_onnx_load(&graph, argv[1], &err) < 0 ||
        nn_run_create(&run, graph, 1, NULL, NULL, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    const char *text = nn_graph_meta(graph, "mean"); /* models made here say what they want */
    double mean = text ? strtod(text, NULL) : 0.5;
    text = nn_graph_meta(graph, "std");
    double std = text ? strtod(text, NULL) : 0.25;
    const struct nn_shape *in = nn_run_input_shape(run, 0), *out = nn_run_output_shape(run, 0);
    if (in->dims[1] != 1 || in->dims[2] != height || in->dims[3] != width)
        return fprintf(stderr, "%s has another size than the model wants\n", argv[2]), 1;
    for (int i = 0; i < width * height; i++)
        nn_run_input(run, 0)[i] = (float)((getc(picture) / 255.0 - mean) / std);
    nn_run_forward(run);
    for (int i = 0; i < out->dims[1]; i++)
        printf("class %d: %g\n", i, nn_run_output(run, 0)[i]);
    nn_run_destroy(run);
    nn_graph_destroy(graph);
    return fclose(picture);
}
