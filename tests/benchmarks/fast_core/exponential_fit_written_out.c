/* The normal equations with every sum a variable of its own, which lets the C compiler turn the
 * loop into vectors and call the vector exp of its library. */
#include <math.h>

void normal_equations(long n, const double *x, const double *y, const double *b,
                      double *jtj, double *jtr)
{
    double b1 = b[0], b2 = b[1], b3 = b[2], b4 = b[3], b5 = b[4], b6 = b[5];
    double a00 = 0, a10 = 0, a11 = 0, a20 = 0, a21 = 0, a22 = 0, a30 = 0, a31 = 0, a32 = 0, a33 = 0;
    double a40 = 0, a41 = 0, a42 = 0, a43 = 0, a44 = 0;
    double a50 = 0, a51 = 0, a52 = 0, a53 = 0, a54 = 0, a55 = 0;
    double g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0;
    for (long i = 0; i < n; i++) {
        double j0 = exp(-b2 * x[i]), j2 = exp(-b4 * x[i]), j4 = exp(-b6 * x[i]);
        double r = b1 * j0 + b3 * j2 + b5 * j4 - y[i];
        double j1 = -b1 * x[i] * j0, j3 = -b3 * x[i] * j2, j5 = -b5 * x[i] * j4;
        a00 += j0 * j0;
        a10 += j1 * j0, a11 += j1 * j1;
        a20 += j2 * j0, a21 += j2 * j1, a22 += j2 * j2;
        a30 += j3 * j0, a31 += j3 * j1, a32 += j3 * j2, a33 += j3 * j3;
        a40 += j4 * j0, a41 += j4 * j1, a42 += j4 * j2, a43 += j4 * j3, a44 += j4 * j4;
        a50 += j5 * j0, a51 += j5 * j1, a52 += j5 * j2, a53 += j5 * j3, a54 += j5 * j4;
        a55 += j5 * j5;
        g0 += j0 * r, g1 += j1 * r, g2 += j2 * r, g3 += j3 * r, g4 += j4 * r, g5 += j5 * r;
    }
    double a[6][6] = {{a00}, {a10, a11}, {a20, a21, a22}, {a30, a31, a32, a33},
                      {a40, a41, a42, a43, a44}, {a50, a51, a52, a53, a54, a55}};
    double g[6] = {g0, g1, g2, g3, g4, g5};
    for (int p = 0; p < 6; p++) {
        for (int q = 0; q <= p; q++)
            jtj[6 * p + q] = jtj[6 * q + p] = a[p][q];
        jtr[p] = g[p];
    }
}
