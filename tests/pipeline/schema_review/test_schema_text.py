"""What people wrote around a schema is still there when the schema has changed."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.pipeline.schema_review import schema_text

TEXT = """\
# Reviewed by Ada.
feature {
  name: "height"  # of the source
  type: INT
  # Our camera has 4,000 lines.
  int_domain { min: 16 max: 4000 }
}

feature { name: "label" type: BYTES domain: "labels" }
feature {
  name: "meta_site"
  # by hand:
  distribution_constraints { min_domain_mass: 0.9 }
}
string_domain {
  name: "labels"
  value: "ants"
  # Retired in 2024, but it may come back.
  value: 'wa\\'sps'; value: "bees"
}
"""


def parse(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def edited(text: str, change) -> str:
    old = parse(text)
    new = schema_pb2.Schema()
    new.CopyFrom(old)
    change(new)
    result = schema_text.edit(text, old, new)
    assert parse(result) == new
    return result


def test_without_a_change_the_text_stays() -> None:
    assert edited(TEXT, lambda schema: None) == TEXT


def test_a_value_is_a_line_at_the_end_of_its_domain() -> None:
    odd = 'grüne "Katze" [1] {2} # \\ \'🐈\n'
    result = edited(TEXT, lambda schema: schema.string_domain[0].value.append(odd))
    before, _, after = result.partition('value: "bees"\n')
    assert TEXT.startswith(before) and after.endswith('\n}\n')
    assert after.startswith('  value: "gr')


def test_a_removed_value_takes_nothing_else_along() -> None:
    result = edited(TEXT, lambda schema: schema.string_domain[0].value.remove("wa'sps"))
    assert result == TEXT.replace("value: 'wa\\'sps'; ", '')
    result = edited(TEXT, lambda schema: schema.string_domain[0].value.remove('ants'))
    assert result == TEXT.replace('  value: "ants"\n', '')


def test_a_number_is_replaced_where_it_is() -> None:
    def change(schema: schema_pb2.Schema) -> None:
        schema.feature[0].int_domain.max = 6000

    assert edited(TEXT, change) == TEXT.replace('4000', '6000')


def test_blocks_come_and_go() -> None:
    def change(schema: schema_pb2.Schema) -> None:
        del schema.feature[1]
        schema.feature.add(name='meta_new', type=schema_pb2.BYTES)
        schema.feature[0].presence.min_count = 1
        schema.feature[1].distribution_constraints.Clear()
        schema.feature[1].ClearField('distribution_constraints')

    result = edited(TEXT, change)
    assert '# Our camera' in result and '# of the source' in result and '# Retired' in result
    assert '"label"' not in result and 'min_domain_mass' not in result
    assert result.endswith('feature {\n  name: "meta_new"\n  type: BYTES\n}\n')


@pytest.mark.parametrize(
    'text',
    [
        'string_domain { name: "labels" value: ["ants", "bees", "wasps"] }',
        'string_domain < name: "labels" value: "ants" value: "be" "es", value: "wasps" >  # end',
        'string_domain: {\n\tname: "labels"\n\tvalue: "ants" value: "bees"\n\tvalue: "wasps"\n\t}',
        'string_domain{name:"labels" value:"ants" value:"bees"value:"wasps"}',
        '# a\r\nstring_domain {\r\n  name: "labels"\r\n  value: "ants"\r\n  value: "bees"\r\n'
        '  value: "wasps"\r\n}\r\n',
    ],
)
@pytest.mark.parametrize('removed', ['', 'ants', 'bees', 'wasps'])
@pytest.mark.parametrize('added', [[], ['x'], ['x', 'y']])
def test_however_it_is_written(text: str, removed: str, added: list[str]) -> None:
    def change(schema: schema_pb2.Schema) -> None:
        values = schema.string_domain[0].value
        values[:] = [*(value for value in values if value != removed), *added]

    edited(text, change)


names = st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=8)


@hypothesis.given(
    st.lists(names, max_size=6, unique=True), st.lists(names, max_size=6, unique=True),
    st.integers(-5, 5), st.sets(st.integers(0, 4)),
)  # fmt: skip
def test_any_change_of_a_schema(
    before: list[str], added: list[str], least: int, removed: set[int]
) -> None:
    old = parse(TEXT)
    old.string_domain[0].value[:] = before
    for number in range(5):
        old.feature.add(name=f'{before}{number}', domain='labels')
    text = '# kept\n' + text_format.MessageToString(old, as_utf8=True)
    new = schema_pb2.Schema()
    new.CopyFrom(old)
    for number in sorted(removed, reverse=True):
        del new.feature[number]
    new.string_domain[0].value[:] = [*before[1:], *(name for name in added if name not in before)]
    for feature in new.feature:
        feature.int_domain.min = least
    result = schema_text.edit(text, old, new)
    assert parse(result) == new and result.startswith('# kept\n')
