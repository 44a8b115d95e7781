"""What importing costs, and what is said when LangChain is not installed."""

from __future__ import annotations

import subprocess
import sys

import chroma_plugin_langchain
import pytest

HEAVY = ("langchain_core", "langgraph", "pydantic", "numpy")
LANGCHAIN = sorted(set(chroma_plugin_langchain.__all__) - {"date_text", "ChromaPluginStore"})


def python(code: str) -> str:
    """What the code prints in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_no_framework() -> None:
    """Neither does looking at what it registers."""
    code = f"""
import sys, chroma_plugin_langchain
from chroma_plugin.plugins import PluginManager
assert PluginManager([chroma_plugin_langchain]).integration("langchain").requires == ("langchain_core",)
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert python(code) == "[]"


def test_a_vector_store_imports_no_graph() -> None:
    """Nor what reads structured queries or keeps records."""
    code = """
import sys
from chroma_plugin_langchain import ChromaPluginVectorStore
print([name for name in ("langgraph", "langchain_core.structured_query", "langchain_classic", "langchain_chroma",
    "chromadb", "duckdb", "httpx.no") if name in sys.modules])
"""
    assert python(code) == "[]"


@pytest.mark.parametrize("name", [*LANGCHAIN, "ChromaPluginStore"])
def test_without_the_framework_the_install_line_is_told(name: str) -> None:
    """By importing a name from the package."""
    extra = "langgraph" if name == "ChromaPluginStore" else "langchain"
    code = f"""
import sys
sys.modules["langchain_core"] = sys.modules["langgraph"] = None
from chroma_plugin.errors import MissingDependencyError
try:
    from chroma_plugin_langchain import {name}
except MissingDependencyError as error:
    print(error)
"""
    assert f"pip install 'chroma-plugin[{extra}]'" in python(code)


def test_adapt_tells_the_install_line() -> None:
    """So does collection.adapt."""
    code = """
import sys
sys.modules["langchain_core"] = None
import chroma_plugin
try:
    chroma_plugin.Client().create_collection("c12", embedding_function=None).adapt("langchain")
except chroma_plugin.errors.MissingDependencyError as error:
    print(error)
"""
    assert "pip install 'chroma-plugin[langchain]'" in python(code)


def test_every_name_is_there() -> None:
    """And no other."""
    for name in chroma_plugin_langchain.__all__:
        assert getattr(chroma_plugin_langchain, name).__name__ == name
    with pytest.raises(AttributeError, match="Chroma"):
        chroma_plugin_langchain.Chroma  # noqa: B018  it is the access that fails
