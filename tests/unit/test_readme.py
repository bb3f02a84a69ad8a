"""Output that README.md shows: found, replaced, folded, and nothing else of the page touched."""

import pytest

from hack.demo.commands import ROOT
from hack.readme.page import WIDTH, PageError, blocks, fold, replaced

PAGE = """# Title

<!-- output: demo -->
```
old \\1 output
```
<!-- end of output -->

```sh
make demo
```

<!-- output: refusals -->
```text
$ kubectl apply
no
```
<!-- end of output -->
Last words.
"""


def test_blocks_are_found_by_their_names() -> None:
    assert blocks(PAGE) == {"demo": "old \\1 output", "refusals": "$ kubectl apply\nno"}


def test_only_the_blocks_change() -> None:
    changed = replaced(PAGE, {"demo": "new \\g<0> output\n", "refusals": "\nyes"})
    assert blocks(changed) == {"demo": "new \\g<0> output", "refusals": "yes"}
    assert changed.startswith("# Title\n\n<!-- output: demo -->\n```\nnew")
    assert changed.endswith("<!-- end of output -->\nLast words.\n")
    assert "```sh\nmake demo\n```" in changed


@pytest.mark.parametrize("fresh", [{}, {"demo": ""}, {"demo": "", "refusals": "", "third": ""}])
def test_a_block_too_few_or_too_many_is_an_error(fresh: dict[str, str]) -> None:
    with pytest.raises(PageError):
        replaced(PAGE, fresh)


def test_long_sentences_are_folded_and_tables_are_not() -> None:
    sentence = "word " * 60
    row = "NAME   " * 40
    folded = fold(f"{sentence}\n{row}\nshort").splitlines()
    assert " ".join(folded[:-2]).split() == sentence.split()
    assert all(len(line) <= WIDTH for line in folded[:-2])
    assert folded[-2:] == [row, "short"]


def test_the_page_has_what_is_refreshed() -> None:
    assert set(blocks((ROOT / "README.md").read_text())) == {"demo", "refusals"}
