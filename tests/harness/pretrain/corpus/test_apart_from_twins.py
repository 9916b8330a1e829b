"""Corpus and twins have nothing in common: no import, no function, no sentence, no caption, no picture."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.datasets import DATASETS
from harness.pretrain.corpus import crowds, paper_dolls, pictograms
from harness.pretrain.corpus.web import KINDS, PEOPLE, web_pair
from harness.twins.speech.voices import VOICES
from harness.twins.speech.words import GENERIC, WORDS
from harness.twins.writer import write_twin

ROOT = Path(__file__).resolve().parents[4]
OURS = sorted((ROOT / "harness" / "pretrain").rglob("*.py"))
TWINS = sorted((ROOT / "harness" / "twins").rglob("*.py"))
PLUGINS = sorted((ROOT / "datasets").glob("*.py"))
SIZE = (96, 32)
STYLES = (*pictograms.STYLES, *paper_dolls.STYLES, *crowds.STYLES)
FLAT = 0.2


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


def strings(files):
    """Every text in some files that is no docstring."""
    for file in files:
        tree = ast.parse(file.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value


def names_of_people():
    """The words of which each caption of a twin has one."""
    every = [word for words in WORDS["gender"].values() for word in words] + list(GENERIC["gender"])
    for voice in VOICES.values():
        every += [word for key in WORDS["gender"] for word in voice.habits.get(key, ())]
    return set().union(*(words(word) for word in every)) - {"young"}


def imports(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_neither_imports_the_other():
    assert OURS
    assert TWINS
    for file in OURS:
        assert not [
            name for name in imports(file) if name.startswith(("harness.twins", "harness.datasets"))
        ], file
    for file in [*TWINS, *PLUGINS]:
        assert not [name for name in imports(file) if name.startswith("harness.pretrain")], file


class Nameless(ast.NodeTransformer):
    """Takes the names out of a function, so that a renamed copy is the same."""

    def visit_Name(self, node):
        return ast.Name("_", node.ctx)

    def visit_arg(self, node):
        return ast.arg("_", None)

    def visit_Attribute(self, node):
        return ast.Attribute(self.visit(node.value), "_", node.ctx)


def functions(files):
    """The bodies of all functions of more than one statement, without names and docstrings."""
    found = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                shape = "".join(ast.dump(Nameless().visit(one)) for one in body)
                if len(body) > 1 or len(shape) > 600:
                    found[shape] = f"{file.name}:{node.name}"
    return found


def test_no_function_of_one_is_a_renamed_copy_of_the_others():
    ours, theirs = functions(OURS), functions(TWINS)
    assert len(ours) > 40
    assert len(theirs) > 40
    assert not {ours[shape]: theirs[shape] for shape in ours.keys() & theirs.keys()}


def templates(files):
    """Sentences with blanks, whatever the blanks are called."""
    blank = re.compile(r"\{[^}]*\}")
    return {
        blank.sub("{}", text)
        for text in strings(files)
        if blank.search(text) and re.search("[a-z]", blank.sub("", text), re.I)
    }


def test_no_sentence_with_blanks_is_in_both():
    ours, theirs = templates(OURS), templates(TWINS)
    assert len(ours) > 30
    assert len(theirs) > 30
    assert not ours & theirs


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """Captions and pictures of small twins, of another seed than any experiment has."""
    captions, pictures = [], []
    for name in DATASETS.names():
        dataset = DATASETS.get(name)
        if dataset.twin is None:
            continue
        folder = write_twin(dataset, tmp_path_factory.mktemp(name), identities=12, seed=99, workers=1)
        entries = json.loads((folder / dataset.twin.form.annotation_file).read_text())
        captions += [caption for entry in entries for caption in entry["captions"]]
        pictures += sorted((folder / dataset.image_folder).rglob("*.jpg"))
    assert len(captions) > 100
    assert len(pictures) > 100
    return captions, [Image.open(picture).convert("RGB") for picture in pictures]


def test_every_caption_of_a_twin_names_a_person_in_words_of_the_twins_alone(twins):
    known, people = set().union(*map(words, strings(TWINS))), names_of_people()
    for caption in twins[0]:
        assert words(caption) & people, caption
        assert words(caption) <= known, caption


@pytest.mark.parametrize("kind", KINDS)
def test_no_caption_of_a_twin_comes_out_of_the_corpus(kind):
    """Captions of drawn people name a style that no twin has a word for, and no others name a person."""
    known, people = set().union(*map(words, strings(TWINS))), names_of_people()
    assert all(words(style) - known for style in STYLES)
    named = 0
    for index in range(700):
        caption = web_pair(kind, 1, index, SIZE)[1]
        squeezed = re.sub(r"[^a-z]", "", caption.lower())
        if kind in PEOPLE:
            assert any(re.sub(r"[^a-z]", "", style) in squeezed for style in STYLES), caption
            named += bool(words(caption) & people)
        else:
            assert not words(caption) & people, caption
        assert not (words(caption) & people and words(caption) <= known), caption
    assert named > 150 or kind not in ("pictograms", "paper_dolls")


def commonest(pixels):
    """The share of the pixels that have the commonest colour."""
    counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)[1]
    return counts.max() / counts.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_a_picture_of_the_corpus_is_even_and_people_are_printed_flat(kind):
    for index in range(200):
        pixels = web_pair(kind, 1, index, SIZE)[0]
        assert not (pixels % 2).any()
        assert kind not in PEOPLE or commonest(pixels) > FLAT, index


@pytest.mark.slow
def test_no_picture_of_a_twin_is_even_or_flat_as_it_is_or_as_the_tiny_clip_sees_it(twins):
    for picture in twins[1]:
        for seen in (picture, picture.resize(SIZE[::-1], Image.Resampling.BILINEAR)):
            pixels = np.asarray(seen)
            assert (pixels % 2).mean() > 0.2
            assert commonest(pixels) < 0.75 * FLAT
