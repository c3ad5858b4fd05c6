/* Misra1a's gradient at NIST's first start from two threads, each with half of the observations. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "misra1a.h"

enum { OBSERVATIONS = 14, HALF = OBSERVATIONS / 2 };

static const double x[OBSERVATIONS] = {77.6,  114.9, 141.1, 190.8, 239.9, 289.0, 332.8,
                                       378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0};
static const double y[OBSERVATIONS] = {10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02,
                                       44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78};
static const double p[2] = {500, 1e-4};

typedef struct {
    misra1a_data data;
    double grad[2];
    int32_t status;
} half;

static void *run(void *argument) {
    half *mine = argument;
    int64_t size = misra1a_grad_workspace(&mine->data);
    void *work = size > 0 ? malloc((size_t)size) : NULL; /* this thread's own */
    mine->status = misra1a_grad(&mine->data, p, mine->grad, work, size);
    free(work);
    return NULL;
}

int main(void) {
    half halves[2] = {{.data = {.n = HALF, .x = x, .y = y}},
                      {.data = {.n = HALF, .x = x + HALF, .y = y + HALF}}};
    pthread_t threads[2];
    for (int k = 0; k < 2; k++)
        if (pthread_create(&threads[k], NULL, run, &halves[k])) return 1;
    for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
    for (int k = 0; k < 2; k++)
        if (halves[k].status != MISRA1A_OK) return 1;
    printf("%.6f %.2f\n", halves[0].grad[0] + halves[1].grad[0],
           halves[0].grad[1] + halves[1].grad[1]);
    return 0;
}
