"""A workbench to fine-tune multimodal embedding models and rerankers without programming.

The user's steps are the names of the folders. Imports run downward only, in this order:

    app.py
    ui/   cli.py                           what people and programs touch
    jobs/                                  start, queue, watch, stop, resume background work of any kind
    demo.py                                the built-in journey, made of the layers below and jobs/
    training/   index/   evaluation/       the work itself
    models/                                load, encode, rerank; the catalogue; the starter models
    collection/                            import, split, read, the demo collection
    media.py  settings.py  workspace.py  job_folder.py  errors.py

Nothing heavy is imported here: ``python -m workbench --help`` answers at once.
"""

__version__ = "0.1.0"
