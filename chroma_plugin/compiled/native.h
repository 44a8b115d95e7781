/* What the parts of the module share. */

#ifndef CHROMA_PLUGIN_NATIVE_H
#define CHROMA_PLUGIN_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* Compiled for several processors; the loader takes what this one can do. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

static inline void prefetch_bytes(const void *start, size_t size)
{
    for (const char *at = start; size > 0; at += 64, size -= size < 64 ? size : 64)
        PREFETCH(at);
}

/* Called without Python's lock: at the beginning of what is done without it, and at the end. */
void leave_turn(void);
void await_turn(void);

/* In float32, each row by itself and in the same order, so that equal rows are equally far. */
float inner_product(const float *left, const float *right, Py_ssize_t dimension);

/* Vectors rounded to bytes: each coordinate in steps that are the vector's own. */
typedef struct {
    char *memory, *vectors;
    Py_ssize_t dimension, stride;
} Rounded;

/* What ends a rounded vector. */
typedef struct {
    float step, square;
} RoundedEnd;

/* A vector that is multiplied with such, rounded to two bytes a coordinate; 0 from the dimension up to the stride. */
typedef struct {
    int16_t *coordinates;
    float step, square;
} RoundedQuery;

Py_ssize_t rounded_stride(Py_ssize_t dimension);
int make_rounded(Rounded *rounded, Py_ssize_t count, Py_ssize_t dimension); /* -1 without memory. */
void free_rounded(Rounded *rounded);
void round_vector(Rounded *rounded, Py_ssize_t number, const float *vector);
void round_query(const float *vector, Py_ssize_t dimension, RoundedQuery *query);
int32_t integer_product(const int16_t *left, const int8_t *right, Py_ssize_t stride);

/* The inner product in steps of the query, and the squared length of the vector. */
static inline float rounded_product(const Rounded *rounded, Py_ssize_t number, const RoundedQuery *query, float *square)
{
    const char *vector = rounded->vectors + number * rounded->stride;
    const RoundedEnd *end = (const RoundedEnd *)(vector + rounded->stride) - 1;
    *square = end->square;
    return end->step * (float)integer_product(query->coordinates, (const int8_t *)vector, rounded->stride);
}

/* Where vectors are: in memory, or in a file, from its beginning on. */
typedef struct {
    Py_buffer memory;
    int file;        /* -1: in memory. */
    int64_t records; /* No row is beyond. */
} Vectors;

/* From a buffer, or from the number of an open file; -1 with an error set. */
int take_vectors(PyObject *given, Py_ssize_t dimension, Vectors *vectors);
void release_vectors(Vectors *vectors);

/* The distance of each of those rows; metric is its first letter: l2, cosine, ip. -1 when a row can't be read. */
int measure_rows(char metric, const float *query, const Vectors *vectors, Py_ssize_t dimension, const int64_t *rows,
                 Py_ssize_t count, float *distances);

/* Whether they are all from 0 up to the end. */
int all_below(const int64_t *numbers, Py_ssize_t count, Py_ssize_t end);

/* The texts of rows, as `toolkit/text_file.py` keeps them: those of a row stand one behind the other, row after row. */
typedef struct {
    Py_buffer data;
    Py_buffer starts;  /* int64: where each row begins, and where the last one ends. */
    Py_buffer lengths; /* int32: the bytes of each text of each row; negative for None. */
    int64_t count;     /* Of rows. */
    Py_ssize_t columns;
} Texts;

typedef struct {
    const char *start;
    int64_t length; /* Negative for None. */
} Text;

int survey_texts(Texts *texts);
void release_texts(Texts *texts);
int find_text(const Texts *texts, int64_t row, Py_ssize_t column, Text *text);
void foresee_lengths(const Texts *texts, int64_t row);
void foresee_text(const Texts *texts, int64_t row);

extern PyMethodDef measure_method;
extern PyType_Spec links_spec, text_rows_spec, id_rows_spec;

#endif
