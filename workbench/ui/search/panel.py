"""The panel in which a result opens: the item itself, what lies near it, what is judged of it."""

from __future__ import annotations

import gradio as gr

from workbench.index.look import look
from workbench.index.search import Searcher
from workbench.ui.page import LISTEN_JS, Page, Widgets
from workbench.ui.search import panel_views, why_views
from workbench.ui.search.feedback import Feedback

# A panel that opens takes the focus, one that closes gives it back to the button that opened it.
PANEL_JS = (
    LISTEN_JS
    + """
const openers = () => document.querySelectorAll('#search-results [data-act="open"]');
let open = '', asks = false;
element.addEventListener('click', (event) => { asks = !!event.target.closest('#item-more, #item-less'); });
watch('value', () => {
  const panel = element.querySelector('.panel'), before = open;
  open = panel?.dataset.item || '';
  for (const one of openers()) one.setAttribute('aria-expanded', String(!!open && one.dataset.document === open));
  if (panel && open !== before) {
    panel.querySelector('h2').focus({ preventScroll: true });
    panel.scrollIntoView({ block: 'start' });
  } else if (panel && panel.querySelector('.why')) {
    panel.querySelector('#item-why').focus({ preventScroll: true });
    panel.querySelector('#item-why').scrollIntoView({ block: 'nearest' });
  } else if (!panel && before && asks) {
    document.getElementById('search-main').scrollIntoView({ block: 'start' });
    document.querySelector('#search-results .stages')?.focus({ preventScroll: true });
  } else if (!panel && before) [...openers()].find((one) => one.dataset.document === before)?.focus();
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') element.querySelector('#item-close')?.click();
});
"""
)


class Panel:
    """The widget of the panel, and what is drawn in it."""

    def __init__(self, page: Page, searcher: Searcher, feedback: Feedback) -> None:
        self.page, self.searcher, self.feedback = page, searcher, feedback
        self.view = gr.HTML(elem_id="search-item", js_on_load=PANEL_JS, apply_default_css=False)

    def open(self, key: str, document: str, chosen: str | None, *, why: bool = False) -> Widgets:
        """Open a document of the index that the search `key` asked: a result of it, or one that lies near another.

        why: with what carries its score, which takes some eighty scores of the model.
        """
        asked = self.feedback.find(key)
        found = look(self.searcher, self.page.workspace, asked.found.index, document)
        verdict = self.feedback.pressed(asked.query, chosen, asked.collection).get(document, "")
        hit = asked.hits.get(document)
        told = why_views.explained(self.searcher, asked.query, asked.found, found, self.page.media) if why else ""
        return {self.view: panel_views.panel(found, hit, key, verdict, self.page.media, told)}
