/** A right engine in JavaScript: what the checker must pass, and what the broken ones change. */

export class Value {
  constructor(data, parents = [], rule = () => {}) {
    this.data = data;
    this.grad = 0;
    this.parents = parents;
    this.rule = rule;
  }

  static of(x) {
    return x instanceof Value ? x : new Value(x);
  }

  /** A new node; `locals` are the derivatives with respect to its parents. */
  static node(data, parents, locals) {
    const out = new Value(data, parents);
    out.rule = () => parents.forEach((p, i) => { p.grad += locals[i] * out.grad; });
    return out;
  }

  add(other) {
    other = Value.of(other);
    return Value.node(this.data + other.data, [this, other], [1, 1]);
  }

  sub(other) {
    other = Value.of(other);
    return Value.node(this.data - other.data, [this, other], [1, -1]);
  }

  mul(other) {
    other = Value.of(other);
    return Value.node(this.data * other.data, [this, other], [other.data, this.data]);
  }

  div(other) {
    other = Value.of(other);
    const slope = -this.data / other.data ** 2;
    return Value.node(this.data / other.data, [this, other], [1 / other.data, slope]);
  }

  pow(n) {
    return Value.node(this.data ** n, [this], [n === 0 ? 0 : n * this.data ** (n - 1)]);
  }

  neg() {
    return Value.node(-this.data, [this], [-1]);
  }

  exp() {
    const y = Math.exp(this.data);
    return Value.node(y, [this], [y]);
  }

  log() {
    return Value.node(Math.log(this.data), [this], [1 / this.data]);
  }

  tanh() {
    const y = Math.tanh(this.data);
    return Value.node(y, [this], [1 - y * y]);
  }

  relu() {
    return Value.node(Math.max(0, this.data), [this], [this.data > 0 ? 1 : 0]);
  }

  sigmoid() {
    const y = 1 / (1 + Math.exp(-this.data));
    return Value.node(y, [this], [y * (1 - y)]);
  }

  /** Every node once, parents first, without recursion. */
  order() {
    const order = [], seen = new Map(), stack = [[this, false]];
    while (stack.length > 0) {
      const [v, ready] = stack.pop();
      if (ready) {
        order.push(v);
      } else if (!seen.has(v)) {
        seen.set(v, true);
        stack.push([v, true], ...v.parents.map((p) => [p, false]));
      }
    }
    return order;
  }

  backward() {
    const order = this.order();
    for (const v of order) if (v.parents.length > 0) v.grad = 0;
    this.grad += 1;
    for (const v of order.reverse()) v.rule();
  }

  zeroGrad() {
    this.grad = 0;
  }
}

export function add(a, b) {
  return Value.of(a).add(b);
}

export function mul(a, b) {
  return Value.of(a).mul(b);
}

export function softmax(xs) {
  const exps = xs.map((x) => x.exp());
  const total = exps.reduce(add);
  return exps.map((e) => e.div(total));
}
