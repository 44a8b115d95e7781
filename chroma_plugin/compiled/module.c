/* The module: its functions, its type. */

#include "native.h"

static int add_parts(PyObject *module)
{
    PyObject *links = PyType_FromSpec(&links_spec);
    if (links == NULL)
        return -1;
    int failed = PyModule_AddObjectRef(module, "Links", links);
    Py_DECREF(links);
    if (failed)
        return -1;
    PyMethodDef *methods[] = {&measure_method};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        PyObject *function = PyCFunction_New(methods[at], NULL);
        failed = function == NULL || PyModule_AddObjectRef(module, methods[at]->ml_name, function);
        Py_XDECREF(function);
        if (failed)
            return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)add_parts},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
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
