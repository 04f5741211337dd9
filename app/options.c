/* Option table to command line, config file, --help and --print-config. */
#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

enum { CONFIG_LIMIT = 1 << 20, HELP_WIDTH = 80, HELP_COLUMN = 27 };
enum { KEY_TABLE = 1000, KEY_NO = 2000, KEY_HELP = 3000, KEY_CONFIG, KEY_PRINT };

static const char origin_default[] = "default";
static const char origin_command[] = "command line";

struct options {
    const struct option_set *set;
    const struct command *command;
    char *into;            /* the program's struct */
    const char **origin;   /* per spec */
    struct arena *strings; /* values and origins */
    char **words;          /* NULL-ended, strings of argv */
    int word_count;
    const char *config; /* --config */
    bool help, print;
};

static bool spec_in(const struct option_spec *s, const struct command *c)
{
    return s->commands == 0 || (s->commands & c->bit) != 0;
}

static int spec_find(const struct option_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->specs[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* ---- values ---- */

static bool parse_flag(const char *text, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, int *out)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *p = choices;; index++) {
        size_t n = strcspn(p, "|");
        if (n == len && strncmp(p, text, n) == 0) {
            *out = index;
            return true;
        }
        if (p[n] == '\0')
            return false;
        p += n + 1;
    }
}

static bool parse_size(const char *text, double min, double max, struct option_size *out)
{
    char width[16];
    const char *x = strchr(text, 'x');
    int64_t w, h;
    if (!x || (size_t)(x - text) >= sizeof width)
        return false;
    memcpy(width, text, (size_t)(x - text));
    width[x - text] = '\0';
    if (!parse_i64(width, (int64_t)min, (int64_t)max, &w) ||
        !parse_i64(x + 1, (int64_t)min, (int64_t)max, &h))
        return false;
    *out = (struct option_size){(int)w, (int)h};
    return true;
}

static int refuse(const struct option_spec *s, const char *text, const char *dashes,
                  struct err *err)
{
    const char *kind = s->type == OPTION_INT ? "whole " : "";
    switch (s->type) {
    case OPTION_FLAG:
        return err_set(err, ERR_RANGE, "%s%s: '%s' is neither yes nor no", dashes, s->name, text);
    case OPTION_CHOICE:
        return err_set(err, ERR_RANGE, "%s%s: '%s' is not one of %s", dashes, s->name, text,
                       s->choices);
    case OPTION_SIZE:
        return err_set(err, ERR_RANGE,
                       "%s%s: '%s' is not a size such as 1280x720 (%g to %g a side)", dashes,
                       s->name, text, s->min, s->max);
    default:
        if (s->min == 0 && s->max == 0)
            return err_set(err, ERR_RANGE, "%s%s: '%s' is not a %snumber", dashes, s->name, text,
                           kind);
        return err_set(err, ERR_RANGE, "%s%s: '%s' is not a %snumber from %g to %g", dashes,
                       s->name, text, kind, s->min, s->max);
    }
}

static bool parse_number(const struct option_spec *s, const char *text, void *at)
{
    bool free_range = s->min == 0 && s->max == 0;
    double min = free_range ? (s->type == OPTION_INT ? -2147483648.0 : -1e300) : s->min;
    double max = free_range ? (s->type == OPTION_INT ? 2147483647.0 : 1e300) : s->max;
    int64_t whole;
    if (s->type == OPTION_NUMBER)
        return parse_f64(text, min, max, at);
    if (!parse_i64(text, (int64_t)min, (int64_t)max, &whole))
        return false;
    *(int *)at = (int)whole;
    return true;
}

static int value_set(struct options *o, int index, const char *text, const char *origin,
                     struct err *err)
{
    const struct option_spec *s = &o->set->specs[index];
    void *at = o->into + s->offset;
    bool good = false;
    switch (s->type) {
    case OPTION_FLAG:
        good = parse_flag(text, at);
        break;
    case OPTION_CHOICE:
        good = parse_choice(s->choices, text, at);
        break;
    case OPTION_SIZE:
        good = parse_size(text, s->min, s->max, at);
        break;
    case OPTION_STRING:
        *(const char **)at = arena_strdup(o->strings, text);
        good = true;
        break;
    case OPTION_INT:
    case OPTION_NUMBER:
        good = parse_number(s, text, at);
        break;
    }
    if (!good)
        return refuse(s, text, origin == origin_command ? "--" : "", err);
    o->origin[index] = origin;
    return ERR_OK;
}

static size_t type_size(enum option_type type)
{
    static const size_t sizes[] = {sizeof(bool),         sizeof(int), sizeof(double),
                                   sizeof(const char *), sizeof(int), sizeof(struct option_size)};
    return sizes[type];
}

static void set_defaults(struct options *o)
{
    for (size_t i = 0; i < o->set->count; i++) {
        const struct option_spec *s = &o->set->specs[i];
        struct err err = {0};
        memset(o->into + s->offset, 0, type_size(s->type));
        o->origin[i] = origin_default;
        if (s->value && value_set(o, (int)i, s->value, origin_default, &err) < 0) {
            fprintf(stderr, "option table: %s\n", err.text);
            abort(); /* a mistake in the table, not the user's */
        }
    }
}

/* ---- command line ---- */

struct getopt_table {
    struct option *options;
    char letters[160];
    char (*no_names)[40];
};

static void table_add(struct option **at, const char *name, int has_arg, int key)
{
    **at = (struct option){name, has_arg, NULL, key};
    (*at)++;
}

static void table_build(struct getopt_table *t, const struct options *o)
{
    size_t n = 0;
    t->options = mem_new(o->set->count * 2 + 4, sizeof *t->options);
    t->no_names = mem_new(o->set->count + 1, sizeof *t->no_names);
    t->letters[n++] = ':';
    t->letters[n++] = 'h';
    struct option *at = t->options;
    for (size_t i = 0; i < o->set->count; i++) {
        const struct option_spec *s = &o->set->specs[i];
        bool flag = s->type == OPTION_FLAG;
        if (!spec_in(s, o->command))
            continue;
        table_add(&at, s->name, flag ? no_argument : required_argument, KEY_TABLE + (int)i);
        if (flag) {
            snprintf(t->no_names[i], sizeof t->no_names[i], "no-%s", s->name);
            table_add(&at, t->no_names[i], no_argument, KEY_NO + (int)i);
        }
        if (s->letter && n + 3 < sizeof t->letters) {
            t->letters[n++] = s->letter;
            if (!flag)
                t->letters[n++] = ':';
        }
    }
    t->letters[n] = '\0';
    table_add(&at, "help", no_argument, KEY_HELP);
    table_add(&at, "config", required_argument, KEY_CONFIG);
    table_add(&at, "print-config", no_argument, KEY_PRINT);
}

static int letter_index(const struct options *o, int letter)
{
    for (size_t i = 0; i < o->set->count; i++)
        if (o->set->specs[i].letter == letter && spec_in(&o->set->specs[i], o->command))
            return (int)i;
    return -1;
}

static int bad_option(const struct options *o, int key, char **argv, struct err *err)
{
    const char *word = argv[optind - 1];
    if (key == ':')
        return err_set(err, ERR_RANGE, "option %s needs a value (see %s %s --help)", word,
                       o->set->program, o->command->name);
    if (strncmp(word, "--", 2) != 0)
        return err_set(err, ERR_RANGE, "unknown option -%c (see %s %s --help)", optopt,
                       o->set->program, o->command->name);
    return err_set(err, ERR_RANGE, "%s option %s (see %s %s --help)",
                   optopt ? "no value belongs to" : "unknown", word, o->set->program,
                   o->command->name);
}

static int take_key(struct options *o, int key, char **argv, struct err *err)
{
    if (key == ':' || key == '?')
        return bad_option(o, key, argv, err);
    if (key == KEY_HELP || key == 'h')
        o->help = true;
    else if (key == KEY_PRINT)
        o->print = true;
    else if (key == KEY_CONFIG)
        o->config = optarg;
    else if (key >= KEY_NO)
        return value_set(o, key - KEY_NO, "no", origin_command, err);
    else
        return value_set(o, key >= KEY_TABLE ? key - KEY_TABLE : letter_index(o, key),
                         optarg ? optarg : "yes", origin_command, err);
    return ERR_OK;
}

static int parse_command_line(struct options *o, int argc, char **argv, struct err *err)
{
    struct getopt_table t = {0};
    int key, code = ERR_OK;
    table_build(&t, o);
    opterr = 0;
    optind = 0; /* GNU and BSD: start afresh */
    while (code == ERR_OK && (key = getopt_long(argc, argv, t.letters, t.options, NULL)) != -1)
        code = take_key(o, key, argv, err);
    o->word_count = code == ERR_OK ? argc - optind : 0;
    o->words = mem_new((size_t)o->word_count + 1, sizeof *o->words);
    for (int i = 0; i < o->word_count; i++)
        o->words[i] = argv[optind + i];
    free(t.options);
    free(t.no_names);
    return code;
}

/* ---- config file ---- */

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

static int take_line(struct options *o, char *line, const char *origin, struct err *err)
{
    char *key = trim(line);
    if (*key == '\0' || *key == '#')
        return ERR_OK;
    char *equals = strchr(key, '=');
    if (!equals)
        return err_set(err, ERR_FORMAT, "'%s' is not of the form name = value", key);
    *equals = '\0';
    key = trim(key);
    char *value = trim(equals + 1);
    int index = spec_find(o->set, key);
    if (index < 0)
        return err_set(err, ERR_FORMAT, "unknown option '%s'", key);
    if (o->set->specs[index].once)
        return err_set(err, ERR_FORMAT, "'%s' belongs on the command line", key);
    if (o->origin[index] != origin_default)
        return ERR_OK;
    return value_set(o, index, value, origin, err);
}

int options_load_file(struct options *o, const char *path, struct err *err)
{
    void *data;
    size_t len;
    int code = path_read(path, &data, &len, CONFIG_LIMIT, err);
    int number = 1;
    if (code < 0)
        return code;
    if (!utf8_valid(data, len) || strlen(data) != len) {
        free(data);
        return err_set(err, ERR_FORMAT, "%s: not a text file", path);
    }
    for (char *line = data; line && code == ERR_OK; number++) {
        char *end = strchr(line, '\n');
        struct str origin = {0};
        if (end)
            *end = '\0';
        str_addf(&origin, "%s:%d", path, number);
        const char *kept = arena_strdup(o->strings, origin.s);
        str_free(&origin);
        code = take_line(o, line, kept, err);
        if (code < 0)
            err_prefix(err, "%s", kept);
        line = end ? end + 1 : NULL;
    }
    free(data);
    return code;
}

/* The user's own file may be absent, one that was named may not. */
static int load_config(struct options *o, struct err *err)
{
    char path[4096];
    if (o->config)
        return *o->config ? options_load_file(o, o->config, err) : ERR_OK;
    if (!o->set->config || !path_user_dir("config", path, sizeof path))
        return ERR_OK;
    size_t n = strlen(path);
    snprintf(path + n, sizeof path - n, "/%s", o->set->config);
    FILE *there = fopen(path, "r");
    if (!there)
        return ERR_OK;
    fclose(there);
    return options_load_file(o, path, err);
}

int options_begin(struct options **out, const struct option_set *set, const struct command *command,
                  void *into, int argc, char **argv, struct err *err)
{
    struct options *o = mem_new(1, sizeof *o);
    int status = OPTIONS_GO;
    *out = NULL;
    o->set = set;
    o->command = command;
    o->into = into;
    o->origin = mem_new(set->count + 1, sizeof *o->origin);
    o->strings = arena_create(4096);
    set_defaults(o);
    if (parse_command_line(o, argc, argv, err) < 0) {
        status = STATUS_USAGE;
    } else if (o->help) {
        options_print_help(set, command, stdout);
        status = STATUS_OK;
    } else if (load_config(o, err) < 0) {
        status = STATUS_FAILED;
    } else if (o->print) {
        options_print_config(o, stdout);
        status = STATUS_OK;
    }
    if (status == OPTIONS_GO)
        *out = o;
    else
        options_free(o);
    return status;
}

void options_free(struct options *o)
{
    if (!o)
        return;
    free(o->origin);
    free(o->words);
    arena_destroy(o->strings);
    free(o);
}

char *const *options_words(const struct options *o, int *count)
{
    *count = o->word_count;
    return o->words;
}

const char *options_origin(const struct options *o, const char *name)
{
    int index = spec_find(o->set, name);
    return index < 0 ? origin_default : o->origin[index];
}

bool options_given(const struct options *o, const char *name)
{
    return options_origin(o, name) != origin_default;
}

/* ---- printing ---- */

static void print_wrapped(FILE *to, const char *text, int indent, int column)
{
    const char *blank = "";
    for (;;) {
        size_t word = strcspn(text, " ");
        if (column + (int)(strlen(blank) + word) > HELP_WIDTH && column > indent) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
            blank = "";
        }
        column += fprintf(to, "%s%.*s", blank, (int)word, text);
        if (text[word] == '\0')
            break;
        text += word + 1;
        blank = " ";
    }
    fputc('\n', to);
}

static void print_entry(FILE *to, const char *left, const char *help)
{
    int n = fprintf(to, "  %s", left);
    if (n >= HELP_COLUMN - 1)
        fprintf(to, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(to, "%*s", HELP_COLUMN - n, "");
    print_wrapped(to, help, HELP_COLUMN, HELP_COLUMN);
}

static void print_spec(FILE *to, const struct option_spec *s)
{
    struct str left = {0}, help = {0};
    bool on = s->type == OPTION_FLAG && s->value && strcmp(s->value, "yes") == 0;
    if (s->letter)
        str_addf(&left, "-%c, ", s->letter);
    else
        str_addf(&left, "    ");
    str_addf(&left, "--%s%s", on ? "no-" : "", s->name);
    if (s->type != OPTION_FLAG)
        str_addf(&left, " %s", s->type == OPTION_CHOICE && !s->arg ? "NAME" : s->arg);
    str_addf(&help, "%s", s->help);
    if (s->type == OPTION_CHOICE)
        str_addf(&help, " One of %s.", s->choices);
    if (s->value && s->type != OPTION_FLAG)
        str_addf(&help, " [%s]", s->value);
    print_entry(to, left.s, help.s);
    str_free(&left);
    str_free(&help);
}

void options_print_help(const struct option_set *set, const struct command *command, FILE *to)
{
    const char *group = NULL;
    fprintf(to, "Usage: %s %s [OPTION...]%s%s\n\n%s.\n", set->program, command->name,
            command->synopsis ? " " : "", command->synopsis ? command->synopsis : "",
            command->summary);
    for (size_t i = 0; i < set->count; i++) {
        const struct option_spec *s = &set->specs[i];
        const char *heading = s->group ? s->group : "Options";
        if (!spec_in(s, command))
            continue;
        if (!group || strcmp(group, heading) != 0)
            fprintf(to, "\n%s:\n", heading);
        group = heading;
        print_spec(to, s);
    }
    fprintf(to, "\nEvery command:\n");
    print_entry(to, "-h, --help", "Print this text.");
    print_entry(to, "    --config FILE",
                "Read settings from FILE instead of the user's own file; "
                "an empty name reads none.");
    print_entry(to, "    --print-config", "Print every setting and where it came from, then end.");
    for (const char *const *n = command->notes; n && *n; n++)
        fprintf(to, "\n%s\n", *n);
    fprintf(to, "\nExit status:\n  0  done\n  1  something failed; the sentence on stderr says what"
                "\n  2  the command line was not understood\n");
}

static void print_value(const struct options *o, const struct option_spec *s, FILE *to)
{
    const void *at = o->into + s->offset;
    const struct option_size *size = at;
    const char *choice = s->choices;
    switch (s->type) {
    case OPTION_FLAG:
        fputs(*(const bool *)at ? "yes" : "no", to);
        break;
    case OPTION_INT:
        fprintf(to, "%d", *(const int *)at);
        break;
    case OPTION_NUMBER:
        fprintf(to, "%.9g", *(const double *)at); /* a recipe must give the same float */
        break;
    case OPTION_STRING:
        fputs(*(const char *const *)at, to);
        break;
    case OPTION_CHOICE:
        for (int i = *(const int *)at; i > 0; i--)
            choice += strcspn(choice, "|") + 1;
        fprintf(to, "%.*s", (int)strcspn(choice, "|"), choice);
        break;
    case OPTION_SIZE:
        fprintf(to, "%dx%d", size->width, size->height);
        break;
    }
}

void options_print_config(const struct options *o, FILE *to)
{
    for (size_t i = 0; i < o->set->count; i++) {
        const struct option_spec *s = &o->set->specs[i];
        const char *const *string = (const char *const *)(const void *)(o->into + s->offset);
        bool unset = s->type == OPTION_STRING && *string == NULL;
        if (!spec_in(s, o->command))
            continue;
        fprintf(to, "# %s%s\n%s%s = ", o->origin[i], unset ? ", not set" : "",
                unset || s->once ? "# " : "", s->name);
        if (!unset)
            print_value(o, s, to);
        fputc('\n', to);
    }
}

/* ---- commands ---- */

static void print_commands(const struct option_set *set, const char *about,
                           const struct command *commands, size_t count)
{
    printf("%s: %s\n\nUsage: %s [COMMAND] [OPTION...]\n\nCommands:\n", set->program, about,
           set->program);
    for (size_t i = 0; i < count; i++) {
        struct str help = {0};
        str_addf(&help, "%s.%s", commands[i].summary,
                 i == 0 ? " Runs when no command is named." : "");
        print_entry(stdout, commands[i].name, help.s);
        str_free(&help);
    }
    printf("\n`%s COMMAND --help` lists the options of a command, `%s --version` prints the "
           "version.\n\n",
           set->program, set->program);
    options_print_help(set, &commands[0], stdout);
}

int commands_run(const struct option_set *set, const char *about, const char *version,
                 const struct command *commands, size_t count, int argc, char **argv,
                 struct err *err)
{
    if (argc < 2)
        return commands[0].run(argc, argv, err);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_commands(set, about, commands, count);
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", set->program, version);
        return STATUS_OK;
    }
    if (argv[1][0] == '-')
        return commands[0].run(argc, argv, err);
    for (size_t i = 0; i < count; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1, err);
    err_set(err, ERR_NOT_FOUND, "unknown command '%s' (see %s --help)", argv[1], set->program);
    return STATUS_USAGE;
}
