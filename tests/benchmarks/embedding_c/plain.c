/* The same losses by hand: one natural loop each, derivatives written out. */
#include <math.h>
#include <stdint.h>

#include "plain.h"

double plain_misra1a(int64_t n, const double *x, const double *y, const double *b, double *grad) {
    double sum = 0, by_b1 = 0, by_b2 = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = exp(-b[1] * x[i]), r = y[i] - b[0] * (1 - e);
        sum += r * r;
        by_b1 -= 2 * r * (1 - e);
        by_b2 -= 2 * r * b[0] * x[i] * e;
    }
    grad[0] = by_b1;
    grad[1] = by_b2;
    return sum;
}

/* The same with -expm1(z) for 1 - exp(z), which keeps its digits where b2 x is small. */
double plain_misra1a_stable(int64_t n, const double *x, const double *y, const double *b,
                            double *grad) {
    double sum = 0, by_b1 = 0, by_b2 = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = exp(-b[1] * x[i]), rest = -expm1(-b[1] * x[i]), r = y[i] - b[0] * rest;
        sum += r * r;
        by_b1 -= 2 * r * rest;
        by_b2 -= 2 * r * b[0] * x[i] * e;
    }
    grad[0] = by_b1;
    grad[1] = by_b2;
    return sum;
}

double plain_logistic(int64_t n, const double X[][4], const int64_t *species, const double *p,
                      double *grad) {
    double sum = 0, by_b = 0, by_w[4] = {0};
    for (int64_t i = 0; i < n; i++) {
        double y = species[i] == 1;
        double z = X[i][0] * p[0] + X[i][1] * p[1] + X[i][2] * p[2] + X[i][3] * p[3] + p[4];
        double e = exp(-fabs(z));
        double slope = (z > 0 ? 1 / (1 + e) : e / (1 + e)) - y;
        sum += fmax(z, 0) + log1p(e) - y * z;
        for (int k = 0; k < 4; k++) by_w[k] += slope * X[i][k];
        by_b += slope;
    }
    double square = 0;
    for (int k = 0; k < 4; k++) {
        square += p[k] * p[k];
        grad[k] = by_w[k] / n + 1e-3 * p[k];
    }
    grad[4] = by_b / n;
    return sum / n + 1e-3 / 2 * square;
}
