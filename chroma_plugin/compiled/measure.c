/* Distances between a query and some rows of a matrix, where they stand: see `chroma_plugin.distances`. */

#include "native.h" /* first: it says what the system is asked for */

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define READ_AT(file, into, size, place) pread(file, into, size, (off_t)(place))
#else
#define READ_AT(file, into, size, place) (-1) /* Who has no such call keeps vectors in memory. */
#endif

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

int take_vectors(PyObject *given, Py_ssize_t dimension, Vectors *vectors)
{
    vectors->memory.obj = NULL;
    vectors->file = -1;
    if (PyLong_Check(given)) {
        long file = PyLong_AsLong(given);
        if (!PyErr_Occurred() && (file < 0 || file > INT_MAX))
            PyErr_SetString(PyExc_ValueError, "this is not there: no file has such a number");
        vectors->file = (int)file;
        vectors->records = INT64_MAX / ((int64_t)dimension * (int64_t)sizeof(float));
        return PyErr_Occurred() ? -1 : 0;
    }
    if (PyObject_GetBuffer(given, &vectors->memory, PyBUF_SIMPLE) < 0)
        return -1;
    vectors->records = vectors->memory.len / (dimension * (Py_ssize_t)sizeof(float));
    return 0;
}

void release_vectors(Vectors *vectors)
{
    if (vectors->memory.obj != NULL)
        PyBuffer_Release(&vectors->memory);
}

static void measure_in_memory(char metric, const float *query, const float *matrix, Py_ssize_t dimension,
                              const int64_t *rows, Py_ssize_t count, float *distances)
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

static int measure_in_file(char metric, const float *query, int file, Py_ssize_t dimension, const int64_t *rows,
                           Py_ssize_t count, float *distances)
{
    size_t width = (size_t)dimension * sizeof(float);
    float length = metric == 'c' ? sqrtf(inner_product(query, query, dimension)) : 0;
    float *row = malloc(width);
    Py_ssize_t at = 0;
    for (; row != NULL && at < count; at++) {
        if (READ_AT(file, row, width, rows[at] * (int64_t)width) != (Py_ssize_t)width)
            break;
        distances[at] = distance(metric, query, row, dimension, length);
    }
    free(row);
    return at == count ? 0 : -1;
}

int measure_rows(char metric, const float *query, const Vectors *vectors, Py_ssize_t dimension, const int64_t *rows,
                 Py_ssize_t count, float *distances)
{
    if (vectors->file >= 0)
        return measure_in_file(metric, query, vectors->file, dimension, rows, count, distances);
    measure_in_memory(metric, query, vectors->memory.buf, dimension, rows, count, distances);
    return 0;
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
    const float *queries;
    const Vectors *vectors;
    const int64_t *rows;
    Py_ssize_t count, dimension, each;
    float *distances;
} Task;

static int measure_all(const Task *task)
{
    int failed = 0;
    for (Py_ssize_t at = 0; at < task->count && !failed; at++)
        failed = measure_rows(task->metric, task->queries + at * task->dimension, task->vectors, task->dimension,
                              task->rows == NULL ? NULL : task->rows + at * task->each, task->each,
                              task->distances + at * task->each);
    return failed;
}

static int do_task(const Task *task)
{
    if (task->vectors->file < 0 && task->count * task->each <= FEW)
        return measure_all(task);
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = measure_all(task);
    Py_END_ALLOW_THREADS
    return failed;
}

static int fits(const Task *task, Py_ssize_t found, Py_ssize_t rows)
{
    if (task->count == 0 || found % task->count != 0)
        return 0;
    if (task->rows == NULL)
        return task->vectors->file < 0 && found == task->count * task->vectors->records;
    return rows == found && all_below(task->rows, found, task->vectors->records);
}

static PyObject *measure(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer queries, rows, distances;
    Py_ssize_t dimension;
    PyObject *given;
    Vectors vectors;
    int metric;
    if (!PyArg_ParseTuple(arguments, "Cy*nOz*w*:measure", &metric, &queries, &dimension, &given, &rows, &distances))
        return NULL;
    int failed = -1;
    if (dimension <= 0)
        PyErr_SetString(PyExc_ValueError, "a vector has at least one coordinate");
    else if (take_vectors(given, dimension, &vectors) == 0) {
        Py_ssize_t found = distances.len / (Py_ssize_t)sizeof(float);
        Py_ssize_t count = queries.len / (dimension * (Py_ssize_t)sizeof(float));
        Task task = {(char)metric, queries.buf, &vectors, rows.buf, count, dimension, 0, distances.buf};
        task.each = count > 0 ? found / count : 0;
        failed = !fits(&task, found, rows.len / (Py_ssize_t)sizeof(int64_t)) || do_task(&task);
        release_vectors(&vectors);
        if (failed)
            PyErr_SetString(PyExc_ValueError, "these rows are not there, or there is no room for their distances");
    }
    PyBuffer_Release(&queries);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&distances);
    return failed ? NULL : Py_NewRef(Py_None);
}

PyMethodDef measure_method = {
    "measure", measure, METH_VARARGS,
    "measure(metric, queries, dimension, vectors, rows, distances): the distances of each query to as many rows, its "
    "own, or to all if rows is None. vectors is a matrix, or the number of a file that begins with one; metric is its "
    "first letter."};
