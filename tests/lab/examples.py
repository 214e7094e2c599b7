"""The files that docs/certificates-and-proxies.md shows, so that what is tested is what people copy."""
import os
import re

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "certificates-and-proxies.md")
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.M | re.S)


def example(path):
    """The block whose first comment names this file."""
    with open(PAGE) as f:
        for block in BLOCK.findall(f.read()):
            if re.match(rf"(?:#!.*\n)?# {re.escape(path)}\n", block):
                return block
    raise KeyError(f"no example of {path} in {PAGE}")


def fill(text, values):
    """Puts ours in the place of names and paths of the page; each has to be there, or the page says something else by now."""
    for old, new in values.items():
        if old not in text:
            raise KeyError(f"the example has no {old}")
        text = text.replace(old, new)
    return text
