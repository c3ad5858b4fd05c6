/* Calls that have to be refused, of examples/logistic/logistic.sym: each returns its status and leaves
 * results and workspace as they were. Prints what is not so.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loss.h"

enum { N = 4, D = 2, P = D + 1, FUNCTIONS = 8, PATTERN = 0xA5 };

typedef struct {
    double value, grad[P], hvp[P], hess[P * P], residuals[N], jac[N * P], curvature[P * P];
} results;

static const double X[N][D] = {{1, 2}, {-1, 0.5}, {0.25, -2}, {3, 1}}, good[P] = {0.5, -1, 0.25};
static const int64_t kinds[N] = {0, 1, 2, 1};
static const loss_data fine = {.d = D, .n = N, .X = X[0], .species = kinds};
static results out, before;
static unsigned char *work, *work_before;
static int64_t room;
static int failures, tried;

static int32_t call(int which, const loss_data *data, const double *p, void *w, int64_t size) {
    switch (which) {
    case 0: return loss_value(data, p, &out.value, w, size);
    case 1: return loss_grad(data, p, out.grad, w, size);
    case 2: return loss_value_and_grad(data, p, &out.value, out.grad, w, size);
    case 3: return loss_hvp(data, p, good, out.hvp, w, size);
    case 4: return loss_hess(data, p, out.hess, w, size);
    case 5: return loss_residuals(data, p, out.residuals, w, size);
    case 6: return loss_jac(data, p, out.jac, w, size);
    default: return loss_gauss_newton(data, p, out.curvature, out.grad, w, size);
    }
}

static int64_t needed(int which, const loss_data *data) {
    switch (which) {
    case 0: return loss_value_workspace(data);
    case 1: return loss_grad_workspace(data);
    case 2: return loss_value_and_grad_workspace(data);
    case 3: return loss_hvp_workspace(data);
    case 4: return loss_hess_workspace(data);
    case 5: return loss_residuals_workspace(data);
    case 6: return loss_jac_workspace(data);
    default: return loss_gauss_newton_workspace(data);
    }
}

/* Whether a call returned what it should and wrote nothing since the last time. */
static void expect(int32_t found, int32_t wanted, int line, int which) {
    int touched = memcmp(&out, &before, sizeof out) || memcmp(work, work_before, (size_t)room);
    tried++;
    if (found == wanted && !touched) return;
    failures++;
    printf("line %d, function %d: %s, not %s%s\n", line, which, loss_message(found),
           loss_message(wanted), touched ? ", and something was written" : "");
    memcpy(&out, &before, sizeof out);
    memcpy(work, work_before, (size_t)room);
}

#define EXPECT(call, status) expect(call, status, __LINE__, k)

static void of_data(int k) {
    loss_data bad = fine;
    int64_t wrong[N] = {0, 1, 2, 3};
    EXPECT(call(k, NULL, good, work, room), LOSS_NULL);
    bad.X = NULL;
    EXPECT(call(k, &bad, good, work, room), LOSS_NULL);
    bad = fine, bad.species = NULL;
    EXPECT(call(k, &bad, good, work, room), LOSS_NULL);
    EXPECT(loss_check(&bad), LOSS_NULL);
    bad = fine, bad.n = -1;
    EXPECT(call(k, &bad, good, work, room), LOSS_NEGATIVE);
    EXPECT(loss_check(&bad), LOSS_NEGATIVE);
    EXPECT((int32_t)-needed(k, &bad), LOSS_NEGATIVE);
    bad = fine, bad.d = INT64_MIN;
    EXPECT(call(k, &bad, good, work, room), LOSS_NEGATIVE);
    bad = fine, bad.n = INT64_MAX;
    EXPECT(call(k, &bad, good, work, room), LOSS_TOO_LARGE);
    EXPECT(loss_check(&bad), LOSS_TOO_LARGE);
    bad = fine, bad.d = (int64_t)1 << 61, bad.n = 8; /* times n: 0 in 64 bits */
    EXPECT(call(k, &bad, good, work, room), LOSS_TOO_LARGE);
    EXPECT((int32_t)-needed(k, &bad), LOSS_TOO_LARGE);
    bad = fine, bad.species = wrong;
    EXPECT(call(k, &bad, good, work, room), LOSS_INDEX);
    EXPECT(loss_check(&bad), LOSS_INDEX);
    wrong[3] = 0, wrong[0] = -1;
    EXPECT(call(k, &bad, good, work, room), LOSS_INDEX);
    wrong[0] = INT64_MIN;
    EXPECT(call(k, &bad, good, work, room), LOSS_INDEX);
    bad.checked = 1; /* is not believed by this one */
    EXPECT(loss_check(&bad), LOSS_INDEX);
}

static void of_arguments(int k) {
    EXPECT(call(k, &fine, NULL, work, room), LOSS_NULL);
    int64_t size = needed(k, &fine);
    if (size > 0) {
        EXPECT(call(k, &fine, good, work, size - 1), LOSS_WORKSPACE);
        EXPECT(call(k, &fine, good, work, -1), LOSS_WORKSPACE);
        EXPECT(call(k, &fine, good, NULL, room), LOSS_WORKSPACE);
    }
    /* The parameters lie where the result goes. */
    const double *places[] = {&out.value,  out.grad,      out.grad, out.hvp,
                              out.hess,    out.residuals, out.jac,  out.curvature};
    EXPECT(call(k, &fine, places[k], work, room), LOSS_OVERLAP);
    loss_data bad = fine;
    bad.X = places[k];
    EXPECT(call(k, &bad, good, work, room), LOSS_OVERLAP);
}

static void of_results(void) {
    int k = -1;
    EXPECT(loss_value(&fine, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_grad(&fine, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_value_and_grad(&fine, good, NULL, out.grad, work, room), LOSS_NULL);
    EXPECT(loss_value_and_grad(&fine, good, &out.value, NULL, work, room), LOSS_NULL);
    EXPECT(loss_value_and_grad(&fine, good, &out.grad[1], out.grad, work, room), LOSS_OVERLAP);
    EXPECT(loss_hvp(&fine, good, NULL, out.hvp, work, room), LOSS_NULL);
    EXPECT(loss_hvp(&fine, good, out.hvp, out.hvp, work, room), LOSS_OVERLAP);
    EXPECT(loss_hvp(&fine, good, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_hess(&fine, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_residuals(&fine, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_jac(&fine, good, NULL, work, room), LOSS_NULL);
    EXPECT(loss_gauss_newton(&fine, good, NULL, out.grad, work, room), LOSS_NULL);
    EXPECT(loss_gauss_newton(&fine, good, out.curvature, NULL, work, room), LOSS_NULL);
    EXPECT(loss_gauss_newton(&fine, good, out.curvature, out.curvature + 8, work, room), LOSS_OVERLAP);
    EXPECT((int32_t)-loss_n(NULL), LOSS_NULL);
    EXPECT((int32_t)-loss_m(NULL), LOSS_NULL);
    EXPECT(loss_check(NULL), LOSS_NULL);
}

/* Results that are not finite are refused where that is asked for, after they were written. */
static void of_numbers(int k) {
    const double holes[N][D] = {{1, 2}, {-1, NAN}, {0.25, -2}, {3, 1}};
    loss_data asked = fine;
    asked.X = holes[0];
    for (asked.finite = 0; asked.finite < 2; asked.finite++) {
        tried++;
        int32_t found = call(k, &asked, good, work, room);
        if (found != (asked.finite ? LOSS_NONFINITE : LOSS_OK)) {
            failures++;
            printf("function %d, finite %d: %s\n", k, (int)asked.finite, loss_message(found));
        }
    }
}

int main(void) {
    for (int k = 0; k < FUNCTIONS; k++) room = needed(k, &fine) > room ? needed(k, &fine) : room;
    work = malloc((size_t)room + 1), work_before = malloc((size_t)room + 1);
    if (work == NULL || work_before == NULL) return 2;
    memset(&out, PATTERN, sizeof out), memset(&before, PATTERN, sizeof before);
    memset(work, PATTERN, (size_t)room), memset(work_before, PATTERN, (size_t)room);
    for (int k = 0; k < FUNCTIONS; k++) of_data(k), of_arguments(k);
    of_results();
    for (int k = 0; k < FUNCTIONS; k++) of_numbers(k);
    printf("%d tried, %d wrong, workspace %d\n", tried, failures, room > 0);
    free(work), free(work_before);
    return failures > 0;
}
