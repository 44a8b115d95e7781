/* Distances between a query and some rows of a matrix, where they stand: see `chroma_plugin.distances`. */

#include <math.h>

#include "native.h"

#define LANES 16
#define AHEAD 6 /* Rows whose memory is asked for before it is needed. */

/* In float32, each row by itself and in the same order, so that equal rows are equally far. */
FOR_EACH_PROCESSOR
static float inner(const float *left, const float *right, Py_ssize_t dimension)
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
    float product = inner(query, row, dimension);
    if (metric == 'i')
        return 1 - product;
    float lengths = sqrtf(inner(row, row, dimension)) * length;
    return lengths == 0 ? 1 : 1 - product / lengths;
}

static void measure_rows(char metric, const float *query, const float *matrix, Py_ssize_t dimension,
                         const int64_t *rows, Py_ssize_t count, float *distances)
{
    size_t width = (size_t)dimension * sizeof(float);
    float length = metric == 'c' ? sqrtf(inner(query, query, dimension)) : 0;
    for (Py_ssize_t at = 0; at < count && at < AHEAD; at++)
        prefetch_bytes(matrix + rows[at] * dimension, width);
    for (Py_ssize_t at = 0; at < count; at++) {
        if (at + AHEAD < count)
            prefetch_bytes(matrix + rows[at + AHEAD] * dimension, width);
        distances[at] = distance(metric, query, matrix + rows[at] * dimension, dimension, length);
    }
}

static int all_below(const int64_t *numbers, Py_ssize_t count, Py_ssize_t end)
{
    for (Py_ssize_t at = 0; at < count; at++)
        if (numbers[at] < 0 || numbers[at] >= end)
            return 0;
    return 1;
}

static PyObject *measure(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer query, matrix, rows, distances;
    int metric;
    if (!PyArg_ParseTuple(arguments, "Cy*y*y*w*:measure", &metric, &query, &matrix, &rows, &distances))
        return NULL;
    Py_ssize_t dimension = query.len / (Py_ssize_t)sizeof(float), count = rows.len / (Py_ssize_t)sizeof(int64_t);
    int fits = dimension > 0 && distances.len == count * (Py_ssize_t)sizeof(float) &&
               all_below(rows.buf, count, matrix.len / query.len);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        measure_rows((char)metric, query.buf, matrix.buf, dimension, rows.buf, count, distances.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&query);
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
    "measure(metric, query, matrix, rows, distances): the distance of each of those rows, float32; metric is its first "
    "letter."};
