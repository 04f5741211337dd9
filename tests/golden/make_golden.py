#!/usr/bin/python3
"""Writes the golden numbers of tests/engine with PyTorch (Debian: python3-torch).

    cd tests/golden && ./make_golden.py

tape.bin: for each case of tape_cases.c: its name (32 bytes), the number of floats (int32), and the
floats: outputs, loss, gradients of all parameters in order, running statistics after the step.
For large networks each gradient is its length and 8 of its numbers. optim.bin is the same with
weights after each step. Weights and inputs are not stored: both sides make them by pattern().
"""
import struct

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)


def pattern(count, seed):
    """Numbers in [-1, 1) that C and Python compute alike."""
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + seed * 97531) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    x ^= x >> 13
    return torch.from_numpy((x.astype(np.float64) / 2147483648.0 - 1.0).astype(np.float32))


def fill(model):
    norms = {id(p) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in [m.weight]}
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            v = pattern(p.numel(), i + 1).reshape(p.shape)
            if p.dim() > 1:
                v = v * (6.0 / (p.numel() / p.shape[0])) ** 0.5
            else:
                v = v * 0.2 + (1.0 if id(p) in norms else 0.0)
            p.copy_(v)
    return model.train()


def conv(i, o, k, s=1, p=0, d=1, g=1, bias=False):
    return nn.Conv2d(i, o, k, s, p, d, g, bias)


class Pad(nn.Module):
    def __init__(self, left, right, top, bottom, value=0.0):
        super().__init__()
        self.pads, self.value = (left, right, top, bottom), value

    def forward(self, x):
        return F.pad(x, self.pads, value=self.value)


class Heads(nn.Module):
    """A body, then one dense layer for each width."""

    def __init__(self, body, *widths):
        super().__init__()
        with torch.no_grad():
            features = body.eval()(torch.zeros(1, 3, 9, 7)).numel()
        self.body = body
        self.heads = nn.ModuleList([nn.Linear(features, w) for w in widths])

    def forward(self, x):
        x = torch.flatten(self.body(x), 1)
        return [h(x) for h in self.heads]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = conv(3, 20, 3, 1, 1), conv(20, 20, 3, 1, 1), conv(20, 20, 1)

    def forward(self, x):
        x = F.relu(self.a(x))
        y = F.relu(self.b(x) + x)
        return F.relu(self.c(y)) + y


class Excite(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.n = conv(3, 18, 3, 1, 1), nn.BatchNorm2d(18)
        self.down, self.up = conv(18, 4, 1, bias=True), conv(4, 18, 1, bias=True)

    def forward(self, x):
        x = self.n(self.a(x))
        g = torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        return x * g


class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = conv(3, 10, 3), conv(3, 13, 3), conv(23, 5, 3)

    def forward(self, x):
        return self.c(torch.cat([F.leaky_relu(self.a(x), 0.01), torch.tanh(self.b(x))], 1))


class Swish(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = conv(3, 6, 3), conv(6, 6, 3)

    def forward(self, x):
        x = self.a(x)
        x = x * torch.sigmoid(x)
        x = self.b(x)
        return x * F.relu6(x + 3) / 6


class XModule(nn.Module):
    def __init__(self, i, o, even):
        super().__init__()
        self.res = nn.Sequential(conv(i, o, 1, 2), nn.BatchNorm2d(o))
        pool = nn.MaxPool2d(3, 2, 0, ceil_mode=True) if even else nn.MaxPool2d(3, 2, 1)
        self.x = nn.Sequential(conv(i, i, 3, 1, 1, 1, i), conv(i, o, 1), nn.BatchNorm2d(o), nn.ReLU(),
                               conv(o, o, 3, 1, 1, 1, o), conv(o, o, 1), nn.BatchNorm2d(o), pool)

    def forward(self, x):
        return self.x(x) + self.res(x)


class Xception(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(conv(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 8, 3),
                                  nn.BatchNorm2d(8), nn.ReLU())
        self.m = nn.Sequential(XModule(8, 16, True), XModule(16, 32, True), XModule(32, 64, False),
                               XModule(64, 128, True))
        self.head = conv(128, 7, 3, 1, 1, bias=True)

    def forward(self, x):
        return [F.adaptive_avg_pool2d(self.head(self.m(self.base(x))), 1).flatten(1)]


def body(*layers):
    return nn.Sequential(*layers)


# name, model, images, input shape, loss options
CASES = [
    ("conv-same-relu", Heads(body(conv(3, 18, 3, 1, 1, bias=True), nn.ReLU(),
                                  conv(18, 17, 3, 1, 1, bias=True), nn.ReLU()), 4), {}),
    ("conv-stride", Heads(body(conv(3, 18, 3), Pad(1, 2, 1, 2), conv(18, 20, 5, 2)), 4), {}),
    ("conv-dilated", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 9, 3, 1, 2, 2)), 4), {}),
    ("conv-stride-dilated", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 9, 3, 2, 2, 2)), 4), {}),
    ("conv-groups", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 24, 3, 1, 1, 1, 6)), 4), {}),
    ("conv-skips", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 16, 2, 3)), 4), {}),
    ("conv-pointwise-2", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 33, 1, 2)), 4), {}),
    ("depthwise", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 18, 3, 1, 1, 1, 18)), 4), {}),
    ("depthwise-stride", Heads(body(conv(3, 18, 3, 1, 1), conv(18, 18, 3, 2, 1, 1, 18)), 4), {}),
    ("batchnorm", Heads(body(conv(3, 18, 3, 1, 1), nn.BatchNorm2d(18), nn.ReLU6(), conv(18, 4, 3),
                             nn.BatchNorm2d(4)), 4), {}),
    ("pools", Heads(body(conv(3, 18, 3, 1, 1), nn.MaxPool2d(3, 2, 1), conv(18, 8, 1),
                         nn.AvgPool2d(3, 1, 1, count_include_pad=False)), 4), {}),
    ("residual", Heads(Residual(), 4), {}),
    ("excite", Heads(Excite(), 4), {}),
    ("concat", Heads(Concat(), 4), {}),
    ("swish", Heads(Swish(), 4), {}),
    ("smoothing", Heads(conv(3, 5, 3), 4), dict(smoothing=0.1)),
    ("class-weights", Heads(conv(3, 5, 3), 4), dict(weights=[0.5, 2, 1, 3])),
    ("two-heads", Heads(conv(3, 5, 3), 4, 10), dict(soft=True)),
]


def losses(outputs, options):
    """Labels 1, 3, 0 ...; the second head has soft shares and counts half."""
    n = outputs[0].shape[0]
    labels = torch.tensor([(2 * i + 1) % outputs[0].shape[1] for i in range(n)])
    weights = torch.tensor(options["weights"], dtype=torch.float32) if "weights" in options else None
    loss = F.cross_entropy(outputs[0], labels, weight=weights,
                           label_smoothing=options.get("smoothing", 0.0))
    if options.get("soft"):
        shares = pattern(outputs[1].numel(), 77).reshape(outputs[1].shape).abs()
        shares = shares / shares.sum(1, keepdim=True)
        loss = loss + 0.5 * F.cross_entropy(outputs[1], shares)
    return loss


def sampled(g):
    at = [i * (g.numel() - 1) // 7 for i in range(8)]
    return torch.cat([g.norm().reshape(1), g.flatten()[at]])


def write(f, name, floats):
    f.write(name.encode().ljust(32, b"\0") + struct.pack("<i", floats.numel()))
    f.write(floats.detach().numpy().astype("<f4").tobytes())


def run(f, name, model, x, options, small):
    fill(model)
    outputs = model(x)
    loss = losses(outputs, options)
    loss.backward()
    parts = [o.flatten() for o in outputs] + [loss.reshape(1)]
    parts += [p.grad.flatten() if small else sampled(p.grad) for p in model.parameters()]
    stats = [b.flatten() for n, b in model.named_buffers() if "num_batches" not in n]
    parts += stats if small else [sampled(b) for b in stats]
    write(f, name, torch.cat(parts))


def optimizers():
    """A vector of 8 weights (two tensors: 2 x 3 and 2) with fixed gradients, five steps."""
    kinds = {
        "sgd": lambda g: torch.optim.SGD(g, 0.1, momentum=0.9, nesterov=True),
        "rmsprop": lambda g: torch.optim.RMSprop(g, 0.1, alpha=0.99),
        "adam": lambda g: torch.optim.Adam(g, 0.1),
        "adamw": lambda g: torch.optim.AdamW(g, 0.1),
    }
    for name, make in kinds.items():
        matrix = pattern(6, 1).reshape(2, 3).clone().requires_grad_()
        bias = pattern(2, 2).clone().requires_grad_()
        o = make([dict(params=[matrix], weight_decay=0.05), dict(params=[bias], weight_decay=0.0)])
        out = []
        for step in range(5):
            matrix.grad = pattern(6, 10 + step).reshape(2, 3).clone()
            bias.grad = pattern(2, 20 + step).clone()
            torch.nn.utils.clip_grad_norm_([matrix, bias], 1.0)
            o.step()
            out += [matrix.flatten().detach().clone(), bias.detach().clone()]
        yield name, torch.cat(out)


def main():
    with open("tape.bin", "wb") as f:
        for name, model, options in CASES:
            run(f, name, model, pattern(2 * 3 * 9 * 7, 0).reshape(2, 3, 9, 7), options, True)
        run(f, "xception38", Xception(), pattern(4 * 48 * 48, 0).reshape(4, 1, 48, 48), {}, False)
    with open("optim.bin", "wb") as f:
        for name, floats in optimizers():
            write(f, name, floats)


if __name__ == "__main__":
    main()
