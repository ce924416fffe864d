"""What is in a page of tables."""

from html.parser import HTMLParser

#: Tags of text outside of cells.
OUTSIDE = ("caption", "summary", "p")


class Tables(HTMLParser):
    """The rows of all tables, and the text outside; raises where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.captions, self.numbers = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.numbers.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.numbers[-1].append(dict(attrs).get("class") == "number")
        if tag in OUTSIDE:
            self.captions.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        tag = self.open[-1] if self.open else ""
        if tag in ("td", "th"):
            self.rows[-1][-1] += data
        elif tag in OUTSIDE:
            self.captions[-1] += data
        else:
            assert tag == "style" or not data.strip()
