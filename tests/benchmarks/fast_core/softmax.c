/* Softmax regression by hand: mean cross-entropy and its gradient. */
#include <math.h>

enum { D = 20, K = 10 };

double loss_and_gradient(long n, const double *X, const long *label, const double *W,
                         const double *b, double *gW, double *gb)
{
    double loss = 0;
    for (int i = 0; i < D * K; i++)
        gW[i] = 0;
    for (int k = 0; k < K; k++)
        gb[k] = 0;
    for (long i = 0; i < n; i++) {
        const double *x = X + D * i;
        double z[K], largest, sum = 0;
        for (int k = 0; k < K; k++)
            z[k] = b[k];
        for (int j = 0; j < D; j++)
            for (int k = 0; k < K; k++)
                z[k] += x[j] * W[K * j + k];
        largest = z[0];
        for (int k = 1; k < K; k++)
            if (z[k] > largest)
                largest = z[k];
        double chosen = z[label[i]];
        for (int k = 0; k < K; k++) {
            z[k] = exp(z[k] - largest);
            sum += z[k];
        }
        loss += largest + log(sum) - chosen;
        for (int k = 0; k < K; k++)
            z[k] /= sum;
        z[label[i]] -= 1;
        for (int k = 0; k < K; k++)
            gb[k] += z[k];
        for (int j = 0; j < D; j++)
            for (int k = 0; k < K; k++)
                gW[K * j + k] += x[j] * z[k];
    }
    for (int i = 0; i < D * K; i++)
        gW[i] /= n;
    for (int k = 0; k < K; k++)
        gb[k] /= n;
    return loss / n;
}
