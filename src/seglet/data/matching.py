"""Which files of a dataset are what, and which belong together: by the variables of a layout's patterns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from seglet.data.layouts import NAMING, Layout
from seglet.data.patterns import match, n_literal, variables
from seglet.io.sources import File

Key = tuple[str, ...]


class Found(NamedTuple):
    """A file that a pattern matches, and what each variable stands for."""

    file: File
    values: dict[str, str]

    def key(self, names: Iterable[str]) -> Key:
        """What some of the variables stand for, to be compared."""
        return tuple(self.values[name].lower() for name in names)


class Matches(NamedTuple):
    """The images, each with its channels, and by pattern what else there is, by the variables shared."""

    images: list[list[Found]]
    partners: Mapping[str, Mapping[Key, list[Found]]]

    def of(self, image: Found, pattern: str, layout: Layout) -> list[Found]:
        """The files of one pattern that belong to an image."""
        return self.partners[pattern].get(image.key(shared(pattern, layout)), [])

    def strays(self, patterns: Sequence[str], layout: Layout) -> list[Found]:
        """Files of these patterns that belong to no image."""
        found = []
        for pattern in patterns:
            names = shared(pattern, layout)
            keys = {members[0].key(names) for members in self.images}
            found += [
                one for key, group in self.partners[pattern].items() if key not in keys for one in group
            ]
        return found


def shared(pattern: str, layout: Layout) -> list[str]:
    """Variables by which files of a pattern and images find each other."""
    return sorted(variables(pattern) & variables(layout.image) & NAMING)


def match_files(layout: Layout, files: Sequence[File]) -> Matches:
    """Sort files by what they are.

    A file that fits the patterns of the images and of something else is an image only where the pattern of
    the images says more of its name.
    """
    patterns = [pattern for group in layout.partners.values() for pattern in group]
    partners: dict[str, dict[Key, list[Found]]] = {pattern: {} for pattern in patterns}
    images: dict[Key, list[Found]] = {}
    naming = sorted(variables(layout.image) - {"channel"})
    for file in files:
        name = file.shown_name
        values = match(layout.image, name)
        pattern, other = _first_match(patterns, name)
        if other is not None and (values is None or n_literal(layout.image) <= n_literal(pattern)):
            found = Found(file, other)
            partners[pattern].setdefault(found.key(shared(pattern, layout)), []).append(found)
        elif values is not None:
            one = Found(file, values)
            key = one.key(naming) if "channel" in values else (name,)
            images.setdefault(key, []).append(one)
    return Matches([_by_channel(members) for members in images.values()], partners)


def _first_match(patterns: Sequence[str], name: str) -> tuple[str, dict[str, str] | None]:
    for pattern in patterns:
        if (values := match(pattern, name)) is not None:
            return pattern, values
    return "", None


def _by_channel(members: list[Found]) -> list[Found]:
    return sorted(members, key=lambda one: one.values.get("channel", ""))
