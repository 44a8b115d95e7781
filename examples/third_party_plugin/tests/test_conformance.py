from chroma_plugin.testing import BackendConformance


class TestSQLite(BackendConformance):
    backend = "sqlite"
