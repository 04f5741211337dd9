#!/usr/bin/python3
"""Writes the golden pairs of test_onnx_ops: small ONNX models with inputs and expected outputs.

    python3 make_onnx_ops.py [OUT_DIR]      (default: the folder of this script)

onnx_node.gz   the ONNX backend node tests (python3-onnx 1.12) of the operators we implement
onnx_hand.gz   what neither of the others asks for: written here, expected by numpy and PyTorch
onnx_torch.gz  small networks exported by PyTorch (python3-torch 1.13) with opsets 9 to 17

Run once; the tests read only the files. Format, little endian, gzip: magic "NNGOLD1\\n"; then
cases until the end: name, model (each u32 length + bytes), u32 inputs, tensors, u32 outputs,
tensors; a tensor is u32 rank, u32 dims[rank], float32 values whatever its type in the model.
"""
import gzip
import importlib
import os
import struct
import sys

import numpy as np
import onnx
from onnx import numpy_helper

MAX_VALUES = 20000  # a case above this is left out: the files stay small

# operator -> how many leading inputs stay inputs; the others become constants of the model
NODE_OPS = {
    'add': 2, 'sub': 2, 'mul': 2, 'div': 2, 'pow': 2, 'sqrt': 1, 'erf': 1, 'exp': 1, 'abs': 1,
    'neg': 1, 'log': 1, 'reciprocal': 1, 'elu': 1, 'softplus': 1,
    'max': 2, 'min': 2, 'reducemax': 1, 'reducemin': 1, 'expand': 1, 'matmul': 2, 'gemm': 1, 'conv': 1, 'convtranspose': 1, 'batchnorm': 1,
    'instancenorm': 1, 'layernormalization': 1, 'relu': 1, 'leakyrelu': 1, 'prelu': 1,
    'sigmoid': 1, 'tanh': 1, 'hardsigmoid': 1, 'hardswish': 1, 'clip': 1, 'softmax': 1,
    'logsoftmax': 1, 'maxpool': 1, 'averagepool': 1, 'globalaveragepool': 1, 'globalmaxpool': 1,
    'reducemean': 1, 'reducesum': 1, 'concat': 3, 'split': 1, 'slice': 1, 'pad': 1, 'flatten': 1,
    'reshape': 1, 'transpose': 1, 'squeeze': 1, 'unsqueeze': 1, 'resize': 1, 'identity': 1,
    'reduceprod': 1, 'reducel1': 1, 'reducel2': 1, 'reduce_log_sum': 1, 'reduce_log_sum_exp': 1,
    'reducesumsquare': 1, 'argmax': 1, 'argmin': 1, 'mean': 3, 'lrn': 1, 'selu': 1, 'celu': 1,
    'softsign': 1, 'thresholdedrelu': 1, 'sign': 1, 'round': 1, 'sin': 1, 'cos': 1, 'not': 1,
    'and': 2, 'or': 2, 'xor': 2, 'equal': 2, 'less': 2, 'greater': 2, 'less_equal': 2,
    'greater_equal': 2, 'where': 3, 'sum': 3, 'upsample': 1,
    'spacetodepth': 1, 'depthtospace': 1, 'tile': 1,
    'dropout': 1, 'constant': 0, 'gather': 1, 'quantizelinear': 1, 'dequantizelinear': 1,
}

# python3-onnx 1.12 divides by the unrounded size here, which ONNX Runtime and PyTorch do not
LEFT_OUT = {'test_resize_downsample_scales_linear_align_corners',
            'test_resize_downsample_scales_cubic_align_corners'}


def node_cases():
    np.float, np.int, np.bool = float, int, bool  # python3-onnx 1.12 with numpy 1.24
    from onnx.backend.test.case import node
    for module in NODE_OPS:
        before = len(node._NodeTestCases)
        importlib.import_module(f'onnx.backend.test.case.node.{module}')
        for case in node._NodeTestCases[before:]:
            yield case, NODE_OPS[module]


def usable(model, arrays):
    floats = (np.float32, np.uint8, np.int8, np.int64, np.bool_)
    g = model.graph
    return (all(isinstance(a, np.ndarray) for a in arrays)
            and sum(a.size for a in arrays) <= MAX_VALUES
            and all(o.type.tensor_type.elem_type in (1, 2, 3, 7, 9) for o in g.output)
            and (not g.input or g.input[0].type.tensor_type.elem_type in (1, 2, 3, 9))
            and not any('training' in a.name and a.i for n in g.node for a in n.attribute)
            and all(a.size for a in arrays) and arrays[-1].dtype in floats
            and not any(a.dtype in (np.uint32, np.uint64) for a in arrays)
            and model.graph.name not in LEFT_OUT)


def bind(model, inputs, keep):
    """Turns every input after the first `keep`, and every one that is not float, into a constant."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    del out.graph.input[:]
    kept = []
    for i, (info, value) in enumerate(zip(model.graph.input, inputs)):
        if i < keep and (value.dtype in (np.float32, np.bool_) or i == 0):
            out.graph.input.append(info)
            kept.append(value)
        else:
            out.graph.initializer.append(numpy_helper.from_array(value, info.name))
    return out, kept


def tensor(a):
    a = np.asarray(a)
    return (struct.pack('<I', a.ndim) + struct.pack(f'<{a.ndim}I', *a.shape)
            + np.ascontiguousarray(a, '<f4').tobytes())


def blob(b):
    return struct.pack('<I', len(b)) + b


def write(path, cases):
    names = set()
    with open(path, 'wb') as raw, gzip.GzipFile('', 'wb', 9, raw, mtime=0) as f:
        f.write(b'NNGOLD1\n')
        for name, model, inputs, outputs in cases:
            if name in names:
                continue
            names.add(name)
            f.write(blob(name.encode()) + blob(model.SerializeToString()))
            for group in (inputs, outputs):
                f.write(struct.pack('<I', len(group)) + b''.join(map(tensor, group)))
    print(path, len(names), 'cases', os.path.getsize(path), 'bytes')


def node_pairs():
    for case, keep in node_cases():
        inputs, outputs = case.data_sets[0]
        # outputs that repeat the input (Dropout's mask, MaxPool's indices) are optional: first only
        first_only = case.name.startswith(('test_dropout', 'test_maxpool', 'test_layer_norm'))
        if not usable(case.model, list(inputs) + list(outputs[:1])):
            continue
        model, kept = bind(case.model, inputs, keep)
        for opset in model.opset_import:
            opset.version = max(opset.version, 7)  # these operators did not change before
        if first_only and len(model.graph.node) == 1:
            del model.graph.output[1:], model.graph.node[0].output[1:]
            outputs = outputs[:1]
        if any(v.dtype not in (np.float32, np.uint8, np.int8, np.int64, np.bool_) for v in outputs):
            continue
        yield case.name, model, kept, outputs


def hand_pairs():
    from onnx import TensorProto, helper
    import torch

    rng = np.random.RandomState(5)

    def noise(*shape):
        return rng.randn(*shape).astype(np.float32)

    def model(nodes, x, opset=13, **constants):
        g = helper.make_graph(
            nodes, 'hand', [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
        return helper.make_model(g, opset_imports=[helper.make_opsetid('', opset)])

    def one(op, inputs, x, opset=13, **attributes):
        names = ['x'] + list(inputs)
        return model([helper.make_node(op, names, ['y'], **attributes)], x, opset, **inputs)

    for p in (1, 2):
        x = noise(2, 5, 3)
        y = x / np.linalg.norm(x, p, 1, keepdims=True)
        yield f'lp_normalization_{p}', one('LpNormalization', {}, x, axis=1, p=p), [x], [y]

    # without auto_pad the odd pixel that output_shape cuts is the first one
    x, w = noise(1, 2, 4, 5), noise(2, 3, 3, 3)
    full = torch.nn.functional.conv_transpose2d(torch.tensor(x), torch.tensor(w), stride=2).numpy()
    for auto_pad, at in (('NOTSET', 1), ('SAME_UPPER', 0), ('SAME_LOWER', 1)):
        m = one('ConvTranspose', {'w': w}, x, strides=[2, 2], output_shape=[8, 10],
                auto_pad=auto_pad)
        yield f'conv_transpose_shape_{auto_pad}', m, [x], [full[:, :, at:at + 8, at:at + 10]]

    # positions that fall on an edge: the arithmetic of float decides
    x = noise(1, 1, 5, 6)
    scales = np.array([1, 1, .6, 1.7], np.float32)
    for mode, rounding in (('floor', np.floor), ('ceil', np.ceil)):
        at = [np.clip(rounding((np.arange(int(n * s), dtype=np.float32) + np.float32(.5)) / s
                               - np.float32(.5)), 0, n - 1).astype(int)
              for n, s in zip(x.shape[2:], scales[2:])]
        m = one('Resize', {'none': np.zeros(0, np.float32), 's': scales}, x, mode='nearest',
                nearest_mode=mode)
        yield f'resize_edges_{mode}', m, [x], [x[:, :, at[0]][:, :, :, at[1]]]

    for a, b in (((3, 4), (4,)), ((2, 3, 4), (4,)), ((4,), (4, 5)), ((4,), (2, 4, 5)), ((4,), (4,))):
        x, c = noise(*a), noise(*b)
        name = f'matmul_vector_{len(a)}_{len(b)}'
        yield name, one('MatMul', {'c': c}, x), [x], [np.asarray(x @ c)]

    # few channels in the middle of a network: a blocked tensor is read with a border, unblocked
    x, w, v = noise(1, 8, 6, 7), noise(4, 8, 3, 3), noise(5, 4, 3, 3)
    y = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), padding=1)
    y = torch.nn.functional.conv2d(y, torch.tensor(v), padding=1).numpy()
    nodes = [helper.make_node('Conv', ['x', 'w'], ['t'], pads=[1, 1, 1, 1]),
             helper.make_node('Conv', ['t', 'v'], ['y'], pads=[1, 1, 1, 1])]
    yield 'few_channels_inside', model(nodes, x, w=w, v=v), [x], [y]

    # constants of the batch that an open one turns out to have
    x, c = noise(3, 4), noise(3, 4)
    for name, node, y in (('add', helper.make_node('Add', ['x', 'c'], ['y']), x + c),
                          ('concat', helper.make_node('Concat', ['c', 'x'], ['y'], axis=1),
                           np.concatenate([c, x], 1)),
                          ('stack', helper.make_node('Concat', ['x', 'c'], ['y'], axis=0),
                           np.concatenate([x, c], 0))):
        m = model([node], x, c=c)
        m.graph.input[0].type.tensor_type.shape.dim[0].dim_param = 'N'
        yield f'open_batch_{name}', m, [x], [y]

    x = noise(1, 3, 6, 6)  # the second output of MaxPool is there, and nobody reads it
    y = torch.nn.functional.max_pool2d(torch.tensor(x), 2).numpy()
    node = helper.make_node('MaxPool', ['x'], ['y', 'where'], kernel_shape=[2, 2], strides=[2, 2])
    yield 'maxpool_indices_unused', model([node], x), [x], [y]

    x = noise(2, 3).astype(np.float16).astype(np.float32)  # halves are computed as floats
    m = one('Neg', {}, x)
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    m.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    yield 'half_input', m, [x], [-x]

    # a small file of many small nodes with long names: structure is most of it
    x, nodes, last = noise(2, 3), [], 'x'
    for i in range(400):
        name = f'/features/features.{i}/conv/conv.{i}/Identity_output_0'
        nodes.append(helper.make_node('LeakyRelu', [last], [name], name=f'/f.{i}', alpha=1.))
        last = name
    nodes.append(helper.make_node('Neg', [last], ['y']))
    yield 'many_nodes', model(nodes, x), [x], [-x]


def torch_pairs():
    import io
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    class Squeeze(nn.Module):  # squeeze-and-excitation with hard activations
        def __init__(s):
            super().__init__()
            s.a, s.b = nn.Conv2d(3, 20, 3, 2, 1), nn.BatchNorm2d(20)
            s.dw = nn.Conv2d(20, 20, 5, 1, 2, groups=20)
            s.r, s.e = nn.Conv2d(20, 6, 1), nn.Conv2d(6, 20, 1)
            s.o = nn.Linear(20, 7)

        def forward(s, x):
            x = F.hardswish(s.b(s.a(x)))
            y = F.adaptive_avg_pool2d(s.dw(x), 1)
            x = x * F.hardsigmoid(s.e(F.relu(s.r(y))))
            return F.softmax(s.o(x.mean((2, 3))), 1)

    class Attention(nn.Module):  # patches, layer norm, one head of attention, gelu
        def __init__(s):
            super().__init__()
            s.p, s.n = nn.Conv2d(1, 24, 4, 4), nn.LayerNorm(24)
            s.qkv, s.o, s.h = nn.Linear(24, 72), nn.Linear(24, 24), nn.Linear(24, 7)

        def forward(s, x):
            t = s.p(x).flatten(2).transpose(1, 2)
            q, k, v = s.qkv(s.n(t)).chunk(3, -1)
            a = torch.softmax(q @ k.transpose(1, 2) / 24 ** .5, -1)
            t = t + F.gelu(s.o(a @ v))
            return F.log_softmax(s.h(t[:, 0]), -1)

    class Unet(nn.Module):  # down, up two ways, skip by concat, reflect pad, prelu
        def __init__(s):
            super().__init__()
            s.d, s.u = nn.Conv2d(1, 12, 3, 2, 1), nn.ConvTranspose2d(12, 8, 4, 2, 1)
            s.n, s.act = nn.InstanceNorm2d(12, affine=True), nn.PReLU(12)
            s.o = nn.Conv2d(8 + 12 + 1, 5, 3, dilation=2)

        def forward(s, x):
            d = s.act(s.n(s.d(x)))
            up = F.interpolate(d, scale_factor=2, mode='bilinear', align_corners=False)
            y = torch.cat((s.u(d), up, x), 1)
            return torch.tanh(s.o(F.pad(y, (1, 2, 2, 1), 'reflect')))

    class Shapes(nn.Module):  # reshape by shape arithmetic, channel shuffle, slices, clip
        def __init__(s):
            super().__init__()
            s.a, s.b = nn.Conv2d(1, 16, 3, 1, 1), nn.Conv2d(16, 32, 3, groups=4)

        def forward(s, x):
            x = torch.clamp(s.a(x), -0.5, 0.8)
            n, c, h, w = x.shape
            x = x.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
            y = F.leaky_relu(s.b(x), 0.2)
            y = y[:, ::2, 1:-1, :-2]
            a, b = torch.split(y, [6, 10], 1)
            return a.sum((2, 3)), torch.sqrt(b.pow(2).mean(1, keepdim=True) + 1e-3)

    class Residual(nn.Module):  # ceil-mode pools, average pool with pads, residual of three kinds
        def __init__(s):
            super().__init__()
            s.a, s.b = nn.Conv2d(1, 18, 3, bias=False), nn.BatchNorm2d(18)
            s.c, s.d = nn.Conv2d(18, 18, 3, 1, 1, bias=False), nn.BatchNorm2d(18)

        def forward(s, x):
            x = F.relu6(s.b(s.a(x)))
            y = F.relu(s.d(s.c(x)) + x)
            y = F.max_pool2d(y, 3, 2, ceil_mode=True) + F.max_pool2d(y, 3, 2, 0, ceil_mode=True)
            y = F.avg_pool2d(y, 3, 2, 1) * 0.5 - F.avg_pool2d(y, 3, 2, 1, count_include_pad=False)
            return torch.sigmoid(F.adaptive_max_pool2d(y, 1).flatten(1))

    # (opset 9 has no operator for PyTorch's interpolation: its export computes something else)
    class Branches(nn.Module):  # joined branches, swish, groups, gates, lone norms and sums
        def __init__(s):
            super().__init__()
            s.a, s.b, s.c = nn.Conv2d(1, 16, 3), nn.Conv2d(1, 16, 3), nn.Conv2d(1, 9, 3)
            s.n, s.g = nn.BatchNorm2d(41), nn.Conv2d(41, 32, 1)
            s.h, s.e = nn.Conv2d(32, 32, 3, 1, 1, groups=4), nn.Conv2d(32, 32, 1)

        def forward(s, x):
            x = F.relu(s.n(torch.cat((s.a(x), s.b(x), s.c(x)), 1)))
            x = F.silu(s.g(x))
            y = F.avg_pool2d(s.h(x), 2)
            z = torch.sigmoid(s.e(F.adaptive_avg_pool2d(y, 1)))
            y = F.relu(z * y - F.max_pool2d(x, 2)) + z
            return (y * y).mean((2, 3))

    shapes = {Squeeze: (3, 19, 17), Attention: (1, 16, 16), Unet: (1, 12, 16),
              Shapes: (1, 13, 11), Residual: (1, 22, 23),
              Branches: (1, 14, 12)}
    for net, chw in shapes.items():
        for opset in (9, 11, 13, 15, 17):
            if net is Unet and opset == 9:
                continue
            torch.manual_seed(opset)
            model = net().eval()
            for m in model.modules():
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.uniform_(m.running_var, .5, 2)
                    nn.init.normal_(m.running_mean)
            x, f = torch.randn(2, *chw), io.BytesIO()
            try:
                torch.onnx.export(model, x[:1], f, opset_version=opset, input_names=['input'],
                                  training=torch.onnx.TrainingMode.PRESERVE,
                                  do_constant_folding=opset % 4 == 1,
                                  dynamic_axes={'input': {0: 'N'}})
            except Exception as e:  # some layers need a newer opset
                print(net.__name__, opset, 'left out:', str(e).splitlines()[0][:80])
                continue
            with torch.no_grad():
                y = model.double()(x.double())
            y = [t.float().numpy() for t in (y if isinstance(y, tuple) else (y,))]
            yield f'{net.__name__.lower()}_opset{opset}', onnx.load_from_string(f.getvalue()), [x.numpy()], y


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    write(os.path.join(out, 'onnx_node.gz'), node_pairs())
    write(os.path.join(out, 'onnx_hand.gz'), hand_pairs())
    write(os.path.join(out, 'onnx_torch.gz'), torch_pairs())


if __name__ == '__main__':
    main()
