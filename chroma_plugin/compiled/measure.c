/* Distances between a query and some rows of a matrix, where they stand: see `chroma_plugin.distances`. */

#include <math.h>

#include "native.h"

#define LANES 32
#define FEW 512 /* Rows that are measured before another thread could have made use of Python's lock. */
#define AHEAD 2 /* Rows whose memory is asked for before it is needed. */

FOR_EACH_PROCESSOR
float inner_product(const float *left, const float *right, Py_ssize_t dimension)
{
    float lanes[LANES] = {0}, rest = 0;
    Py_ssize_t at = 0;
    for (; at + LANES <= dimension; at += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += left[at + lane] * right[at + lane];
    for (; at < dimension; at++)
        rest += left[at] * right[at];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0] + rest;
}

FOR_EACH_PROCESSOR
static float square_between(const float *left, const float *right, Py_ssize_t dimension)
{
    float lanes[LANES] = {0}, rest = 0;
    Py_ssize_t at = 0;
    for (; at + LANES <= dimension; at += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            float away = left[at + lane] - right[at + lane];
            lanes[lane] += away * away;
        }
    for (; at < dimension; at++)
        rest += (left[at] - right[at]) * (left[at] - right[at]);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0] + rest;
}

static float distance(char metric, const float *query, const float *row, Py_ssize_t dimension, float length)
{
    if (metric == 'l')
        return square_between(query, row, dimension);
    float product = inner_product(query, row, dimension);
    if (metric == 'i')
        return 1 - product;
    float lengths = sqrtf(inner_product(row, row, dimension)) * length;
    if (!isfinite(lengths))
        return NAN;
    return lengths == 0 ? 1 : 1 - product / lengths;
}

void measure_rows(char metric, const float *query, const float *matrix, Py_ssize_t dimension, const int64_t *rows,
                  Py_ssize_t count, float *distances)
{
    size_t width = (size_t)dimension * sizeof(float);
    float length = metric == 'c' ? sqrtf(inner_product(query, query, dimension)) : 0;
    for (Py_ssize_t at = 0; rows != NULL && at < count && at < AHEAD; at++)
        prefetch_bytes(matrix + rows[at] * dimension, width);
    for (Py_ssize_t at = 0; at < count; at++) {
        if (rows != NULL && at + AHEAD < count)
            prefetch_bytes(matrix + rows[at + AHEAD] * dimension, width);
        const float *row = matrix + (rows == NULL ? at : rows[at]) * dimension;
        distances[at] = distance(metric, query, row, dimension, length);
    }
}

int all_below(const int64_t *numbers, Py_ssize_t count, Py_ssize_t end)
{
    for (Py_ssize_t at = 0; at < count; at++)
        if (numbers[at] < 0 || numbers[at] >= end)
            return 0;
    return 1;
}

/* What is measured: for each of some queries as many rows, its own, or, where `rows` is NULL, all. */
typedef struct {
    char metric;
    const float *queries, *matrix;
    const int64_t *rows;
    Py_ssize_t count, dimension, each;
    float *distances;
} Task;

static void measure_all(const Task *task)
{
    for (Py_ssize_t at = 0; at < task->count; at++)
        measure_rows(task->metric, task->queries + at * task->dimension, task->matrix, task->dimension,
                     task->rows == NULL ? NULL : task->rows + at * task->each, task->each,
                     task->distances + at * task->each);
}

static void do_task(const Task *task)
{
    if (task->count * task->each <= FEW) {
        measure_all(task);
        return;
    }
    Py_BEGIN_ALLOW_THREADS
    measure_all(task);
    Py_END_ALLOW_THREADS
}

static PyObject *measure(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer queries, matrix, rows, distances;
    Py_ssize_t dimension;
    int metric;
    if (!PyArg_ParseTuple(arguments, "Cy*ny*z*w*:measure", &metric, &queries, &dimension, &matrix, &rows, &distances))
        return NULL;
    Py_ssize_t found = distances.len / (Py_ssize_t)sizeof(float), row = dimension * (Py_ssize_t)sizeof(float);
    Py_ssize_t there = row > 0 ? matrix.len / row : 0, count = row > 0 ? queries.len / row : 0;
    int fits = count > 0 && queries.len == count * row && found % count == 0 &&
               (rows.buf == NULL ? found == count * there
                                 : rows.len == found * (Py_ssize_t)sizeof(int64_t) && all_below(rows.buf, found, there));
    if (fits) {
        Task task = {(char)metric, queries.buf, matrix.buf, rows.buf, count, dimension, found / count, distances.buf};
        do_task(&task);
    }
    PyBuffer_Release(&queries);
    PyBuffer_Release(&matrix);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&distances);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "these rows are not in the matrix, or there is no room for their distances");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef measure_method = {
    "measure", measure, METH_VARARGS,
    "measure(metric, queries, dimension, matrix, rows, distances): the distances of each query to as many rows of the "
    "matrix, its own, or to all if rows is None; metric is its first letter."};
