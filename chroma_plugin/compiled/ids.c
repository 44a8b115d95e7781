/* Which rows of a file have some ids: see `toolkit/sorted_ids.py`.

   Each step of the way to a row waits for memory: the hashes, the row of a hash, where it stands, its text. So some ids
   go that way together, and what the next step of each will read is asked for in this one. Nothing in the arrays is
   believed: each row is looked for within the others. */

#include "native.h" /* first: it says what the system is asked for */

#include <string.h>

#define AT_ONCE 64 /* Ids that go together: what they ask for stays in the nearest cache. */

typedef struct {
    PyObject_HEAD
    Texts texts; /* The first column has the ids. */
    Py_buffer hashes; /* uint32, ascending. */
    Py_buffer rows; /* uint32: the row of each hash. */
    Py_buffer keys; /* uint64: what is added to each hash, what each letter is multiplied by. */
    size_t count; /* Of hashes. */
} IdRows;

typedef struct {
    const char *text;
    Py_ssize_t length;
    uint32_t hash;
    size_t place; /* Among the hashes. */
} Wanted;

/* What one call has, and what it tells. */
typedef struct {
    Py_buffer alive; /* bool, for each row. */
    Py_buffer looked_at; /* bool, for each block of the data: whether it is what was written. */
    Py_ssize_t block; /* Bytes of one. */
    Py_buffer found; /* int64, for each id. */
    PyObject *unseen; /* The blocks that have to be looked at first. */
} Request;

typedef enum { FAILED = -1, DONE, UNABLE } Outcome;

/* -- hashes -------------------------------------------------------------------------------------------------------- */

/* Out of UTF-8 that is right. */
static uint32_t next_letter(const unsigned char **text)
{
    const unsigned char *at = *text;
    int more = (at[0] >= 0xc0) + (at[0] >= 0xe0) + (at[0] >= 0xf0);
    uint32_t letter = more ? at[0] & (0x3fu >> more) : at[0];
    for (int next = 1; next <= more; next++)
        letter = letter << 6 | (at[next] & 0x3fu);
    *text += 1 + more;
    return letter;
}

/* As `toolkit/id_hashes.py` does; false when there are more letters than keys. */
static int hash(const IdRows *self, Wanted *id)
{
    const uint64_t *key = self->keys.buf, *last = key + self->keys.len / (Py_ssize_t)sizeof(uint64_t) - 1;
    const unsigned char *at = (const unsigned char *)id->text, *end = at + id->length;
    uint64_t sum = *key;
    while (at < end) {
        if (key == last)
            return 0;
        sum += *++key * next_letter(&at);
    }
    id->hash = (uint32_t)(sum >> 32);
    return 1;
}

/* Hashes are spread evenly. */
static size_t likely_place(const IdRows *self, uint32_t hash)
{
    return (size_t)((uint64_t)hash * self->count >> 32);
}

/* Of the first hash that is not less: in ever larger steps from where it should be, then between two of them. */
static size_t place_of(const IdRows *self, uint32_t hash)
{
    const uint32_t *hashes = self->hashes.buf;
    size_t low = likely_place(self, hash), high = low, step = 16;
    for (; low > 0 && hashes[low - 1] >= hash; step *= 2) {
        high = low - 1;
        low = low > step ? low - step : 0;
    }
    for (; high < self->count && hashes[high] < hash; step *= 2) {
        low = high + 1;
        high = self->count - high > step ? high + step : self->count;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_candidate(const IdRows *self, size_t place, uint32_t hash)
{
    return place < self->count && ((const uint32_t *)self->hashes.buf)[place] == hash;
}

static uint32_t row_at(const IdRows *self, size_t place)
{
    return ((const uint32_t *)self->rows.buf)[place];
}

/* -- the texts of candidates --------------------------------------------------------------------------------------- */

/* Tells which blocks have to be looked at before that text is read. */
static Outcome note_unseen(const IdRows *self, const Text *text, Request *request)
{
    Py_ssize_t start = text->start - (const char *)self->texts.data.buf, end = start + (Py_ssize_t)text->length;
    const char *looked_at = request->looked_at.buf;
    for (Py_ssize_t block = start / request->block; block * request->block < end; block++) {
        if (block >= request->looked_at.len || looked_at[block])
            continue;
        PyObject *number = PyLong_FromSsize_t(block);
        int failed = number == NULL || PyList_Append(request->unseen, number) < 0;
        Py_XDECREF(number);
        if (failed)
            return FAILED;
    }
    return DONE;
}

/* The row of that id, -1 when none has it; not yet told when a block is unseen. */
static Outcome find_one(const IdRows *self, const Wanted *id, Request *request, int64_t *found)
{
    Text text;
    *found = -1;
    for (size_t place = id->place; is_candidate(self, place, id->hash); place++) {
        int64_t row = row_at(self, place);
        if (row >= request->alive.len || !find_text(&self->texts, row, 0, &text)) {
            PyErr_SetString(PyExc_ValueError, "a hash belongs to a row that is not there");
            return FAILED;
        }
        if (!((const char *)request->alive.buf)[row] || text.length != id->length)
            continue;
        Py_ssize_t before = PyList_Size(request->unseen);
        if (note_unseen(self, &text, request) == FAILED)
            return FAILED;
        if (PyList_Size(request->unseen) > before)
            return DONE;
        if (memcmp(text.start, id->text, (size_t)id->length) == 0) {
            *found = row;
            return DONE;
        }
    }
    return DONE;
}

/* -- some ids together --------------------------------------------------------------------------------------------- */

/* UNABLE: an id has no UTF-8, as it holds half of a surrogate pair, or it is too long. */
static Outcome read_id(const IdRows *self, PyObject *object, Wanted *id)
{
    id->text = PyUnicode_AsUTF8AndSize(object, &id->length);
    if (id->text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return FAILED;
        PyErr_Clear();
        return UNABLE;
    }
    return hash(self, id) ? DONE : UNABLE;
}

static Outcome read_ids(const IdRows *self, PyObject *ids, Py_ssize_t first, Py_ssize_t count, Wanted *wanted)
{
    const uint32_t *hashes = self->hashes.buf;
    for (Py_ssize_t at = 0; at < count; at++) {
        Outcome outcome = read_id(self, PyTuple_GetItem(ids, first + at), &wanted[at]);
        if (outcome != DONE)
            return outcome;
        PREFETCH(hashes + likely_place(self, wanted[at].hash));
    }
    return DONE;
}

static void go_to_candidates(const IdRows *self, const Request *request, Py_ssize_t count, Wanted *wanted)
{
    for (Py_ssize_t at = 0; at < count; at++) {
        wanted[at].place = place_of(self, wanted[at].hash);
        PREFETCH((const uint32_t *)self->rows.buf + wanted[at].place);
    }
    for (Py_ssize_t at = 0; at < count; at++)
        if (is_candidate(self, wanted[at].place, wanted[at].hash)) {
            PREFETCH((const char *)request->alive.buf + row_at(self, wanted[at].place));
            foresee_lengths(&self->texts, row_at(self, wanted[at].place));
        }
    for (Py_ssize_t at = 0; at < count; at++)
        if (is_candidate(self, wanted[at].place, wanted[at].hash))
            foresee_text(&self->texts, row_at(self, wanted[at].place));
}

static Outcome find_some(const IdRows *self, PyObject *ids, Py_ssize_t first, Py_ssize_t count, Request *request)
{
    Wanted wanted[AT_ONCE];
    Outcome outcome = read_ids(self, ids, first, count, wanted);
    if (outcome != DONE)
        return outcome;
    go_to_candidates(self, request, count, wanted);
    int64_t *found = (int64_t *)request->found.buf + first;
    for (Py_ssize_t at = 0; at < count && outcome == DONE; at++)
        outcome = find_one(self, &wanted[at], request, &found[at]);
    return outcome;
}

static Outcome find_all(const IdRows *self, PyObject *ids, Request *request)
{
    Outcome outcome = DONE;
    Py_ssize_t end = PyTuple_Size(ids);
    for (Py_ssize_t first = 0; first < end && outcome == DONE; first += AT_ONCE)
        outcome = find_some(self, ids, first, end - first < AT_ONCE ? end - first : AT_ONCE, request);
    return outcome;
}

/* A new reference; NULL when it failed. */
static PyObject *answer(const IdRows *self, PyObject *ids, Request *request)
{
    if (request->block <= 0 || request->found.len != PyTuple_Size(ids) * (Py_ssize_t)sizeof(int64_t)) {
        PyErr_SetString(PyExc_ValueError, "a block has no bytes, or there is no room for so many rows");
        return NULL;
    }
    request->unseen = PyList_New(0);
    if (request->unseen == NULL)
        return NULL;
    Outcome outcome = find_all(self, ids, request);
    if (outcome == DONE)
        return request->unseen;
    Py_CLEAR(request->unseen);
    if (outcome == FAILED)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *find(PyObject *object, PyObject *arguments)
{
    Request request;
    PyObject *given;
    if (!PyArg_ParseTuple(arguments, "Oy*y*nw*:find", &given, &request.alive, &request.looked_at, &request.block,
                          &request.found))
        return NULL;
    PyObject *ids = PySequence_Tuple(given);
    PyObject *unseen = ids == NULL ? NULL : answer((const IdRows *)object, ids, &request);
    Py_XDECREF(ids);
    PyBuffer_Release(&request.alive);
    PyBuffer_Release(&request.looked_at);
    PyBuffer_Release(&request.found);
    return unseen;
}

/* -- the object ---------------------------------------------------------------------------------------------------- */

static int survey(IdRows *self)
{
    self->count = (size_t)self->hashes.len / sizeof(uint32_t);
    return survey_texts(&self->texts) && self->hashes.len == self->rows.len && self->count <= UINT32_MAX &&
           self->keys.len >= (Py_ssize_t)sizeof(uint64_t);
}

static void id_rows_free(PyObject *object)
{
    IdRows *self = (IdRows *)object;
    PyTypeObject *type = Py_TYPE(object);
    release_texts(&self->texts);
    PyBuffer_Release(&self->hashes);
    PyBuffer_Release(&self->rows);
    PyBuffer_Release(&self->keys);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *id_rows_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    IdRows *self = (IdRows *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    int parsed = PyArg_ParseTuple(arguments, "y*y*y*y*y*y*:IdRows", &self->hashes, &self->rows, &self->keys,
                                  &self->texts.data, &self->texts.starts, &self->texts.lengths);
    if (!parsed || !survey(self)) {
        if (parsed)
            PyErr_SetString(PyExc_ValueError, "these are not the hashes, the keys and the texts of the same rows");
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyMethodDef methods[] = {
    {"find", find, METH_VARARGS,
     "find(ids, alive, looked_at, block, rows): the row of each id, -1 for one that no row has that is alive. What it "
     "returns are the blocks that have to be looked at first: once there are none, rows is right. None: an id is too "
     "long, or has no UTF-8."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "IdRows(hashes, rows, keys, data, starts, lengths): the hashes of ids, ascending, and their rows; what "
                "the hashes are made with; the texts of the rows, whose first is the id."},
    {Py_tp_new, id_rows_new},
    {Py_tp_dealloc, id_rows_free},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec id_rows_spec = {
    .name = "chroma_plugin.compiled._native.IdRows",
    .basicsize = sizeof(IdRows),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
