/* Logistic regression on the irises: gradient descent with the steps of Barzilai and Borwein. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "logistic.h"

int main(void) {
    double X[150][4], p[5] = {0}, grad[5], before[5] = {0}, loss, step = 0.01, largest = 1;
    int64_t species[150], n = 0;
    int kind, calls = 0, status = scanf("%*[^\n]"); /* passes over the names of the columns */
    for (; n < 150; species[n++] = kind)
        if (scanf("%lf,%lf,%lf,%lf,%d", X[n], X[n] + 1, X[n] + 2, X[n] + 3, &kind) < 5) break;

    logistic_data data = {.n = n, .d = 4, .X = X[0], .species = species, .finite = 1};
    int64_t size = logistic_value_and_grad_workspace(&data);
    void *work = size > 0 ? malloc((size_t)size) : NULL;
    while (largest > 1e-9 && calls++ < 1000) {
        status = logistic_value_and_grad(&data, p, &loss, grad, work, size);
        if (status != LOGISTIC_OK) return fprintf(stderr, "%s\n", logistic_message(status)), 1;
        double sy = largest = 0, yy = 0; /* s is the last step, y what the gradient changed by */
        for (int k = 0; k < 5; before[k] = grad[k], k++) {
            sy += -step * before[k] * (grad[k] - before[k]);
            yy += (grad[k] - before[k]) * (grad[k] - before[k]);
            largest = fmax(largest, fabs(grad[k]));
        }
        if (sy > 0) step = sy / yy;
        for (int k = 0; k < 5; k++) p[k] -= step * grad[k];
    }
    free(work);
    printf("loss %.10f after %d calls\n", loss, calls);
    printf("w = %.6f %.6f %.6f %.6f, b = %.6f\n", p[0], p[1], p[2], p[3], p[4]);
    return largest > 1e-9;
}
