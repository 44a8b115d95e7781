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
