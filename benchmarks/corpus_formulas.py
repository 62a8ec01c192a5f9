r"""How many formulas of HTML pages `extract_text` keeps, by the way that they are written.

    python benchmarks/corpus_formulas.py pages python-scipy-doc_1.10.1-2_all.deb html/ crawl.jsonl.gz [--lost lost.jsonl]
    python benchmarks/corpus_formulas.py rendered rendered.jsonl     # rows of `kind`, `tex` and `html`

`pages`: folders of HTML, Debian packages (`apt-get download python-scipy-doc`), or JSON lines with `html`. The source of a page
is searched for formulas by patterns, without parsing; each has to stand in the text, blanks aside, as often as in the page.
`rendered`: formulas of which the page has only the drawing, or MathML, beside the TeX that they were made of (MathJax by Node,
MediaWiki's test data); one is kept if nine tenths of its tokens agree (F1), other names of a sign and spacing aside.
"""

import argparse
import io
import json
import re
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from trl_dsmath.corpus.extract import extract_text
from trl_dsmath.corpus.records import read_jsonl

_HIDDEN = re.compile(r"<(nav|head|pre|code|textarea|style)\b.*?</\1>|<!--.*?-->", re.S | re.I)
_NO_TEXT = re.compile(r"<script(?![^>]*math/)\b.*?</script>", re.S | re.I)
_PATTERNS = {
    "\\( \\) and \\[ \\]": r"\\\((.+?)\\\)|\\\[(.+?)\\\]",
    "$$ $$": r"\$\$([^$<]{2,400})\$\$",
    "MathJax script": r"<script[^>]*type=[\"']math/tex[^>]*>(.*?)</script>",
    "annotation": r"<annotation[^>]*tex[^>]*>(.*?)</annotation>",
    "alttext": r"<math[^>]*alttext=(\"[^\"]*\"|'[^']*')(?!(?:(?!</math).)*<annotation[^>]*tex)",
    "image, alternative text": r"<img(?=[^>]*class=[\"'](?:[^\"']* )?(?:tex|math|latex|formula\w*)\b)[^>]*?alt=(\"[^\"]+\"|'[^']+')",
    "image, address": r"<img[^>]*src=[\"'][^\"']*(?:codecogs\.com/[^\"'?]*|mi?m?athtex\.cgi|mimetex\.cgi)\?(?:latex=)?([^\"']+)",
    "image, latex.php": r"<img[^>]*src=[\"'][^\"']*latex\.php\?latex=([^\"'&]+)",
    "Quill": r"ql-formula[^>]*data-value=(\"[^\"]*\"|'[^']*')",
}  # fmt: skip
_TAG = re.compile(r"<[^<>]*>")
_STYLE = re.compile(
    r"\\(?:dpi|bg|fn)(?:_\w+|\{[^}]*\})|\\(?:inline|large|Large|LARGE|small|displaystyle|parstyle)\b|%?<!\[CDATA\[|%?\]\]>|&space;"
)

_TOKEN = re.compile(r"\\(?:begin|end)\{[^}]*\}(?:\{[lcr|@{} ]*\})?|\\[A-Za-z]+\*?|\\.|[^\s]", re.S)
_PRIME = re.compile(r"\^\s*\{?(?=\\prime|')")
_COLOUR = re.compile(r"\\(?:page)?color\{[^}]*\}")
_SAME = {
    "leq": "le", "geq": "ge", "neq": "ne", "rightarrow": "to", "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "over": "frac",
    "ldots": "dots", "cdots": "dots", "dotsc": "dots", "dotsb": "dots", "lbrace": "{", "rbrace": "}", "lvert": "|", "rvert": "|",
    "vert": "|", "mid": "|", "lVert": "|", "rVert": "|", "Vert": "|", "parallel": "|", "choose": "binom",
    "dbinom": "binom", "tbinom": "binom", "bold": "mathbf", "prime": "'", "ast": "*", "land": "wedge",
    "lor": "vee", "neg": "lnot", "gets": "leftarrow", "iff": "Leftrightarrow", "Longleftrightarrow": "Leftrightarrow",
    "implies": "Rightarrow", "Longrightarrow": "Rightarrow", "longrightarrow": "to", "longmapsto": "mapsto", "colon": ":", "owns": "ni",
    "bar": "overline", "widehat": "hat", "widetilde": "tilde", "emptyset": "varnothing", "lbrack": "[", "rbrack": "]", "backslash": "setminus",
    "bf": "mathbf", "boldsymbol": "mathbf", "bm": "mathbf", "pmb": "mathbf", "Bbb": "mathbb", "cal": "mathcal", "mathscr": "mathcal", "div": "÷",
    "underset": "_", "overset": "^", "stackrel": "^", "cdotp": "cdot", "centerdot": "cdot", "bigtriangleup": "triangle", "perp": "bot",
    "hslash": "hbar", "lt": "<", "gt": ">", "sp": "^", "sb": "_",
}  # fmt: skip
_NOTHING = (
    "displaystyle textstyle scriptstyle left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr "
    "limits nolimits quad qquad text mathrm rm textrm mbox hbox operatorname operatorname* mathop mathord mathbin mathrel "
    "mathit it textit hspace mathstrut nonumber notag thinspace enspace phantom vphantom hphantom hline cr mathsf textbf "
    "emph scriptscriptstyle label"
)


def tokens(tex: str) -> Counter[str]:
    """The signs and commands of a formula, without spacing, size and other names of the same sign."""
    bag: Counter[str] = Counter()
    for token in _TOKEN.findall(_COLOUR.sub("", _PRIME.sub("'", unescape(tex)))):
        name = token[1:] if token.startswith("\\") else token
        if (
            name in _NOTHING
            or name.startswith(("begin{", "end{"))
            or token in ("{", "}", "~", "&", "\\\\")
            or name in ",;:! >/"
        ):
            continue
        bag[_SAME.get(name, name)] += 1
    return bag


def rendered(file: Path, lost: Path | None) -> None:
    kinds: dict[str, list[int]] = {}
    missed = []
    for row in read_jsonl(file):
        text = extract_text(f"<html><body><p>We see {row['html']} here.</p></body></html>")
        found = text.removeprefix("We see").removesuffix("here.").strip().strip("$")
        want, have = tokens(row["tex"]), tokens(found)
        common = (want & have).total()
        counts = kinds.setdefault(row["kind"], [0, 0, 0, 0, 0])
        kept = 2 * common >= 0.9 * (want.total() + have.total())
        for place, value in enumerate((1, kept, common, have.total(), want.total())):
            counts[place] += value
        if not kept:
            missed.append({"kind": row["kind"], "tex": row["tex"], "found": found})
    print(f"{'kind':24s} {'formulas':>8s} {'kept':>6s} {'share':>6s}  token precision, recall")
    for kind, (number, kept, common, have, want) in sorted(kinds.items()):
        print(
            f"{kind:24s} {number:8,} {kept:6,} {kept / number:6.3f}  {common / max(have, 1):.3f}  {common / want:.3f}"
        )
    _write(lost, missed)


def read_pages(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in {".html", ".htm", ".xhtml"} and file.is_file():
                yield str(file), file.read_text(errors="replace")
    elif path.suffix == ".deb":
        raw = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith((".html", ".htm", ".xhtml")):
                    yield member.name, archive.extractfile(member).read().decode(errors="replace")
    else:
        yield from ((row["url"], row["html"]) for row in read_jsonl(path))


def references(html: str) -> Iterator[tuple[str, str]]:
    """Kind and TeX of each formula in the source of a page. What stands in a formula of another kind is not counted again."""
    source = _NO_TEXT.sub("", _HIDDEN.sub("", html))
    for kind in ("annotation", "alttext", "MathJax script", "Quill", "image, latex.php", "image, address", "image, alternative text",
                 "\\( \\) and \\[ \\]", "$$ $$"):  # fmt: skip
        for found in re.findall(_PATTERNS[kind], source, re.S):
            tex = next((group for group in found if group), "") if isinstance(found, tuple) else found
            tex = (
                tex[1:-1]
                if tex[:1] in "\"'" and tex[:1] == tex[-1:]
                else _TAG.sub("", tex)
                if "script" not in kind
                else tex
            )
            tex = tex if "script" in kind else unescape(tex)
            if "image, " in kind and "text" not in kind:
                tex = (unquote_plus if "php" in kind else unquote)(tex)
            if tex.strip():
                yield kind, tex
        if kind in {"annotation", "alttext", "MathJax script", "Quill"}:
            whole = {"annotation": r"<math\b.*?</math>", "MathJax script": r"<script.*?</script>"}.get(kind)
            source = re.sub(whole, " ", source, flags=re.S) if whole else source


def _plain(text: str) -> str:
    text = _STYLE.sub("", text)
    text = text.replace("\\displaystyle", "").replace("&plus;", "+")
    return re.sub(r"[\s{}$]+", "", text)


def measure_pages(paths: list[Path], lost: Path | None) -> None:
    kinds: dict[str, list[int]] = {}
    missed, number, dense, seconds = [], 0, 0, 0.0
    for path in paths:
        for url, html in read_pages(path):
            found = [(kind, _plain(tex)) for kind, tex in references(html)]
            found = [(kind, tex) for kind, tex in found if tex]
            number += 1
            if not found:
                continue
            dense += 1
            start = time.process_time()
            text = _plain(extract_text(html))
            seconds += time.process_time() - start
            for (kind, tex), times in Counter(found).items():
                kept = min(times, text.count(tex))
                counts = kinds.setdefault(kind, [0, 0])
                counts[0], counts[1] = counts[0] + times, counts[1] + kept
                if kept < times:
                    missed.append({"url": url, "kind": kind, "tex": tex, "times": times, "kept": kept})
    print(f"{number:,} pages, {dense:,} of them with formulas: {dense / max(seconds, 1e-9):.0f} of these a CPU second")
    kinds["all"] = [sum(counts[0] for counts in kinds.values()), sum(counts[1] for counts in kinds.values())]
    for kind, (there, kept) in kinds.items():
        print(f"{kind:24s} {there:8,} {kept:8,} {kept / max(there, 1):7.4f}")
    _write(lost, missed)


def _write(file: Path | None, rows: list[dict]) -> None:
    if file is not None:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pages", "rendered"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--lost", type=Path, help="file for the formulas that are not kept")
    args = parser.parse_args()
    if args.what == "pages":
        measure_pages(args.paths, args.lost)
    for path in args.paths if args.what == "rendered" else ():
        rendered(path, args.lost)


if __name__ == "__main__":
    main()
