from dataclasses import FrozenInstanceError, fields

import pytest

from seglet.report.content import ReportContent


def test_only_title_date_and_classes_must_be_given():
    content = ReportContent(title="x", created="today", class_names=("background",))
    given = {"title", "created", "class_names"}
    assert not any(getattr(content, field.name) for field in fields(content) if field.name not in given)


def test_content_is_frozen(content: ReportContent):
    with pytest.raises(FrozenInstanceError):
        content.title = "another"  # type: ignore[misc]
