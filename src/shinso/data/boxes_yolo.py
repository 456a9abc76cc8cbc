"""YOLO's text of boxes: a file an image, a line a box: class number, centre and size in shares.

Text files lie in a folder ``labels`` beside ``images``, or beside the images themselves. Names of
classes come from ``data.yaml`` (names), ``classes.txt`` or ``obj.names``. Folders named train, val,
valid and test are a split.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from shinso.data.box_files import ImageFiles, WrittenBox, WrittenBoxes, WrittenImage, part_of
from shinso.data.file_tree import FileTree, decoded
from shinso.language import _

NAME_LISTS = ("classes.txt", "obj.names", "labels.txt")


def read_yolo(tree: FileTree) -> WrittenBoxes:
    found = WrittenBoxes("yolo")
    found.classes = _class_names(found, tree)
    named = bool(found.classes)
    files = ImageFiles(tree)
    used: set[str] = set()
    numbers: set[int] = set()
    for image in files.names:
        text = _text_of(tree, image)
        boxes = []
        if text is not None:
            used.add(text)
            boxes = _lines(found, tree, text, named, numbers)
        place = tree.place(text or image)
        found.images.append(
            WrittenImage(image, place, tree.loads[image], tuple(boxes), None, part_of(image))
        )
    if not named:
        found.classes = [str(number) for number in range(max(numbers, default=-1) + 1)]
        found.notes.append(
            _("no names of classes were found (data.yaml, classes.txt); they are called by numbers")
        )
    for name in tree.ending(".txt"):
        path = PurePosixPath(name)
        if name not in used and "labels" in path.parts[:-1]:
            found.fault(
                "DATA-NOT-FOUND",
                tree.place(name),
                path.stem,
                _("no image belongs to this file of boxes"),
                _("bring the image, or take the file out"),
            )
    return found


def _text_of(tree: FileTree, image: str) -> str | None:
    """The file of an image's boxes; None where it has none, which says: background."""
    path = PurePosixPath(image)
    parts = list(path.parts[:-1])
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    for folder in (PurePosixPath(*parts), path.parent):
        name = (folder / f"{path.stem}.txt").as_posix()
        if name in tree.loads and PurePosixPath(name).name not in NAME_LISTS:
            return name
    return None


def _lines(
    found: WrittenBoxes, tree: FileTree, name: str, named: bool, numbers: set[int]
) -> list[WrittenBox]:
    boxes = []
    text = tree.loads[name]().decode("utf-8-sig", errors="replace")
    for line, words in enumerate(map(str.split, text.splitlines()), 1):
        if not words:
            continue
        place = f"{tree.place(name)}:{line}"
        try:
            x, y, width, height = map(float, words[1:])
            number = int(words[0])
        except ValueError:
            found.fault(
                "DATA-FORMAT",
                place,
                " ".join(words)[:80],
                _("a line is a class number and four shares: centre x, centre y, width, height"),
                _("mend the line, or take it out"),
            )
            continue
        known = 0 <= number < len(found.classes) if named else number >= 0
        numbers.add(max(number, -1))
        boxes.append(
            WrittenBox(
                (x - width / 2, y - height / 2, x + width / 2, y + height / 2),
                (found.classes[number] if named else str(number)) if known else "",
                place,
                relative=True,
                wrong_class="" if known else _("class {number}").format(number=number),
            )
        )
    return boxes


def _class_names(found: WrittenBoxes, tree: FileTree) -> list[str]:
    import yaml

    for name in tree.ending(".yaml", ".yml"):
        try:
            content = yaml.safe_load(tree.loads[name]())
            names = content.get("names") if isinstance(content, dict) else None
            if isinstance(names, dict):
                names = [names[number] for number in range(len(names))]
            if isinstance(names, list):
                if any(isinstance(one, dict | list) for one in names):
                    raise ValueError("a name is a list")
                return [str(one) for one in names]
        except (yaml.YAMLError, KeyError, ValueError, RecursionError) as error:
            found.fault(
                "DATA-FORMAT",
                tree.place(name),
                f"{type(error).__name__}: {error}",
                _("names of classes are a list, or numbers from 0 on with their names"),
                _("mend the file, or take it out"),
            )
    for name in tree.loads:
        if PurePosixPath(name).name in NAME_LISTS:
            lines = decoded(tree, name, found.notes).splitlines()
            return [one.strip() for one in lines if one.strip()]
    return []
