"""A workbench to fine-tune multimodal embedding models and rerankers without programming.

The user's steps are the names of the folders. Imports run downward only, in this order:

    app.py
    ui/   cli.py  cli_….py                 what people and programs touch
    jobs/                                  start, queue, watch, stop, resume background work of any kind
    demo.py                                the built-in journey, made of the layers below and jobs/
    training/                              fine-tune
    index/   explain/   evaluation/   doctor/   enrich/   search and why, score, check and mend, write and mine
    models/                                load, encode, rerank; the catalogue; the starter models
    collection/                            import, split, read, change, review, export; the demo collection
    media.py  settings/  workspace.py  job_folder.py  memory.py  errors.py

Nothing heavy is imported here: ``python -m workbench --help`` answers at once.
"""

__version__ = "0.1.0"
