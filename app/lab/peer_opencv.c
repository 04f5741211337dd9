/* OpenCV's dnn module as a peer, through the door to OpenCV. */
#include "lab/peer.h"

#include "nn/graph.h"
#include "vision/opencv_c.h"

enum { WHY = 200 };

static int open_net(void **self, const struct peer_model *m, struct err *err)
{
    struct cvc_net *net;
    char why[WHY];
    int dims[NN_MAX_RANK];
    for (int i = 0; i < m->rank; i++)
        dims[i] = (int)m->dims[i];
    if (cvc_net_open(&net, m->path, m->input, m->output, dims, m->rank, m->threads, why,
                     sizeof why) != CVC_OK)
        return err_set(err, ERR_UNSUPPORTED, "OpenCV: %s", why);
    *self = net;
    return ERR_OK;
}

static float *net_input(void *self)
{
    return cvc_net_input(self);
}

static int run_net(void *self, struct err *err)
{
    char why[WHY];
    if (cvc_net_run(self, why, sizeof why) != CVC_OK)
        return err_set(err, ERR_UNSUPPORTED, "OpenCV: %s", why);
    return ERR_OK;
}

static const float *net_output(void *self)
{
    return cvc_net_output(self);
}

static void close_net(void *self)
{
    cvc_net_close(self);
}

const struct peer_engine peer_opencv = {
    .name = "opencv",
    .open = open_net,
    .input = net_input,
    .run = run_net,
    .output = net_output,
    .close = close_net,
};
