/* Reprojection errors with the nine-parameter camera of BAL, and their Jacobian by hand: for every
 * observation two rows of twelve, nine columns of its camera and three of its point. */
#include <math.h>

static void cross(const double *a, const double *b, double *c)
{
    c[0] = a[1] * b[2] - a[2] * b[1];
    c[1] = a[2] * b[0] - a[0] * b[2];
    c[2] = a[0] * b[1] - a[1] * b[0];
}

/* y = rotation of x by w; dy_dw[i][j] its derivative by w; dy_dx[i][j] by x. */
static void rotate(const double *w, const double *x, double *y, double dy_dw[3][3],
                   double dy_dx[3][3])
{
    double wx[3];
    cross(w, x, wx);
    double square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
    if (square > 0) {
        double angle = sqrt(square), c = cos(angle), s = sin(angle);
        double a = s / angle, b = (1 - c) / square; /* y = c x + a (w × x) + b (w·x) w */
        double da = (c - a) / square, db = (a - 2 * b) / square; /* da/dw_j = da w_j, ... */
        double dot = w[0] * x[0] + w[1] * x[1] + w[2] * x[2];
        double by_angle[3];
        for (int i = 0; i < 3; i++) {
            y[i] = c * x[i] + a * wx[i] + b * dot * w[i];
            by_angle[i] = -a * x[i] + da * wx[i] + db * dot * w[i];
        }
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                dy_dw[i][j] = by_angle[i] * w[j] + b * x[j] * w[i];
                dy_dx[i][j] = b * w[i] * w[j];
            }
        for (int i = 0; i < 3; i++) {
            dy_dw[i][i] += b * dot;
            dy_dx[i][i] += c;
        }
        /* a d(w × x) */
        dy_dw[0][1] += a * x[2], dy_dw[0][2] -= a * x[1];
        dy_dw[1][0] -= a * x[2], dy_dw[1][2] += a * x[0];
        dy_dw[2][0] += a * x[1], dy_dw[2][1] -= a * x[0];
        dy_dx[0][1] -= a * w[2], dy_dx[0][2] += a * w[1];
        dy_dx[1][0] += a * w[2], dy_dx[1][2] -= a * w[0];
        dy_dx[2][0] -= a * w[1], dy_dx[2][1] += a * w[0];
    } else {
        double dw[3][3] = {{0, x[2], -x[1]}, {-x[2], 0, x[0]}, {x[1], -x[0], 0}};
        double dx[3][3] = {{1, -w[2], w[1]}, {w[2], 1, -w[0]}, {-w[1], w[0], 1}};
        for (int i = 0; i < 3; i++) {
            y[i] = x[i] + wx[i];
            for (int j = 0; j < 3; j++) {
                dy_dw[i][j] = dw[i][j];
                dy_dx[i][j] = dx[i][j];
            }
        }
    }
}

void residuals_and_blocks(long n, const long *cam, const long *pt, const double *obs,
                          const double *cameras, const double *points, double *residual,
                          double *jac)
{
    for (long o = 0; o < n; o++) {
        const double *camera = cameras + 9 * cam[o], *point = points + 3 * pt[o];
        double P[3], by_w[3][3], by_point[3][3];
        rotate(camera, point, P, by_w, by_point);
        for (int i = 0; i < 3; i++)
            P[i] += camera[3 + i];
        double f = camera[6], k1 = camera[7], k2 = camera[8];
        double p[2] = {-P[0] / P[2], -P[1] / P[2]};
        double r2 = p[0] * p[0] + p[1] * p[1];
        double bend = 1 + k1 * r2 + k2 * r2 * r2;
        double slope = 2 * (k1 + 2 * k2 * r2);
        /* derivatives of f bend p by p, then by P */
        double by_p[2][2] = {{f * (bend + slope * p[0] * p[0]), f * slope * p[0] * p[1]},
                             {f * slope * p[0] * p[1], f * (bend + slope * p[1] * p[1])}};
        for (int i = 0; i < 2; i++) {
            double *row = jac + 24 * o + 12 * i;
            residual[2 * o + i] = f * bend * p[i] - obs[2 * o + i];
            double by_P[3] = {-by_p[i][0] / P[2], -by_p[i][1] / P[2],
                              -(by_p[i][0] * p[0] + by_p[i][1] * p[1]) / P[2]};
            for (int j = 0; j < 3; j++) {
                row[j] = by_P[0] * by_w[0][j] + by_P[1] * by_w[1][j] + by_P[2] * by_w[2][j];
                row[3 + j] = by_P[j];
                row[9 + j] = by_P[0] * by_point[0][j] + by_P[1] * by_point[1][j]
                             + by_P[2] * by_point[2][j];
            }
            row[6] = bend * p[i];
            row[7] = f * r2 * p[i];
            row[8] = f * r2 * r2 * p[i];
        }
    }
}
