/* The module: its functions, its types. */

#include "native.h"

/* Takes the reference; -1 when there is nothing to add. */
static int add(PyObject *module, const char *name, PyObject *part)
{
    int failed = part == NULL || PyModule_AddObjectRef(module, name, part);
    Py_XDECREF(part);
    return failed ? -1 : 0;
}

static int add_parts(PyObject *module)
{
    int failed = add(module, "Links", PyType_FromSpec(&links_spec)) ||
                 add(module, "TextRows", PyType_FromSpec(&text_rows_spec)) ||
                 add(module, "IdRows", PyType_FromSpec(&id_rows_spec)) ||
                 add(module, measure_method.ml_name, PyCFunction_New(&measure_method, NULL));
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)add_parts},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "chroma_plugin.compiled._native",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
