/* What a function says to data that cannot be, and that it writes nothing then. */
#include <stdio.h>

#include "logistic.h"

int main(void) {
    const double X[2][1] = {{0.5}, {-1.5}}, p[2] = {1, 0};
    const int64_t species[2] = {0, 3}; /* there are 0, 1 and 2 */
    double value = 42;
    logistic_data data = {.n = 2, .d = 1, .X = X[0], .species = species};
    int32_t status = logistic_value(&data, p, &value, NULL, 0);
    printf("%d: %s; value is still %g\n", (int)status, logistic_message(status), value);
    return 0;
}
