/* ONNX Runtime as a peer, through its C API.
 *
 * The API is a table of function pointers whose order never changes (onnxruntime_c_api.h: "all
 * functions are only ever added at the end"); the members we call are named below, the others are
 * counted gaps, so that no header of it is needed to build. */
#include "lab/peer.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef void gap(void);
typedef void *status; /* NULL: success */

struct ort_api {
    gap *gap_0[2];
    const char *(*error_message)(status s);                              /* 2 GetErrorMessage */
    status (*create_env)(int level, const char *id, void **out);         /* 3 CreateEnv */
    gap *gap_4[3];
    status (*create_session)(void *env, const char *path, void *options, void **out); /* 7 */
    gap *gap_8[1];
    status (*run)(void *session, void *run_options, const char *const *inputs,
                  void *const *values, size_t count, const char *const *outputs,
                  size_t output_count, void **out); /* 9 Run */
    status (*create_options)(void **out);           /* 10 CreateSessionOptions */
    gap *gap_11[13];
    status (*intra_threads)(void *options, int n); /* 24 SetIntraOpNumThreads */
    status (*inter_threads)(void *options, int n); /* 25 SetInterOpNumThreads */
    gap *gap_26[23];
    status (*create_tensor)(void *memory, void *data, size_t bytes, const int64_t *dims,
                            size_t rank, int type, void **out); /* 49 */
    gap *gap_50[1];
    status (*tensor_data)(void *value, void **out); /* 51 GetTensorMutableData */
    gap *gap_52[17];
    status (*cpu_memory)(int allocator, int type, void **out); /* 69 CreateCpuMemoryInfo */
    gap *gap_70[22];
    void (*release_env)(void *);     /* 92 */
    void (*release_status)(status);  /* 93 */
    void (*release_memory)(void *);  /* 94 */
    void (*release_session)(void *); /* 95 */
    void (*release_value)(void *);   /* 96 */
    gap *gap_97[3];
    void (*release_options)(void *); /* 100 */
};

struct ort_base {
    const struct ort_api *(*get_api)(uint32_t version);
    const char *(*version)(void);
};

enum {
    ORT_LOG_ERROR = 3,
    ORT_ARENA = 1,
    ORT_MEMORY_DEFAULT = 0,
    ORT_FLOAT = 1,
    ORT_API_OLDEST = 14
};

struct ort {
    void *library;
    const struct ort_base *base;
    const struct ort_api *api;
    void *env, *options, *session, *memory;
    void *in, *out; /* OrtValue: our input memory, the last result */
    float *input;
    char *input_name, *output_name;
};

/* Turns a status of ONNX Runtime into ours. */
static int check(struct ort *p, status s, struct err *err)
{
    if (s == NULL)
        return ERR_OK;
    int code = err_set(err, ERR_UNSUPPORTED, "ONNX Runtime: %s", p->api->error_message(s));
    p->api->release_status(s);
    return code;
}

static int load_library(struct ort *p, struct err *err)
{
    const char *path = getenv("ONNXRUNTIME_LIBRARY");
    p->library = dlopen(path != NULL ? path : "libonnxruntime.so.1", RTLD_NOW | RTLD_LOCAL);
    if (p->library == NULL)
        return err_set(err, ERR_NOT_FOUND,
                       "ONNX Runtime is not installed (%s): set ONNXRUNTIME_LIBRARY to its "
                       "libonnxruntime.so.1",
                       dlerror());
    const struct ort_base *(*get_base)(void);
    *(void **)&get_base = dlsym(p->library, "OrtGetApiBase");
    p->base = get_base != NULL ? get_base() : NULL;
    p->api = p->base != NULL ? p->base->get_api(ORT_API_OLDEST) : NULL;
    if (p->api == NULL)
        return err_set(err, ERR_UNSUPPORTED, "this ONNX Runtime is older than 1.14");
    return ERR_OK;
}

static int create_session(struct ort *p, const char *model, int threads, struct err *err)
{
    const struct ort_api *api = p->api;
    int rc = check(p, api->create_env(ORT_LOG_ERROR, "bench", &p->env), err);
    if (rc == ERR_OK)
        rc = check(p, api->create_options(&p->options), err);
    if (rc == ERR_OK)
        rc = check(p, api->intra_threads(p->options, threads), err);
    if (rc == ERR_OK)
        rc = check(p, api->inter_threads(p->options, 1), err);
    if (rc == ERR_OK)
        rc = check(p, api->create_session(p->env, model, p->options, &p->session), err);
    return rc;
}

static int create_input(struct ort *p, const int64_t *dims, int rank, struct err *err)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    p->input = mem_try_aligned(count, sizeof *p->input);
    if (p->input == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for an input of %zu values", count);
    int rc = check(p, p->api->cpu_memory(ORT_ARENA, ORT_MEMORY_DEFAULT, &p->memory), err);
    if (rc == ERR_OK)
        rc = check(p,
                   p->api->create_tensor(p->memory, p->input, count * sizeof *p->input, dims,
                                         (size_t)rank, ORT_FLOAT, &p->in),
                   err);
    return rc;
}

static void close_ort(void *self);

static int open_ort(void **self, const struct peer_model *m, struct err *err)
{
    struct ort *p = mem_new(1, sizeof *p);
    p->input_name = mem_strdup(m->input);
    p->output_name = mem_strdup(m->output);
    int rc = load_library(p, err);
    if (rc == ERR_OK)
        rc = create_session(p, m->path, m->threads, err);
    if (rc == ERR_OK)
        rc = create_input(p, m->dims, m->rank, err);
    if (rc != ERR_OK) {
        close_ort(p);
        return rc;
    }
    *self = p;
    return ERR_OK;
}

static float *ort_input(void *self)
{
    return ((struct ort *)self)->input;
}

static int run_ort(void *self, struct err *err)
{
    struct ort *p = self;
    const char *in[] = {p->input_name};
    const char *out[] = {p->output_name};
    return check(p, p->api->run(p->session, NULL, in, &p->in, 1, out, 1, &p->out), err);
}

static const float *ort_output(void *self)
{
    struct ort *p = self;
    void *data = NULL;
    if (p->out == NULL || check(p, p->api->tensor_data(p->out, &data), NULL) != ERR_OK)
        return NULL;
    return data;
}

static void release(void (*fn)(void *), void *object)
{
    if (object != NULL)
        fn(object);
}

static void close_ort(void *self)
{
    struct ort *p = self;
    if (p->api != NULL) {
        release(p->api->release_value, p->out);
        release(p->api->release_value, p->in);
        release(p->api->release_memory, p->memory);
        release(p->api->release_session, p->session);
        release(p->api->release_options, p->options);
        release(p->api->release_env, p->env);
    }
    mem_free_aligned(p->input);
    free(p->input_name);
    free(p->output_name);
    free(p); /* the library stays loaded: its threads may outlive the session */
}

const struct peer_engine peer_ort = {
    .name = "onnx-runtime",
    .open = open_ort,
    .input = ort_input,
    .run = run_ort,
    .output = ort_output,
    .close = close_ort,
};
