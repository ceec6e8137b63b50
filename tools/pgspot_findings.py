"""Runs pgspot over an install script and holds its findings against the excepted ones: pgspot_findings.py SCRIPT EXCEPTIONS.

Must stay true: every finding is an error unless an exception names just this one and says why, an exception that fits
nothing is an error, and what could not be read is an error wherever a finding could have hidden in it.
"""

import sys
from argparse import Namespace

from pgspot import visitors
from pgspot.codes import codes
from pgspot.state import Counter, State

OPTIONS = Namespace(ignore=[], proc_without_search_path=[], summary_only=False, plpgsql=True, ignore_lang=[], sql_fn=[])


class Findings(Counter):
    """Collects what pgspot would print."""

    def __init__(self):
        super().__init__(OPTIONS)
        self.found = []

    def print_issue(self, code, context):
        self.found.append(f"{code}: {codes[code]['title']}: {context} at line {self.line_number()}")

    def unknown(self, message):
        self.found.append(f"unread: {message} at line {self.line_number()}")


def read_standard_bodies(visit):
    """pgspot falls over bodies in standard SQL (RETURN ..., BEGIN ATOMIC). These are parsed once, when the function is
    created: what they name is visited as part of the script, and only a definer still needs a search path."""

    def visit_create_function(self, ancestors, node):
        if node.sql_body is None:
            return visit(self, ancestors, node)
        options = {option.defname: option.arg for option in node.options}
        if "security" in options and options["security"].boolval:
            self.state.error("PS003", visitors.format_function(node))

    return visit_create_function


def survive_unread_bodies(visit):
    """Its PL/pgSQL parser does not know variables of a composite type. Under a secure search path, which is checked
    before, nothing in a body is a finding; elsewhere the body counts as unread."""

    def visit_plpgsql(state, node):
        try:
            visit(state, node)
        except Exception as error:
            if not state.searchpath_secure:
                name = visitors.format_function(node) if hasattr(node, "funcname") else "DO"
                state.unknown(f"{name}: {error}")

    return visit_plpgsql


def exceptions(path):
    """(code, part of the text, the whole line) of every exception."""
    for line in open(path, encoding="utf8"):
        line = line.strip()
        if line and not line.startswith("#"):
            code, text, _reason = (field.strip() for field in line.split("|"))
            yield code, text, line


def main(script, excepted):
    visitors.SQLVisitor.visit_CreateFunctionStmt = read_standard_bodies(visitors.SQLVisitor.visit_CreateFunctionStmt)
    visitors.visit_plpgsql = survive_unread_bodies(visitors.visit_plpgsql)
    findings = Findings()
    with open(script, encoding="utf8") as file:
        visitors.visit_sql(State(findings), file.read(), toplevel=True)

    unused, errors = [], findings.found
    for code, text, line in exceptions(excepted):
        fits = [found for found in findings.found if found.startswith(f"{code}:") and text in found]
        errors = [found for found in errors if found not in fits]
        if not fits:
            unused.append(f"fits no finding any more: {line}")
    print(*errors, *unused, sep="\n", end="\n" if errors or unused else "")
    print(f"pgspot: {len(errors)} findings, {len(findings.found) - len(errors)} excepted with a reason")
    return 1 if errors or unused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
