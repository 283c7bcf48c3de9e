/* A right engine in C: functions, no operators; each node keeps its parents and their slopes. */
#include <math.h>
#include <stdlib.h>

typedef struct Value Value;
struct Value {
    double data, grad;
    Value *parents[2];
    double slopes[2];
    int waiting; /* uses that have not sent their shares */
    int seen;
};

static Value *value_make(double data, Value *a, double da, Value *b, double db) {
    Value *v = calloc(1, sizeof *v);
    *v = (Value){data, 0, {a, b}, {da, db}, 0, 0};
    return v;
}

Value *value_new(double x) { return value_make(x, NULL, 0, NULL, 0); }
Value *value_add(Value *a, Value *b) { return value_make(a->data + b->data, a, 1, b, 1); }
Value *value_sub(Value *a, Value *b) { return value_make(a->data - b->data, a, 1, b, -1); }
Value *value_mul(Value *a, Value *b) {
    return value_make(a->data * b->data, a, b->data, b, a->data);
}
Value *value_div(Value *a, Value *b) {
    double y = a->data / b->data;
    return value_make(y, a, 1 / b->data, b, -y / b->data);
}
Value *value_pow(Value *a, double n) {
    double slope = n == 0 ? 0 : n * pow(a->data, n - 1);
    return value_make(pow(a->data, n), a, slope, NULL, 0);
}
Value *value_neg(Value *a) { return value_make(-a->data, a, -1, NULL, 0); }
Value *value_exp(Value *a) { return value_make(exp(a->data), a, exp(a->data), NULL, 0); }
Value *value_tanh(Value *a) {
    double y = tanh(a->data);
    return value_make(y, a, 1 - y * y, NULL, 0);
}
Value *value_relu(Value *a) {
    return value_make(a->data > 0 ? a->data : 0, a, a->data > 0, NULL, 0);
}

static Value **stack;
static size_t room, height;

static void push(Value *v) {
    if (height == room) stack = realloc(stack, (room = 2 * room + 64) * sizeof *stack);
    stack[height++] = v;
}

/* Counts the uses of each node below, without recursion; leaves keep their gradients. */
static void count(Value *root) {
    height = 0;
    root->seen = 1;
    push(root);
    while (height) {
        Value *v = stack[--height];
        if (v->parents[0]) v->grad = 0;
        for (int i = 0; i < 2; i++) {
            Value *p = v->parents[i];
            if (!p) continue;
            p->waiting++;
            if (!p->seen) p->seen = 1, push(p);
        }
    }
}

void value_backward(Value *root) {
    count(root);
    root->grad += 1;
    push(root);
    while (height) {
        Value *v = stack[--height];
        v->seen = 0;
        for (int i = 0; i < 2; i++) {
            Value *p = v->parents[i];
            if (!p) continue;
            p->grad += v->slopes[i] * v->grad;
            if (--p->waiting == 0) push(p);
        }
    }
}
