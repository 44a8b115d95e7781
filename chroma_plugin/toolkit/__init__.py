"""For authors of backends: what our own local engines are made of.

`LocalStore` is a `CollectionStore` that serves every read from arrays in memory and sends every write to a `Journal`
first. A backend that can load rows and commit a change (a file, a database) has a fast collection store by giving it
a journal.

::

    files, growing  <-  vectors, vector_file  <-  columns, graph, textindex  <-  table
                    <-  masks, planner, searching, textsearch, settling  <-  local
"""
