"""A client of a small engine: the training loop of microGPT, in our words, on scalars alone."""

import random

from engine import Value

NAMES = ["ada", "alan", "emmy", "grace", "kurt", "maryam"]
LETTERS = sorted(set("".join(NAMES)))
END = len(LETTERS)
WIDTH, HEADS, PLACES = 8, 2, 8
draw = random.Random(4)


def weights(rows, columns):
    return [[Value(draw.gauss(0, 0.08)) for _ in range(columns)] for _ in range(rows)]


W = {name: weights(END + 1, WIDTH) for name in ("token", "head")}
W |= {name: weights(WIDTH, WIDTH) for name in ("query", "key", "value", "out")}
W |= {"place": weights(PLACES, WIDTH), "up": weights(4 * WIDTH, WIDTH)}
W["down"] = weights(WIDTH, 4 * WIDTH)
parameters = [p for matrix in W.values() for row in matrix for p in row]


def linear(x, rows):
    return [sum(w * a for w, a in zip(row, x)) for row in rows]


def softmax(scores):
    top = max(score.data for score in scores)
    exps = [(score - top).exp() for score in scores]
    scale = sum(exps)
    return [e / scale for e in exps]


def normed(x):
    scale = (sum(a * a for a in x) / len(x) + 1e-5) ** -0.5
    return [a * scale for a in x]


def attended(x, keys, values):
    """What the letters so far have to say to this one."""
    query = linear(x, W["query"])
    keys.append(linear(x, W["key"]))
    values.append(linear(x, W["value"]))
    size = WIDTH // HEADS
    heads = []
    for first in range(0, WIDTH, size):
        part = slice(first, first + size)
        scores = [sum(q * k for q, k in zip(query[part], key[part])) / size**0.5 for key in keys]
        shares = softmax(scores)
        heads += [sum(s * v[i] for s, v in zip(shares, values)) for i in range(first, first + size)]
    return linear(heads, W["out"])


def logits(token, place, keys, values):
    x = normed([a + b for a, b in zip(W["token"][token], W["place"][place])])
    x = [a + b for a, b in zip(x, attended(normed(x), keys, values))]
    inner = [a.relu() for a in linear(normed(x), W["up"])]
    x = [a + b for a, b in zip(x, linear(inner, W["down"]))]
    return linear(x, W["head"])


losses = []
first, second = [0.0] * len(parameters), [0.0] * len(parameters)
for step in range(STEPS):  # noqa: F821
    tokens = [END, *[LETTERS.index(c) for c in NAMES[step % len(NAMES)]], END]
    keys, values, terms = [], [], []
    for place in range(len(tokens) - 1):
        probabilities = softmax(logits(tokens[place], place, keys, values))
        terms.append(-probabilities[tokens[place + 1]].log())
    loss = (1 / len(terms)) * sum(terms)
    loss.backward()
    rate = 0.01 * (1 - step / STEPS)  # noqa: F821
    for i, p in enumerate(parameters):  # Adam
        first[i] = 0.85 * first[i] + 0.15 * p.grad
        second[i] = 0.99 * second[i] + 0.01 * p.grad**2
        mean = first[i] / (1 - 0.85 ** (step + 1))
        square = second[i] / (1 - 0.99 ** (step + 1))
        p.data -= rate * mean / (square**0.5 + 1e-8)
        p.grad = 0
    losses.append(loss.data)
