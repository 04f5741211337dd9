/* The option table of moodreel-lab. A recipe is a file of these names. */
#include "lab/lab.h"
#include "vision/preprocess.h"

#define AT(field) offsetof(struct lab_values, field)

/* Bits of the commands. */
#define TRAIN (1u << LAB_TRAIN)
#define EVALUATE (1u << LAB_EVALUATE)
#define PHOTOS (1u << LAB_PHOTOS)
#define CROSSVAL (1u << LAB_CROSSVAL)
#define DATA (1u << LAB_DATA)
#define EXPORT (1u << LAB_EXPORT)
#define MODELS (1u << LAB_MODELS)
#define QUANTIZE (1u << LAB_QUANTIZE)
#define BENCH (1u << LAB_BENCH)
#define BASELINE (1u << LAB_BASELINE)
#define ALL_TRAINING (TRAIN | CROSSVAL)
#define READS_DATA (ALL_TRAINING | EVALUATE | QUANTIZE)

#define FLAG(g, n, field, on, who, text) \
    {.group = g, .name = n, .type = OPTION_FLAG, .offset = AT(field), .value = on, \
     .commands = who, .help = text}
#define INTEGER(g, n, field, low, high, def, who, text) \
    {.group = g, .name = n, .type = OPTION_INT, .offset = AT(field), .min = low, .max = high, \
     .arg = "N", .value = def, .commands = who, .help = text}
#define NUMBER(g, n, field, low, high, def, who, text) \
    {.group = g, .name = n, .type = OPTION_NUMBER, .offset = AT(field), .min = low, .max = high, \
     .arg = "X", .value = def, .commands = who, .help = text}
#define STRING(g, n, field, a, who, text) \
    {.group = g, .name = n, .type = OPTION_STRING, .offset = AT(field), .arg = a, \
     .commands = who, .help = text}
#define CHOICE(g, n, field, list, def, who, text) \
    {.group = g, .name = n, .type = OPTION_CHOICE, .offset = AT(field), .choices = list, \
     .value = def, .commands = who, .help = text}

static const char data[] = "Data", net[] = "Network", training[] = "Training",
                  variation[] = "Variation of the pictures", teaching[] = "Teacher",
                  report[] = "Report";

static const struct option_spec specs[] = {
    STRING(data, "data", data, "FILE", READS_DATA | BASELINE | PHOTOS | EXPORT,
           "FER-2013 as CSV (emotion, pixels, Usage) or a folder of pictures, DIR/CLASS/ or "
           "DIR/SPLIT/CLASS/. export: fit the temperature on its PublicTest."),
    STRING(data, "votes", votes, "FILE", READS_DATA | DATA,
           "FER+ votes (fer2013new.csv) for the same rows."),
    FLAG(data, "dedup", dedup, "no", ALL_TRAINING | BASELINE,
         "Drop exact repeats inside Training and every Training picture that PublicTest or "
         "PrivateTest shows too."),
    CHOICE(data, "split", split, "Training|PublicTest|PrivateTest", "PrivateTest",
           EVALUATE | QUANTIZE,
           "Rows to measure; quantize: to calibrate with, Training when not given."),
    INTEGER(data, "pictures", pictures, 1, 1000000, "512", QUANTIZE,
            "How many of them are calibrated with."),
    {.group = data, .name = "out", .letter = 'o', .type = OPTION_STRING, .offset = AT(out),
     .arg = "PATH", .once = true,
     .commands = TRAIN | CROSSVAL | EVALUATE | PHOTOS | DATA | EXPORT | QUANTIZE,
     .help = "Folder for everything that is written (export, quantize: the file)."},

    STRING(net, "net", net, "NAME", ALL_TRAINING | EXPORT,
           "Network of the zoo (moodreel-lab models lists them)."),
    FLAG(net, "half", half, "no", EXPORT,
         "Store weights in 16 bits: half the size, computed as before."),
    FLAG(net, "wide", wide, "no", EXPORT,
         "Turn a network of 8 bits into floats, for programs that do not read QuantizeLinear."),
    NUMBER(net, "width", width, 0.05, 8, "1", ALL_TRAINING | EXPORT,
           "Factor on the network's channel counts."),
    INTEGER(net, "side", side, 0, PREPROCESS_SIDE_MAX, "0", ALL_TRAINING | EXPORT,
            "Pixels on each side of the network's input; 0: its own. Where a network ends in a "
            "global pool, smaller pictures train its first stage faster (see --init)."),
    STRING(net, "init", init, "MODEL", ALL_TRAINING,
           "Start from the weights of this ONNX file wherever name and shape agree; without --net "
           "its network is taken too."),
    STRING(net, "freeze", freeze, "VALUE", ALL_TRAINING,
           "Do not train what this value of the network depends on."),
    FLAG(net, "new-head", new_head, "no", ALL_TRAINING,
         "With --net, --init and --freeze: take only what is frozen from --init; the rest of the "
         "network starts fresh."),
    NUMBER(net, "mean", mean, 0, 1, "0.5", ALL_TRAINING, "Input is (pixel / 255 - mean) / std."),
    NUMBER(net, "std", std, 0.01, 1, "0.25", ALL_TRAINING, "See --mean."),
    NUMBER(net, "crop-margin", crop_margin, -0.4, 0.4, "0", ALL_TRAINING,
           "Share of the picture's side that is added on every side; below 0: cut away. "
           "The program crops faces alike."),

    INTEGER(training, "epochs", epochs, 1, 10000, "60", ALL_TRAINING, "Passes over the data."),
    INTEGER(training, "batch", batch, 1, 4096, "64", ALL_TRAINING | MODELS | BENCH,
            "Pictures a step; bench: 1 and 16 when not given, models show: 1."),
    INTEGER(training, "patience", patience, 0, 10000, "0", ALL_TRAINING,
            "Stop after so many epochs without a better one; 0 never."),
    INTEGER(training, "threads", threads, 0, 256, "0",
            READS_DATA | PHOTOS | MODELS | BENCH | EXPORT,
            "0: one a processor; bench: one and all when not given."),
    INTEGER(training, "seed", seed, 0, 2147483647, "1", ALL_TRAINING,
            "Decides everything random: the same seed gives the same network."),
    CHOICE(training, "precision", precision, "fp32|bf16", "fp32",
           ALL_TRAINING | MODELS | BENCH,
           "What products are computed in: bf16 rounds their operands to bfloat16 and is faster on "
           "processors with AVX512_BF16; weights and sums stay fp32. bench: both, and 8 bits, when "
           "not given."),
    CHOICE(training, "optimizer", optimizer, "sgd|rmsprop|adam|adamw", "adamw", ALL_TRAINING,
           "Kind of step."),
    NUMBER(training, "rate", rate, 0, 100, "0.001", ALL_TRAINING, "Learning rate at its highest."),
    NUMBER(training, "momentum", momentum, 0, 1, "0.9", ALL_TRAINING, "Of sgd (Nesterov)."),
    NUMBER(training, "weight-decay", weight_decay, 0, 1, "0.0001", ALL_TRAINING,
           "Pull of the weights towards 0; biases and batch norm are left alone."),
    NUMBER(training, "clip", clip, 0, 1e6, "5", ALL_TRAINING,
           "Longest gradient, longer ones are scaled down; 0 never."),
    NUMBER(training, "ema", ema, 0, 1, "0", ALL_TRAINING,
           "Decay a step of averaged weights, such as 0.999; they are measured too and the better "
           "are kept. 0: off."),
    NUMBER(training, "sam", sam, 0, 10, "0", ALL_TRAINING,
           "Sharpness-aware minimisation (Foret et al. 2021): how far weights are moved uphill "
           "before the gradient is taken, such as 0.05; doubles the time. 0: off."),
    CHOICE(training, "schedule", schedule, "constant|cosine|step|plateau", "cosine", ALL_TRAINING,
           "How the learning rate falls."),
    NUMBER(training, "warmup", warmup, 0, 1, "0.05", ALL_TRAINING,
           "cosine: share of the training in which the rate rises."),
    INTEGER(training, "step-every", step_every, 1, 10000, "10", ALL_TRAINING,
            "step: epochs between two steps; plateau: epochs without progress before one."),
    NUMBER(training, "step-factor", step_factor, 0, 1, "0.5", ALL_TRAINING,
           "step, plateau: factor on the rate."),
    NUMBER(training, "smoothing", smoothing, 0, 0.9, "0", ALL_TRAINING,
           "Label smoothing: share of the target spread over all classes."),
    NUMBER(training, "vote-weight", vote_weight, 0, 100, "0.5", ALL_TRAINING,
           "Weight of the FER+ head's loss; the label head's is 1."),
    CHOICE(training, "class-weights", class_weights, "none|root|balanced", "none", ALL_TRAINING,
           "Let rare classes count more: in proportion, or by its square root."),
    {.group = training, .name = "resume", .type = OPTION_FLAG, .offset = AT(resume), .once = true,
     .commands = TRAIN,
     .help = "Continue the training in --out, with its settings, as if it had never stopped."},

    STRING(teaching, "teacher", teacher, "MODEL[,MODEL...]", ALL_TRAINING,
           "Learn the mean output of these ONNX files beside the labels (Hinton et al. 2015)."),
    FLAG(teaching, "vote-teacher", vote_teacher, "no", ALL_TRAINING,
         "The FER+ votes are one more teacher of the label head: how often pictures with such "
         "votes bear each label in Training (logistic regression)."),
    NUMBER(teaching, "teacher-weight", teacher_weight, 0, 1, "0.5", ALL_TRAINING,
           "Share of the target that is the teachers'."),
    NUMBER(teaching, "teacher-temperature", teacher_temperature, 0.1, 100, "2", ALL_TRAINING,
           "Softens the teacher's probabilities."),

    NUMBER(variation, "flip", flip, 0, 1, "0", ALL_TRAINING, "Probability of a mirror image."),
    NUMBER(variation, "shift", shift, 0, 1, "0", ALL_TRAINING, "Most, as a share of the side."),
    NUMBER(variation, "rotate", rotate, 0, 180, "0", ALL_TRAINING, "Most, in degrees."),
    NUMBER(variation, "zoom", zoom, 0, 3, "0", ALL_TRAINING,
           "Scale from 1 / (1 + X) to 1 + X."),
    NUMBER(variation, "shear", shear, 0, 2, "0", ALL_TRAINING, "Most, as a slope."),
    NUMBER(variation, "brightness", brightness, 0, 1, "0", ALL_TRAINING,
           "Most added, for values 0 to 1."),
    NUMBER(variation, "contrast", contrast, 0, 1, "0", ALL_TRAINING, "Factor 1 +- X."),
    NUMBER(variation, "gamma", gamma, 0, 3, "0", ALL_TRAINING,
           "Exponent from 1 / (1 + X) to 1 + X."),
    NUMBER(variation, "erase", erase, 0, 1, "0", ALL_TRAINING,
           "Probability of one random grey rectangle."),
    NUMBER(variation, "erase-area", erase_area, 0.02, 1, "0.2", ALL_TRAINING,
           "Largest share of the picture it covers."),
    NUMBER(variation, "mixup", mixup, 0, 10, "0", ALL_TRAINING,
           "Alpha of mixup (Zhang et al. 2018); 0: off."),
    NUMBER(variation, "mixup-share", mixup_share, 0, 1, "0.5", ALL_TRAINING,
           "Share of the batches that are mixed."),

    {.group = report, .name = "json", .type = OPTION_FLAG, .offset = AT(json), .once = true,
     .commands = EVALUATE | PHOTOS | CROSSVAL | DATA | BENCH,
     .help = "Print JSON instead of a table."},
    INTEGER(report, "samples", samples, 0, 1000, "0", EVALUATE | DATA,
            "Write a sheet of so many faces with their labels (data: a class)."),
    {.group = report, .name = "profile", .type = OPTION_FLAG, .offset = AT(profile), .once = true,
     .commands = MODELS, .help = "models show: run the model and print the time of each step."},
    INTEGER(report, "runs", runs, 1, 1000000, "200", BENCH,
            "Timed runs of each measurement; training steps: 20 when not given."),
    {.group = report, .name = "train", .type = OPTION_FLAG, .offset = AT(train), .once = true,
     .commands = BENCH, .help = "Time training steps (batch 64, Adam) in place of inference."},
    STRING(report, "against", against, "ENGINE", BENCH,
           "Time this engine in turn with ours: opencv, or onnx-runtime (its library is found by "
           "the loader or named by ONNXRUNTIME_LIBRARY)."),
    INTEGER(report, "folds", folds, 2, 100, "5", CROSSVAL, "Parts of the cross-validation."),
};

const struct option_set lab_options = {
    .program = "moodreel-lab", .specs = specs, .count = sizeof specs / sizeof *specs};

static const char *const train_notes[] = {
    "RECIPE is a file of lines `option = value`; models/recipes has one for every network. What "
    "the command line says wins.",
    "Files in --out: recipe.conf, checkpoint, model.onnx (the best epoch by PublicTest), "
    "curves.csv, curves.png. PrivateTest is not looked at.",
    NULL};

const struct command lab_commands[LAB_COMMAND_COUNT] = {
    [LAB_TRAIN] = {"train", "[RECIPE]", "Train a network", lab_train, TRAIN, train_notes},
    [LAB_EVALUATE] = {"evaluate", "MODEL", "Measure a model on labelled faces", lab_evaluate,
                      EVALUATE, NULL},
    [LAB_PHOTOS] = {"photos", "MODEL",
                    "Measure a model on labelled photographs, whose faces are looked for first",
                    lab_photos, PHOTOS, NULL},
    [LAB_CROSSVAL] = {"crossval", "[RECIPE]",
                      "Train and measure on each part of Training in turn, from fresh weights",
                      lab_crossval, CROSSVAL, NULL},
    [LAB_DATA] = {"data", "FILE", "Say and draw what a data set holds", lab_data, DATA, NULL},
    [LAB_MODELS] = {"models", "[show MODEL]",
                    "List the networks that can be trained, or take a model apart", lab_models,
                    MODELS, NULL},
    [LAB_EXPORT] = {"export", "[MODEL...]",
                    "Write a model, the mean of several, or an untrained network of the zoo as "
                    "ONNX", lab_export, EXPORT, NULL},
    [LAB_QUANTIZE] = {"quantize", "MODEL",
                      "Write a model that computes in 8 bits, and say what it costs in accuracy",
                      lab_quantize, QUANTIZE, NULL},
    [LAB_BENCH] = {"bench", "[MODEL...]",
                   "Time models, or every network of the zoo, in fp32, int8 and bf16", lab_bench,
                   BENCH, NULL},
    [LAB_BASELINE] = {"baseline", NULL,
                      "Train and measure what came before networks: a linear SVM on HOG",
                      lab_baseline, BASELINE, NULL},
    [LAB_RANKING] = {"ranking", "FOLDER", "Measure how titles are ranked, against known viewings",
                     lab_ranking, 0, NULL},
    [LAB_SENTIMENT] = {"sentiment", "FOLDER", "Train and measure the model that reads reviews",
                       lab_sentiment, 0, NULL},
};

int lab_folder(const struct option_set *set, const struct command *command, void *values,
               lab_folder_fn *run, int argc, char **argv, struct err *err)
{
    struct options *options = NULL;
    int count = 0;
    int status = options_begin(&options, set, command, values, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *words = options_words(options, &count);
    if (count == 1) {
        status = run(words[0], values, err) < 0 ? STATUS_FAILED : STATUS_OK;
    } else {
        err_set(err, ERR_RANGE, "%s FOLDER: one folder is wanted", command->name);
        status = STATUS_USAGE;
    }
    options_free(options);
    return status;
}
