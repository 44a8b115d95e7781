"""What each call on a collection does: prepared arguments in, one or more calls to a store, shaped results out.

Nothing here knows whether it runs sync or async: see `procedure`.
"""
