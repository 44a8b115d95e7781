/* Texts of some rows, cut out of the bytes in which they stand: see `toolkit/text_rows.py`.

   Most of the time of a read is waiting for memory, as each row stands elsewhere: so that of the rows to come is asked
   for while one is read. Nothing in the arrays is believed: each text is looked for within the data. */

#include "native.h" /* first: it says what the system is asked for */

#include <string.h>

#define AHEAD 8   /* Rows whose memory is asked for before it is needed. */
#define BEGIN 256 /* Bytes of a row that are asked for; what follows the processor fetches by itself. */

typedef struct {
    PyObject_HEAD
    Texts texts;
} TextRows;

/* -- rows in their bytes ------------------------------------------------------------------------------------------- */

/* How many there are; false when the arrays are no two of the same rows. */
int survey_texts(Texts *texts)
{
    Py_ssize_t starts = texts->starts.len / (Py_ssize_t)sizeof(int64_t);
    Py_ssize_t lengths = texts->lengths.len / (Py_ssize_t)sizeof(int32_t);
    texts->count = starts - 1;
    texts->columns = texts->count > 0 ? lengths / texts->count : 0;
    return texts->count >= 0 && lengths == texts->columns * texts->count;
}

void release_texts(Texts *texts)
{
    PyBuffer_Release(&texts->data);
    PyBuffer_Release(&texts->starts);
    PyBuffer_Release(&texts->lengths);
}

static int is_row(const Texts *texts, int64_t row)
{
    return row >= 0 && row < texts->count;
}

static int64_t start_of(const Texts *texts, int64_t row)
{
    return ((const int64_t *)texts->starts.buf)[row];
}

static const int32_t *lengths_of(const Texts *texts, int64_t row)
{
    return (const int32_t *)texts->lengths.buf + row * texts->columns;
}

/* False when there is no such text, or not within the data. */
int find_text(const Texts *texts, int64_t row, Py_ssize_t column, Text *text)
{
    if (!is_row(texts, row) || column < 0 || column >= texts->columns)
        return 0;
    const int32_t *lengths = lengths_of(texts, row);
    int64_t place = start_of(texts, row), end = texts->data.len;
    for (Py_ssize_t before = 0; before < column && place >= 0 && place <= end; before++)
        place += lengths[before] > 0 ? lengths[before] : 0;
    if (place < 0 || place > end || lengths[column] > end - place)
        return 0;
    text->start = (const char *)texts->data.buf + place;
    text->length = lengths[column];
    return 1;
}

/* Ask for the memory that says where a row stands. */
void foresee_lengths(const Texts *texts, int64_t row)
{
    if (is_row(texts, row)) {
        PREFETCH((const int64_t *)texts->starts.buf + row);
        PREFETCH(lengths_of(texts, row));
    }
}

/* Ask for the memory in which it stands. */
void foresee_text(const Texts *texts, int64_t row)
{
    if (!is_row(texts, row))
        return;
    int64_t start = start_of(texts, row), end = start_of(texts, row + 1);
    if (start >= 0 && start <= end && end <= texts->data.len)
        prefetch_bytes((const char *)texts->data.buf + start, (size_t)(end - start < BEGIN ? end - start : BEGIN));
}

/* While the row that is `at` among those is read. */
static void foresee(const Texts *texts, const int64_t *rows, Py_ssize_t count, Py_ssize_t at)
{
    if (at + 2 * AHEAD < count)
        foresee_lengths(texts, rows[at + 2 * AHEAD]);
    if (at + AHEAD < count)
        foresee_text(texts, rows[at + AHEAD]);
}

static void foresee_first(const Texts *texts, const int64_t *rows, Py_ssize_t count)
{
    for (Py_ssize_t at = 0; at < count && at < 2 * AHEAD; at++)
        foresee_lengths(texts, rows[at]);
    for (Py_ssize_t at = 0; at < count && at < AHEAD; at++)
        foresee_text(texts, rows[at]);
}

static void *refuse(void)
{
    PyErr_SetString(PyExc_ValueError, "there are no such texts, or the arrays lead out of the data");
    return NULL;
}

/* -- columns of objects -------------------------------------------------------------------------------------------- */

typedef PyObject *(*Make)(const char *, Py_ssize_t);

static PyObject *decode(const char *start, Py_ssize_t length)
{
    return PyUnicode_DecodeUTF8(start, length, "surrogatepass");
}

static PyObject *made(const Texts *texts, int64_t row, Py_ssize_t column, Make make)
{
    Text text;
    if (!find_text(texts, row, column, &text))
        return refuse();
    if (text.length < 0)
        Py_RETURN_NONE;
    return make(text.start, (Py_ssize_t)text.length);
}

static PyObject *empty_lists(Py_ssize_t number, Py_ssize_t length)
{
    PyObject *lists = PyList_New(number);
    for (Py_ssize_t at = 0; lists != NULL && at < number; at++) {
        PyObject *list = PyList_New(length);
        if (list == NULL || PyList_SetItem(lists, at, list) < 0)
            Py_CLEAR(lists);
    }
    return lists;
}

static int fill_row(const Texts *texts, int64_t row, Make make, PyObject *columns, PyObject *lists, Py_ssize_t at)
{
    for (Py_ssize_t which = 0; which < PyList_Size(lists); which++) {
        Py_ssize_t column = PyLong_AsSsize_t(PyTuple_GetItem(columns, which));
        if (column == -1 && PyErr_Occurred())
            return -1;
        PyObject *text = made(texts, row, column, make);
        if (text == NULL || PyList_SetItem(PyList_GetItem(lists, which), at, text) < 0)
            return -1;
    }
    return 0;
}

/* A list for each column, of what `make` makes of each text. */
static PyObject *lists_of(const Texts *texts, const int64_t *rows, Py_ssize_t count, PyObject *columns, Make make)
{
    PyObject *lists = empty_lists(PyTuple_Size(columns), count);
    foresee_first(texts, rows, count);
    for (Py_ssize_t at = 0; lists != NULL && at < count; at++) {
        foresee(texts, rows, count, at);
        if (fill_row(texts, rows[at], make, columns, lists, at) < 0)
            Py_CLEAR(lists);
    }
    return lists;
}

static PyObject *take(PyObject *self, PyObject *arguments, Make make)
{
    Py_buffer rows;
    PyObject *given;
    if (!PyArg_ParseTuple(arguments, "y*O", &rows, &given))
        return NULL;
    PyObject *columns = PySequence_Tuple(given), *lists = NULL;
    if (columns != NULL)
        lists = lists_of(&((TextRows *)self)->texts, rows.buf, rows.len / (Py_ssize_t)sizeof(int64_t), columns, make);
    Py_XDECREF(columns);
    PyBuffer_Release(&rows);
    return lists;
}

static PyObject *encoded(PyObject *self, PyObject *arguments)
{
    return take(self, arguments, PyBytes_FromStringAndSize);
}

static PyObject *decoded(PyObject *self, PyObject *arguments)
{
    return take(self, arguments, decode);
}

/* -- a list in JSON ------------------------------------------------------------------------------------------------ */

static const Text NOTHING = {"null", 4};

static int find_json(const Texts *texts, int64_t row, Py_ssize_t column, Text *text)
{
    if (!find_text(texts, row, column, text))
        return 0;
    if (text->length < 0)
        *text = NOTHING;
    return 1;
}

/* The bytes of the list; -1 when a text is not there. */
static Py_ssize_t measure_json(const Texts *texts, const int64_t *rows, Py_ssize_t count, Py_ssize_t column)
{
    int64_t total = count > 0 ? 1 + count : 2; /* Brackets, and what stands between. */
    for (Py_ssize_t at = 0; at < count; at++) {
        Text text;
        foresee(texts, rows, count, at);
        if (!find_json(texts, rows[at], column, &text) || text.length > PTRDIFF_MAX - total)
            return -1;
        total += text.length;
    }
    return (Py_ssize_t)total;
}

static void write_json(const Texts *texts, const int64_t *rows, Py_ssize_t count, Py_ssize_t column, char *to)
{
    *to++ = '[';
    for (Py_ssize_t at = 0; at < count; at++) {
        Text text = NOTHING;
        find_json(texts, rows[at], column, &text);
        memcpy(to, text.start, (size_t)text.length);
        to += text.length;
        *to++ = at + 1 < count ? ',' : ']';
    }
    if (count == 0)
        *to = ']';
}

static PyObject *json_of(const Texts *texts, const int64_t *rows, Py_ssize_t count, Py_ssize_t column)
{
    foresee_first(texts, rows, count);
    Py_ssize_t size = measure_json(texts, rows, count, column);
    if (size < 0)
        return refuse();
    PyObject *whole = PyBytes_FromStringAndSize(NULL, size);
    if (whole != NULL)
        write_json(texts, rows, count, column, PyBytes_AsString(whole));
    return whole;
}

static PyObject *json(PyObject *self, PyObject *arguments)
{
    Py_buffer rows;
    Py_ssize_t column;
    if (!PyArg_ParseTuple(arguments, "y*n:json", &rows, &column))
        return NULL;
    PyObject *whole = json_of(&((TextRows *)self)->texts, rows.buf, rows.len / (Py_ssize_t)sizeof(int64_t), column);
    PyBuffer_Release(&rows);
    return whole;
}

/* -- the object ---------------------------------------------------------------------------------------------------- */

static void text_rows_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    release_texts(&((TextRows *)self)->texts);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *text_rows_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TextRows *self = (TextRows *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    Texts *texts = &self->texts;
    int parsed = PyArg_ParseTuple(arguments, "y*y*y*:TextRows", &texts->data, &texts->starts, &texts->lengths);
    if (!parsed || !survey_texts(texts)) {
        if (parsed)
            PyErr_SetString(PyExc_ValueError, "these are not the places and the lengths of the same rows");
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyMethodDef methods[] = {
    {"encoded", encoded, METH_VARARGS, "encoded(rows, columns): for each column the texts of those rows, as bytes."},
    {"decoded", decoded, METH_VARARGS, "decoded(rows, columns): the same as str, out of UTF-8."},
    {"json", json, METH_VARARGS, "json(rows, column): one JSON list of texts that are JSON."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "TextRows(data, starts, lengths): the texts of rows in that data."},
    {Py_tp_new, text_rows_new},
    {Py_tp_dealloc, text_rows_free},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec text_rows_spec = {
    .name = "chroma_plugin.compiled._native.TextRows",
    .basicsize = sizeof(TextRows),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
