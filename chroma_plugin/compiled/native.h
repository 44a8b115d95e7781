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

extern PyMethodDef measure_method;
extern PyType_Spec links_spec;

#endif
