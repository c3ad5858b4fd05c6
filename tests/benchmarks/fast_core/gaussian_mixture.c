/* ADBench's Gaussian mixture by hand: the log posterior and its gradient. The factor of component k
 * is row k of `factor`: d logarithms of a diagonal, then the lower triangle column by column. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double log_gamma_distrib(double a, long p)
{
    double out = 0.25 * p * (p - 1) * log(3.14159265358979323846);
    for (long j = 1; j <= p; j++)
        out += lgamma(a + 0.5 * (1 - j));
    return out;
}

double value_and_gradient(long n, long d, long K, const double *x, const double *alpha,
                          const double *mu, const double *factor, double gamma, double m,
                          double *g_alpha, double *g_mu, double *g_factor)
{
    long q = d * (d + 1) / 2;
    double *diagonal = malloc(K * d * sizeof(double)), *logdet = calloc(K, sizeof(double));
    double *centred = malloc(K * d * sizeof(double)), *Qx = malloc(K * d * sizeof(double));
    double *term = malloc(K * sizeof(double)), *back = malloc(d * sizeof(double));
    double value = 0;

    memset(g_alpha, 0, K * sizeof(double));
    memset(g_mu, 0, K * d * sizeof(double));
    memset(g_factor, 0, K * q * sizeof(double));
    for (long k = 0; k < K; k++)
        for (long a = 0; a < d; a++) {
            diagonal[k * d + a] = exp(factor[k * q + a]);
            logdet[k] += factor[k * q + a];
        }

    for (long i = 0; i < n; i++) {
        double largest = -INFINITY, sum = 0;
        for (long k = 0; k < K; k++) {
            const double *lower = factor + k * q + d;
            double *c = centred + k * d, *u = Qx + k * d, square = 0;
            for (long a = 0; a < d; a++)
                c[a] = x[i * d + a] - mu[k * d + a];
            for (long a = 0; a < d; a++)
                u[a] = diagonal[k * d + a] * c[a];
            for (long b = 0, at = 0; b < d; b++)
                for (long a = b + 1; a < d; a++, at++)
                    u[a] += lower[at] * c[b];
            for (long a = 0; a < d; a++)
                square += u[a] * u[a];
            term[k] = alpha[k] + logdet[k] - 0.5 * square;
            if (term[k] > largest)
                largest = term[k];
        }
        for (long k = 0; k < K; k++) {
            term[k] = exp(term[k] - largest);
            sum += term[k];
        }
        value += largest + log(sum);
        for (long k = 0; k < K; k++) {
            double weight = term[k] / sum;
            const double *lower = factor + k * q + d;
            const double *c = centred + k * d, *u = Qx + k * d;
            double *g = g_factor + k * q;
            g_alpha[k] += weight;
            for (long a = 0; a < d; a++) {
                back[a] = diagonal[k * d + a] * u[a];
                g[a] += weight * (1 - u[a] * diagonal[k * d + a] * c[a]);
            }
            for (long b = 0, at = 0; b < d; b++)
                for (long a = b + 1; a < d; a++, at++) {
                    back[b] += lower[at] * u[a];
                    g[d + at] -= weight * u[a] * c[b];
                }
            for (long a = 0; a < d; a++)
                g_mu[k * d + a] += weight * back[a];
        }
    }

    double largest = alpha[0], sum = 0;
    for (long k = 1; k < K; k++)
        if (alpha[k] > largest)
            largest = alpha[k];
    for (long k = 0; k < K; k++)
        sum += exp(alpha[k] - largest);
    value -= n * (largest + log(sum)) + 0.5 * n * d * log(2 * 3.14159265358979323846);
    double freedom = d + m + 1;
    for (long k = 0; k < K; k++) {
        double squares = 0;
        g_alpha[k] -= n * exp(alpha[k] - largest) / sum;
        for (long a = 0; a < d; a++) {
            double e = diagonal[k * d + a];
            squares += e * e;
            g_factor[k * q + a] += gamma * gamma * e * e - m;
        }
        for (long c = d; c < q; c++) {
            double l = factor[k * q + c];
            squares += l * l;
            g_factor[k * q + c] += gamma * gamma * l;
        }
        value += 0.5 * gamma * gamma * squares - m * logdet[k];
    }
    value -= K * (freedom * d * (log(gamma) - 0.5 * log(2)) - log_gamma_distrib(0.5 * freedom, d));

    free(diagonal), free(logdet), free(centred), free(Qx), free(term), free(back);
    return value;
}
