"""For authors of backends: what our own local engines are made of.

`LocalStore` is a `CollectionStore` that serves every read from arrays in memory and sends every write to a `Journal`
first. A backend that can load rows and commit a change (a file, a database) has a fast collection store by giving it
a journal.

::

    files, growing, steps, candidates, scores  <-  blocks, checked_file, vectors, projection
        <-  vector_file, text_file, bare_graph  <-  columns, ids, texts, textindex, sketch, graph  <-  table
        <-  masks, planner, scanning, reached, searching, textsearch, saved_table, settling, upkeep  <-  local
"""
