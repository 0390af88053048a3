"""Rules that every platform keeps, over the graph of resources that an engine would make.

    python -m operations policies --stack prod        # beside a preview, whatever the engine
    pulumi preview --policy-pack policies             # inside Pulumi's own CLI

A rule is a plain function from a graph to findings and knows no engine; `rules.RULES` is the list.
Start reading at `rule`, then one subject, such as `encryption`.
"""
