/* A search along the links of an HNSW graph whose vectors are rounded to bytes.

   What is searched was built by hnswlib and is laid out as it saves it (see `toolkit/bare_graph.py`). Nothing in it is
   believed: each link is looked at once, when the object is made. Of all vectors that a step will look at, the memory
   is asked for before the first is measured: most of the time of such a search is waiting for memory.

   Source: Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
   Small World graphs", 2016: algorithm 2 (SEARCH-LAYER) and 5 (K-NN-SEARCH). */

#include "native.h" /* first: it says what the system is asked for */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CANDIDATES 1024
#define FIRST_SLOTS 4096 /* Of the set of nodes that were seen: 16 KB, which stay in the nearest cache. */
#define NOBODY UINT32_MAX
#define LABEL 8 /* Bytes of a label, which ends a node. */
#define SPARED 8 /* Coordinates, of 64, that are given up if a point then takes a line of memory less. */

typedef struct {
    PyObject_HEAD
    Py_buffer nodes, higher;
    Py_ssize_t width; /* Bytes of a node: the number of links, room for most of them, a label. */
    Rounded points, basis;
    Py_ssize_t given; /* Coordinates of a point before some are given up. */
    Py_ssize_t dimension; /* Of the vectors. */
    char metric; /* The first letter of its name. */
    double alike; /* How much counts of what a query has outside of the subspace. */
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

static void prefetch_point(const Links *self, uint32_t node)
{
    prefetch_bytes(self->points.vectors + (size_t)node * self->points.stride, (size_t)self->points.stride);
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

/* -- points ---------------------------------------------------------------------------------------------------------

   The last coordinate of a point stands for what its vector has outside of the subspace, known by its length alone.
   Coordinates that are given up are added to that. For the inner product it stands for something else, of which the
   distance does not depend, and is left out. */

static void fold(const Links *self, const float *given, float *folded)
{
    Py_ssize_t last = self->points.dimension - 1;
    memcpy(folded, given, (size_t)last * sizeof *folded);
    double outside = 0;
    for (Py_ssize_t at = last; at < self->given; at++)
        outside += (double)given[at] * given[at];
    folded[last] = self->metric == 'i' ? 0 : (float)sqrt(outside);
}

/* How far a point seems to be, in steps of the query, but for what is the same for all. */
static float away(const Links *self, const RoundedQuery *query, uint32_t node)
{
    float square, product = rounded_product(&self->points, node, query, &square);
    return self->metric == 'l' ? square / (2 * query->step) - product : -product;
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
    RoundedQuery query;
    float *point; /* The query among the points. */
    float *scores; /* Of what is found, for who measures it. */
    Set seen;
    Heap candidates, found;
    uint32_t *fresh; /* The links of a node that were not seen before. */
} Space;

static void free_space(Space *space)
{
    free(space->query.coordinates);
    free(space->point);
    free(space->scores);
    free(space->seen.slots);
    free(space->candidates.items);
    free(space->found.items);
    free(space->fresh);
}

static int make_space(const Links *self, size_t ef, Space *space)
{
    memset(space, 0, sizeof *space);
    ef = ef < self->count ? ef : self->count;
    Py_ssize_t longest = self->basis.stride > self->points.stride ? self->basis.stride : self->points.stride;
    space->candidates.room = FIRST_CANDIDATES;
    space->found.room = ef + 1;
    space->found.farthest_first = 1;
    space->query.coordinates = malloc((size_t)longest * sizeof(int16_t));
    space->point = malloc((size_t)self->given * sizeof(float));
    space->scores = malloc(ef * sizeof(float));
    space->candidates.items = malloc(space->candidates.room * sizeof(Near));
    space->found.items = malloc(space->found.room * sizeof(Near));
    space->fresh = malloc(((size_t)self->most + 1) * sizeof(uint32_t));
    int made = make_set(&space->seen, FIRST_SLOTS) == 0 && space->query.coordinates && space->point && space->scores &&
               space->candidates.items && space->found.items && space->fresh;
    if (!made)
        free_space(space);
    return made ? 0 : -1;
}

static Near nearest_above(const Links *self, const RoundedQuery *query)
{
    Near nearest = {away(self, query, self->entry), self->entry};
    for (int level = self->levels; level > 0; level--)
        for (int moved = 1; moved;) {
            const uint32_t *links = links_above(self, nearest.node, level);
            uint32_t number = number_of(links);
            moved = 0;
            for (uint32_t at = 1; at <= number; at++)
                prefetch_point(self, links[at]);
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
        prefetch_point(self, links[at]);
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

/* The k nearest of what was found, nearest first, and their scores (`toolkit/scores.py`). */
static void tell(const Links *self, Space *space, size_t k, int64_t *labels, float *scores)
{
    float step = space->query.step * (self->metric == 'l' ? 2 : 1);
    while (space->found.count > k)
        pop(&space->found);
    for (size_t at = space->found.count; at-- > 0;) {
        Near one = pop(&space->found);
        labels[at] = label_of(self, one.node);
        scores[at] = -step * one.away;
    }
}

/* The k nearest to the point in the space; 1 when fewer are found, -1 without memory. */
static int search_for_point(const Links *self, Space *space, size_t k, size_t ef, int64_t *labels, float *scores)
{
    round_query(space->point, self->points.dimension, &space->query);
    if (search_one(self, ef, space) < 0)
        return -1;
    if (space->found.count < k)
        return 1;
    tell(self, space, k, labels, scores);
    return 0;
}

/* What stands for the query among the points (`Subspace.asked`), at the query's own length. */
static void project(const Links *self, const float *query, Space *space)
{
    Py_ssize_t last = self->points.dimension - 1;
    double inside = 0;
    float unused;
    round_query(query, self->dimension, &space->query);
    for (Py_ssize_t at = 0; at < last; at++) {
        space->point[at] = space->query.step * rounded_product(&self->basis, at, &space->query, &unused);
        inside += (double)space->point[at] * space->point[at];
    }
    double outside = space->query.square - inside;
    space->point[last] = outside > 0 ? (float)(self->alike * sqrt(outside)) : 0;
}

/* The k nearest to each query. */
static int search_all(const Links *self, const float *queries, Py_ssize_t count, size_t k, size_t ef, int64_t *labels,
                      float *scores)
{
    Space space;
    if (make_space(self, ef, &space) < 0)
        return -1;
    int outcome = 0;
    for (Py_ssize_t at = 0; at < count && outcome == 0; at++, labels += k, scores += k) {
        project(self, queries + at * self->dimension, &space);
        outcome = search_for_point(self, &space, k, ef, labels, scores);
    }
    free_space(&space);
    return outcome;
}

/* -- a search that measures what it finds ---------------------------------------------------------------------------

   What was found is measured nearest first, some at a time, until what the next one seems to score is less than what
   the k-th nearest scores, by more than scores have been seen to be off: to read a vector takes as long as to look at
   twenty points. */

#define AT_A_TIME 8
#define SURE 1.5 /* Standard deviations: twenty of sixty are measured, and two neighbours of a thousand are missed. */

typedef struct {
    const float *query;
    const Vectors *vectors;
    const int64_t *rows_of_labels;
    Py_ssize_t labels;
    size_t k;
    double square; /* Of the query's length. */
} Question;

typedef struct {
    double sum, squares;
    Py_ssize_t count;
} Errors;

static double score_of(const Links *self, const Question *question, float distance)
{
    if (self->metric == 'l')
        return question->square - distance;
    return self->metric == 'i' ? 1 - distance : (1 - distance) * sqrt(question->square);
}

static void note_error(Errors *errors, double error)
{
    errors->sum += error;
    errors->squares += error * error;
    errors->count++;
}

/* How much more than it seems to a score may well be. */
static double likely_error(const Errors *errors)
{
    double count = (double)errors->count, mean = errors->sum / count;
    double variance = errors->squares / count - mean * mean;
    return mean + SURE * sqrt(variance > 0 ? variance : 0);
}

/* Keep the k nearest distances, the farthest of them first; -1 without memory. */
static int keep_nearest(Heap *nearest, size_t k, float distance)
{
    Near one = {distance, NOBODY};
    if (nearest->count == k) {
        if (!(distance < nearest->items[0].away))
            return 0;
        pop(nearest);
    }
    return push(nearest, one);
}

/* The next few labels that have rows: these, and what they seem to score. `next` moves on; -1 when one is no row. */
static Py_ssize_t next_rows(const Question *question, const Space *space, const int64_t *labels, Py_ssize_t count,
                            Py_ssize_t *next, int64_t *rows, float *scores)
{
    Py_ssize_t there = 0;
    for (; *next < count && there < AT_A_TIME; (*next)++) {
        int64_t label = labels[*next];
        int64_t row = label >= 0 && label < question->labels ? question->rows_of_labels[label] : INT64_MAX;
        if (row >= question->vectors->records)
            return -1;
        if (row < 0)
            continue;
        rows[there] = row;
        scores[there++] = space->scores[*next];
    }
    return there;
}

/* How many of the labels were measured; their rows and distances. -1 when something does not fit. */
static Py_ssize_t measure_labels(const Links *self, const Question *question, Space *space, const int64_t *labels,
                                 Py_ssize_t count, int64_t *rows, float *distances)
{
    Heap *nearest = &space->found;
    Errors errors = {0, 0, 0};
    Py_ssize_t measured = 0;
    nearest->count = 0;
    for (Py_ssize_t next = 0; next < count;) {
        float scores[AT_A_TIME];
        if (nearest->count == question->k && space->scores[next] + likely_error(&errors) <
                                                 score_of(self, question, nearest->items[0].away))
            break;
        Py_ssize_t there = next_rows(question, space, labels, count, &next, rows + measured, scores);
        if (there < 0 || measure_rows(self->metric, question->query, question->vectors, self->dimension,
                                      rows + measured, there, distances + measured) < 0)
            return -1;
        for (Py_ssize_t at = 0; at < there; at++, measured++) {
            note_error(&errors, score_of(self, question, distances[measured]) - scores[at]);
            if (keep_nearest(nearest, question->k, distances[measured]) < 0)
                return -1;
        }
    }
    return measured;
}

#define TOO_FEW (-2)

/* How many rows were found and measured; TOO_FEW, or -1 when something does not fit or there is no memory. */
static Py_ssize_t measure_nearest(const Links *self, const Question *question, Py_ssize_t candidates, size_t ef,
                                  int64_t *labels, int64_t *rows, float *distances)
{
    Space space;
    if (make_space(self, ef, &space) < 0)
        return -1;
    project(self, question->query, &space);
    int outcome = search_for_point(self, &space, (size_t)candidates, ef, labels, space.scores);
    Py_ssize_t found = outcome > 0 ? TOO_FEW : -1;
    if (outcome == 0)
        found = measure_labels(self, question, &space, labels, candidates, rows, distances);
    free_space(&space);
    return found;
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
    int fits = self->count > 0 && self->entry < self->count && self->levels >= 0 &&
               self->nodes.len == (Py_ssize_t)self->count * self->width && self->higher.len / 4 < NOBODY;
    return fits && survey(self) && levels_fit(self);
}

static void links_free(PyObject *object)
{
    Links *self = (Links *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyBuffer_Release(&self->nodes);
    PyBuffer_Release(&self->higher);
    free_rounded(&self->points);
    free_rounded(&self->basis);
    free(self->above);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* How many coordinates are kept of those that are given. */
static Py_ssize_t worth_keeping(Py_ssize_t given, Py_ssize_t dimension)
{
    int is_subspace = given < dimension;
    int saves_a_line = given > SPARED && rounded_stride(given - SPARED) < rounded_stride(given);
    return is_subspace && saves_a_line ? given - SPARED : given;
}

static int make_room(Links *self, const Py_buffer *basis)
{
    self->above = calloc((size_t)self->count + 1, sizeof *self->above);
    if (self->above == NULL || make_rounded(&self->basis, self->given, self->dimension) < 0 ||
        make_rounded(&self->points, self->count, worth_keeping(self->given, self->dimension)) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < self->given; at++)
        round_vector(&self->basis, at, (const float *)basis->buf + at * self->dimension);
    return 0;
}

static int set_up(Links *self, const Py_buffer *basis)
{
    self->width = 4 + 4 * (Py_ssize_t)self->most + LABEL;
    Py_ssize_t row = self->dimension * (Py_ssize_t)sizeof(float);
    if (row <= 0 || basis->len < row || basis->len % row != 0) {
        PyErr_SetString(PyExc_ValueError, "the basis is no matrix of that dimension");
        return -1;
    }
    self->given = basis->len / row;
    if (make_room(self, basis) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    int sound;
    Py_BEGIN_ALLOW_THREADS
    sound = is_sound(self);
    Py_END_ALLOW_THREADS
    if (!sound)
        PyErr_SetString(PyExc_ValueError, "these are not the links of a graph");
    return sound ? 0 : -1;
}

static PyObject *links_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Links *self = (Links *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    Py_buffer basis;
    int metric;
    if (!PyArg_ParseTuple(arguments, "y*y*IIIIiCy*nd:Links", &self->nodes, &self->higher, &self->count, &self->entry,
                          &self->most, &self->most_above, &self->levels, &metric, &basis, &self->dimension,
                          &self->alike)) {
        Py_DECREF(self);
        return NULL;
    }
    self->metric = (char)metric;
    int failed = set_up(self, &basis);
    PyBuffer_Release(&basis);
    if (failed) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyObject *links_place(PyObject *object, PyObject *arguments)
{
    Links *self = (Links *)object;
    Py_buffer points;
    Py_ssize_t first;
    if (!PyArg_ParseTuple(arguments, "ny*:place", &first, &points))
        return NULL;
    Py_ssize_t row = self->given * (Py_ssize_t)sizeof(float), count = points.len / row;
    float *folded = malloc((size_t)row);
    int fits = first >= 0 && points.len % row == 0 && first + count <= (Py_ssize_t)self->count;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t at = 0; fits && folded != NULL && at < count; at++) {
        fold(self, (const float *)points.buf + at * self->given, folded);
        round_vector(&self->points, first + at, folded);
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&points);
    int without_memory = folded == NULL;
    free(folded);
    if (without_memory)
        return PyErr_NoMemory();
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "there are no such nodes, or these are not their points");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *links_near(PyObject *object, PyObject *arguments)
{
    Links *self = (Links *)object;
    Py_buffer queries, labels, scores;
    Py_ssize_t k, ef;
    int outcome = 0;
    if (!PyArg_ParseTuple(arguments, "y*nnw*w*:near", &queries, &k, &ef, &labels, &scores))
        return NULL;
    Py_ssize_t row = self->dimension * (Py_ssize_t)sizeof(float), count = queries.len / row;
    int fits = k > 0 && k <= (Py_ssize_t)self->count && ef >= k && queries.len % row == 0 &&
               labels.len == count * k * (Py_ssize_t)sizeof(int64_t) &&
               scores.len == count * k * (Py_ssize_t)sizeof(float);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        leave_turn();
        outcome = search_all(self, queries.buf, count, (size_t)k, (size_t)ef, labels.buf, scores.buf);
        await_turn();
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&queries);
    PyBuffer_Release(&labels);
    PyBuffer_Release(&scores);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "k is no number of candidates, or there is no room for so many answers");
        return NULL;
    }
    if (outcome < 0)
        return PyErr_NoMemory();
    return PyBool_FromLong(outcome == 0);
}

static PyObject *links_measured(PyObject *object, PyObject *arguments)
{
    Links *self = (Links *)object;
    Py_buffer query, labelled, labels, rows, distances;
    Py_ssize_t k, ef, found = -1;
    PyObject *given;
    Vectors vectors;
    if (!PyArg_ParseTuple(arguments, "y*nny*Ow*w*w*:measured", &query, &k, &ef, &labelled, &given, &labels, &rows,
                          &distances))
        return NULL;
    Py_ssize_t candidates = rows.len / (Py_ssize_t)sizeof(int64_t);
    Question question = {query.buf, &vectors, labelled.buf, labelled.len / (Py_ssize_t)sizeof(int64_t), (size_t)k,
                         inner_product(query.buf, query.buf, query.len / (Py_ssize_t)sizeof(float))};
    int fits = k > 0 && candidates >= k && ef >= candidates &&
               query.len == self->dimension * (Py_ssize_t)sizeof(float) && labels.len == rows.len &&
               distances.len == candidates * (Py_ssize_t)sizeof(float);
    int taken = fits && take_vectors(given, self->dimension, &vectors) == 0;
    if (taken) {
        Py_BEGIN_ALLOW_THREADS
        leave_turn();
        found = measure_nearest(self, &question, candidates, (size_t)ef, labels.buf, rows.buf, distances.buf);
        await_turn();
        Py_END_ALLOW_THREADS
    }
    if (taken)
        release_vectors(&vectors);
    PyBuffer_Release(&query);
    PyBuffer_Release(&labelled);
    PyBuffer_Release(&labels);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&distances);
    if (found == -1) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "the query, the rows and the vectors don't fit each other");
        return NULL;
    }
    return found == TOO_FEW ? Py_NewRef(Py_None) : PyLong_FromSsize_t(found);
}

static PyMethodDef methods[] = {
    {"place", links_place, METH_VARARGS, "place(first, points): the points of nodes from the first of these on."},
    {"near", links_near, METH_VARARGS,
     "near(queries, k, ef, labels, scores): the k nearest to each query, nearest first, and what their scores seem to "
     "be. False when the links lead to fewer."},
    {"measured", links_measured, METH_VARARGS,
     "measured(query, k, ef, rows_of_labels, vectors, labels, rows, distances): the nearest labels, as many as there "
     "is room for; the rows and distances of those that have a row and may be among the k nearest, and how many these "
     "are. None when the links lead to fewer."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Links(nodes, higher, count, entry, most, most_above, levels, metric, basis, dimension, alike): the "
                "links of a graph, as hnswlib saves them; its points, which are still to be placed, are coordinates in "
                "the basis, the last of them the length of what is outside of it."},
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
