"""The page: five tabs over the workspace on disk.

One file a tab (``data``, ``train``, ``runs``, ``evaluate``, ``search``), each with one `build` that makes its widgets
and says what happens when they are used. A handler reads widgets, makes one call of a lower layer, returns widgets.
What is chosen stands in the address of the page (`place`); everything else is read from disk.
"""
