/* Times compiled losses and plain C in turn. `main SECONDS` prints, for every work, its name and
 * size; then for every contender its distance from plain C; then, round by round, seconds of one
 * call of each.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixed.h"
#include "logistic.h"
#include "misra1a.h"
#include "plain.h"

enum { MOST = 5, FEWEST_ROUNDS = 15, MOST_ROUNDS = 501 };

/* Everything that one call needs; a contender is a function of this. */
typedef struct {
    int64_t n;
    const double *x, *y;
    const double (*X)[4];
    const int64_t *species;
    misra1a_data misra1a;
    logistic_data open;
    fixed_data fixed, trusted;
    void *work;
    int64_t room;
    double p[5], value, grad[5];
} state;

typedef struct {
    const char *name;
    void (*call)(state *);
} contender;

static void misra1a(state *s) {
    if (misra1a_value_and_grad(&s->misra1a, s->p, &s->value, s->grad, s->work, s->room)) exit(3);
}

static void misra1a_by_hand(state *s) { s->value = plain_misra1a(s->n, s->x, s->y, s->p, s->grad); }

static void misra1a_stable(state *s) {
    s->value = plain_misra1a_stable(s->n, s->x, s->y, s->p, s->grad);
}

static void logistic_open(state *s) {
    if (logistic_value_and_grad(&s->open, s->p, &s->value, s->grad, s->work, s->room)) exit(3);
}

static void logistic_fixed(state *s) {
    if (fixed_value_and_grad(&s->fixed, s->p, &s->value, s->grad, s->work, s->room)) exit(3);
}

static void logistic_trusted(state *s) {
    if (fixed_value_and_grad(&s->trusted, s->p, &s->value, s->grad, s->work, s->room)) exit(3);
}

static void logistic_by_hand(state *s) {
    s->value = plain_logistic(s->n, s->X, s->species, s->p, s->grad);
}

/* Of this process: others that run meanwhile do not count. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double timed(const contender *one, state *s, long calls) {
    double start = now();
    for (long k = 0; k < calls; k++) one->call(s);
    return (now() - start) / (double)calls;
}

/* As many calls as take a millisecond. */
static long enough(const contender *one, state *s) {
    long calls = 1;
    timed(one, s, 1);
    while (timed(one, s, calls) * (double)calls < 1e-3) calls *= 2;
    return calls;
}

static void measure(const char *work, state *s, const contender *all, int count, double seconds) {
    double value, grad[5], start = now();
    long calls[MOST];
    all[count - 1].call(s); /* by hand */
    value = s->value, memcpy(grad, s->grad, sizeof grad);
    printf("work %s %lld %d\n", work, (long long)s->n, count);
    for (int k = 0; k < count; k++) {
        double error = 0, size = 0;
        all[k].call(s);
        for (int j = 0; j < 5; j++) error = fmax(error, fabs(s->grad[j] - grad[j]));
        for (int j = 0; j < 5; j++) size = fmax(size, fabs(grad[j]));
        error = s->n ? fmax(error / size, fabs(s->value - value) / fabs(value)) : 0;
        printf("%.3e %s\n", error, all[k].name);
        calls[k] = enough(&all[k], s);
    }
    unsigned chance = 1;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        double taken[MOST];
        int order[MOST];
        for (int k = 0; k < count; k++) {
            chance = chance * 1664525u + 1013904223u;
            int other = (int)((chance >> 16) % (unsigned)(k + 1));
            order[k] = order[other], order[other] = k;
        }
        for (int k = 0; k < count; k++) taken[order[k]] = timed(&all[order[k]], s, calls[order[k]]);
        printf("round");
        for (int k = 0; k < count; k++) printf(" %.6e", taken[k]);
        printf("\n");
        if (round >= FEWEST_ROUNDS && now() - start > seconds) break;
    }
}

static double between(double low, double high) {
    return low + (high - low) * ((double)rand() / (double)RAND_MAX);
}

int main(int count, char **words) {
    const contender of_misra1a[] = {{"symopt", misra1a},
                                    {"plain C with expm1, as symopt has it", misra1a_stable},
                                    {"plain C", misra1a_by_hand}};
    const contender of_logistic[] = {{"symopt, d = 4 compiled in", logistic_fixed},
                                     {"the same, indices checked before", logistic_trusted},
                                     {"symopt, d open", logistic_open},
                                     {"plain C", logistic_by_hand}};
    const int64_t sizes[] = {0, 14, 1000, 100000};
    double seconds = count > 1 ? atof(words[1]) : 1;
    for (int k = 0; k < 4; k++) {
        int64_t n = sizes[k];
        double *x = malloc(8 * ((size_t)n + 1)), *y = malloc(8 * ((size_t)n + 1));
        double(*X)[4] = malloc(sizeof *X * ((size_t)n + 1));
        int64_t *species = malloc(8 * ((size_t)n + 1));
        state s = {.n = n, .x = x, .y = y, .X = (const double(*)[4])X, .species = species};
        for (int64_t i = 0; i < n; i++) {
            x[i] = between(70, 760), y[i] = 240 * (1 - exp(-5.5e-4 * x[i])) + between(-0.1, 0.1);
            for (int j = 0; j < 4; j++) X[i][j] = between(0, 8);
            species[i] = rand() % 3;
        }
        s.misra1a = (misra1a_data){.n = n, .x = x, .y = y};
        s.open = (logistic_data){.n = n, .d = 4, .X = X ? X[0] : NULL, .species = species};
        s.fixed = s.trusted = (fixed_data){.n = n, .X = X ? X[0] : NULL, .species = species};
        s.trusted.checked = 1;
        s.room = 1 << 20;
        s.work = malloc((size_t)s.room);
        s.p[0] = 500, s.p[1] = 1e-4;
        measure("misra1a", &s, of_misra1a, 3, seconds);
        s.p[0] = 0.1, s.p[1] = -0.2, s.p[2] = 0.3, s.p[3] = -0.1, s.p[4] = 0.05;
        if (n != 14) measure("logistic", &s, of_logistic, 4, seconds);
        free(x), free(y), free(X), free(species), free(s.work);
    }
    return 0;
}
