/* Vectors rounded to bytes: each coordinate in steps that are the vector's own. */

#include "native.h" /* first: it says what the system is asked for */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64 /* Bytes that come from memory at a time: no vector touches one more than it has to. */
#define STEPS 127

Py_ssize_t rounded_stride(Py_ssize_t dimension)
{
    return ((Py_ssize_t)sizeof(RoundedEnd) + dimension + LINE - 1) / LINE * LINE;
}

int make_rounded(Rounded *rounded, Py_ssize_t count, Py_ssize_t dimension)
{
    rounded->dimension = dimension;
    rounded->stride = rounded_stride(dimension);
    rounded->memory = calloc((size_t)count * (size_t)rounded->stride + LINE, 1);
    if (rounded->memory == NULL)
        return -1;
    rounded->vectors = (char *)(((uintptr_t)rounded->memory + LINE - 1) / LINE * LINE);
    return 0;
}

void free_rounded(Rounded *rounded)
{
    free(rounded->memory);
    rounded->memory = NULL;
}

static float greatest_of(const float *vector, Py_ssize_t dimension)
{
    float greatest = 0;
    for (Py_ssize_t at = 0; at < dimension; at++)
        greatest = fabsf(vector[at]) > greatest ? fabsf(vector[at]) : greatest;
    return greatest;
}

void round_vector(Rounded *rounded, Py_ssize_t number, const float *vector)
{
    char *place = rounded->vectors + number * rounded->stride;
    float greatest = greatest_of(vector, rounded->dimension);
    RoundedEnd *end = (RoundedEnd *)(place + rounded->stride) - 1;
    end->step = greatest > 0 ? greatest / STEPS : 1;
    end->square = inner_product(vector, vector, rounded->dimension);
    for (Py_ssize_t at = 0; at < rounded->dimension; at++)
        ((int8_t *)place)[at] = (int8_t)lrintf(vector[at] / end->step);
}

void round_query(const float *vector, Py_ssize_t dimension, RoundedQuery *query)
{
    Py_ssize_t stride = rounded_stride(dimension);
    /* The sum of all products has to fit into 32 bits. */
    float most = fminf(16777216.0f / (float)stride, 32767);
    float greatest = greatest_of(vector, dimension);
    query->step = greatest > 0 ? greatest / most : 1;
    query->square = inner_product(vector, vector, dimension);
    for (Py_ssize_t at = 0; at < dimension; at++)
        query->coordinates[at] = (int16_t)lrintf(vector[at] / query->step);
    memset(query->coordinates + dimension, 0, (size_t)(stride - dimension) * sizeof(int16_t));
}

/* The end of the right one counts nothing: there, the left one is 0. */
FOR_EACH_PROCESSOR
int32_t integer_product(const int16_t *left, const int8_t *right, Py_ssize_t stride)
{
    int32_t sum = 0;
    for (Py_ssize_t line = 0; line < stride; line += LINE)
        for (Py_ssize_t at = line; at < line + LINE; at++)
            sum += (int32_t)left[at] * (int16_t)right[at];
    return sum;
}
