"""The Search tab: ask an index by anything, and keep the index behind it in order.

tab.py        the frame: which index is in hand, its parts, the form that makes one, its progress
in_hand.py    which index that is
ask.py        the part that asks; fields.py, options.py and filter_views.py are its fields, query.py reads an upload
views.py      the HTML of the frame and of results; around.py what stands above and below results
asked.py      an item of a collection that the address asks with
panel.py      a result that is open; panel_views.py draws it
feedback.py   the thumbs on results; feedback_views.py draws them
saved.py      the searches that the user keeps
index_page.py the part that keeps the index in order; index_page_views.py draws it
side.py       the part that asks two ways to search at once; side_views.py draws them
"""

from workbench.ui.search.tab import build

__all__ = ["build"]
