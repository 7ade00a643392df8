"""HTML pages from templates: one environment for all, in which every text is escaped."""

from collections.abc import Mapping

import jinja2

from seglet.report.tables import show_number


def fill_template(name: str, title: str, values: Mapping[str, object]) -> str:
    """Fill one of the templates beside this file; all of them extend ``base.html.j2``.

    Parameters
    ----------
    name : str
        Of the template's file.
    title : str
        Heading of the page, and its title in the browser.
    values : mapping
        What else the template shows; markup stays as it is, any other text is escaped.

    Returns
    -------
    str
        A whole HTML document that loads nothing from anywhere.

    Raises
    ------
    jinja2.UndefinedError
        If the template shows a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seglet.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = show_number
    return environment.get_template(name).render({**values, "title": title})
