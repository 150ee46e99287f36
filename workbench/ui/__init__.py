"""The page: five tabs over the workspace on disk.

Each tab (``data``, ``train``, ``runs``, ``evaluate``, ``search``) has one `build` that makes its widgets and says what
happens when they are used; its HTML is made in ``…_views``. The parts of the Data tab lie in ``part_…``. A handler
reads widgets, makes one call of a lower layer, returns widgets. What is chosen stands in the address of the page
(`place`); everything else is read from disk.
"""
