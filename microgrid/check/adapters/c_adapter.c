/* The adapter for engines in C or C++, to copy and fill in (the protocol: README.md).
 *
 *     cc -DENGINE='"engine.c"' c_adapter.c -o adapter -lm
 *     microgrid check --command ./adapter
 *
 * It reads a request from left to right, as the checker writes it: the keys come in the order of
 * the protocol's page, and a loop reads its steps again and again. */
#include ENGINE
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fill in how your engine writes these. In a list, X(microgrid's name, your function). */
typedef Value *Node;
#define LEAF(number) value_new(number)
#define DATA(x) (x)->data
#define GRAD(x) (x)->grad
#define BACKWARD(x) value_backward(x)
#define OF_NODE(X) X(neg, value_neg) X(exp, value_exp) X(tanh, value_tanh) X(relu, value_relu)
#define OF_NODES(X) X(add, value_add) X(sub, value_sub) X(mul, value_mul) X(div, value_div)
#define OF_NODE_AND_NUMBER(X) X(power, value_pow)

typedef char Word[64];
typedef struct { double number; Node node; } Operand; /* a plain number has no node */
static struct { Word name; Node node; } kept[1000];
static int kept_count;
static const char *at, *failure; /* what is read next; the answer instead of numbers */
static jmp_buf failed;
static void fail(const char *answer) { failure = answer, longjmp(failed, 1); }
static char peek(void) {
    at += strspn(at, " ,:\n");
    return *at ? *at : (fail("\"absent\": \"the adapter cannot read it\""), 0);
}
static int comes(char c) { return peek() == c && at++; } /* then it is read */
static double read_number(void) { return peek(), strtod(at, (char **)&at); }
static char *read_word(Word word) {
    int n = comes('"') ? (int)strcspn(at, "\"") : (at = "", 0);
    snprintf(word, sizeof(Word), "%.*s", n, at);
    return at += n + (at[n] == '"'), word;
}

static Node *node_of(const char *name) { /* where the node of this name is kept */
    int i = 0;
    while (i < kept_count && i < 999 && strcmp(kept[i].name, name)) i++;
    if (i == kept_count) strcpy(kept[kept_count++].name, name);
    return &kept[i].node;
}

static Operand read_expression(void) {
    Operand f = {0, NULL}, xs[2] = {f, f};
    Word name, key;
    int n = 0;
    if (peek() == '"') return f.node = *node_of(read_word(name)), f;
    if (!comes('{')) return f.number = read_number(), f;
    if (!strcmp(read_word(key), "leaf")) {
        f.node = LEAF(read_number());
    } else {
        read_word(name), read_word(key);
        for (comes('['); !comes(']'); n++) xs[n > 0] = read_expression();
        int sort = !xs[0].node ? 0 : n < 2 ? 1 : xs[1].node ? 2 : 3;
#define ONE(ours, yours) APPLY(ours, 1, yours(xs[0].node))
#define TWO(ours, yours) APPLY(ours, 2, yours(xs[0].node, xs[1].node))
#define MIXED(ours, yours) APPLY(ours, 3, yours(xs[0].node, xs[1].number))
#define APPLY(ours, is, result) if (sort == is && !strcmp(name, #ours)) f.node = result; else
        OF_NODE(ONE) OF_NODES(TWO) OF_NODE_AND_NUMBER(MIXED) fail("\"absent\": \"not offered\"");
    }
    if (!f.node) fail("\"error\": \"NULL where a node belongs\", \"kind\": \"other\"");
    return comes('}'), f;
}

static void run_steps(void) {
    Word step, name, key;
    for (comes('['); !comes(']'); comes('}')) {
        comes('{');
        if (!strcmp(read_word(step), "backward")) {
            BACKWARD(read_expression().node);
        } else if (!strcmp(step, "repeat")) {
            int times = (int)read_number();
            const char *start = (read_word(key), at);
            while (times-- > 0) at = start, run_steps();
        } else if (!strcmp(step, "forget")) {
            for (comes('['); !comes(']');) *node_of(read_word(name)) = NULL;
        } else {
            Operand x = (read_word(name), read_word(key), read_expression());
            if (!strcmp(step, "set")) *node_of(name) = x.node;
            else if (!strcmp(step, "set data")) DATA(*node_of(name)) = x.number;
            else if (!strcmp(step, "set grad")) GRAD(*node_of(name)) = x.number;
        }
    }
}

int main(void) {
    static char line[1 << 20];
    FILE *answers = fdopen(dup(1), "w");
    dup2(2, 1); /* what the engine prints */
#define ABOUT_ONE(ours, yours) ",\"" #ours "\": {\"arity\": 1}"
#define ABOUT_TWO(ours, yours) ",\"" #ours "\": {\"arity\": 2}"
#define ABOUT_MIXED(ours, yours) ",\"" #ours "\": {\"arity\": 2, \"numbers\": \"right\"}"
    fprintf(answers, "{\"protocol\": 1, \"language\": \"C\", \"class\": \"Value\", \"offers\": "
            "[\"set data\", \"set grad\"], \"operations\": {%s}}\n",
            &(OF_NODE(ABOUT_ONE) OF_NODES(ABOUT_TWO) OF_NODE_AND_NUMBER(ABOUT_MIXED))[1]);
    for (; fflush(answers), fgets(line, sizeof line, stdin); fputs("}\n", answers)) {
        Word word;
        at = line, kept_count = 0, putc('{', answers);
        if (setjmp(failed)) { fputs(failure, answers); continue; }
        comes('{'), read_word(word), fprintf(answers, "\"id\": %d, ", (int)read_number());
        read_word(word), run_steps(), read_word(word), comes('[');
        for (const char *sign = "\"numbers\": ["; !comes(']'); sign = ", ") {
            int is_data = strstr(read_word(word), ".data") != NULL;
            Node x = *node_of(strtok(word, "."));
            double a = is_data ? DATA(x) : GRAD(x);
            fprintf(answers, isfinite(a) ? "%s%.17g" : "%s\"%g\"", sign, isnan(a) ? fabs(a) : a);
        }
        fputs("]", answers);
    }
}
