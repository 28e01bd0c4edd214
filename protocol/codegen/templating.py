"""Jinja2, set up once for C++ text."""
import pathlib

import jinja2

from model.facts import declare

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
_environment.globals["declare"] = declare


def render(template, **values):
    return _environment.get_template(template).render(**values)


def parameter_list(params):
    return ", ".join(declare(p.type.spelling, p.name) for p in params)


def argument_list(params):
    return ", ".join(p.name for p in params)


_environment.globals["parameter_list"] = parameter_list
_environment.globals["argument_list"] = argument_list
