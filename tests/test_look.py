"""The look holds: every component renders, templates keep to the policy, icons exist, the stylesheet is small."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.contrib.messages.storage.base import Message
from django.core.paginator import Paginator
from django.http import QueryDict
from django.template import Context
from django.template.loader import get_template
from django.test import RequestFactory

from numbersadmin import formats
from numbersadmin.money import Totals

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
CSS = ROOT / "static" / "app.css"
SPRITE = (ROOT / "static" / "icons.svg").read_text()
ICONS = set(re.findall(r'<symbol id="([^"]+)"', SPRITE))
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)

RULES = {
    "inline style": r"\sstyle\s*=|<style\b",
    "inline script": r"<script(?![^>]*\bsrc=)[^>]*>",
    "inline handler": r"<[^>]*\son[a-z]+\s*=\s*[\"']|\bhx-on\b|\bjs:|javascript:",
    "colour": r"(?:fill|stroke|color|bgcolor|content)\s*=\s*[\"'](?:#[0-9a-fA-F]{3,8}|rgb)",
    "foreign address": r"(?:src|href)\s*=\s*[\"'](?:https?:)?//",
    "component without only": r"{%\s*include\s+\"components/[^%]*(?<!only )%}",
}
IN_TEMPLATES = r"{%\s*icon\s+\"([^\"]+)\"|\bicon=\"([^\"]+)\"|icon\|default:\"([^\"]+)\""


def faults(text: str) -> Iterator[str]:
    """What is wrong with the text of a template."""
    text = re.sub(r"{#.*?#}", "", text)
    for name, rule in RULES.items():
        yield from (f"{name}: {found.group().strip()[:60]}" for found in re.finditer(rule, text))
    for found in re.finditer(IN_TEMPLATES, text):
        if (name := next(filter(None, found.groups()))) not in ICONS:
            yield f"no icon {name}"


def lost_names(text: str) -> list[str]:
    """Names that a block sets and that only another block uses: they are gone at the end of the block."""
    blocks = re.split(r"{% block \w+ %}", re.sub(r"{#.*?#}", "", text))[1:]
    return [
        name
        for at, block in enumerate(blocks)
        for name in re.findall(r"{% url [^%]* as (\w+) %}", block)
        for other in blocks[:at] + blocks[at + 1 :]
        if re.search(rf"(?:{{{{ |=){name}\b", other) and f" as {name} %}}" not in other
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_link_has_its_address_in_its_own_block(path):
    assert lost_names(path.read_text()) == []


def test_a_lost_address_is_found():
    crumbs = '{% block crumbs %}{% url "list" as back %}{% include "x" with url=back only %}{% endblock %}'
    assert lost_names(crumbs + '{% block content %}<a href="{{ back }}">{% endblock %}') == ["back"]
    assert lost_names(crumbs + "{% block content %}{% endblock %}") == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_templates_keep_the_rules(path):
    assert list(faults(path.read_text())) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<p style="color:red">', "inline style"),
        ("<style>p{}</style>", "inline style"),
        ("<script>alert(1)</script>", "inline script"),
        ('<a onclick="x()">', "inline handler"),
        ('<a hx-on:click="x()">', "inline handler"),
        ('<rect fill="#fff">', "colour"),
        ('<img src="//elsewhere.example/x.png">', "foreign address"),
        ('{% include "components/badge.html" with state=x %}', "component without only"),
        ('{% icon "no-such-icon" %}', "no icon no-such-icon"),
        ('{% include "components/note.html" with icon="no-such-icon" only %}', "no icon no-such-icon"),
    ],
)
def test_the_rules_can_fail(text, fault):
    assert any(found.startswith(fault) for found in faults(text))


def test_the_sprite_names_each_icon_once():
    found = re.findall(r'\bid="([^"]+)"', SPRITE)
    assert len(found) == len(set(found)) == len(ICONS)


def test_icons_named_in_code_exist():
    named = {seen.icon for looks in formats.LOOKS.values() for seen in looks.values()}
    named |= {icon for icon, _ in formats.CAPABILITIES.values()} | {formats.capability_icon("NEW")}
    for path in (ROOT / "numbersadmin").rglob("*.py"):
        named |= set(re.findall(r"\bicon=\"([a-z0-9-]+)\"", path.read_text()))
    assert named <= ICONS


def test_the_stylesheet_is_small_and_keeps_its_colours_in_the_tokens():
    css = CSS.read_text()
    assert len(css.encode()) <= 45 * 1024
    rest = re.sub(r"/\*.*?\*/", "", css[css.index(":root[data-theme=light]") :], flags=re.DOTALL)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgb\(|\bhsl\(", rest)
    assert not re.findall(r"url\([\"']?(?:data:|https?:|//)", css)


def test_every_token_that_is_used_is_defined():
    css = CSS.read_text()
    assert set(re.findall(r"var\((--[\w-]+)", css)) == set(re.findall(r"^\s+(--[\w-]+):", css, re.MULTILINE))


def unknown_classes(text: str) -> set[str]:
    """Classes of a template that the stylesheet does not know; parts that are computed are left out."""
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", text)
    used = {name for names in re.findall(r'class="([^"]*)"', text) for name in names.split()}
    return used - set(re.findall(r"\.([a-zA-Z][\w-]*)", CSS.read_text()))


def test_every_class_of_a_template_is_styled():
    assert {path.name: found for path in TEMPLATES if (found := unknown_classes(path.read_text()))} == {}
    assert unknown_classes('<p class="card no-such-class {{ tone }}">') == {"no-such-class"}


def test_vendored_files_are_complete_and_plain():
    for name in ("fonts/LICENSE.txt", "flags/LICENSE.txt", "icons.LICENSE.txt", "fonts/inter-latin.woff2"):
        assert (ROOT / "static" / name).stat().st_size > 500
    for path in (ROOT / "static").rglob("*.*"):
        assert path.stat().st_size <= 100_000, path
        assert b"sourceMappingURL" not in path.read_bytes(), path


class Example(forms.Form):
    """A form with a widget of each kind."""

    typed = forms.CharField(label="Type the number", help_text="Spaces do not matter.")
    reason = forms.CharField(widget=forms.Textarea, required=False)
    sender_id = forms.BooleanField(label="I need sender-ID use", required=False)
    match = forms.ChoiceField(
        choices=[("contains", "contain"), ("ends", "end with")], widget=forms.RadioSelect
    )
    capabilities = forms.MultipleChoiceField(
        choices=[("SMS", "SMS"), ("VOICE", "Voice")], widget=forms.CheckboxSelectMultiple
    )


WRONG = Example({"typed": "", "match": "ends", "capabilities": ["SMS"]})
TOTALS = Totals({"EUR": Decimal("2944.5"), "USD": Decimal("418.5")})
PERSON = SimpleNamespace(
    is_authenticated=True, username="approver", display_name="Approver", role_names=["Approver"]
)
REQUEST = SimpleNamespace(user=PERSON, path="/orders/12/", GET=QueryDict("country=DE&page=2"))
LINK = {
    "text": "Mine",
    "url": "/orders/?state=mine",
    "count": 4,
    "current": True,
    "hot": True,
    "remove": True,
}
PAGE = Paginator(range(253), 50).page(2)

# Component: the parameters of an example, and what must be in it.
EXAMPLES: dict[str, tuple[dict[str, object], list[str]]] = {
    "abar": (
        {"sums": [("setup", "Set-up")], "submit": "Continue", "max": 20},
        ['data-sum="setup"', 'data-max="20"'],
    ),
    "badge": ({"state": "unknown", "kind": "purchase"}, ["badge warn", "Outcome unknown", "#help-circle"]),
    "banner": (
        {"tone": "bad", "title": "Refused.", "text": "Renew it.", "url": "/sync/"},
        ["banner bad", "/sync/"],
    ),
    "bar": ({"percent": 40}, ['width="40"']),
    "buttons": ({"submit": "Cancel this number", "danger": 1, "back_url": "/"}, ["btn danger l", 'href="/"']),
    "capabilities": ({"capabilities": ["SMS", "FAX"]}, ["SMS", "Fax"]),
    "changed": ({"before": "16.00", "after": "16.50"}, ["<del", "<ins", "16.50"]),
    "chips": ({"items": [LINK], "label": "Views"}, ['aria-current="page"', "remove", "Mine"]),
    "copy": ({"value": "+49"}, ['data-copy="+49"', 'aria-label="Copy +49"']),
    "count": ({"count": 4, "hot": 1, "words": "waiting"}, ["count hot", "waiting"]),
    "country": ({"code": "DE"}, ["Germany", "flags/de"]),
    "crumbs": ({"url": "/orders/", "text": "Orders", "here": "Order 12"}, ["Orders", "Order 12"]),
    "empty": ({"title": "Nothing", "tone": "bad", "retry_after": 30}, ['data-retry-after="30"', "bad-pic"]),
    "errors": ({"form": WRONG}, ['href="#id_typed"', "This field is required", 'role="alert"']),
    "facts": ({"facts": [{"label": "Type", "value": "Long"}]}, ["<dt>Type</dt>", "Long"]),
    "field": (
        {"field": WRONG["typed"], "unit": "EUR"},
        ['for="id_typed"', 'id="id_typed_error"', "with-unit"],
    ),
    "icon": ({"name": "phone", "size": "s"}, ["#phone", "i-s", 'aria-hidden="true"']),
    "keys": ({}, ["<kbd>j</kbd>"]),
    "kpi": (
        {"label": "October", "amount": Decimal("5"), "currency": "EUR", "href": "/costs/"},
        ["5.00", 'href="/costs/"'],
    ),
    "label": ({"text": "otp"}, ["otp"]),
    "ledger": (
        {"lines": [{"label": "Set-up, once", "amount": Decimal(5), "currency": "EUR", "total": True}]},
        ["Set-up, once", "5.00", 'class="tot"'],
    ),
    "money": ({"amount": Decimal("-96"), "currency": "EUR", "sign": 1}, ["\u221296.00", "EUR"]),
    "note": (
        {"tone": "warn", "title": "Look", "text": "Here", "alert": 1, "retry_after": 0},
        ['retry-after="0"', "Look"],
    ),
    "number": (
        {"number": "38383", "digits": "38", "href": "/numbers/1/", "copy": 1},
        ["<mark>38</mark>", "data-copy"],
    ),
    "pager": (
        {"page": PAGE, "noun": "numbers", "query": REQUEST.GET, "target": "results"},
        ["51–100 of 253 numbers", 'rel="next" href="?country=DE&amp;page=3"', 'hx-target="#results"'],
    ),
    "person": ({"name": "manager"}, ["manager", ">MA<"]),
    "progress": ({"done": 3, "total": 4}, ["3 of 4 done", 'value="3"']),
    "side": (
        {"request": REQUEST, "shell": {"waiting": 4, "sandbox": True}, "here": "orders", "csrf_token": "t"},
        ["4<span", "Sandbox", 'data-action="sign-out"', 'data-go="r" aria-current="page"'],
    ),
    "skeleton": ({"rows": "12"}, ["sk w4"]),
    "sort": (
        {"label": "Number", "key": "number", "sort": "number", "query": REQUEST.GET},
        ['aria-sort="ascending"', "country=DE&amp;sort=-number"],
    ),
    "steps": ({"steps": [{"title": "We check.", "text": "Again."}]}, ["We check.", "Again."]),
    "tabs": ({"items": [LINK], "label": "States"}, ["count hot", 'aria-current="page"']),
    "tfoot": ({"totals": TOTALS, "label": "All 253", "before": 3}, ['colspan="3"', "never added", "418.50"]),
    "time": ({"at": NOW, "now": NOW}, ["just now", 'datetime="2026-10-13T']),
    "timeline": (
        {"events": [{"text": "Bought", "at": NOW}, {"text": "Then", "next": True}]},
        ["Bought", "ic next"],
    ),
    "toast": ({"text": "Approved 2 orders."}, ["data-toast", "Approved"]),
    "totals": ({"totals": TOTALS}, ["2,944.50", "418.50"]),
    "type": ({"type": "SHORT_CODE"}, ["Short code", 'title="SHORT_CODE"']),
}


def test_every_component_has_an_example_and_stands_in_the_notes():
    components = {path.stem for path in (ROOT / "templates" / "components").glob("*.html")}
    assert components == set(EXAMPLES)
    notes = set(re.findall(r"`([a-z]+)`", (ROOT / "docs" / "design.md").read_text()))
    assert components - notes == set()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_components_render(name):
    parameters, expected = EXAMPLES[name]
    shown = get_template(f"components/{name}.html").render(parameters)
    for words in expected:
        assert words in shown


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("badge", {"state": "open"}),
        ("kpi", {"label": "Per month", "value": None}),
        ("money", {"amount": None}),
        ("number", {"number": "79029555551"}),
        ("time", {"at": NOW}),
        ("timeline", {"events": [{"text": "Bought", "at": NOW}]}),
    ],
)
def test_parameters_that_may_be_left_out(name, parameters):
    get_template(f"components/{name}.html").render(parameters)


def test_fields_tie_label_help_and_error_to_the_input():
    shown = get_template("components/field.html").render({"field": WRONG["typed"]})
    assert 'aria-describedby="id_typed_helptext id_typed_error"' in shown
    assert 'aria-invalid="true"' in shown
    for name, tag in (("sender_id", 'class="check"'), ("match", "<fieldset"), ("capabilities", "<legend")):
        shown = get_template("components/field.html").render({"field": WRONG[name]})
        assert tag in shown
        assert shown.count("<input") == len(re.findall("<label", shown))


def test_errors_are_silent_while_there_are_none():
    assert get_template("components/errors.html").render({"form": Example()}).strip() == ""


def test_a_price_that_is_unknown_is_said_so_on_the_button_row():
    shown = get_template("components/kpi.html").render(
        {"label": "Per month", "amount": None, "currency": "EUR"}
    )
    assert "unknown" in shown


def request(path: str, **person: object):
    made = RequestFactory().get(path)
    made.user = SimpleNamespace(**(vars(PERSON) | person))
    return made


@pytest.mark.parametrize("name", ["403.html", "404.html"])
def test_error_pages_render_for_anyone_and_without_a_shell(name):
    for signed_in in (True, False):
        shown = get_template(name).template.render(_bare(request("/orders/9/", is_authenticated=signed_in)))
        assert shown.count("<h1") == 1
        assert ('data-action="sign-out"' in shown) is signed_in


def _bare(made: object):
    """A context with a request and nothing else: no shell, no messages."""
    return Context({"request": made})


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        ("This number is not yours.", "This number is not yours."),
        ("orders.approve", "Ask an administrator"),  # the name of a permission says nothing to a person
        ("", "Ask an administrator"),
    ],
)
def test_a_refusal_says_why_in_words(exception, words):
    context = _bare(request("/orders/9/"))
    context["exception"] = exception
    assert words in get_template("403.html").template.render(context)


@pytest.mark.parametrize("name", ["500.html", "403_csrf.html"])
def test_our_own_faults_need_no_context(name):
    assert "<h1>" in get_template(name).render()


def test_the_base_says_who_where_and_what_is_wrong():
    context = _bare(request("/orders/9/"))
    context["messages"] = [Message(25, "Approved 2 orders."), Message(40, "The number was not changed.")]
    context["shell"] = {
        "waiting": 4,
        "health": {"tone": "bad", "title": "Infobip not answering", "detail": "Since 14:19"},
        "banners": [
            {
                "tone": "bad",
                "title": "Infobip refuses our sign-in.",
                "text": "",
                "url": "/sync/",
                "action": "See",
            }
        ],
        "theme": "dark",
        "keys": False,
    }
    shown = get_template("404.html").template.render(context)
    assert '<html lang="en" data-theme="dark" data-keys="off">' in shown
    assert '<a href="/orders/" data-go="r" aria-current="page">' in shown
    assert "Infobip not answering" in shown
    assert "Infobip refuses our sign-in." in shown
    assert shown.count('data-action="sign-out"') == 1
    assert re.search(r"data-toast>.*?Approved 2 orders", shown)
    assert re.search(r'class="note bad" role="alert".*?The number was not changed', shown, re.DOTALL)
    assert shown.count("Approved 2 orders.") == shown.count("The number was not changed.") == 1


def test_the_styleguide_needs_no_context():
    shown = get_template("overview/styleguide.html").template.render(_bare(request("/styleguide/")))
    assert "Every piece of the interface, once." in shown
