#include <stdint.h>

double plain_misra1a(int64_t n, const double *x, const double *y, const double *b, double *grad);
double plain_misra1a_stable(int64_t n, const double *x, const double *y, const double *b,
                            double *grad);
double plain_logistic(int64_t n, const double X[][4], const int64_t *species, const double *p,
                      double *grad);
