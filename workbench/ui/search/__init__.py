"""The Search tab: ask an index by anything, and keep the index behind it in order.

tab.py        the frame: which index is in hand, its parts, the form that makes one, its progress
in_hand.py    which index that is
ask.py        the part that asks: fields, choices, results; query.py reads what is asked
views.py      the HTML of the frame and of results
asked.py      an item of a collection that the address asks with
feedback.py   the thumbs on results; feedback_views.py draws them
"""

from workbench.ui.search.tab import build

__all__ = ["build"]
