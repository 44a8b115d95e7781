/* A search along the links of an HNSW graph whose vectors are rounded to bytes.

   What is searched was built by hnswlib and is laid out as it saves it (see `toolkit/bare_graph.py`). Nothing in it is
   believed: each link is looked at once, when the object is made. Of all vectors that a step will look at, the memory
   is asked for before the first is measured: most of the time of such a search is waiting for memory.

   Source: Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
   Small World graphs", 2016: algorithm 2 (SEARCH-LAYER) and 5 (K-NN-SEARCH). */

#include <stdlib.h>
#include <string.h>

#include "native.h"

#define FIRST_CANDIDATES 1024
#define FIRST_SLOTS 4096 /* Of the set of nodes that were seen: 16 KB, which stay in the nearest cache. */
#define NOBODY UINT32_MAX
#define LABEL 8 /* Bytes of a label, which ends a node. */
#define HEAD 8  /* Bytes of a point before its coordinates: what a step is worth, and its squared length. */

typedef struct {
    PyObject_HEAD
    Py_buffer nodes, higher, points;
    Py_ssize_t width; /* Bytes of a node: the number of links, room for most of them, a label. */
    Py_ssize_t stride; /* Bytes of a point. */
    Py_ssize_t dimension;
    uint32_t *above; /* Where the links of the higher levels of each node begin, in numbers; 0: it has none. */
    uint32_t count, entry, most, most_above;
    int levels; /* Above the lowest one. */
} Links;

typedef struct {
    float away;
    uint32_t node;
} Near;

/* -- the graph ---------------------------------------------------------------------------------------------------- */

static const uint32_t *links_of(const Links *self, uint32_t node)
{
    return (const uint32_t *)((const char *)self->nodes.buf + (size_t)node * self->width);
}

static const uint32_t *links_above(const Links *self, uint32_t node, int level)
{
    return (const uint32_t *)self->higher.buf + self->above[node] + (size_t)(level - 1) * (self->most_above + 1);
}

/* hnswlib keeps other things in the upper half of the number. */
static uint32_t number_of(const uint32_t *links)
{
    return links[0] & 0xffff;
}

static const char *point_of(const Links *self, uint32_t node)
{
    return (const char *)self->points.buf + (size_t)node * self->stride;
}

static int64_t label_of(const Links *self, uint32_t node)
{
    int64_t label;
    memcpy(&label, (const char *)links_of(self, node) + self->width - LABEL, LABEL);
    return label;
}

static int are_sound(const Links *self, const uint32_t *links, uint32_t most)
{
    uint32_t number = number_of(links);
    if (number > most)
        return 0;
    for (uint32_t at = 1; at <= number; at++)
        if (links[at] >= self->count)
            return 0;
    return 1;
}

/* -- a query, rounded ------------------------------------------------------------------------------------------------ */

typedef struct {
    int16_t *coordinates;
    float step; /* What 1 is worth there. */
    float square;
    float per_square; /* Of a point's squared length, in the unit of `away`. */
} Query;

FOR_EACH_PROCESSOR
static int32_t product(const int16_t *left, const int8_t *right, Py_ssize_t dimension)
{
    int32_t sum = 0;
    for (Py_ssize_t at = 0; at < dimension; at++)
        sum += (int32_t)left[at] * (int16_t)right[at];
    return sum;
}

/* How far a point seems to be, but for what is the same for all. */
static float away(const Links *self, const Query *query, uint32_t node)
{
    const char *point = point_of(self, node);
    float head[2];
    memcpy(head, point, HEAD);
    int32_t sum = product(query->coordinates, (const int8_t *)(point + HEAD), self->dimension);
    return head[1] * query->per_square - head[0] * (float)sum;
}

static void round_query(const float *given, Py_ssize_t dimension, Query *query)
{
    float greatest = 0, square = 0;
    for (Py_ssize_t at = 0; at < dimension; at++) {
        float size = given[at] < 0 ? -given[at] : given[at];
        greatest = size > greatest ? size : greatest;
        square += given[at] * given[at];
    }
    /* The sum of all products has to fit into 32 bits. */
    float most = 16777216.0f / (float)dimension;
    most = most > 32767 ? 32767 : most;
    query->step = greatest > 0 ? greatest / most : 1;
    query->square = square;
    query->per_square = 0.5f / query->step;
    for (Py_ssize_t at = 0; at < dimension; at++) {
        float steps = given[at] / query->step;
        query->coordinates[at] = (int16_t)(steps < 0 ? steps - 0.5f : steps + 0.5f);
    }
}

/* -- who was seen, who is near ------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t *slots, mask, used;
} Set;

static uint32_t *slot_of(const Set *set, uint32_t node)
{
    uint32_t at = (node * 2654435761u) >> 7;
    while (set->slots[at & set->mask] != NOBODY && set->slots[at & set->mask] != node)
        at++;
    return &set->slots[at & set->mask];
}

static int make_set(Set *set, uint32_t size)
{
    set->slots = malloc((size_t)size * sizeof *set->slots);
    if (set->slots == NULL)
        return -1;
    memset(set->slots, 0xff, (size_t)size * sizeof *set->slots);
    set->mask = size - 1;
    set->used = 0;
    return 0;
}

static int grow_set(Set *set)
{
    Set larger;
    if (make_set(&larger, 4 * (set->mask + 1)) < 0)
        return -1;
    for (uint32_t at = 0; at <= set->mask; at++)
        if (set->slots[at] != NOBODY)
            *slot_of(&larger, set->slots[at]) = set->slots[at];
    larger.used = set->used;
    free(set->slots);
    *set = larger;
    return 0;
}

/* A heap whose first is the one that `before` puts before all others. */
typedef struct {
    Near *items;
    size_t count, room;
    int farthest_first;
} Heap;

static int before(const Heap *heap, Near left, Near right)
{
    return heap->farthest_first ? left.away > right.away : left.away < right.away;
}

static int push(Heap *heap, Near item)
{
    if (heap->count == heap->room) {
        size_t room = 2 * heap->room;
        Near *items = realloc(heap->items, room * sizeof *items);
        if (items == NULL)
            return -1;
        heap->items = items;
        heap->room = room;
    }
    size_t at = heap->count++;
    while (at > 0 && before(heap, item, heap->items[(at - 1) / 2])) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = item;
    return 0;
}

static Near pop(Heap *heap)
{
    Near first = heap->items[0], last = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap, heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap, heap->items[child], last))
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return first;
}

/* -- the search ---------------------------------------------------------------------------------------------------- */

/* What the searches of one call share. */
typedef struct {
    Query query;
    Set seen;
    Heap candidates, found;
    uint32_t *fresh; /* The links of a node that were not seen before. */
} Space;

static void free_space(Space *space)
{
    free(space->query.coordinates);
    free(space->seen.slots);
    free(space->candidates.items);
    free(space->found.items);
    free(space->fresh);
}

static int make_space(const Links *self, size_t ef, Space *space)
{
    memset(space, 0, sizeof *space);
    space->candidates.room = FIRST_CANDIDATES;
    space->found.room = ef + 1;
    space->found.farthest_first = 1;
    space->query.coordinates = malloc((size_t)self->dimension * sizeof(int16_t));
    space->candidates.items = malloc(space->candidates.room * sizeof(Near));
    space->found.items = malloc(space->found.room * sizeof(Near));
    space->fresh = malloc(((size_t)self->most + 1) * sizeof(uint32_t));
    int made = make_set(&space->seen, FIRST_SLOTS) == 0 && space->query.coordinates && space->candidates.items &&
               space->found.items && space->fresh;
    if (!made)
        free_space(space);
    return made ? 0 : -1;
}

static Near nearest_above(const Links *self, const Query *query)
{
    Near nearest = {away(self, query, self->entry), self->entry};
    for (int level = self->levels; level > 0; level--)
        for (int moved = 1; moved;) {
            const uint32_t *links = links_above(self, nearest.node, level);
            uint32_t number = number_of(links);
            moved = 0;
            for (uint32_t at = 1; at <= number; at++)
                prefetch_bytes(point_of(self, links[at]), (size_t)self->stride);
            for (uint32_t at = 1; at <= number; at++) {
                Near other = {away(self, query, links[at]), links[at]};
                if (other.away < nearest.away) {
                    nearest = other;
                    moved = 1;
                }
            }
        }
    return nearest;
}

/* Which nodes a node leads to that were not seen before; -1 without memory. */
static int look_around(const Links *self, uint32_t node, Space *space)
{
    const uint32_t *links = links_of(self, node);
    uint32_t number = number_of(links);
    int count = 0;
    if (2 * (space->seen.used + number) > space->seen.mask && grow_set(&space->seen) < 0)
        return -1;
    for (uint32_t at = 1; at <= number; at++) {
        uint32_t *slot = slot_of(&space->seen, links[at]);
        if (*slot != NOBODY)
            continue;
        *slot = links[at];
        space->seen.used++;
        prefetch_bytes(point_of(self, links[at]), (size_t)self->stride);
        space->fresh[count++] = links[at];
    }
    return count;
}

/* The ef nearest that the links lead to, in `found`; -1 without memory. */
static int search_one(const Links *self, size_t ef, Space *space)
{
    Heap *candidates = &space->candidates, *found = &space->found;
    Near first = nearest_above(self, &space->query);
    memset(space->seen.slots, 0xff, ((size_t)space->seen.mask + 1) * sizeof(uint32_t));
    *slot_of(&space->seen, first.node) = first.node;
    space->seen.used = 1;
    candidates->count = found->count = 0;
    if (push(candidates, first) < 0 || push(found, first) < 0)
        return -1;
    while (candidates->count > 0) {
        Near nearest = pop(candidates);
        if (found->count >= ef && nearest.away > found->items[0].away)
            break;
        int count = look_around(self, nearest.node, space);
        if (count < 0)
            return -1;
        for (int at = 0; at < count; at++) {
            Near other = {away(self, &space->query, space->fresh[at]), space->fresh[at]};
            if (found->count >= ef && other.away >= found->items[0].away)
                continue;
            if (push(candidates, other) < 0 || push(found, other) < 0)
                return -1;
            if (found->count > ef)
                pop(found);
        }
        if (candidates->count > 0)
            prefetch_bytes(links_of(self, candidates->items[0].node), (size_t)self->width);
    }
    return 0;
}

/* The k nearest of what was found, nearest first. */
static void tell(const Links *self, Space *space, size_t k, int squared, int64_t *labels, float *distances)
{
    const Query *query = &space->query;
    while (space->found.count > k)
        pop(&space->found);
    for (size_t at = space->found.count; at-- > 0;) {
        Near one = pop(&space->found);
        labels[at] = label_of(self, one.node);
        distances[at] = squared ? query->square + 2 * query->step * one.away : 1 + query->step * one.away;
    }
}

/* For each query the k nearest; 1 when one finds fewer, -1 without memory. */
static int search_all(const Links *self, const float *queries, Py_ssize_t count, size_t k, size_t ef, int squared,
                      int64_t *labels, float *distances)
{
    Space space;
    if (make_space(self, ef, &space) < 0)
        return -1;
    int outcome = 0;
    for (Py_ssize_t at = 0; at < count && outcome == 0; at++) {
        round_query(queries + at * self->dimension, self->dimension, &space.query);
        if (!squared)
            space.query.per_square = 0;
        outcome = search_one(self, ef, &space);
        if (outcome == 0 && space.found.count < k)
            outcome = 1;
        if (outcome == 0)
            tell(self, &space, k, squared, labels + (size_t)at * k, distances + (size_t)at * k);
    }
    free_space(&space);
    return outcome;
}

/* -- the object ---------------------------------------------------------------------------------------------------- */

/* Where the links above begin, and whether all links lead somewhere. */
static int survey(Links *self)
{
    const uint32_t *higher = self->higher.buf;
    size_t end = (size_t)self->higher.len / sizeof(uint32_t), at = 0, each = (size_t)self->most_above + 1;
    for (uint32_t node = 0; node < self->count; node++) {
        if (!are_sound(self, links_of(self, node), self->most) || at >= end || higher[at] % (4 * each) != 0)
            return 0;
        size_t levels = higher[at++] / (4 * each);
        if (levels * each > end - at)
            return 0;
        self->above[node] = levels > 0 ? (uint32_t)at : 0;
        for (size_t level = 0; level < levels; level++, at += each)
            if (!are_sound(self, higher + at, self->most_above))
                return 0;
    }
    return 1;
}

/* How many levels a node has above the lowest one. */
static size_t levels_of(const Links *self, uint32_t node)
{
    const uint32_t *higher = self->higher.buf;
    uint32_t start = self->above[node];
    return start == 0 ? 0 : higher[start - 1] / (4 * ((size_t)self->most_above + 1));
}

/* Whoever is linked to at a level has links there. */
static int levels_fit(const Links *self)
{
    if (levels_of(self, self->entry) < (size_t)self->levels)
        return 0;
    for (uint32_t node = 0; node < self->count; node++)
        for (size_t level = 1; level <= levels_of(self, node); level++) {
            const uint32_t *links = links_above(self, node, (int)level);
            for (uint32_t at = 1; at <= number_of(links); at++)
                if (levels_of(self, links[at]) < level)
                    return 0;
        }
    return 1;
}

static int is_sound(Links *self)
{
    int fits = self->count > 0 && self->entry < self->count && self->levels >= 0 && self->dimension > 0 &&
               self->nodes.len == (Py_ssize_t)self->count * self->width &&
               self->points.len == (Py_ssize_t)self->count * self->stride && self->higher.len / 4 < NOBODY;
    return fits && survey(self) && levels_fit(self);
}

static void links_free(PyObject *object)
{
    Links *self = (Links *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyBuffer_Release(&self->nodes);
    PyBuffer_Release(&self->higher);
    PyBuffer_Release(&self->points);
    free(self->above);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *links_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Links *self = (Links *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    if (!PyArg_ParseTuple(arguments, "y*y*y*IIIIi:Links", &self->nodes, &self->higher, &self->points, &self->count,
                          &self->entry, &self->most, &self->most_above, &self->levels)) {
        Py_DECREF(self);
        return NULL;
    }
    self->width = 4 + 4 * (Py_ssize_t)self->most + LABEL;
    self->stride = self->count ? self->points.len / (Py_ssize_t)self->count : 0;
    self->dimension = self->stride - HEAD;
    self->above = calloc((size_t)self->count + 1, sizeof *self->above);
    int sound = 0;
    if (self->above != NULL) {
        Py_BEGIN_ALLOW_THREADS
        sound = is_sound(self);
        Py_END_ALLOW_THREADS
    }
    if (!sound) {
        if (self->above == NULL)
            PyErr_NoMemory();
        else
            PyErr_SetString(PyExc_ValueError, "these are not the links and the points of one graph");
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyObject *links_search(PyObject *object, PyObject *arguments)
{
    Links *self = (Links *)object;
    Py_buffer queries, labels, distances;
    Py_ssize_t k, ef;
    int squared, outcome = 0;
    if (!PyArg_ParseTuple(arguments, "y*nnpw*w*:search", &queries, &k, &ef, &squared, &labels, &distances))
        return NULL;
    Py_ssize_t count = queries.len / (self->dimension * (Py_ssize_t)sizeof(float));
    int fits = k > 0 && ef >= k && labels.len == count * k * (Py_ssize_t)sizeof(int64_t) &&
               distances.len == count * k * (Py_ssize_t)sizeof(float);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        outcome = search_all(self, queries.buf, count, (size_t)k, (size_t)ef, squared, labels.buf, distances.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&queries);
    PyBuffer_Release(&labels);
    PyBuffer_Release(&distances);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "k is no number of candidates, or there is no room for so many answers");
        return NULL;
    }
    if (outcome < 0)
        return PyErr_NoMemory();
    return PyBool_FromLong(outcome == 0);
}

static PyMethodDef methods[] = {
    {"search", links_search, METH_VARARGS,
     "search(queries, k, ef, squared, labels, distances): the k nearest to each query, nearest first, and how far they "
     "seem to be: 1 - the inner product, or squared. False when the links lead to fewer."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Links(nodes, higher, points, count, entry, most, most_above, levels): the links of a graph, as hnswlib "
                "saves them, and its points, each two float32 and then an int8 for each coordinate: what a step of it "
                "is worth, the squared length."},
    {Py_tp_new, links_new},
    {Py_tp_dealloc, links_free},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec links_spec = {
    .name = "chroma_plugin.compiled._native.Links",
    .basicsize = sizeof(Links),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
