/* Runs every function of a loss on cases from a file and prints statuses and results.
 *
 * `loss_calls.h` is written for each loss (tests/support/c_driver.py). Arrays are exactly as long as
 * they have to be, so that memory checkers see what is read or written beyond them:
 *   heap     each is an allocation of its own; the workspace begins at an odd address
 *   ends     each ends where a protected page begins
 *   begins   each begins where a protected page ends
 *   threads  as heap, from two threads at once, several times, all of which must print the same
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loss_calls.h"

enum { PAGE = 4096, REPEATS = 8, PATTERN = 0xA5 };

static enum { HEAP, ENDS, BEGINS } mode;
static unsigned char *cases;

/* Room for an array, and what has to be given back. */
typedef struct {
    void *start, *whole;
    size_t length;
} room;

static void fail(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    exit(2);
}

static room make(int64_t size, int odd) {
    room made = {0};
    if (mode == HEAP) {
        made.whole = malloc((size_t)size + (size_t)odd);
        if (made.whole == NULL) fail("no memory");
        made.start = (char *)made.whole + odd;
        return made;
    }
    size_t pages = ((size_t)size + PAGE - 1) / PAGE;
    made.length = (pages + 2) * PAGE;
    made.whole = mmap(NULL, made.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made.whole == MAP_FAILED) fail("no pages");
    char *first = (char *)made.whole + PAGE;
    if (pages > 0 && mprotect(first, pages * PAGE, PROT_READ | PROT_WRITE)) fail("no access");
    made.start = mode == BEGINS ? first : first + pages * PAGE - size;
    return made;
}

static void give_back(room made) {
    if (mode == HEAP)
        free(made.whole);
    else
        munmap(made.whole, made.length);
}

/* ── cases: numbers, and arrays with their length in bytes before them; -1 is null ───────────── */

static int64_t number(unsigned char **at) {
    int64_t found;
    memcpy(&found, *at, sizeof found);
    *at += sizeof found;
    return found;
}

static room array(unsigned char **at) {
    int64_t size = number(at);
    room found = {0};
    if (size < 0) return found;
    found = make(size, 0);
    memcpy(found.start, *at, (size_t)size);
    *at += size;
    return found;
}

/* ── calls ──────────────────────────────────────────────────────────────────────────────────── */

static void show(FILE *out, const void *start, int64_t count, int single) {
    for (int64_t k = 0; k < count; k++)
        fprintf(out, " %a", single ? (double)((const float *)start)[k] : ((const double *)start)[k]);
}

static void call(FILE *out, const function *one, const data *given, room *inputs,
                 unsigned char **at) {
    room outputs[MOST_OUTPUTS], work = {0};
    void *arguments[MOST_INPUTS + MOST_OUTPUTS];
    int64_t counts[MOST_OUTPUTS], size = one->workspace(given);
    for (int k = 0; k < one->inputs; k++) arguments[k] = inputs[one->input[k]].start;
    for (int k = 0; k < one->outputs; k++) {
        counts[k] = number(at);
        int64_t bytes = counts[k] * (one->number[k] ? (int64_t)sizeof(double) : (int64_t)sizeof(real));
        outputs[k] = make(bytes, 0);
        memset(outputs[k].start, PATTERN, (size_t)bytes);
        arguments[one->inputs + k] = outputs[k].start;
    }
    if (size > 0) {
        work = make(size, 1);
        memset(work.start, PATTERN, (size_t)size);
    }
    int32_t status = size < 0 ? (int32_t)-size : one->call(given, arguments, work.start, size);
    fprintf(out, "%s %d\n", one->name, (int)status);
    for (int k = 0; k < one->outputs; k++) {
        if (status == 0) {
            fprintf(out, " ");
            show(out, outputs[k].start, counts[k], sizeof(real) == sizeof(float) && !one->number[k]);
            fprintf(out, "\n");
        }
        give_back(outputs[k]);
    }
    if (size > 0) give_back(work);
}

static void run(FILE *out) {
    unsigned char *at = cases;
    int64_t count = number(&at);
    for (int64_t k = 0; k < count; k++) {
        int64_t sizes[DIMS + 1];
        room fields[FIELDS + 1], inputs[MOST_INPUTS];
        void *pointers[FIELDS + 1];
        for (int j = 0; j < DIMS; j++) sizes[j] = number(&at);
        for (int j = 0; j < FIELDS; j++) {
            fields[j] = array(&at);
            pointers[j] = fields[j].start;
        }
        for (int j = 0; j < MOST_INPUTS; j++) inputs[j] = array(&at);
        data given = described(sizes, pointers);
        fprintf(out, "case %" PRId64 " %d\n", k, (int)CHECK(&given));
        for (int j = 0; j < FUNCTIONS; j++) call(out, &functions[j], &given, inputs, &at);
        for (int j = 0; j < FIELDS; j++)
            if (fields[j].whole != NULL) give_back(fields[j]);
        for (int j = 0; j < MOST_INPUTS; j++) give_back(inputs[j]);
    }
}

/* ── threads ────────────────────────────────────────────────────────────────────────────────── */

static char *printed(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) fail("no memory");
    run(out);
    fclose(out);
    return text;
}

static void *run_often(void *argument) {
    char **texts = argument;
    for (int k = 0; k < REPEATS; k++) texts[k] = printed();
    return NULL;
}

static void run_in_threads(void) {
    char *texts[2][REPEATS];
    pthread_t threads[2];
    for (int k = 0; k < 2; k++)
        if (pthread_create(&threads[k], NULL, run_often, texts[k])) fail("no thread");
    for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
    for (int k = 0; k < 2 * REPEATS; k++)
        if (strcmp(texts[0][0], texts[k / REPEATS][k % REPEATS])) fail("threads differ");
    fputs(texts[0][0], stdout);
    for (int k = 0; k < 2 * REPEATS; k++) free(texts[k / REPEATS][k % REPEATS]);
}

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END)) fail("no cases");
    long size = ftell(file);
    cases = malloc((size_t)size);
    rewind(file);
    if (cases == NULL || fread(cases, 1, (size_t)size, file) != (size_t)size) fail("no cases");
    fclose(file);
}

int main(int count, char **words) {
    if (count != 3) fail("driver heap|ends|begins|threads CASES");
    load(words[2]);
    mode = !strcmp(words[1], "ends") ? ENDS : !strcmp(words[1], "begins") ? BEGINS : HEAP;
    if (!strcmp(words[1], "threads"))
        run_in_threads();
    else
        run(stdout);
    free(cases);
    return 0;
}
