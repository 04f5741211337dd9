/* ONNX weight layouts <-> packed, and the phases of a strided input gradient. Done once a model or
 * once a file, so plain loops. */
#include "kernels/kernels.h"

#include <string.h>

size_t nn_conv16_size(int oc, int ic, int kh, int kw)
{
    return (size_t)nn_blocks(oc) * nn_blocks(ic) * kh * kw * 256;
}

size_t nn_planar_size(int oc, int ic, int kh, int kw)
{
    return (size_t)nn_blocks(oc) * ic * kh * kw * 16;
}

size_t nn_depthwise16_size(int c, int kh, int kw)
{
    return (size_t)nn_blocks(c) * kh * kw * 16;
}

static size_t conv16_at(int o, int i, int tap, int ic, int taps)
{
    size_t pair = (size_t)(o / 16) * nn_blocks(ic) + i / 16;
    return (pair * taps + tap) * 256 + i % 16 * 16 + o % 16;
}

static size_t planar_at(int o, int i, int tap, int ic, int taps)
{
    return (((size_t)(o / 16) * ic + i) * taps + tap) * 16 + o % 16;
}

void nn_conv16_pack(const float *oihw, int oc, int ic, int kh, int kw, float *packed)
{
    int taps = kh * kw;
    memset(packed, 0, nn_conv16_size(oc, ic, kh, kw) * sizeof *packed);
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                packed[conv16_at(o, i, t, ic, taps)] = *oihw++;
}

void nn_conv16_unpack(const float *packed, int oc, int ic, int kh, int kw, float *oihw)
{
    int taps = kh * kw;
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                *oihw++ = packed[conv16_at(o, i, t, ic, taps)];
}

void nn_planar_pack(const float *oihw, int oc, int ic, int kh, int kw, float *packed)
{
    int taps = kh * kw;
    memset(packed, 0, nn_planar_size(oc, ic, kh, kw) * sizeof *packed);
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                packed[planar_at(o, i, t, ic, taps)] = *oihw++;
}

void nn_planar_unpack(const float *packed, int oc, int ic, int kh, int kw, float *oihw)
{
    int taps = kh * kw;
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                *oihw++ = packed[planar_at(o, i, t, ic, taps)];
}

void nn_depthwise16_pack(const float *chw, int c, int kh, int kw, float *packed)
{
    nn_planar_pack(chw, c, 1, kh, kw, packed);
}

void nn_depthwise16_unpack(const float *packed, int c, int kh, int kw, float *chw)
{
    nn_planar_unpack(packed, c, 1, kh, kw, chw);
}

size_t nn_dot16_size(int oc, int ic, int kh, int kw)
{
    return nn_conv16_size(oc, ic, kh, kw);
}

void nn_qconv16_pack(const int8_t *oihw, int oc, int ic, int kh, int kw, int8_t *packed)
{
    int taps = kh * kw;
    memset(packed, 0, nn_dot16_size(oc, ic, kh, kw));
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++) {
                size_t block = ((size_t)(o / 16) * nn_blocks(ic) + i / 16) * taps + t;
                packed[block * 256 + i % 16 / 4 * 64 + o % 16 * 4 + i % 4] = *oihw++;
            }
}

void nn_bconv16_pack(const float *conv16_packed, int oc, int ic, int kh, int kw, uint16_t *packed)
{
    size_t blocks = nn_dot16_size(oc, ic, kh, kw) / 256;
    for (size_t b = 0; b < blocks; b++)
        for (int i = 0; i < 16; i++)
            for (int o = 0; o < 16; o++)
                packed[b * 256 + i / 2 * 32 + o * 2 + i % 2] =
                    nn_bf16_of(conv16_packed[b * 256 + i * 16 + o]);
}

void nn_depthwise16_flip(const struct nn_flip16 *f)
{
    float *out = f->out;
    for (int b = 0; b < f->oc_blocks; b++)
        for (int h = nn_taps(f->kh, f->first_h, f->step_h) - 1; h >= 0; h--)
            for (int w = nn_taps(f->kw, f->first_w, f->step_w) - 1; w >= 0; w--, out += 16) {
                int row = f->first_h + h * f->step_h, col = f->first_w + w * f->step_w;
                memcpy(out, f->w + (((size_t)b * f->kh + row) * f->kw + col) * 16,
                       16 * sizeof *out);
            }
}

int nn_taps(int kernel, int first, int step)
{
    return first < kernel ? (kernel - first + step - 1) / step : 0;
}

struct nn_phase nn_conv_phase(int kernel, int stride, int pad, int phase)
{
    int first = (phase + pad) % stride;
    return (struct nn_phase){first, nn_taps(kernel, first, stride), (phase + pad - first) / stride};
}
