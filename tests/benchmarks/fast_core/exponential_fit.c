/* A sum of three exponentials, by hand: residuals and Jacobian, and their normal equations. */
#include <math.h>

void normal_equations(long n, const double *x, const double *y, const double *b,
                      double *jtj, double *jtr)
{
    double a[6][6] = {{0}}, g[6] = {0};
    for (long i = 0; i < n; i++) {
        double e1 = exp(-b[1] * x[i]), e2 = exp(-b[3] * x[i]), e3 = exp(-b[5] * x[i]);
        double r = b[0] * e1 + b[2] * e2 + b[4] * e3 - y[i];
        double j[6] = {e1, -b[0] * x[i] * e1, e2, -b[2] * x[i] * e2, e3, -b[4] * x[i] * e3};
        for (int p = 0; p < 6; p++) {
            for (int q = 0; q <= p; q++)
                a[p][q] += j[p] * j[q];
            g[p] += j[p] * r;
        }
    }
    for (int p = 0; p < 6; p++) {
        for (int q = 0; q <= p; q++)
            jtj[6 * p + q] = jtj[6 * q + p] = a[p][q];
        jtr[p] = g[p];
    }
}

void residuals_and_jacobian(long n, const double *x, const double *y, const double *b,
                            double *r, double *jac)
{
    for (long i = 0; i < n; i++) {
        double e1 = exp(-b[1] * x[i]), e2 = exp(-b[3] * x[i]), e3 = exp(-b[5] * x[i]);
        r[i] = b[0] * e1 + b[2] * e2 + b[4] * e3 - y[i];
        jac[6 * i + 0] = e1;
        jac[6 * i + 1] = -b[0] * x[i] * e1;
        jac[6 * i + 2] = e2;
        jac[6 * i + 3] = -b[2] * x[i] * e2;
        jac[6 * i + 4] = e3;
        jac[6 * i + 5] = -b[4] * x[i] * e3;
    }
}
